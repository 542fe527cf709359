"""Image data in three parts, and batches of it for training and measuring."""

from keras_ssp.datasets.images import NAMES, ImageData, Split, load, save_npz

__all__ = ["NAMES", "ImageData", "Split", "load", "save_npz"]
