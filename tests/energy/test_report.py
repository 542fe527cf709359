"""The energy report: derived numbers, round trips, text and picture."""

import csv
import html.parser
import io
import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from keras_ssp import _extras
from keras_ssp.energy import hardware
from keras_ssp.energy.report import EnergyReport, LayerReport

STEM = LayerReport(
    name="conv2d",
    kind="analogue",
    neurons=784,
    time_steps=1,
    macs=1000,
    dense=1000,
    energy_pj=4600.0,
    notes=("driven by analogue values",),
)
FIRST = LayerReport(
    name="lif",
    kind="lif",
    neurons=100,
    time_steps=4,
    spikes=60,
    fan_out=50,
    synops=3000,
    dense=20_000,
    energy_pj=2700.0,
    silent_neurons=7,
    penalty=3000.0,
)
SECOND = LayerReport(
    name="lif_1[b]",
    kind="lif",
    neurons=20,
    time_steps=4,
    spikes=10,
    fan_out=100,
    synops=1000,
    dense=8000,
    energy_pj=900.0,
    silent_neurons=2,
    penalty=1000.0,
)


def report(*layers, **changes):
    values = {
        "model_name": "digits",
        "energy_model": hardware.get("cmos45"),
        "samples": 64,
        "time_steps": 4,
        "layers": layers or (STEM, FIRST, SECOND),
        "ann_macs": 5000,
        "notes": ("batch norm is folded into the synapses",),
    }
    return EnergyReport(**(values | changes))


def flat(text):
    """The text without line breaks and runs of spaces."""
    return " ".join(str(text).split())


def test_totals():
    r = report()
    assert r.energy_pj == 8200.0
    assert r.synaptic_energy_pj == 3600.0
    assert r.energy_pj == 0.9 * r.synops + 4.6 * r.macs
    assert (r.spikes, r.synops, r.macs, r.dense) == (70, 4000, 1000, 29_000)
    totals = r.to_dict()["totals"]
    neurobench = ("Effective_ACs", "Effective_MACs", "Dense")
    assert tuple(totals[name] for name in neurobench) == (4000, 1000, 29_000)
    assert r.rate == 70 / (120 * 4)  # the analogue row has no neurons that fire
    assert r.method == "estimate:operation-counts"


def test_baselines_are_derived_or_given():
    r = report()
    assert r.dense_ann_pj == 5000 * 4.6
    assert r.bit_matched_ann_pj == pytest.approx(5000 * 3 * 0.9)  # T = 4: 3 bits
    given = report(dense_ann_pj=1.0, bit_matched_ann_pj=2.0)
    assert (given.dense_ann_pj, given.bit_matched_ann_pj) == (1.0, 2.0)


def test_shares():
    r = report()
    assert [x.share for x in r.layers] == [4600 / 8200, 2700 / 8200, 900 / 8200]
    assert [x.penalty_share for x in r.layers] == [None, 0.75, 0.25]


def test_shares_of_nothing_are_zero():
    silent = replace(FIRST, spikes=0, rate=0.0, synops=0, energy_pj=0.0, penalty=0.0)
    (row,) = report(silent).layers
    assert (row.share, row.penalty_share) == (0.0, 0.0)
    assert "times the network" not in str(report(silent))


def test_row_derives_its_rate():
    assert FIRST.rate == 60 / 400
    assert FIRST.to_dict()["Effective_ACs"] == FIRST.synops
    assert STEM.rate == 0.0


@pytest.mark.parametrize(
    ("kind", "spikes", "flags"),
    [
        ("lif", 0, ("silent",)),
        ("encoding", 0, ("silent",)),
        ("analogue", 0, ()),
        ("lif", 379, ()),
        ("lif", 380, ("saturated",)),
        ("lif", 400, ("saturated",)),
    ],
)
def test_flags(kind, spikes, flags):
    row = LayerReport(
        name="x", kind=kind, neurons=100, time_steps=4, spikes=spikes, energy_pj=1.0
    )
    assert row.flags == flags
    assert replace(row).flags == flags  # not added twice
    assert replace(row, flags=("mine",)).flags == (*flags, "mine")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "re lu"}, "`kind` must be one of"),
        ({"kind": ""}, "`kind` must be one of"),
        ({"kind": None}, "`kind` must be one of"),
        ({"energy_pj": -1.0}, "`energy_pj` must be a finite number >= 0"),
        ({"synops": "many"}, "`synops` must be a finite number >= 0"),
        ({"spikes": 401, "rate": None}, "`spikes` must be at most neurons"),
        ({"rate": 1.1}, r"`rate` must be in \[0, 1\]. Received: rate=1.1 in .*'lif'"),
        ({"penalty": -1.0}, "`penalty` must be a finite number >= 0"),
    ],
)
def test_row_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        replace(FIRST, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 0}, "`samples` must be a positive integer"),
        ({"time_steps": 0}, "`time_steps` must be a positive integer"),
        ({"energy_model": "abacus"}, "`energy_model` must be one of 'cmos45'"),
        ({"ann_macs": -5}, "macs` must be a finite number >= 0"),
    ],
)
def test_report_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        report(**change)


