"""Sizes of images: which ones a network takes, and how much of them a kernel meets."""

from __future__ import annotations

from keras_ssp._checks import positive_int
from keras_ssp.synapses.windows import incidence
from keras_ssp.types import Sizes, Tensor


def image_shape(value: object) -> Sizes:
    """`value` as the shape of images, or of event counts.

    Raises:
        ValueError: If it is no tuple or list of three or four positive integers.
    """
    sizes = tuple(value) if isinstance(value, (tuple, list)) else ()
    try:
        sizes = tuple(positive_int("input_shape", n) for n in sizes)
    except ValueError:
        sizes = ()
    if len(sizes) not in (3, 4):
        raise ValueError(
            "`input_shape` must be (height, width, channels), three positive integers, "
            "or (T, height, width, channels) for event data. "
            f"Received: input_shape={value!r}."
        )
    return sizes


def smallest_side(halvings: int) -> int:
    """The least height and width that can be halved so often, two pixels each time.

    Example:

    >>> [smallest_side(halvings) for halvings in (0, 1, 3)]
    [1, 2, 5]
    """
    # Halved halvings - 1 times, rounded up, it must be 2.
    return 2 ** (halvings - 1) + 1 if halvings else 1


def check_size(network: str, shape: Sizes, halvings: int) -> None:
    """Rejects images that a network would halve to less than a pixel.

    Args:
        network: Its name, for the error.
        shape: Its checked input shape.
        halvings: How often it halves height and width.
    """
    least = smallest_side(halvings)
    if min(shape[-3:-1]) < least:
        raise ValueError(
            f"`input_shape` must have a height and width of at least {least}: "
            f"'{network}' halves them {halvings} times. "
            f"Received: input_shape={shape!r}."
        )


def share_inside(image: Tensor, kernel: int, strides: int) -> float:
    """Share of a kernel's taps that meet a pixel, not the padding ("same").

    4/9 of a 3x3 kernel on a 2x2 map: too much to leave out of a guess.
    """
    height, width = image.shape[1:3]
    return _along(height, kernel, strides) * _along(width, kernel, strides)


def _along(size: int, kernel: int, strides: int) -> float:
    reads = incidence(size, kernel, strides, "same")
    return float(reads.sum()) / (len(reads) * kernel)
