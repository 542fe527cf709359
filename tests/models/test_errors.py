"""Every error of the builders names the argument, the rule and the value."""

import re

import numpy as np
import pytest

from keras_ssp import models
from tests.models.small import SHAPES

SHAPE_RULE = (
    "`input_shape` must be (height, width, channels), three positive integers, "
    "or (T, height, width, channels) for event data. "
)

CASES = [
    ({"width": 0}, "`width` must be a finite number above 0. Received: width=0."),
    ({"width": "2"}, "`width` must be a finite number above 0. Received: width='2'."),
    (
        {"time_steps": 0},
        "`time_steps` must be a positive integer. Received: time_steps=0.",
    ),
    (
        {"activation": "gelu"},
        "`activation` must be one of 'lif', 'relu', 'qcfs'. "
        "Received: activation='gelu'.",
    ),
    (
        {"pooling": "sum"},
        "`pooling` must be one of 'average', 'max'. Received: pooling='sum'.",
    ),
    (
        {"activation": "relu", "beta": 0.5},
        "`beta` is an argument of the LIF neurons and must only be given with "
        "activation='lif'. Received: beta=0.5, activation='relu'.",
    ),
    (
        {"activation": "qcfs", "reset": "soft"},
        "`reset` is an argument of the LIF neurons and must only be given with "
        "activation='lif'. Received: reset='soft', activation='qcfs'.",
    ),
    (
        {"return_potential": True},
        "`return_potential` must be False: only spikes pass from layer to layer. "
        "Received: return_potential=True.",
    ),
    ({"beta": 2}, "`beta` must be a number in [0, 1]. Received: beta=2."),
    ({"leak": 0.5}, "Unrecognized keyword arguments passed to LIF: {'leak': 0.5}"),
]


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize(("arguments", "message"), CASES)
def test_arguments(name, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        models.get(name)(SHAPES[name], 3, **arguments)


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("classes", [0, 2.5, True])
def test_classes(name, classes):
    message = f"`classes` must be a positive integer. Received: classes={classes}."
    with pytest.raises(ValueError, match=re.escape(message)):
        models.get(name)(SHAPES[name], classes)


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize(
    "shape", [(28, 28), (2, 2, 8, 8, 1), (None, None, 3), (28, 28, 0), 28, None, "abc"]
)
def test_input_shape(name, shape):
    message = f"{SHAPE_RULE}Received: input_shape={shape!r}."
    with pytest.raises(ValueError, match=re.escape(message)):
        models.get(name)(shape, 3)


@pytest.mark.parametrize(
    ("name", "least", "halvings"),
    [("small_cnn", 3, 2), ("cnn7", 5, 3), ("vgg11", 17, 5), ("resnet18", 5, 3)],
)
def test_smallest_image(name, least, halvings):
    build = models.get(name)
    build((least, least, 1), 3, width=0.01)
    shape = (least, least - 1, 1)
    message = (
        f"`input_shape` must have a height and width of at least {least}: '{name}' "
        f"halves them {halvings} times. Received: input_shape={shape}."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        build(shape, 3)


@pytest.mark.parametrize("name", models.names())
def test_event_data(name):
    shape = (3, *SHAPES[name])
    message = "`time_steps` of layer 'encoding' must equal axis 1 of its input."
    with pytest.raises(ValueError, match=re.escape(message)):
        models.get(name)(shape, 3, time_steps=4)
    message = (
        "`input_shape` must be (height, width, channels) in a network without time "
        f"steps. Received: input_shape={shape}, activation='relu'."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        models.get(name)(shape, 3, activation="relu")


@pytest.mark.parametrize("shape", [[8, 8, 1], tuple(np.array([8, 8, 1]))])
def test_input_shape_may_be_a_list_or_hold_numpy_integers(shape):
    assert models.small_cnn(shape, 3).input.shape == (None, 8, 8, 1)


@pytest.mark.parametrize("name", ["resnet50", "CNN7", "", None, ["cnn7"]])
def test_unknown_network(name):
    message = (
        "`name` must be one of 'small_cnn', 'cnn7', 'vgg11', 'resnet18'. "
        f"Received: name={name!r}."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        models.get(name)


def test_registry():
    assert [models.get(name).__name__ for name in models.names()] == [*models.names()]
    public = {x for x in dir(models) if callable(getattr(models, x)) and x[0] != "_"}
    others = {"activation_names", "get", "names", "network", "register"}
    assert {*models.names(), "NetworkBuilder", *others} == public


@pytest.mark.parametrize("name", ["cnn7", "my net", "", 3])
def test_names_to_register(name):
    with pytest.raises(ValueError, match=re.escape(f"Received: name={name!r}.")):
        models.register(name)
