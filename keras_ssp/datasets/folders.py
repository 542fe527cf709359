"""Data of one's own as image files, and any set of tensorflow-datasets."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_ssp._checks import path as checked_path
from keras_ssp._checks import positive_int, text
from keras_ssp.datasets.arrays import from_arrays
from keras_ssp.datasets.images import ImageData
from keras_ssp.types import Array, StrPath

_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
_PARTS = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("validation", "val", "valid"),
}
_RESIZE = (
    "Remedy: give `image_size`; for the command line write the data down once, "
    "`python -c \"from keras_ssp import datasets as d; d.save_npz({call}, '.')\"`, and "
    "give the file that this makes."
)


def from_folder(
    folder: StrPath, *, image_size: int | None = None, validation: float = 0.1
) -> ImageData:
    """Reads images that lie in a folder for each class.

    ```
    photos/train/cat/1.png      or      photos/cat/1.png
    photos/train/dog/1.jpg              photos/dog/1.jpg
    photos/test/cat/2.png
    ```

    Where there is no `test` folder, a fifth of the images is held out for the test.

    Args:
        folder: The folder. Files are PNG, JPEG, BMP or GIF (its first frame); all are
            made colour images if some are.
        image_size: Height and width to which every image is resized. Defaults to
            `None`: they must have one size.
        validation: Share of the training images that is held out, if there is no
            `validation` folder, in [0.01, 0.5]. Defaults to 0.1.

    Returns:
        An `ImageData`; its name is `folder`, its labels are the names of the folders.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no such folders, a file that is no image, a class in
            the test that the training lacks, or images of several sizes.

    Example:

    >>> import keras
    >>> for k in range(20):
    ...     image = np.random.default_rng(k).integers(0, 256, (8, 8, 3), "uint8")
    ...     place = pathlib.Path("photos", "cat" if k % 2 else "dog")
    ...     place.mkdir(parents=True, exist_ok=True)
    ...     keras.utils.save_img(place / f"{k}.png", image, scale=False)
    >>> data = from_folder("photos")
    >>> data.labels, data.sample_shape, len(data.test)
    (('cat', 'dog'), (8, 8, 3), 4)
    """
    place = pathlib.Path(checked_path("folder", folder))
    side = positive_int("image_size", image_size, optional=True)
    if not place.is_dir():
        raise FileNotFoundError(
            f"`folder` must be a folder of images. Received: folder={str(folder)!r}, "
            "which does not exist."
        )
    parts = {
        part: place / name
        for part, names in _PARTS.items()
        for name in names
        if (place / name).is_dir()
    }
    if "train" not in parts:
        parts = {"train": place}
    files = {part: _files(where) for part, where in parts.items()}
    classes = sorted(files["train"])
    for part, found in files.items():
        unknown = sorted(set(found) - set(classes))
        if unknown:
            raise ValueError(
                f"{parts[part]} must only have classes that {parts['train']} has. "
                f"Received: {', '.join(unknown)}."
            )
    arrays = _read_all(files, side, f"d.from_folder('{folder}', image_size=32)")
    return from_arrays(
        *arrays["train"],
        name=str(folder),
        test=arrays.get("test", 0.2),
        validation=arrays.get("validation", validation),
        labels=classes,
    )


def from_tfds(
    name: str,
    *,
    data_dir: str | None = None,
    image_size: int | None = None,
    validation: float = 0.1,
) -> ImageData:
    """Loads any data set of images and labels that tensorflow-datasets knows.

    It is downloaded where it is not on the machine, as `tfds.load` does.

    Args:
        name: Its name there, such as `"svhn_cropped"` or
            `"horses_or_humans:3.0.0"`.
        data_dir: Where tensorflow-datasets keeps its data. Defaults to the environment
            variable `TFDS_DATA_DIR`, then `~/tensorflow_datasets`.
        image_size: Height and width to which every image is resized. Defaults to
            `None`: they must have one size.
        validation: Share of the training images that is held out, if the data set has
            no validation part beside its test part, in [0.01, 0.5]. Defaults to 0.1.

    Returns:
        An `ImageData`; its name is `tfds:NAME`.

    Raises:
        OSError: If it is neither there nor can be downloaded.
        ValueError: If it has no training part, is no set of images and labels, or its
            images are of several sizes.
    """
    text("name", name)
    side = positive_int("image_size", image_size, optional=True)
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        builder.download_and_prepare()
    except Exception as error:  # whatever a download raises
        raise OSError(
            f"tensorflow-datasets has no '{name}' on this machine and could not "
            f"download it ({type(error).__name__}: {error})."
        ) from error
    image_key, label_key = _keys(builder.info)
    splits = [s for s in ("test", "validation") if s in builder.info.splits]
    names = {"train": "train"} | dict(zip(("test", "validation"), splits, strict=False))
    call = f"d.from_tfds('{name}', image_size=32)"
    arrays = {}
    for part, split in names.items():
        images, labels = [], []
        for sample in tfds.as_numpy(builder.as_dataset(split=split)):
            images.append(_resized(np.asarray(sample[image_key]), side))
            labels.append(sample[label_key])
        _check_sizes([f"image {k}" for k in range(len(images))], images, call)
        arrays[part] = (np.stack(images), np.asarray(labels))
    return from_arrays(
        *arrays["train"],
        name=f"tfds:{name}",
        test=arrays.get("test", 0.2),
        validation=arrays.get("validation", validation),
        labels=getattr(builder.info.features[label_key], "names", None),
    )


def _keys(info: Any) -> tuple[str, str]:
    """Where a sample's image and label are: as the data set says, or its only ones."""
    keys = info.supervised_keys
    if keys is None:
        of_kind = {
            kind: [k for k, f in info.features.items() if type(f).__name__ == kind]
            for kind in ("Image", "ClassLabel")
        }
        keys = tuple(k for found in of_kind.values() if len(found) == 1 for k in found)
    if len(keys) != 2 or "train" not in info.splits:
        raise ValueError(
            "`name` must be a data set with a training part, an image and a label. "
            f"Received: name={info.name!r}, with the parts {', '.join(info.splits)} "
            f"and {', '.join(info.features)}."
        )
    return keys


