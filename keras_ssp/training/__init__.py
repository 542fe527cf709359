"""One recipe: a config goes in, a trained model and a run folder come out."""

from keras_ssp._config_file import read_config as read_config
from keras_ssp._public import public_names as _public_names
from keras_ssp.training.config import TrainConfig as TrainConfig
from keras_ssp.training.evaluation import EVALUATION_BATCH as EVALUATION_BATCH
from keras_ssp.training.evaluation import Evaluation as Evaluation
from keras_ssp.training.evaluation import evaluate as evaluate
from keras_ssp.training.optimizers import optimizer_names as optimizer_names
from keras_ssp.training.optimizers import register_optimizer as register_optimizer
from keras_ssp.training.run import Run as Run
from keras_ssp.training.run import build as build
from keras_ssp.training.run import fit as fit
from keras_ssp.training.run import train as train
from keras_ssp.training.saved import SavedRun as SavedRun
from keras_ssp.training.saved import load_run as load_run

__all__ = _public_names(globals())
