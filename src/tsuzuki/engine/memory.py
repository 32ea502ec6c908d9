"""The memory that networks made ready may share: parameters, and states saved between rows.

Where a parameter or a saved state lies depends on the network alone, not on lanes or steps. So a network that trains on
many lanes, one that validates on a few and one that runs a step at a time can all work on the same memory.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.optimizing import SLOTS, first_slot
from tsuzuki.engine.padding import aligned, gates, pad, pad_states, state_places, unpad, unpad_states
from tsuzuki.engine.plan import Plan, lower
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import Optimizer

# Laying a network out takes 150 us; a stream of an ensemble would do it dozens of times.
plan_for = functools.lru_cache(maxsize=64)(lower)


def _smallest(network: Network) -> Plan:
    """The plan of one lane and as few steps as can be, which stands for all of them here."""
    return plan_for(network, 1, network.fewest_steps, True)


class _Memory:
    """What the kernels read and write, as it lies in memory."""

    padded: NDArray[np.float32]

    def snapshot(self) -> NDArray[np.float32]:
        """All of it, for `restore`: a copy that costs half a microsecond for one state."""
        return self.padded.copy()

    def restore(self, snapshot: NDArray[np.float32]) -> None:
        """Put all back to where `snapshot` was taken, of this or of another of the same size."""
        self.padded[:] = snapshot


class Parameters(_Memory):
    """A network's weights as the kernels read them.

    Attributes:
        network: the description.
        padded: float32, the memory itself: zeros between the gates, to be copied whole or not at all.

    Args:
        network: the description.
        weights: arrays as `network.parameters` lists them; zeros if None.
    """

    def __init__(self, network: Network, weights: Sequence[NDArray[np.float32]] | None = None) -> None:
        self.network, self._plan = network, _smallest(network)
        self.padded = aligned(self._plan.whole_size)
        if weights is not None:
            self.set_weights(weights)

    def weights(self) -> list[NDArray[np.float32]]:
        """Copies of the weights, in the order and shapes of `network.parameters`."""
        return unpad(self._plan, self.padded)

    def set_weights(self, weights: Sequence[NDArray[np.float32]]) -> None:
        """Put weights in, in the order and shapes of `network.parameters`.

        Raises:
            ValueError: not as many arrays, or not of these shapes.
        """
        pad(self._plan, weights, self.padded)

    def views(self) -> list[NDArray[np.float32]]:
        """Views of the weights, in the order of `network.parameters`, [rows, gates, units] each."""
        return [view for view in gates(self._plan, self.padded) if view is not None]

    def copy(self) -> "Parameters":
        """The same weights in memory of their own."""
        other = Parameters(self.network)
        other.assign(self)
        return other

    def assign(self, other: "Parameters") -> None:
        """Take over the weights of the same network's other parameters."""
        self.padded[:] = other.padded


class Slots(_Memory):
    """What an optimiser keeps for each weight, as the kernels read it.

    Attributes:
        padded: float32, the memory itself, one slot after another.

    Args:
        network: the description.
        optimizer: whose slots they are.
    """

    def __init__(self, network: Network, optimizer: Optimizer) -> None:
        self._plan = _smallest(network)
        size = self._plan.size
        self.padded = aligned((SLOTS + optimizer.use_ema) * size)
        self.padded[:size] = first_slot(optimizer)

    def views(self, number: int) -> list[NDArray[np.float32] | None]:
        """Views of one slot (`CompiledNetwork.slot` says which there are) for each weight; None where none is kept."""
        size = self._plan.size
        return gates(self._plan, self.padded[number * size : (number + 1) * size])


class SavedStates(_Memory):
    """Places in which rows save a lane's state, and from which others take it up.

    A saved state is as many numbers as `size` says: the recurrent layers' states, one layer after another (an LSTM's
    output, then its cell), and last the forecast that replaces a missing input.

    Attributes:
        network: the description.
        slots: how many states there are place for.
        size: numbers of a state.
        padded: float32, the memory itself.

    Args:
        network: the description.
        slots: how many states; at least one place is kept.
    """

    def __init__(self, network: Network, slots: int = 1) -> None:
        self.network, self.slots, self._plan = network, max(1, slots), _smallest(network)
        self.size = sum(size for _, size in state_places(self._plan))
        self.padded = aligned(self.slots * self._plan.state_size)
        self._rows = self.padded.reshape(self.slots, self._plan.state_size)

    def states(self, which: Any = slice(None)) -> NDArray[np.float32]:
        """Copies of saved states.

        Args:
            which: an index of slots: a slice or integers.

        Returns:
            float32 [states, size].
        """
        return unpad_states(self._plan, self._rows[which].ravel())

    def set_states(self, states: NDArray[np.float32], which: Any = slice(None)) -> None:
        """Put states in.

        Args:
            states: float32 [states, size].
            which: an index of as many slots: a slice or integers.
        """
        rows = np.zeros((len(states), self._plan.state_size), np.float32)
        pad_states(self._plan, states, rows)
        self._rows[which] = rows

    def views(self) -> list[NDArray[np.float32]]:
        """Views of each recurrent layer's states, [slots, units]; of an LSTM its output, then its cell."""
        return [self._rows[:, at : at + size] for at, size in state_places(self._plan)[:-1]]

    def clear(self, which: Any = slice(None)) -> None:
        """Make saved states zero."""
        self._rows[which] = 0