def _files(place: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """The images of each class; hidden files are the system's."""
    found: dict[str, list[pathlib.Path]] = {}
    for each in sorted(place.iterdir()):
        if not each.is_dir() or each.name.startswith("."):
            continue
        files = [f for f in sorted(each.iterdir()) if not f.name.startswith(".")]
        wrong = [f for f in files if f.suffix.lower() not in _ENDINGS]
        if wrong:
            raise ValueError(
                f"{each} must hold images ({', '.join(_ENDINGS)}) alone. Received: "
                f"{wrong[0].name}."
            )
        if files:
            found[each.name] = files
    if not found:
        raise ValueError(
            f"{place} must hold a folder of images for each class, or folders train "
            "and test that do. Received: no image in a folder of it."
        )
    return found


def _read_all(
    files: dict[str, dict[str, list[pathlib.Path]]], side: int | None, call: str
) -> dict[str, tuple[Array, Array]]:
    paths = {
        part: [f for name in sorted(found) for f in found[name]]
        for part, found in files.items()
    }
    classes = sorted(files["train"])
    every = [f for part in paths.values() for f in part]
    images = [_resized(_decoded(f, 0), side) for f in every]
    if len({image.shape[-1] for image in images}) > 1:
        images = [_resized(_decoded(f, 3), side) for f in every]
    _check_sizes(every, images, call)
    found, start = {}, 0
    for part, of_part in paths.items():
        stop = start + len(of_part)
        y = [classes.index(f.parent.name) for f in of_part]
        found[part] = (np.stack(images[start:stop]), np.asarray(y))
        start = stop
    return found


def _decoded(file: pathlib.Path, channels: int) -> Array:
    import tensorflow as tf

    try:
        image = tf.io.decode_image(
            file.read_bytes(), channels=channels, expand_animations=False
        )
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(
            f"{file} is no image, or damaged ({error.message.splitlines()[0]})."
        ) from error
    return image.numpy()


def _resized(image: Array, side: int | None) -> Array:
    if side is None or image.shape[:2] == (side, side):
        return image
    import tensorflow as tf

    found: Any = tf.image.resize(image, (side, side), antialias=True)
    return np.clip(np.rint(found.numpy()), 0, 255).astype("uint8")


def _check_sizes(places: Iterable[Any], images: list[Array], call: str) -> None:
    first: tuple[Any, Array] | None = None
    for place, image in zip(places, images, strict=True):
        first = first or (place, image)
        if image.shape != first[1].shape:
            raise ValueError(
                f"Images must be of one size. Received: {first[0]} of shape "
                f"{first[1].shape} and {place} of shape {image.shape}. "
                + _RESIZE.format(call=call)
            )
