"""Image data in three parts, by name or of one's own, and batches of it."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.datasets.arrays import from_arrays as from_arrays
from keras_ssp.datasets.arrays import from_npz as from_npz
from keras_ssp.datasets.folders import from_folder as from_folder
from keras_ssp.datasets.folders import from_tfds as from_tfds
from keras_ssp.datasets.images import Augmentation as Augmentation
from keras_ssp.datasets.images import ImageData as ImageData
from keras_ssp.datasets.images import Inputs as Inputs
from keras_ssp.datasets.images import Split as Split
from keras_ssp.datasets.registry import load as load
from keras_ssp.datasets.registry import names as names
from keras_ssp.datasets.registry import register as register
from keras_ssp.datasets.registry import require_local as require_local
from keras_ssp.datasets.saving import save_npz as save_npz
from keras_ssp.datasets.training_batches import TrainingBatches as TrainingBatches

__all__ = _public_names(globals())
