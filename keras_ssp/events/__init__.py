"""Recordings of event cameras: reading them, and counting their events in frames."""

from keras_ssp._public import public_names as _public_names
from keras_ssp.events.frames import Events as Events
from keras_ssp.events.frames import to_frames as to_frames
from keras_ssp.events.readers import read as read
from keras_ssp.events.sequence import FrameSequence as FrameSequence

__all__ = _public_names(globals())