def test_rounding_in_the_rate_is_clipped():
    assert replace(FIRST, rate=1 + 1e-7).rate == 1.0


def test_numpy_scalars_become_json_types():
    row = LayerReport(
        name="x",
        kind="lif",
        neurons=np.int64(4),
        time_steps=2,
        spikes=np.float32(2),
        energy_pj=np.float32(1.5),
        silent_neurons=np.int32(1),
        penalty=np.float64(3),
    )
    assert json.loads(json.dumps(row.to_dict()))["energy_pj"] == 1.5


@pytest.mark.parametrize("name", hardware.names())
def test_json_round_trip(tmp_path, name):
    r = report(energy_model=hardware.get(name))
    path = tmp_path / "energy.json"
    text = r.to_json(path)
    assert path.read_text(encoding="utf-8") == text
    data = json.loads(text)
    assert EnergyReport.from_dict(data) == r
    assert data["totals"]["energy_pj"] == r.energy_pj
    assert data["layers"][1]["Effective_ACs"] == 3000
    assert data["layers"][0]["Effective_MACs"] == 1000


def test_csv_keeps_full_precision(tmp_path):
    r = report(replace(FIRST, energy_pj=1 / 3, notes=("a", "b")), SECOND)
    path = tmp_path / "energy.csv"
    text = r.to_csv(str(path))
    assert path.read_bytes().decode() == text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["name"] for row in rows] == ["lif", "lif_1[b]"]
    assert float(rows[0]["energy_pj"]) == 1 / 3
    assert rows[0]["notes"] == "a; b"
    assert rows[1]["Effective_ACs"] == "1000.0"


def test_text_says_everything():
    text = flat(report())
    for words in (
        "lif_1[b]",  # not taken for markup
        "8.2 nJ per sample: spiking layers 3.6 nJ, analogue synapses 4.6 nJ",
        "mean of 64 samples",
        "dense ANN 23 nJ, 2.8 times the network (5 k MACs)",
        "bit-matched ANN 13.5 nJ, 1.65 times the network (3-bit activations",
        "conv2d: driven by analogue values",
        "batch norm is folded into the synapses",
        "energy model cmos45 (AC 0.9 pJ, MAC 4.6 pJ",
        "Horowitz",
        "estimate:operation-counts",
        "not a measurement",
    ):
        assert words in text
    assert "flagged" not in text
    assert str(report()).isascii()


def test_text_names_flagged_layers():
    silent = replace(FIRST, spikes=0, rate=0.0)
    assert "flagged silent: lif" in flat(report(silent, SECOND))


def test_text_truncates_nothing():
    long = "block_" * 60 + "lif"
    text = str(report(replace(FIRST, name=long), *[SECOND] * 30))
    assert long in text
    assert "..." not in text and "\u2026" not in text
    table = [line for line in text.splitlines() if line.startswith(("|", "+"))]
    assert len({len(line) for line in table}) == 1
    assert len(table) == 31 + 6  # rows, header, total and four rules


def test_columns_appear_when_there_is_something_to_say():
    bare = replace(FIRST, penalty=None, silent_neurons=None)
    text = report(bare).text(wide=True)
    for title in ("of penalty", "silent neurons", "flags"):
        assert title not in text
    whole = report().text(wide=True)
    assert "of penalty" in whole and "silent neurons" in whole
    assert "of penalty" in str(report()) and "silent neurons" not in str(report())


def test_markdown(tmp_path):
    path = tmp_path / "energy.md"
    text = report(replace(FIRST, name="a|b"), SECOND).to_markdown(path)
    assert path.read_text(encoding="utf-8") == text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 5
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "| a\\|b | lif |" in table[2]
    assert "- dense ANN: 23 nJ" in text


ROWS = """\
name,kind,neurons,time_steps,energy_pj,spikes,rate,fan_out,synops,Effective_MACs,\
Dense,share,silent_neurons,flags,notes,penalty,penalty_share,Effective_ACs,\
updates,weights,targets
conv2d,analogue,784,1,4600.0,0.0,0.0,0.0,0.0,1000.0,1000.0,\
0.8363636363636363,,,driven by analogue values,,,0.0,,,
lif,lif,100,4,900.0,0.0,0.0,50.0,3000.0,0.0,20000.0,\
0.16363636363636364,7,silent,,3000.0,1.0,3000.0,,,
"""

