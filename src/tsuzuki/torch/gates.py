"""How PyTorch and this library order a cell's gates and split its biases.

PyTorch keeps weights as [gates * units, inputs] and two biases for every cell. Its LSTM has the gates i, f, g, o, which
are Keras's i, f, c, o; its GRU has r, z, n, Keras's z, r, h with `reset_after=True`: both apply the reset gate behind
the product with the recurrent weights, so that the second bias of n cannot be added to the first.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.network.layers import GRU, LSTM, Recurrent, SimpleRNN

Floats = NDArray[np.float32]
# The gates of a GRU from one order to the other, and back.
SWAPPED = [1, 0, 2]


def from_gates(kind: type[Recurrent], weights: list[Floats]) -> list[Floats]:
    """A cell's weight_ih, weight_hh (and bias_ih, bias_hh) as kernel, recurrent kernel (and bias); copies."""
    arrays = [_reordered(kind, weight).T for weight in weights[:2]]
    if len(weights) > 2:
        both = [_reordered(kind, bias) for bias in weights[2:]]
        arrays.append(np.stack(both) if kind is GRU else both[0] + both[1])
    return [np.array(array, np.float32, order="C") for array in arrays]


def to_gates(kind: type[Recurrent], arrays: list[Floats]) -> list[Floats]:
    """The way back; a bias that is one here is PyTorch's first, and its second zero."""
    weights = [_reordered(kind, array.T) for array in arrays[:2]]
    if len(arrays) > 2:
        bias = arrays[2]
        both = [bias[0], bias[1]] if kind is GRU else [bias, np.zeros_like(bias)]
        weights += [_reordered(kind, one) for one in both]
    return [np.ascontiguousarray(weight, np.float32) for weight in weights]


def _reordered(kind: type[Recurrent], weight: Any) -> Any:
    """A weight [gates * units, …] with a GRU's first two gates swapped."""
    if kind is not GRU:
        return weight
    return weight.reshape(3, -1, *weight.shape[1:])[SWAPPED].reshape(weight.shape)


CELLS: dict[str, type[SimpleRNN] | type[GRU] | type[LSTM]] = {"RNN": SimpleRNN, "GRU": GRU, "LSTM": LSTM}
