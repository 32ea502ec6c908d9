"""Weights and saved states as users see them, written into the padded memory of a plan and read back out of it.

Each gate begins on a vector of its own, so that kernels load whole vectors; what lies between is zero.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.plan import Plan
from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.table import SQUARES_APART, STATE, STATES, TOUCHED_TABLE, UNITS, VARIABLE


def aligned(count: int, kind: Any = np.float32) -> NDArray[Any]:
    """`count` zeros that begin on a cache line; a whole vector may be read where the last of them stands."""
    item = np.dtype(kind).itemsize
    raw = np.zeros(count * item + 2 * 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + count * item].view(kind)


def pad(plan: Plan, weights: Sequence[NDArray[np.float32]], target: NDArray[np.float32]) -> None:
    """Write weights into the padded vector of parameters, each gate on vectors of its own, zeros between.

    A slot of an optimiser has no place for weights that are not trained; their arrays are left out.
    """
    target[:] = 0
    for view, array in zip(gates(plan, target), weights, strict=True):
        if view is not None:
            view[:] = np.asarray(array, np.float32).reshape(view.shape)


def unpad(plan: Plan, source: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Read weights (or gradients, or an optimiser's slot) back out of a padded vector; zeros for what has no place."""
    views = zip(gates(plan, source), plan.places, strict=True)
    return [
        np.zeros(parameter.shape, np.float32) if view is None else np.array(view).reshape(parameter.shape)
        for view, (parameter, _, _) in views
    ]


def gates(plan: Plan, vector: NDArray[np.float32]) -> list[NDArray[np.float32] | None]:
    """The weights' own numbers in a padded vector, [rows, gates, units] of each: views without what lies between.

    None for those that have no place in it.
    """
    views: list[NDArray[np.float32] | None] = []
    for parameter, offset, shape in plan.places:
        if offset >= len(vector):
            views.append(None)
            continue
        units = parameter.shape[-1] // parameter.gates
        view = vector[offset : offset + int(np.prod(shape))].reshape(shape)
        views.append(view[:, :, :units])
    return views


def variables(plan: Plan, decayed: Sequence[bool]) -> NDArray[np.int64]:
    """The table of single variables, [trained arrays, VARIABLE]; `decayed` says which take weight decay."""
    table = np.zeros((len(plan.trained), VARIABLE), np.int64)
    for i, (_, offset, shape) in enumerate(plan.trained):
        table[i, :3] = offset, -(-int(np.prod(shape)) // WIDTH) * WIDTH, decayed[i]
        table[i, SQUARES_APART] = dict(plan.squares).get(offset, offset) - offset
    return table


def touched_tables(plan: Plan, squared: bool) -> NDArray[np.int64]:
    """Tables of which only rows named in an update are looked at, [tables, TOUCHED_TABLE]; their squares too."""
    shapes, squares = {offset: shape for _, offset, shape in plan.trained}, dict(plan.squares) if squared else {}
    found = []
    for offset, flags in plan.flags:
        rows, gates, wide = shapes[offset]
        for begin in (offset, squares.get(offset)):
            if begin is not None:
                found.append((begin, begin + rows * gates * wide, gates * wide, flags))
    return np.array(sorted(found), np.int64).reshape(-1, TOUCHED_TABLE)


def state_places(plan: Plan) -> list[tuple[int, int]]:
    """Where the parts of a lane's saved state lie, (offset, floats): each layer's, then the last forecast fed."""
    places = []
    for row in plan.rows:
        places += [(int(row[STATE + 2 * n]), int(row[UNITS])) for n in range(row[STATES])]
    return [*places, (plan.shared["LAST_FORECAST_STATE"], 1)]


def pad_states(plan: Plan, states: NDArray[np.float32], bank: NDArray[np.float32]) -> None:
    """Write saved states [lanes, floats without padding] into a bank."""
    view, at = bank.reshape(-1, plan.state_size), 0
    for offset, size in state_places(plan):
        view[: len(states), offset : offset + size] = states[:, at : at + size]
        at += size


def unpad_states(plan: Plan, bank: NDArray[np.float32]) -> NDArray[np.float32]:
    """Read saved states [slots, floats without padding] out of a bank."""
    view = bank.reshape(-1, plan.state_size)
    return np.concatenate([view[:, offset : offset + size] for offset, size in state_places(plan)], axis=1)
