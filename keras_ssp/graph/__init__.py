"""Reads a Keras model: its calls, its time steps, and how to build another from it."""

from keras_ssp.graph.call_state import CallState as CallState
from keras_ssp.graph.call_state import Scaled as Scaled
from keras_ssp.graph.call_state import call_state as call_state
from keras_ssp.graph.calls import Call as Call
from keras_ssp.graph.calls import Edge as Edge
from keras_ssp.graph.calls import Graph as Graph
from keras_ssp.graph.calls import run as run
from keras_ssp.graph.calls import trace as trace
from keras_ssp.graph.calls import trace_to as trace_to
from keras_ssp.graph.keras_private import forget_compiled as forget_compiled
from keras_ssp.graph.keras_private import forget_state as forget_state
from keras_ssp.graph.keras_private import functional as functional
from keras_ssp.graph.keras_private import functional_under_way as functional_under_way
from keras_ssp.graph.keras_private import has_history as has_history
from keras_ssp.graph.keras_private import inner_layers as inner_layers
from keras_ssp.graph.keras_private import is_graph_model as is_graph_model
from keras_ssp.graph.keras_private import (
    learning_rate_schedule as learning_rate_schedule,
)
from keras_ssp.graph.keras_private import recomputed as recomputed
from keras_ssp.graph.keras_private import require_model as require_model
from keras_ssp.graph.keras_private import symbolic_inputs as symbolic_inputs
