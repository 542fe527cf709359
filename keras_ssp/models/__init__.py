"""Ready-made networks, and what builds them: each returns a plain Keras model."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.models.activations import activation_names as activation_names
from keras_ssp.models.builder import NetworkBuilder as NetworkBuilder
from keras_ssp.models.registry import get as get
from keras_ssp.models.registry import names as names
from keras_ssp.models.registry import network as network
from keras_ssp.models.registry import register as register

# isort: off
# In the order of `names()`: from few layers to many.
from keras_ssp.models.small_cnn import small_cnn as small_cnn
from keras_ssp.models.cnn7 import cnn7 as cnn7
from keras_ssp.models.vgg11 import vgg11 as vgg11
from keras_ssp.models.resnet18 import resnet18 as resnet18
# isort: on

__all__ = _public_names(globals())
