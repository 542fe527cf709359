"""What is exported answers as the model does, and tells what it costs."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_ssp
from keras_ssp import convert, energy_report
from keras_ssp.datasets import ImageData, Split
from keras_ssp.layers import (
    LIF,
    DirectEncoding,
    EventFrames,
    PoissonEncoding,
    RateReadout,
)
from keras_ssp.models import small_cnn
from keras_ssp.serving import read_card
from tests.helpers import images
from tests.serving.helpers import LABELS, exported, load, network

L = keras.layers
every_backend = pytest.mark.every_backend
tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="exports of other backends are made by TensorFlow: one test shows it",
)


def answer(path, signature, **inputs):
    import tensorflow as tf

    loaded = load(path)
    function = loaded.signatures[signature]
    found = function(**{name: tf.constant(x) for name, x in inputs.items()})
    return {name: np.asarray(value) for name, value in found.items()}


def assert_same(
    model, path, x, *, output="logits", name="inputs", fed=None, batches=None
):
    """The export answers as `predict` does and costs what `energy_report` says."""
    fed = x if fed is None else fed
    for rows in batches or (len(x),):
        expected = model.predict(fed[:rows], verbose=0)
        found = answer(path, "serving_default", **{name: x[:rows]})
        np.testing.assert_allclose(found[output], expected, rtol=1e-6, atol=1e-6)
        costs = answer(path, "energy_report", **{name: x[:rows]})
        np.testing.assert_array_equal(costs[output], found[output])
        report = energy_report(model, fed[:rows])
        for key, unit in (("energy_joules", 1e12), ("synaptic_energy_joules", 1e12)):
            wanted = getattr(report, key.replace("_joules", "_pj"))
            assert unit * costs[key].mean(dtype="float64") == pytest.approx(
                wanted, rel=1e-6
            )
        assert costs["synops"].mean(dtype="float64") == pytest.approx(report.synops)
        assert costs["macs"].mean(dtype="float64") == pytest.approx(report.macs)
        for row, layer in zip(report.layers, read_card(path)["layers"], strict=True):
            assert row.name == layer["name"]
            if row.spiking:
                for quantity in ("spikes", "synops"):
                    values = costs[f"{layer['key']}_{quantity}"]
                    assert values.shape == (rows,)
                    assert values.mean(dtype="float64") == pytest.approx(
                        getattr(row, quantity), rel=1e-6
                    )


@every_backend
def test_a_network_of_any_backend_is_exported(tmp_path):
    model, _ = network()
    x = images(64)
    path = keras_ssp.export(model, tmp_path / "small" / "1", data=x)
    assert path == tmp_path / "small" / "1"
    tensorflow = keras.backend.backend() == "tensorflow"  # others compile longer
    assert_same(model, path, x, batches=(1, 3, 64) if tensorflow else (64,))
    card = read_card(path)
    assert card["versions"]["backend"] == keras.backend.backend()
    assert card["energy"]["energy_joules"] == pytest.approx(
        1e-12 * energy_report(model, x).energy_pj
    )


@tensorflow_only
def test_it_runs_where_keras_cannot_be_imported(tmp_path):
    """In a process that has TensorFlow, and neither Keras nor this package."""
    model, x = network()
    np.save(tmp_path / "x.npy", x)
    code = f"""
import sys, json
sys.modules.update(dict.fromkeys(('keras', 'keras_ssp', 'tf_keras')))
import numpy as np, tensorflow as tf
loaded = tf.saved_model.load({str(exported())!r})
x = np.load({str(tmp_path / "x.npy")!r})
found = loaded.signatures['energy_report'](inputs=tf.constant(x))
print(json.dumps({{k: v.numpy().tolist() for k, v in found.items() if k != 'label'}}))
try:
    import keras
    sys.exit("keras can be imported")
except ImportError:
    pass
