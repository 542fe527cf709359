"""One recipe: a config goes in, a trained model and a run folder come out."""

from keras_ssp.training.config import TrainConfig, read_config
from keras_ssp.training.evaluation import EVALUATION_BATCH, Evaluation, evaluate
from keras_ssp.training.optimizers import optimizer_names, register_optimizer
from keras_ssp.training.run import Run, train
from keras_ssp.training.saved import SavedRun, load_run

__all__ = [
    "EVALUATION_BATCH",
    "Evaluation",
    "Run",
    "SavedRun",
    "TrainConfig",
    "evaluate",
    "load_run",
    "optimizer_names",
    "read_config",
    "register_optimizer",
    "train",
]
