"""A network lowered to the table of integers that the compiled kernels walk: where everything lies, how large it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsuzuki.kernels.host import WIDTH, padded
from tsuzuki.kernels.table import (
    ACTIVATION,
    BIAS,
    CELL,
    CELL_STATE,
    D_CARRIED,
    D_CELL,
    D_OUT,
    D_X,
    DENSE,
    DEPTH_BLOCK,
    DROP_LAYER,
    DROPOUT,
    ELEMENTWISE,
    EXTRA,
    GATES,
    GRU_AFTER,
    GRU_BEFORE,
    INPUT_SIZE,
    INPUT_STRIDE,
    KERNEL,
    KIND,
    LINEAR,
    LSTM_CELL,
    MASK,
    MASKED_STATE,
    MASKED_X,
    OUT,
    PACKED_KERNEL_T,
    PACKED_RECURRENT,
    PACKED_RECURRENT_T,
    PANEL,
    RECURRENT_ACTIVATION,
    RECURRENT_BIAS,
    RECURRENT_DROPOUT,
    RECURRENT_KERNEL,
    RECURRENT_MASK,
    RETURNS_ALL,
    ROW,
    SCORED_OFFSET,
    SHORT_ROW,
    SIMPLE_RNN,
    STATE,
    STEPS,
    UNITS,
    VARIABLE,
    WIDE,
    X_SKIP,
    X,
    Z,
)
from tsuzuki.network.layers import (
    ACTIVATIONS,
    GRU,
    LSTM,
    Dense,
    Dropout,
    Elementwise,
    Layer,
    Network,
    Parameter,
    Recurrent,
    SimpleRNN,
    gates,
    parameters,
    widths,
)


@dataclass(frozen=True)
class Plan:
    """A network lowered to integers for rows of so many lanes and steps.

    Attributes:
        network: what was lowered.
        rows: int64 [layers, ROW], the table's rows.
        places: for each array of weights its offset in the parameters and its padded shape (rows, gates, wide).
        size: floats of the padded parameters.
        packed_size: floats of the packed copies.
        state_size: floats of one lane's saved state.
        work_size: floats of one block's work space.
        blocks: how many blocks the lanes are split into.
        block_lanes: lanes of a block; the last may have fewer.
        shared: offsets of SCRATCH, ONES, ZEROS, X_GATHERED and LAST_FORECAST in the work space, and of
            LAST_FORECAST_STATE in a saved state.
    """

    network: Network
    lanes: int
    timesteps: int
    every_step: bool
    rows: NDArray[np.int64]
    places: tuple[tuple[Parameter, int, tuple[int, int, int]], ...]
    size: int
    packed_size: int
    state_size: int
    work_size: int
    blocks: int
    block_lanes: int
    shared: dict[str, int]


class _Space:
    """Hands out places in a buffer, each on a boundary of 16 floats (a cache line)."""

    def __init__(self) -> None:
        self.size = 0

    def take(self, count: int) -> int:
        place = self.size
        self.size += -(-count // 16) * 16
        return place


# A block of lanes is what one thread takes at a time. Below this many multiplications in an update a second block costs
# more (its own gradients, a meeting of threads) than it gains. Eight blocks keep the threads busy; there are more only
# where each would otherwise have more lanes than fit their work space into the second-level cache.
WORTH_SPLITTING = 1_000_000
ENOUGH_BLOCKS, MOST_LANES = 8, 64


def split_lanes(network: Network, lanes: int, timesteps: int) -> tuple[int, int]:
    """Choose blocks of lanes from the shape of the work alone, never from the threads, so that bits do not differ.

    Returns:
        (blocks, lanes of a block).
    """
    weights = sum(int(np.prod(parameter.shape)) for parameter in parameters(network))
    if weights * lanes * timesteps < WORTH_SPLITTING:
        return 1, lanes
    blocks = max(1, min(ENOUGH_BLOCKS, lanes // 16), -(-lanes // MOST_LANES))
    each = -(-lanes // blocks)
    return -(-lanes // each), each


def _kind(layer: Layer) -> int:
    if isinstance(layer, GRU):
        return GRU_AFTER if layer.reset_after else GRU_BEFORE
    if isinstance(layer, Elementwise):
        return ELEMENTWISE
    return {Dense: DENSE, SimpleRNN: SIMPLE_RNN, LSTM: LSTM_CELL}[type(layer)]


def lower(network: Network, lanes: int, timesteps: int, every_step: bool) -> Plan:
    """Lay a network out for the kernels: where everything lies, and how large it is."""
    blocks, each = split_lanes(network, lanes, timesteps)
    weights, packed, work, state = _Space(), _Space(), _Space(), _Space()
    rows = np.full((len(network.layers), ROW), -1, np.int64)
    named = {(parameter.layer, parameter.name): parameter for parameter in parameters(network)}
    places = []
    sizes = widths(network)
    widest = max(gates(layer) * padded(units) for layer, units in zip(network.layers, sizes, strict=True))
    shared = {
        "SCRATCH": work.take(DEPTH_BLOCK * PANEL),
        "ONES": work.take(WIDTH),
        "ZEROS": work.take(max(widest, padded(network.inputs))),
        "X_GATHERED": work.take(timesteps * each * network.inputs + WIDTH),
        "LAST_FORECAST": work.take(each),
        "LAST_FORECAST_STATE": state.take(1),
    }
    input_size, stride, x, skip, d_x, steps = network.inputs, network.inputs, shared["X_GATHERED"], 0, -1, timesteps
    for i, layer in enumerate(network.layers):
        row = rows[i]
        units, count = sizes[i], gates(layer)
        wide = padded(units)
        whole = count * wide
        recurrent = isinstance(layer, Recurrent)
        if recurrent:
            steps = timesteps if i != network.last_recurrent or every_step else 1
        row[KIND], row[INPUT_SIZE], row[INPUT_STRIDE] = _kind(layer), input_size, stride
        row[UNITS], row[WIDE], row[GATES] = units, wide, count
        row[ACTIVATION] = LINEAR if isinstance(layer, Dropout) else ACTIVATIONS.index(layer.activation)
        row[STEPS], row[RETURNS_ALL] = steps, steps == timesteps
        row[DROP_LAYER], row[X], row[X_SKIP], row[D_X] = i, x, skip, d_x
        row[DROPOUT] = row[RECURRENT_DROPOUT] = 0

        def place(name: str, of: int = i, wide: int = wide) -> int:
            parameter = named[of, name]
            shape = (int(np.prod(parameter.shape)) // parameter.shape[-1], parameter.gates, wide)
            places.append((parameter, weights.take(int(np.prod(shape))), shape))
            return places[-1][1]

        if not isinstance(layer, Elementwise):
            row[KERNEL] = place("kernel")
            if recurrent:
                row[RECURRENT_KERNEL] = place("recurrent_kernel")
            if layer.use_bias:
                row[BIAS] = place("bias")
        if row[KERNEL] >= 0 and d_x >= 0:
            row[PACKED_KERNEL_T] = packed.take(-(-input_size // PANEL) * PANEL * whole)
        if isinstance(layer, Recurrent):
            if not isinstance(layer, SimpleRNN):
                row[RECURRENT_ACTIVATION] = ACTIVATIONS.index(layer.recurrent_activation)
            row[DROPOUT] = round(layer.dropout * 2**32)
            row[RECURRENT_DROPOUT] = round(layer.recurrent_dropout * 2**32)
            if whole > SHORT_ROW:
                row[PACKED_RECURRENT] = packed.take(-(-whole // PANEL) * PANEL * layer.units)
            row[PACKED_RECURRENT_T] = packed.take(-(-layer.units // PANEL) * PANEL * whole)
            row[STATE] = state.take(wide)
            row[Z] = work.take(timesteps * each * whole)
            row[OUT] = work.take((timesteps + 1) * each * wide)
            if isinstance(layer, LSTM):
                row[CELL_STATE] = state.take(wide)
                row[CELL] = work.take((timesteps + 1) * each * wide)
                row[D_CELL] = work.take(each * wide)
                row[EXTRA] = work.take(timesteps * each * wide)
            if isinstance(layer, GRU):
                row[EXTRA] = work.take(timesteps * each * (whole if layer.reset_after else wide))
                if layer.reset_after and layer.use_bias:
                    row[RECURRENT_BIAS] = row[BIAS] + whole
            row[D_CARRIED] = work.take(each * wide)
            if layer.dropout:
                row[MASK] = work.take(each * stride)
                row[MASKED_X] = work.take(timesteps * each * stride)
            if layer.recurrent_dropout:
                row[RECURRENT_MASK] = work.take(each * wide)
                row[MASKED_STATE] = work.take(timesteps * each * wide)
            row[SCORED_OFFSET] = 1 if steps == timesteps else timesteps
        else:
            row[OUT] = work.take(steps * each * wide)
            row[SCORED_OFFSET] = 0
            if isinstance(layer, Dropout) and layer.rate:
                row[DROPOUT] = round(layer.rate * 2**32)
                row[MASK] = work.take(steps * each * wide)
        row[D_OUT] = work.take(steps * each * wide)
        input_size, stride, x, skip, d_x = units, wide, int(row[OUT]), int(row[SCORED_OFFSET]), int(row[D_OUT])
    return Plan(
        network=network,
        lanes=lanes,
        timesteps=timesteps,
        every_step=every_step,
        rows=rows,
        places=tuple(places),
        size=-(-weights.size // WIDTH) * WIDTH,
        packed_size=packed.size,
        state_size=state.size,
        work_size=work.size,
        blocks=blocks,
        block_lanes=each,
        shared=shared,
    )


def pad(plan: Plan, weights: Sequence[NDArray[np.float32]], target: NDArray[np.float32]) -> None:
    """Write weights into the padded vector of parameters, each gate on vectors of its own, zeros between."""
    target[:] = 0
    for array, (parameter, offset, shape) in zip(weights, plan.places, strict=True):
        units = parameter.shape[-1] // parameter.gates
        view = target[offset : offset + int(np.prod(shape))].reshape(shape)
        view[:, :, :units] = np.asarray(array, np.float32).reshape(shape[0], parameter.gates, units)


def unpad(plan: Plan, source: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Read weights (or gradients, or an optimiser's slot) back out of a padded vector."""
    weights = []
    for parameter, offset, shape in plan.places:
        units = parameter.shape[-1] // parameter.gates
        view = source[offset : offset + int(np.prod(shape))].reshape(shape)
        weights.append(np.ascontiguousarray(view[:, :, :units]).reshape(parameter.shape))
    return weights


