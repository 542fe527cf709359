"""Data sets by name: the published ones, and a user's own."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import TypeAlias, overload

from keras_ssp._checks import did_you_mean, function, one_of, real, shown
from keras_ssp._registry import Registry
from keras_ssp.datasets import sources
from keras_ssp.datasets.images import Augmentation, ImageData, Split, canonical
from keras_ssp.datasets.own import KINDS, is_own, load_own, require_own

#: Makes a data set; gets the `data_dir` that was given to `load` or `--data-dir`.
Loader: TypeAlias = Callable[[str | None], ImageData]

_VALIDATION = 0.1
_DIGITS_TEST_FRACTION = 0.3
_DATA_SETS: Registry[Loader] = Registry("name", also=KINDS)


@overload
def register(name: str, *, overwrite: bool = ...) -> Callable[[Loader], Loader]: ...


@overload
def register(name: str, loader: Loader, *, overwrite: bool = ...) -> Loader: ...


def register(
    name: str, loader: Loader | None = None, *, overwrite: bool = False
) -> Loader | Callable[[Loader], Loader]:
    """Gives a data set a name, for `load`, `TrainConfig`, studies and `--data`.

    Args:
        name: The name, a string without spaces.
        loader: Function that gets `data_dir` (a path or `None`) and returns an
            `ImageData` of that name, the same one every time. Left out in the form
            `@register(name)`.
        overwrite: Whether it may replace a data set of that name. Defaults to
            `False`.

    Returns:
        `loader`, or a decorator that returns what it decorates.

    Raises:
        ValueError: If the name is taken, or is no such string.

    Example:

    >>> @register("stripes")
    ... def stripes(data_dir):
    ...     x = np.zeros((8, 8, 8, 1), "uint8")
    ...     x[::2, ::2], x[1::2, :, ::2] = 255, 255
    ...     part = Split(x, np.arange(8) % 2)
    ...     return ImageData("stripes", 2, part, part, part, peak=255.0)
    >>> load("stripes").sample_shape
    (8, 8, 1)
    """
    if loader is None:
        return _DATA_SETS.register(name, overwrite=overwrite)
    return _DATA_SETS.register(name, function("loader", loader), overwrite=overwrite)


def names() -> tuple[str, ...]:
    """Names of the data sets, the published ones first.

    Example:

    >>> names()[:3]
    ('digits', 'mnist', 'fashion_mnist')
    """
    return _DATA_SETS.names()


def is_name(name: object) -> bool:
    """Whether `load` takes it as a name; what it stands for may be missing."""
    return isinstance(name, str) and (name in names() or is_own(name))


def check_name(argument: str, name: object) -> str:
    """Returns what `load` takes as a name; what the name stands for may be missing.

    Raises:
        ValueError: If it is neither the name of a data set nor of a file, a folder or
            `tfds:NAME`.
    """
    if is_name(name):
        return str(name)
    raise ValueError(
        f"`{argument}` must be one of {', '.join(map(repr, names()))}, {KINDS}. "
        f"Received: {argument}={shown(name)}.{did_you_mean(name, names())}"
    )


def load(
    name: str,
    *,
    data_dir: str | None = None,
    source: str = "auto",
    validation: float = _VALIDATION,
) -> ImageData:
    """Loads a data set as NumPy arrays.

    Args:
        name: `"digits"` (1797 scans of 8x8, ships with scikit-learn), `"mnist"`,
            `"fashion_mnist"`, `"cifar10"`, `"cifar100"`, or one that `register` added;
            the path of an `.npz` file (`from_npz`), of a folder of images
            (`from_folder`), or `"tfds:NAME"` (`from_tfds`).
        data_dir: Where tensorflow-datasets keeps its data, or the folder of
            `<name>.npz` (`save_npz`). Defaults to the environment variable
            `TFDS_DATA_DIR`, then `~/tensorflow_datasets`.
        source: `"tfds"`, `"keras"` (`keras.datasets`, no TensorFlow needed), `"npz"`,
            or `"auto"`: the file if there is one, then the other two in this order.
            Published data sets only.
        validation: Fraction of the training data that is held out, in [0.01, 0.5].
            Defaults to 0.1. Not for data sets that were registered.

    Returns:
        An `ImageData`; the same split every time, from every source.

    Raises:
        ValueError: If there is no data set of that name; the closest one is proposed.
        ImportError: If `"digits"` is asked for without scikit-learn.
        OSError: If the data is neither there nor can be downloaded.

    Example:

    >>> data = load("digits")
    >>> data.sample_shape, data.classes
    ((8, 8, 1), 10)
    """
    check_name("name", name)
    one_of("source", source, sources.SOURCES)
    real("validation", validation, low=0.01, high=0.5)
    if name not in names():
        if source != "auto":
            raise ValueError(
                f"`source` must be left out for {KINDS}. Received: source={source!r}."
            )
        return load_own(name, data_dir, validation)
    loader = _DATA_SETS.get(name)
    if isinstance(loader, _Published):
        return loader.load(data_dir, source, validation)
    if (source, validation) != ("auto", _VALIDATION):
        raise ValueError(
            "`source` and `validation` must be left out for a data set that was "
            f"registered: its loader decides. Received: name={name!r}, "
            f"source={source!r}, validation={validation!r}."
        )
    data = loader(data_dir)
    if not isinstance(data, ImageData) or data.name != name:
        found = getattr(data, "name", type(data).__name__)
        raise ValueError(
            f"The loader of data set '{name}' must return an ImageData with "
            f"name={name!r}. Received: {found!r}."
        )
    return data


def require_local(name: str, data_dir: str | None = None) -> None:
    """Makes sure that a data set can be loaded without a network.

    It looks for files alone, so it takes no time, and makes and downloads nothing. Data
    sets that were registered are left to their loaders.

    Args:
        name, data_dir: As for `load`.

    Raises:
        ValueError: If there is no data set of that name.
        FileNotFoundError: If `data_dir` is no folder, or the data set is not there.

    Example:

    >>> require_local("digits")
    """
    if check_name("name", name) not in names():
        require_own(name, sources.folder_of(data_dir))
        return
    loader = _DATA_SETS.get(name)
    if not isinstance(loader, _Published) or name == "digits":
        return
    if not sources.is_local(name, data_dir):
        where = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
        raise FileNotFoundError(
            f"Data set '{name}' is not on this machine: neither tensorflow-datasets "
            f"nor {name}.npz has it in {where}, nor has the cache of keras.datasets. "
            "Remedy: --download, or --data-dir (TFDS_DATA_DIR) where it is."
        )


# --- the published ones: a data set is one entry ------------------------------------


@dataclasses.dataclass(frozen=True, repr=False)
class _Published:
    """A published data set: what `load` needs to know of it.

    Args:
        name: Its name, which is that of its sources.
        mean, std: Pixel mean and standard deviation per channel, of the training
            images in [0, 1].
        augmentation: The usual choice of the field; a digit has no mirror image.
        peak: What a stored value of full brightness is.
        labels: Names of its classes.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augmentation: Augmentation
    peak: float = 255.0
    labels: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"the published data set '{self.name}'"

    def __call__(self, data_dir: str | None) -> ImageData:
        return self.load(data_dir, "auto", _VALIDATION)

    def load(self, data_dir: str | None, source: str, validation: float) -> ImageData:
        """The data set from a source, with a share held out for validation."""
        if self.name == "digits":
            whole = canonical(sources.read_digits())
            cut = round(_DIGITS_TEST_FRACTION * len(whole))
            train, test = _between(whole, cut, None), _between(whole, 0, cut)
        else:
            parts = sources.read(source, self.name, data_dir)
            train, test = canonical(parts[0]), canonical(parts[1])
        held_out = round(validation * len(train))
        return ImageData(
            name=self.name,
            classes=int(train.y.max()) + 1,
            train=_between(train, held_out, None),
            validation=_between(train, 0, held_out),
            test=test,
            peak=self.peak,
            mean=self.mean,
            std=self.std,
            augmentation=self.augmentation,
            labels=self.labels,
        )


