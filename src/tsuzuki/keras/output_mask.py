"""Which steps of a sample count where a model's outputs have a mask, from the inputs alone."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.network.layers import Layer
from tsuzuki.network.network import Network

Mask = Callable[[NDArray[Any]], NDArray[np.bool_]]


def masks_of(network: Network) -> list[Mask | None]:
    """The mask of each output of a network as a function of its inputs [..., features]; None where it has none.

    A mask that depends on more than the inputs is none that this can tell, see `is_known`.
    """
    return [partial(_found, network, end) if network.masked[end] else None for end in network.last]


def is_known(network: Network) -> bool:
    """Whether each layer that makes a mask reads an input, so that the mask can be told from the inputs."""
    sources = zip(network.layers, network.sources, strict=True)
    return all(read[0] < 0 for layer, read in sources if _makes_one(layer))


def _makes_one(layer: Layer) -> bool:
    """Whether its output has a mask though its input has none."""
    return layer.masks([False])


def _found(network: Network, end: int, inputs: NDArray[Any]) -> NDArray[np.bool_]:
    cuts = np.cumsum(network.input_sizes)[:-1]
    parts = np.split(inputs, cuts, axis=-1) if network.input_sizes else [inputs]
    masks: list[Any] = []
    for number, (layer, read) in enumerate(zip(network.layers, network.sources, strict=True)):
        if _makes_one(layer):
            masks.append(layer.mask(parts[-1 - read[0]], []))
        elif network.masked[number]:
            masks.append(layer.mask(inputs, [masks[source] for source in network.read_in_time(number)]))
        else:
            masks.append(None)
    found: NDArray[np.bool_] = masks[end]
    return found