"""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr[-1000:]
    found = json.loads(run.stdout)
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-6, atol=1e-6)
    report = energy_report(model, x)
    assert 1e12 * np.mean(found["energy_joules"]) == pytest.approx(report.energy_pj)


@tensorflow_only
def test_no_function_needs_a_compiler_and_none_writes():
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((exported() / "saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    assert len(functions) > 4
    for function in functions:
        nodes = [*function.node_def]
        assert not function.attr["_XlaMustCompile"].b
        assert not any(node.attr["_XlaMustCompile"].b for node in nodes)
        if "restore" not in function.signature.name:
            assert not [n.op for n in nodes if n.op.startswith("Assign")]
    assert {*saved.meta_graphs[0].signature_def} >= {
        *("serving_default", "energy_report", "spikes", "layer_counts"),
    }


@tensorflow_only
@pytest.mark.parametrize("steps", [4, 32])
def test_export_of_keras_itself_is_clean(tmp_path, steps):
    from tensorflow.core.protobuf import saved_model_pb2

    model, x = network(steps)
    model.export(str(tmp_path / "plain"), verbose=False)
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((tmp_path / "plain" / "saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    assert not [f for f in functions if f.attr["_XlaMustCompile"].b]
    loaded = load(tmp_path / "plain")
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(np.asarray(loaded.serve(x)), expected, atol=1e-6)


@every_backend
@pytest.mark.filterwarnings("ignore:The `native_serialization` parameter")  # Keras' own
def test_keras_exports_on_every_backend(tmp_path):
    if keras.backend.backend() == "torch":
        pytest.skip("Keras exports SavedModels of torch by a library that is not here")
    model, x = network()
    model.export(str(tmp_path / "plain"), verbose=False)
    loaded = load(tmp_path / "plain")
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(np.asarray(loaded.serve(x)), expected, atol=1e-6)


@tensorflow_only
def test_training_goes_on_compiled_after_an_export(tmp_path):
    import tensorflow as tf

    model, x = network()
    keras_ssp.export(model, tmp_path / "1")
    traced = tf.function(lambda x: model(x, training=False))
    graph = traced.get_concrete_function(tf.TensorSpec(x.shape)).graph
    library = graph.as_graph_def().library.function
    assert any(function.attr["_XlaMustCompile"].b for function in library)


@tensorflow_only
def test_probabilities_and_labels(tmp_path):
    model, x = network()
    path = keras_ssp.export(
        model, tmp_path / "1", output="probabilities", labels=LABELS
    )
    logits = model.predict(x, verbose=0)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = answer(path, "serving_default", inputs=x)
    assert {*found} == {"probabilities", "label"}
    np.testing.assert_allclose(found["probabilities"], expected, rtol=1e-5)
    named = [LABELS[k].encode() for k in logits.argmax(axis=1)]
    assert found["label"].tolist() == named


@tensorflow_only
def test_a_softmax_is_not_taken_twice(tmp_path):
    x = keras.Input((4,))
    y = DirectEncoding(2)(L.Dense(8)(x))
    y = RateReadout()(L.Dense(3, activation="softmax")(LIF(name="a")(y)))
    model, data = keras.Model(x, y), images(6, (4,))
    path = keras_ssp.export(model, tmp_path / "1")
    assert_same(model, path, data, output="probabilities")
    with pytest.raises(ValueError, match="`output` must be 'probabilities'"):
        keras_ssp.export(model, tmp_path / "2", output="logits")


def image_data(shape=(8, 8, 2)):
    rng = np.random.default_rng(0)
    part = Split(rng.integers(0, 256, (12, *shape), "uint8"), np.arange(12) % 5)
    means, deviations = (0.3, 0.1), (0.2, 0.4)
    return ImageData("noise", 5, part, part, part, 255.0, means, deviations)


@tensorflow_only
def test_normalisation_inside(tmp_path):
    model, _ = network()
    data = image_data()
    path = keras_ssp.export(model, tmp_path / "1", preprocessing=data)
    assert_same(model, path, data.test.x, fed=data.inputs("test").x)
    card = read_card(path)
    assert card["inputs"] == [{"name": "inputs", "shape": [8, 8, 2], "dtype": "uint8"}]
    assert card["preprocessing"]["inside"] and card["preprocessing"]["peak"] == 255.0
    # What is measured on is what is preprocessed, unless something else is given.
    assert card["evaluation"]["dataset"]["fingerprint"] == data.fingerprint
    accuracy = np.mean(
        model.predict(data.inputs("test").x, verbose=0).argmax(axis=1) == data.test.y
    )
    assert card["evaluation"]["accuracy"] == pytest.approx(accuracy)


@tensorflow_only
def test_a_preprocessing_layer_inside(tmp_path):
    model, _ = network()
    before = keras.Sequential(
        [keras.Input((16, 16, 2), dtype="uint8"), L.Rescaling(1 / 64), L.Resizing(8, 8)]
    )
    path = keras_ssp.export(model, tmp_path / "1", preprocessing=before)
    x = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 2)).astype("uint8")
    fed = np.asarray(before(x))
    assert_same(model, path, x, fed=fed)
    assert read_card(path)["inputs"][0]["shape"] == [16, 16, 2]


@tensorflow_only
def test_several_inputs(tmp_path):
    a, b = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    y = DirectEncoding(3)(L.Concatenate()([L.Dense(6)(a), L.Dense(6)(b)]))
    y = RateReadout()(L.Dense(2)(LIF(name="lif")(y)))
    model = keras.Model({"right": b, "left": a}, y)
    data = {"left": images(7, (4,)), "right": images(7, (3,), seed=1)}
    path = keras_ssp.export(model, tmp_path / "1", data=data)
    expected = model.predict(data, verbose=0)
    costs = answer(path, "energy_report", **data)
    np.testing.assert_allclose(costs["logits"], expected, rtol=1e-6, atol=1e-6)
    report = energy_report(model, data)
    assert 1e12 * costs["energy_joules"].mean() == pytest.approx(report.energy_pj)


@tensorflow_only
def test_several_outputs_keep_their_names(tmp_path):
    x = keras.Input((4,))
    y = LIF(name="lif")(DirectEncoding(2)(L.Dense(8)(x)))
    outputs = {
        "kind": RateReadout()(L.Dense(3)(y)),
        "size": RateReadout()(L.Dense(1)(y)),
    }
    model = keras.Model(x, outputs)
    path = keras_ssp.export(model, tmp_path / "1")
    found = answer(path, "serving_default", inputs=images(5, (4,)))
    expected = model.predict(images(5, (4,)), verbose=0)
    assert {*found} == {"kind", "size"}
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match="`labels` must hold"):
        keras_ssp.export(model, tmp_path / "2", labels=LABELS)


@tensorflow_only
def test_event_input(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((6, 8, 8, 2)),
            EventFrames(name="events"),
            L.Conv2D(4, 3, padding="same"),
            LIF(threshold=0.2, name="lif1"),
            L.Flatten(),
            L.Dense(3),
            RateReadout(),
        ]
    )
    x = np.random.default_rng(0).poisson(0.3, (9, 6, 8, 8, 2)).astype("float32")
    path = keras_ssp.export(model, tmp_path / "1", input_dtype="uint8")
    assert_same(model, path, x.astype("uint8"), fed=x)


@keras.saving.register_keras_serializable(package="tests")
class Own(keras.Model):
    """A subclassed model, whose fan-out is given."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.encoding = DirectEncoding(3)
        self.dense = L.Dense(6)
        self.lif = LIF(time_steps=3, fan_out=4, name="lif")
        self.head = L.Dense(4)
        self.readout = RateReadout(time_steps=3)

    def call(self, x):
        return self.readout(self.head(self.lif(self.encoding(self.dense(x)))))


