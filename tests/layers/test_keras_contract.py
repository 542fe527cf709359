"""Keras' own layer test, which covers building, dtypes, saving and training."""

import pytest
from keras.src import testing

from keras_ssp.layers import (
    LIF,
    DirectEncoding,
    EventFrames,
    LatencyEncoding,
    PoissonEncoding,
    RateReadout,
)

CASES = [
    (LIF, {"learn_beta": True, "learn_threshold": True}, (4, 3), (4, 3), 2, 0, 0),
    (LIF, {"time_steps": 2}, (4, 3), (4, 3), 0, 0, 0),
    (DirectEncoding, {"time_steps": 3}, (2, 5), (6, 5), 0, 0, 0),
    # Keras draws inputs from 0 to 10, and probabilities are to stay below 1.
    (
        PoissonEncoding,
        {"time_steps": 3, "gain": 0.1, "seed": 1},
        (2, 5),
        (6, 5),
        0,
        0,
        1,
    ),
    (LatencyEncoding, {"time_steps": 3}, (2, 5), (6, 5), 0, 0, 0),
    (EventFrames, {}, (2, 3, 5), (6, 5), 0, 0, 0),
    (RateReadout, {"mode": "max", "time_steps": 2}, (4, 5), (2, 5), 0, 0, 0),
]


@pytest.mark.parametrize(
    ("layer", "arguments", "inputs", "outputs", "trainable", "fixed", "seeds"), CASES
)
def test_layer_contract(layer, arguments, inputs, outputs, trainable, fixed, seeds):
    class Contract(testing.TestCase):
        def runTest(self):
            self.run_layer_test(
                layer,
                init_kwargs=arguments,
                input_shape=inputs,
                expected_output_shape=outputs,
                expected_num_trainable_weights=trainable,
                expected_num_non_trainable_weights=fixed,
                expected_num_seed_generators=seeds,
                expected_num_losses=0,
                supports_masking=True,
                run_training_check=layer is LIF,
                assert_built_after_instantiation=False,
            )

    contract = Contract()
    contract.setUp()
    contract.runTest()