def variables(plan: Plan, decayed: Sequence[bool]) -> NDArray[np.int64]:
    """The table of single variables, [arrays of weights, VARIABLE]; `decayed` says which take weight decay."""
    table = np.zeros((len(plan.places), VARIABLE), np.int64)
    for i, (_, offset, shape) in enumerate(plan.places):
        table[i] = offset, -(-int(np.prod(shape)) // WIDTH) * WIDTH, decayed[i]
    return table


def _state_places(plan: Plan) -> list[tuple[int, int]]:
    """Where the parts of a lane's saved state lie, (offset, floats): each layer's, then the last forecast fed."""
    places = []
    for row in plan.rows:
        places += [(int(row[field]), int(row[UNITS])) for field in (STATE, CELL_STATE) if row[field] >= 0]
    return [*places, (plan.shared["LAST_FORECAST_STATE"], 1)]


def pad_states(plan: Plan, states: NDArray[np.float32], bank: NDArray[np.float32]) -> None:
    """Write saved states [lanes, floats without padding] into a bank."""
    view, at = bank.reshape(-1, plan.state_size), 0
    for offset, size in _state_places(plan):
        view[: len(states), offset : offset + size] = states[:, at : at + size]
        at += size


def unpad_states(plan: Plan, bank: NDArray[np.float32]) -> NDArray[np.float32]:
    """Read saved states [slots, floats without padding] out of a bank."""
    view = bank.reshape(-1, plan.state_size)
    return np.concatenate([view[:, offset : offset + size] for offset, size in _state_places(plan)], axis=1)
