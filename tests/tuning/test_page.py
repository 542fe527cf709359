"""The page of a search, as a browser shows it."""

import pytest

from keras_ssp.tuner.results import read_search
from tests.browser import browser
from tests.tuning.helpers import OBJECTIVES, write_search
from tuning.page import write_page
from tuning.parallel import scale_of
from tuning.plots import log_ticks, round_ticks
from tuning.summary import front_table, summary

pytest.importorskip("plotly")
# Names and values that a page must show as they are, not obey.
HOSTILE = {"<i>l&r": "</script><script>window.wrong = 1</script>"}
NASTY = "digits <b onload=alert(1)>&"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = write_search(
        tmp_path_factory.mktemp("search"),
        24,
        name=NASTY,
        failed=2,
        seeds=2,
        silent=True,
        more=HOSTILE,
    )
    command = 'python -m tuning search "<my>.toml" --trials 24'
    write_page(read_search(folder), folder / "index.html", command=command)
    return folder / "index.html"


@pytest.fixture(scope="module")
def tab():
    with browser() as found:
        yield found


@pytest.mark.parametrize("width", [1280, 400])
def test_it_is_shown_whole_without_a_complaint(page, tab, width):
    tab.open(page, width)
    assert tab.complaints() == []
    assert tab.foreign_requests("file:", "data:") == []
    assert tab.evaluate("window.innerWidth") == width
    assert tab.fits()
    for plot in ("frontier", "parallel", "hypervolume", "layers"):
        box = f"document.querySelector('#{plot} svg.main-svg').getBoundingClientRect()"
        assert tab.evaluate(f"{box}.height") > 100, plot
        at_most = 680 if plot == "parallel" else width  # it scrolls in its own box
        assert 0.8 * width < tab.evaluate(f"{box}.width") <= max(at_most, width), plot
    drawn = "document.querySelectorAll('#{} .scatterlayer .points path').length"
    assert tab.evaluate(drawn.format("frontier")) == 21 + 1  # a ring around the knee
    assert tab.evaluate(drawn.format("hypervolume")) == 21
    assert tab.evaluate("document.querySelectorAll('#frontier .errorbar').length") == 21
    bars = "document.querySelectorAll('#layers .bars .point').length"
    assert tab.evaluate(bars) == 2


def test_hostile_names_are_only_text(page, tab):
    tab.open(page, 1280)
    assert tab.evaluate("typeof window.wrong") == "undefined"
    assert tab.evaluate("document.title").startswith(NASTY)
    assert tab.evaluate("document.querySelectorAll('[onload]').length") == 0
    text = tab.evaluate("document.body.innerText")
    for shown in (NASTY, "<my>.toml", *HOSTILE, *HOSTILE.values(), "finite <script>"):
        assert shown in text
    (layer,) = tab.evaluate(
        "[...document.querySelectorAll('#layers .ytick text')]"
        ".map(t => t.textContent).filter(t => t.includes('2'))"
    )
    assert layer == "lif_<2>"


def test_pointing_at_a_trial(page, tab):
    tab.open(page, 1280)
    tab.point_at("#frontier .scatterlayer .trace:nth-child(3) .point:last-child")
    hover = tab.evaluate("document.querySelector('#frontier .hoverlayer').textContent")
    for part in ("trial ", "accuracy: ", " ± ", " nJ", "SynOps: ", "weight: "):
        assert part in hover
    assert all(part in hover for part in HOSTILE)
    opacities = "document.getElementById('parallel').data.map(t => t.opacity)"
    assert 0.12 not in tab.evaluate(opacities)
    tab.point_at("#parallel .scatterlayer .trace:last-child .point")
    assert tab.evaluate(opacities).count(0.12) == 20  # all but one


@pytest.mark.parametrize(
    "kind",
    [
        {"trials": 1, "failed": 0, "running": 1},
        {"trials": 2, "failed": 2, "running": 0},
    ],
    ids=["running", "failed"],
)
def test_a_search_without_a_measured_trial(tmp_path, tab, kind):
    results = read_search(write_search(tmp_path, **kind))
    write_page(results, tmp_path / "index.html")
    tab.open(tmp_path / "index.html", 400)
    assert tab.complaints() == []
    assert "There is no frontier yet." in tab.evaluate("document.body.innerText")


def test_three_objectives_and_metrics_of_ones_own(tmp_path, tab):
    third = {"name": "parameters", "direction": "min", "scale": "log", "reference": 1e6}
    mine = {"name": "mine", "direction": "max", "scale": "linear", "reference": -1.0}
    objectives = [*OBJECTIVES, third]
    write_page(
        read_search(write_search(tmp_path / "a", objectives=objectives)),
        tmp_path / "a.html",
    )
    tab.open(tmp_path / "a.html", 1280)
    assert tab.complaints() == []
    assert "accuracy against synaptic energy, parameters" in tab.evaluate(
        "document.title"
    )
    # Metrics that a trial lacks have no point, and break nothing.
    write_page(
        read_search(write_search(tmp_path / "b", objectives=[mine, OBJECTIVES[1]])),
        tmp_path / "b.html",
    )
    tab.open(tmp_path / "b.html", 1280)
    assert tab.complaints() == []


def test_summary_counts_what_is_worth_counting(tmp_path):
    results = read_search(write_search(tmp_path, 12, silent=True))
    text = summary(results)
    counted = [t for t in results.front if t.metrics["val_accuracy"] > 0.85]
    energies = [t.metrics["val_synaptic_energy_pj"] for t in counted]
    assert len(counted) == len(results.front) - 1
    assert f"{len(counted)} of them above 85.00 % accuracy" in text
    assert f"a factor of {max(energies) / min(energies):.3g}" in text
    assert "10 trials measured, 1 failed, 1 running" in text
    assert f"Its knee is trial {results.pick('knee').trial}" in text
    assert "(accuracy times decades of synaptic energy)" in text


def test_front_table_names_the_knee(tmp_path):
    results = read_search(write_search(tmp_path, 12))
    rows = front_table(results).rows
    assert [row[0] for row in rows] == [trial.trial for trial in results.front]
    knee = [row[0] for row in rows if "knee" in str(row[-1])]
    assert knee == [results.pick("knee").trial]


def test_scales():
    wide = scale_of("weight", [0.01, 1.0, 100.0])
    assert [*wide.places.values()] == pytest.approx([0, 0.5, 1])  # by logarithm
    narrow = scale_of("rate", [1.0, 2.0, 5.0])
    assert [*narrow.places.values()] == pytest.approx([0, 0.25, 1])
    free = scale_of("energy", [0.0, 1.0, 100.0])
    assert free.places[0.0] == 0 < free.places[1.0] < 0.2
    worst = scale_of("accuracy", [0.1, 0.9, 0.99], least=0.85)
    assert worst.places[0.1] == 0 and worst.ticks[0.0] == "≤ 0.85"
    mixed = scale_of("any", ["a", True, None])
    assert {*mixed.places} == {"a", True}
    assert [*scale_of("one", [3.0]).places.values()] == [0.5]


@pytest.mark.parametrize("low, high", [(1.0, 1.5), (0.3, 2e9), (1e-7, 1e-5)])
def test_ticks_are_few_and_within(low, high):
    ticks = log_ticks(low, high)
    assert all(low <= tick <= high for tick in ticks)
    assert len(round_ticks(high)) in (3, 4, 5, 6) and round_ticks(high)[-1] <= high