TABLE = """\
| layer | kind | neurons | T | spikes | rate | fan-out | SynOps | MACs | Dense | \
energy | share | silent neurons | penalty | of penalty | flags |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | \
---: | ---: | ---: | ---: | ---: | ---: |
| conv2d | analogue | 784 | 1 | - | - | 0 | 0 | 1 k | 1 k | \
4.6 nJ | 83.6 % | - | - | - |  |
| lif | lif | 100 | 4 | 0 | 0.0 % | 50 | 3 k | 0 | 20 k | \
900 pJ | 16.4 % | 7 | 3 k | 100.0 % | silent |
| **total** |  | **100** | **4** | **0** | **0.0 %** |  | **3 k** | **1 k** | \
**21 k** | **5.5 nJ** | **100.0 %** | **7** | **3 k** |  |  |
"""


def test_order_and_names_of_the_columns():
    """What others read does not move when a column is added or renamed here."""
    silent = replace(FIRST, spikes=0, rate=0.0, energy_pj=900.0)
    r = report(STEM, silent)
    assert r.to_csv() == ROWS
    assert TABLE in r.to_markdown()


def test_table_gives_the_report_to_other_formats():
    table = report().table("mine")
    assert table.title == "mine" and table.columns[0].header == "layer"
    assert "<td>lif_1[b]</td>" in table.html()


def test_files_with_either_names_are_read():
    row = STEM.to_dict()
    row["macs"], row["dense"] = row.pop("Effective_MACs"), row.pop("Dense")
    assert LayerReport.from_dict(row) == LayerReport.from_dict(STEM.to_dict()) == STEM


@pytest.mark.parametrize(
    ("kind", "neuron"), [("lif", True), ("mine", True), ("encoding", False)]
)
def test_rows_of_neurons(kind, neuron):
    row = replace(FIRST, kind=kind)
    assert (row.is_neuron, row.spiking) == (neuron, True)
    assert not STEM.is_neuron and not STEM.spiking


def test_empty_report():
    r = EnergyReport(
        model_name="ann", energy_model="cmos45", samples=1, time_steps=1, layers=()
    )
    assert (r.energy_pj, r.rate) == (0.0, 0.0)
    assert "total" in str(r)
    assert r.to_csv() == ""


