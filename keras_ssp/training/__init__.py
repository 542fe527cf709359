"""One recipe: a config goes in, a trained model and a run folder come out."""

from keras_ssp.training.config import TrainConfig, read_config
from keras_ssp.training.run import EVALUATION_BATCH, Evaluation, Run, evaluate, train

__all__ = [
    "EVALUATION_BATCH",
    "Evaluation",
    "Run",
    "TrainConfig",
    "evaluate",
    "read_config",
    "train",
]
