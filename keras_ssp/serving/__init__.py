"""SavedModels that answer with what each answer cost, and a server for them."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.serving.card import read_card as read_card
from keras_ssp.serving.export import export as export
from keras_ssp.serving.front import export_front as export_front

__all__ = _public_names(globals())