@tensorflow_only
def test_a_subclassed_model(tmp_path):
    model, x = Own(name="own"), images(8, (5,))
    with pytest.raises(ValueError, match="call it once on data"):
        keras_ssp.export(model, tmp_path / "1")
    model(x)
    path = keras_ssp.export(model, tmp_path / "1", data=x)
    assert_same(model, path, x)
    assert "subclassed" in read_card(path)["model"]["notes"][0]


@tensorflow_only
def test_a_converted_network(tmp_path):
    ann = small_cnn((8, 8, 1), 4, width=0.25, activation="relu")
    x = images(10, (8, 8, 1))
    model = convert(ann, x, time_steps=8)
    path = keras_ssp.export(model, tmp_path / "1", data=x)
    assert_same(model, path, x, name="image")


@tensorflow_only
@pytest.mark.parametrize(
    "energy_model", ["lemaire2022", "loihi", {"ac_pj": 2, "mac_pj": 3}]
)
def test_energy_models_are_written_into_the_graph(tmp_path, energy_model):
    model, x = network()
    path = keras_ssp.export(model, tmp_path / "1", energy_model=energy_model)
    report = energy_report(model, x, energy_model=energy_model)
    costs = answer(path, "energy_report", inputs=x)
    for key in ("energy", "synaptic_energy"):
        found = 1e12 * costs[f"{key}_joules"].mean(dtype="float64")
        assert found == pytest.approx(getattr(report, f"{key}_pj"), rel=1e-6)


