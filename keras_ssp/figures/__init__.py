"""Pictures of trainings, comparisons and searches; needs the `plots` extra."""

from keras_ssp.figures.base import COLOURS as COLOURS
from keras_ssp.figures.base import MARKERS as MARKERS
from keras_ssp.figures.base import new_figure as new_figure
from keras_ssp.figures.base import save as save
from keras_ssp.figures.curves import accuracy_against_energy as accuracy_against_energy
from keras_ssp.figures.curves import history as history
from keras_ssp.figures.frontier import frontier as frontier
from keras_ssp.figures.layers import layer_bars as layer_bars
from keras_ssp.figures.layers import layer_shares as layer_shares
from keras_ssp.figures.spikes import potentials as potentials
from keras_ssp.figures.spikes import raster as raster
from keras_ssp.figures.spikes import spike_rates as spike_rates
from keras_ssp.figures.spikes import spikes_over_time as spikes_over_time