def _between(split: Split, start: int, stop: int | None) -> Split:
    return Split(split.x[start:stop], split.y[start:stop])


_DIGITS = tuple("0123456789")
_PUBLISHED = (
    _Published(
        "digits", (0.3053,), (0.3763,), Augmentation(pad=1), peak=16.0, labels=_DIGITS
    ),
    _Published("mnist", (0.1307,), (0.3081,), Augmentation(pad=2), labels=_DIGITS),
    _Published(
        "fashion_mnist",
        (0.2860,),
        (0.3530,),
        Augmentation(pad=2, flip=True),
        labels=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt"),
            *("Sneaker", "Bag", "Ankle boot"),
        ),
    ),
    _Published(
        "cifar10",
        (0.4914, 0.4822, 0.4465),
        (0.2470, 0.2435, 0.2616),
        Augmentation(pad=4, flip=True),
        labels=(
            *("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse"),
            *("ship", "truck"),
        ),
    ),
    _Published(
        "cifar100",
        (0.5071, 0.4865, 0.4409),
        (0.2673, 0.2564, 0.2762),
        Augmentation(pad=4, flip=True),
    ),
)
#: Those that are downloaded, not installed.
DOWNLOADED = tuple(each.name for each in _PUBLISHED if each.name != "digits")
for _each in _PUBLISHED:
    register(_each.name, _each)
del _each