@tensorflow_only
def test_drawn_spikes_are_new_each_time_and_written_nowhere(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((50,)),
            PoissonEncoding(20, seed=1, name="poisson"),
            L.Dense(8),
            LIF(name="lif"),
            L.Dense(2),
            RateReadout(),
        ]
    )
    path = keras_ssp.export(model, tmp_path / "1")
    import tensorflow as tf

    loaded = load(path)
    x = tf.fill((40, 50), 0.3)
    first, second = (loaded.signatures["spikes"](inputs=x) for _ in range(2))
    drawn = [np.asarray(each["poisson"]) for each in (first, second)]
    assert drawn[0].shape == (40, 20, 50)
    assert not np.array_equal(*drawn)
    assert {*np.unique(drawn[0])} == {0.0, 1.0}
    # Five standard deviations of the mean of so many draws.
    assert abs(drawn[0].mean() - 0.3) < 5 * np.sqrt(0.21 / drawn[0].size)


@tensorflow_only
def test_what_is_not_finite_is_never_cheap(tmp_path):
    model, x = network()
    head = model.get_layer("head")
    head.bias.assign([np.nan] * 5)
    path = keras_ssp.export(model, tmp_path / "1")
    costs = answer(path, "energy_report", inputs=x)
    assert np.isnan(costs["energy_joules"]).all()
    assert np.isnan(costs["synaptic_energy_joules"]).all()


@tensorflow_only
def test_saved_model_cli_reads_it():
    from tensorflow.python.tools import saved_model_cli

    run = subprocess.run(
        [sys.executable, "-m", saved_model_cli.__name__, "show", "--all", "--dir"]
        + [str(exported())],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert run.returncode == 0, run.stderr[-1000:]
    for text in (
        "signature_def['serving_default']",
        "signature_def['energy_report']",
        "outputs['energy_joules'] tensor_info",
        "inputs['inputs'] tensor_info",
        "shape: (-1, 8, 8, 2)",
        "tensorflow/serving/predict",
    ):
        assert text in run.stdout


@tensorflow_only
def test_bad_arguments_are_named(tmp_path):
    model, x = network()
    to, other = tmp_path / "1", image_data((4, 4, 2))
    for match, wrong in (
        ("`output` must be one of", {"output": "logit"}),
        ("`labels` must hold a name for each class", {"labels": ["a"]}),
        ("`input_dtype` must be one of", {"input_dtype": "complex64"}),
        ("`preprocessing` must be an ImageData", {"preprocessing": "normalise"}),
        (
            "`preprocessing` must be of the data",
            {"preprocessing": other},
        ),
        ("`format` must be one of", {"format": "pickle"}),
        ("`path` must end in", {"format": "onnx"}),
        ("energy_model", {"energy_model": "nothing"}),
    ):
        with pytest.raises(ValueError, match=match):
            keras_ssp.export(model, to, **wrong)
    assert not to.exists() and not list(tmp_path.iterdir())


@tensorflow_only
def test_an_energy_model_that_cannot_price_samples_is_refused(tmp_path):
    from dataclasses import dataclass

    from keras_ssp.energy import EnergyModel

    @dataclass(frozen=True, kw_only=True)
    class Squared(EnergyModel):
        def layer_energy(self, counts):
            return counts.synops**2

    model, _ = network()
    squared = Squared(name="squared", ac_pj=1.0, mac_pj=1.0)
    with pytest.raises(ValueError, match="must price a layer by a constant"):
        keras_ssp.export(model, tmp_path / "1", energy_model=squared)
