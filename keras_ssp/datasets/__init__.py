"""Image data in three parts, by name or of one's own, and batches of it."""

from keras_ssp.datasets.images import Augmentation, ImageData, Inputs, Split
from keras_ssp.datasets.registry import load, names, register, save_npz
from keras_ssp.datasets.training_batches import TrainingBatches

__all__ = [
    "Augmentation",
    "ImageData",
    "Inputs",
    "Split",
    "TrainingBatches",
    "load",
    "names",
    "register",
    "save_npz",
]
