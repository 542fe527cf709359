"""Image data in three parts, by name or of one's own, and batches of it."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.datasets.images import Augmentation as Augmentation
from keras_ssp.datasets.images import ImageData as ImageData
from keras_ssp.datasets.images import Inputs as Inputs
from keras_ssp.datasets.images import Split as Split
from keras_ssp.datasets.registry import load as load
from keras_ssp.datasets.registry import names as names
from keras_ssp.datasets.registry import register as register
from keras_ssp.datasets.registry import require_local as require_local
from keras_ssp.datasets.registry import save_npz as save_npz
from keras_ssp.datasets.training_batches import TrainingBatches as TrainingBatches

__all__ = _public_names(globals())
