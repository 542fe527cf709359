"""What one call of a model keeps, and lets go of."""

import gc
import weakref

import keras
import pytest

from keras_ssp import SynapticPenalty, penalize
from tests.helpers import images, small_snn

pytestmark = pytest.mark.every_backend


def test_a_penalised_model_that_ran_is_let_go_of():
    model = penalize(small_snn(), SynapticPenalty(1e-3))
    model(images(2), training=True)
    assert sum(float(keras.ops.convert_to_numpy(each)) for each in model.losses) > 0
    found = weakref.ref(model)
    del model
    gc.collect()
    assert found() is None
