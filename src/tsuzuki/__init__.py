"""Train recurrent networks on long time series: the state carried correctly, at the speed of the arithmetic."""

__version__ = "0.1.0"