def test_plot_writes_a_png(tmp_path):
    path = tmp_path / "energy.png"
    figure = report().plot(path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert path.stat().st_size > 5000
    (axes,) = figure.axes
    energy, penalty = axes.containers
    # Spiking layers only, and for this penalty the bars are equally long.
    assert [bar.get_width() for bar in energy] == pytest.approx([75, 25])
    assert [bar.get_width() for bar in penalty] == pytest.approx([75, 25])
    assert "2.7 nJ (75.0 %)" in [text.get_text() for text in axes.texts]


def test_plot_without_a_penalty_shows_every_layer():
    rows = [replace(row, penalty=None) for row in (STEM, FIRST, SECOND)]
    (axes,) = report(*rows).plot().axes
    (energy,) = axes.containers
    assert [bar.get_width() for bar in energy] == pytest.approx(
        [100 * e / 8200 for e in (4600, 2700, 900)]
    )
    assert axes.get_legend() is None


def test_plot_leaves_no_pyplot_state():
    report().plot()
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_require_says_which_extra():
    message = r'no_such_package is needed for plots; pip install "keras-ssp\[plots\]"'
    with pytest.raises(ImportError, match=message):
        _extras.require("no_such_package.sub", extra="plots")
    assert _extras.require("json", extra="plots") is json


def test_require_keeps_an_error_inside_the_package(tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency") as caught:
        _extras.require("broken_package", extra="plots")
    assert "keras-ssp" not in str(caught.value)


def test_rows_by_name_by_place_and_one_after_the_other():
    r = report()
    assert r["lif"] is r.layers[1] is r[1] and r[-1].name == "lif_1[b]"
    assert [row.name for row in r] == ["conv2d", "lif", "lif_1[b]"] and len(r) == 3
    assert "lif" in r and r[0] in r and "lif2" not in r
    with pytest.raises(KeyError, match="'conv2' is no row.*Did you mean 'conv2d'"):
        r["conv2"]


def test_repr_is_short_and_says_the_energy():
    assert repr(report()) == (
        "<EnergyReport of 'digits': 8.2 nJ per sample, rate 14.6 %, 3 rows, cmos45>"
    )


@pytest.mark.parametrize("width", [44, 60, 80, 200])
def test_text_fits_and_keeps_every_number(width, monkeypatch):
    text = report().text(width=width)
    numbers = ("3 k", "2.7 nJ", "lif_1[b]", "100.0 %" if width >= 80 else "8.2 nJ")
    assert all(number in text for number in numbers)
    assert max(map(len, text.splitlines())) <= width
    monkeypatch.setenv("COLUMNS", str(width))
    assert str(report()) == text


def test_columns_on_request():
    text = report().text(columns=["macs", "time_steps"])
    (head,) = [line for line in text.splitlines() if line.startswith("| layer")]
    assert head.replace(" ", "") == "|layer|T|MACs|"
    with pytest.raises(ValueError, match="`columns` must be one of 'name'.*'spike'"):
        report().text(columns=["spike"])


def test_remarks_on_many_layers_are_said_once():
    note = "shortcut without weights"
    notes = [f"{note} into neurons through add_{k}: no synapse" for k in range(12)]
    rows = [replace(FIRST, name=f"lif{k}", notes=(n,)) for k, n in enumerate(notes)]
    assert notes[0] in " ".join(report(rows[0]).text(width=500).split())
    text = " ".join(report(*rows).text(width=500).split())
    assert text.count(note) == 1
    assert (
        f"lif0, lif1, lif2, lif3, lif4 and 7 more: {note} into neurons: no synapse"
        in text
    )


PRICED = [
    replace(FIRST, updates=400.0, weights=5000, targets=20),
    replace(SECOND, updates=80.0, weights=2000, targets=10),
]


@pytest.mark.parametrize("name", hardware.names())
def test_other_prices_without_the_data(name):
    again = report(*PRICED).with_energy_model(name)
    model = hardware.get(name)
    for row, counted in zip(again, PRICED, strict=True):
        assert row.energy_pj == model.layer_energy(counted.counts())
    assert again.energy_model == model
    assert again.dense_ann_pj == model.dense_ann_pj(again.ann_macs)
    assert sum(row.share for row in again) == pytest.approx(1.0)
    assert EnergyReport.from_dict(again.to_dict()) == again


def test_a_report_of_an_earlier_version_cannot_be_priced_again():
    old = report().to_dict()
    for row in old["layers"]:
        del row["updates"], row["weights"], row["targets"]
    with pytest.raises(ValueError, match="Row 'conv2d' must say its `updates`"):
        EnergyReport.from_dict(old).with_energy_model("loihi")


def test_data_frame():
    pytest.importorskip("pandas")
    frame = report().to_dataframe()
    assert list(frame.index) == ["conv2d", "lif", "lif_1[b]"]
    assert frame.loc["lif", "synops"] == 3000 and frame.energy_pj.sum() == 8200


class Page(html.parser.HTMLParser):
    """What a page shows, and what it would fetch."""

    def __init__(self, text):
        super().__init__()
        self.words, self.open, self.fetched = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.fetched += [v for k, v in attributes if k in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data.strip())


def test_page_is_whole_and_needs_no_other_file(tmp_path):
    path = tmp_path / "energy.html"
    r = report(replace(STEM, name="<b>&"), FIRST, SECOND)
    text = r.to_html(path)
    assert path.read_text(encoding="utf-8") == text
    page = Page(text)
    assert not page.fetched and not page.open and "url(" not in text
    for said in ("<b>&", "4.6 nJ (56.1 %)", "dense ANN", "4.6 nJ", "SynOps", "rate"):
        assert said in page.words
    cell = Page(r._repr_html_())
    assert "lif_1[b]" in cell.words and not cell.open and not cell.fetched


def test_page_of_a_network_that_diverged():
    lost = replace(FIRST, energy_pj=float("nan"), spikes=float("nan"), rate=None)
    assert "nan" in report(lost, SECOND).to_html()


def bars(figure):
    (axes,) = figure.axes
    return axes, [[bar.get_width() for bar in found] for found in axes.containers]


def test_pictures_of_every_kind():
    pytest.importorskip("matplotlib")
    r = report()
    axes, widths = bars(r.plot())
    np.testing.assert_allclose(widths, [[75, 25], [75, 25]])
    assert axes.get_xlim()[1] <= 100
    axes, widths = bars(r.plot(kind="energy"))
    np.testing.assert_allclose(widths, [[4.6, 2.7, 0.9]])
    assert axes.get_xlabel() == "energy per sample (nJ)"
    axes, widths = bars(r.plot(kind="rate"))
    np.testing.assert_allclose(widths, [[15.0, 12.5]])
    axes, _ = bars(r.plot(kind="energy", log=True))
    assert axes.get_xscale() == "log"
    with pytest.raises(ValueError, match="`kind` must be one of 'share'"):
        r.plot(kind="shares")


def test_picture_in_axes_of_ones_own():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    first, second = figure.subplots(1, 2)
    assert report().plot(ax=second) is figure
    assert not first.containers and len(second.containers) == 2
