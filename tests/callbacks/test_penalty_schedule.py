"""PenaltySchedule in real training runs."""

import keras
import numpy as np
import pytest

from keras_ssp import SynapticPenalty, penalize
from keras_ssp.callbacks import PenaltySchedule
from tests.helpers import images, small_snn

pytestmark = pytest.mark.every_backend
X, Y = images(16), np.ones((16, 5), "float32")


def compiled(**arguments):
    model = penalize(small_snn(threshold=0.3), SynapticPenalty(1e-3))
    model.compile("sgd", "mse", **arguments)
    return model


def weights_during(model, schedule, **fit):
    seen = []

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            value = self.model.get_layer("lif1").penalty_weight
            seen.append(float(keras.ops.convert_to_numpy(value)))

    model.fit(X, Y, batch_size=4, callbacks=[schedule, Record()], verbose=0, **fit)
    return seen


def test_schedule_ramps_by_optimizer_step():
    seen = weights_during(compiled(), PenaltySchedule(8e-4, epochs=2), epochs=3)
    expected = np.minimum(np.arange(1, 13) / 8, 1.0) * 8e-4
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


def test_schedule_keeps_to_the_ramp_with_steps_per_execution():
    if keras.backend.backend() == "torch":
        pytest.skip("Keras has no steps_per_execution on torch")
    model = compiled(steps_per_execution=2)
    seen = weights_during(model, PenaltySchedule(0.8, epochs=1), epochs=1)
    np.testing.assert_allclose(seen, [0.4, 0.8], rtol=1e-6)


def test_schedule_ends_at_the_penalty_s_own_weight_and_resumes():
    model = compiled()
    schedule = PenaltySchedule(epochs=2, start=1, shape="step")
    seen = weights_during(model, schedule, epochs=4, initial_epoch=2)
    np.testing.assert_allclose(seen[:3], 0.0)
    np.testing.assert_allclose(seen[4:], 1e-3, rtol=1e-6)


def test_schedule_moves_the_loss_without_tracing_again():
    model = compiled()
    model.fit(X, Y, batch_size=16, verbose=0)
    function = model.train_function
    model.fit(X, Y, batch_size=16, callbacks=[PenaltySchedule(5.0)], verbose=0)
    assert model.train_function is function
    weight = model.get_layer("lif2").penalty_weight
    assert float(keras.ops.convert_to_numpy(weight)) == 5.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PenaltySchedule(-1.0), "`weight` must be a finite number of at"),
        (lambda: PenaltySchedule(epochs=0), "`epochs` must be a finite number above"),
        (lambda: PenaltySchedule(start=-1), "`start` must be"),
        (lambda: PenaltySchedule(shape="ramp"), "`shape` must be one of 'linear'"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_schedule_without_penalty_is_an_error():
    model = small_snn()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="has no penalty"):
        model.fit(X, Y, callbacks=[PenaltySchedule(1.0)], verbose=0)
