"""A network lowered to the table of integers that the compiled kernels walk: where everything lies, how large it is."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.kernels.host import WIDTH, padded
from tsuzuki.kernels.layers import kind_of, module_of
from tsuzuki.kernels.matrix import scratch_floats
from tsuzuki.kernels.memory import Place, Source, Spaces
from tsuzuki.kernels.table import (
    ACTIVATION,
    BACKWARD_TOGETHER,
    D_FINAL,
    D_OUT,
    D_X,
    DROP_LAYER,
    DROPOUT,
    FORWARD_TOGETHER,
    HEADER,
    INPUT_STEPS,
    LINEAR,
    OUT,
    PARTS,
    PLACE_OF_WEIGHTS,
    RECURRENT_DROPOUT,
    RETURNS_ALL,
    ROW,
    SCORED_OFFSET,
    STATE_OUT,
    STATES,
    STEP_MASK,
    STEP_MASK_SKIP,
    STEPS,
    UNITS,
    WIDE,
    X_STEP_MASK,
    X_STEP_MASK_SKIP,
)
from tsuzuki.network.layers import Concatenate, Layer, Recurrent
from tsuzuki.network.network import Network, Parameter, parameters
from tsuzuki.network.shaping import FinalState
from tsuzuki.network.time_distributed import computed, parts_of


@dataclass(frozen=True)
class Plan:
    """A network lowered to integers for rows of so many lanes and steps.

    Attributes:
        network: what was lowered.
        kinds: the layer kind of each row.
        rows: int64 [rows, ROW], the table's rows.
        links: int64, the lists that rows point to; they stand behind the rows.
        rare_activations: name and settings of those that rows use, by a number from RARE on.
        squares: offsets of arrays whose gradients are squared before they are summed, and of these sums.
        flags: offsets of tables of which the rows have flags, and of these.
        constants: offset in the work space and values of numbers that stand there from the beginning.
        places: for each array of weights its offset in the parameters and its padded shape (rows, gates, wide).
        size: floats of the padded parameters that optimisers move.
        whole_size: with those behind them that are not moved.
        packed_size: floats of the packed copies.
        state_size: floats of one lane's saved state.
        work_size: floats of one block's work space.
        ends: where each end's outputs lie, and their gradients.
        end_rows: the row that computes each end, and nothing else reads; -1 where others do.
        blocks: how many blocks the lanes are split into.
        block_lanes: lanes of a block; the last may have fewer.
        shared: offsets of SCRATCH, ZEROS, X_GATHERED and LAST_FORECAST in the work space, and of
            LAST_FORECAST_STATE in a saved state.
    """

    network: Network
    lanes: int
    timesteps: int
    every_step: bool
    kinds: tuple[str, ...]
    rows: NDArray[np.int64]
    links: NDArray[np.int64]
    rare_activations: tuple[tuple[str, tuple[float, ...]], ...]
    squares: tuple[tuple[int, int], ...]
    flags: tuple[tuple[int, int], ...]
    constants: tuple[tuple[int, tuple[float, ...]], ...]
    places: tuple[tuple[Parameter, int, tuple[int, int, int]], ...]
    size: int
    whole_size: int
    packed_size: int
    state_size: int
    work_size: int
    ends: tuple[Source, ...]
    end_rows: tuple[int, ...]
    blocks: int
    block_lanes: int
    shared: dict[str, int]

    @property
    def trained(self) -> tuple[tuple[Parameter, int, tuple[int, int, int]], ...]:
        """Those of the places that optimisers move."""
        return tuple(place for place in self.places if place[0].trained)

    @property
    def gradient_parts(self) -> int:
        """How many gradients are summed: one of each block for every time that the most used weights are."""
        return self.blocks * (1 + int(self.rows[:, PLACE_OF_WEIGHTS].max()))


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
    steps = [
        given if computed(layer) is not layer else timesteps
        for layer, given in zip(network.layers, network.steps(timesteps), strict=True)
    ]
    multiplied = sum(int(np.prod(parameter.shape)) * steps[parameter.layer] for parameter in _multiplied(network))
    if multiplied * lanes < WORTH_SPLITTING:
        return 1, lanes
    blocks = max(1, min(ENOUGH_BLOCKS, lanes // 16), -(-lanes // MOST_LANES))
    each = -(-lanes // blocks)
    return -(-lanes // each), each


def _multiplied(network: Network) -> list[Parameter]:
    """The weights that are no tables."""
    return [parameter for parameter in parameters(network) if not network.layers[parameter.layer].table_rows()]


def lower(network: Network, lanes: int, timesteps: int, every_step: bool, apart: bool = False) -> Plan:
    """Lay a network out for the kernels: where everything lies, and how large it is.

    Args:
        network: the description.
        lanes: rows of an update.
        timesteps: steps of a row.
        every_step: whether the last recurrent layers return each step.
        apart: whether each end is scored by itself; else several are joined to one.
    """
    blocks, each = split_lanes(network, lanes, timesteps)
    spaces = Spaces()
    widest = max(layer.gates * padded(units) for layer, units in zip(network.layers, network.widths, strict=True))
    deepest = max(padded(int(np.prod(parameter.shape[:-1]))) for parameter in _multiplied(network))
    shared = {
        "SCRATCH": spaces.work.take(scratch_floats(deepest)),
        "ZEROS": spaces.work.take(max(widest, deepest, padded(network.inputs))),
        # An input that stands beside others is read a little past the end.
        "X_GATHERED": spaces.work.take(timesteps * each * network.inputs + network.inputs + WIDTH),
        "LAST_FORECAST": spaces.work.take(each),
        "LAST_FORECAST_STATE": spaces.state.take(1),
    }
    order = _order(network, apart)
    rows = np.full((len(order), ROW), -1, np.int64)
    named: dict[int, dict[str, Parameter]] = {}
    for parameter in parameters(network):
        named.setdefault(parameter.layer, {})[parameter.name] = parameter
    branched = {number for kind, _, number, _ in order if kind == "branch"}
    outputs = _Outputs(network, timesteps, every_step, each, spaces, shared["X_GATHERED"], branched)
    branches = []
    for row, (kind, layer, number, read) in zip(rows, order, strict=True):
        row[[DROPOUT, RECURRENT_DROPOUT, STATES]], row[ACTIVATION], row[DROP_LAYER] = 0, LINEAR, number
        row[PLACE_OF_WEIGHTS], row[PARTS] = network.place_of_weights(number), 1
        row[[FORWARD_TOGETHER, BACKWARD_TOGETHER]] = 0
        steps = outputs.seen[number]
        row[STEPS] = steps
        if layer is None:
            branches.append((row, number))
            continue
        sources: tuple[Source, ...]
        if isinstance(layer, FinalState):
            sources = (outputs.final(read[0], layer.number),)
        elif kind == "held_output":
            sources = (outputs.held(number),)
        else:
            row[PARTS] = parts = parts_of(layer, outputs.given(read[0]))
            wanted = outputs.wanted(layer, number, read)
            sources = tuple(outputs.in_order(source, needed).in_parts(parts) for source, needed in wanted)
            row[STEPS] = steps = steps // parts
        mask, mask_skip = (sources[0].mask, sources[0].mask_skip) if sources else (-1, 0)
        if isinstance(layer, Recurrent) and len(read) > 1 and kind != "held_output":
            # As in Keras, a cell that begins with given states hands the mask on, but takes each step.
            sources = (replace(sources[0], mask=-1), *sources[1:])
        input_steps = sources[0].steps if read else int(outputs.rows[number][INPUT_STEPS])
        row[INPUT_STEPS], row[RETURNS_ALL] = input_steps, steps == input_steps
        parameters_here, lanes_here = named.get(network.owner(number), {}), each * int(row[PARTS])
        place = Place(row, sources, parameters_here, input_steps, steps, lanes_here, spaces, HEADER + rows.size)
        module_of(kind).lay_out(computed(layer), place)
        if computed(layer) is not layer:
            # No lane carries the states of its parts.
            row[STATES] = 0
        if outputs.is_masked(number) and row[STEP_MASK] < 0:
            row[[STEP_MASK, STEP_MASK_SKIP]] = mask, mask_skip + input_steps - steps
        moved = bool(parameters_here) or any(source.d_x >= 0 for source in sources)
        outputs.add(number, row, moved)
    last = network.last if apart else (max(outputs.rows),)
    ends = tuple(outputs.read(number, outputs.scored(number)) for number in last)
    numbers = [-1 if kind == "branch" else number for kind, _, number, _ in order]
    for row, number in branches:
        row[D_X] = outputs.rows[number][D_OUT]
        steps = int(row[STEPS])
        place = Place(row, tuple(outputs.readers.get(number, ())), {}, steps, steps, each, spaces, HEADER + rows.size)
        module_of("branch").lay_out(network.widths[number], place)
    size = -(-spaces.weights.size // WIDTH) * WIDTH
    for row, at in spaces.unplaced:
        row[at] += size
    places = [
        (parameter, offset if parameter.trained else size + offset, shape) for parameter, offset, shape in spaces.places
    ]
    return Plan(
        network=network,
        lanes=lanes,
        timesteps=timesteps,
        every_step=every_step,
        kinds=tuple(kind for kind, *_ in order),
        rows=rows,
        links=np.array(spaces.links, np.int64),
        rare_activations=tuple(spaces.rare_activations),
        squares=tuple(spaces.squares),
        flags=tuple(pair for pair in spaces.flags.items() if pair[1] >= 0),
        constants=tuple(spaces.constants),
        places=tuple(places),
        size=size,
        whole_size=size + spaces.statistics.size,
        packed_size=spaces.packed.size,
        state_size=spaces.state.size,
        work_size=spaces.work.size,
        ends=ends,
        end_rows=tuple(-1 if number in branched else numbers.index(number) for number in last),
        blocks=blocks,
        block_lanes=each,
        shared=shared,
    )


def _order(network: Network, apart: bool) -> list[tuple[str, Layer | None, int, tuple[int, ...]]]:
    """The rows of a network: (kind, layer, number, what it reads), the layer None for a branch behind layer `number`.

    A cell whose input has a mask is followed by a row for its held output, a layer that several others read by a
    branch. Several outputs, or one that other layers read too, are joined at the end, unless they are scored apart.
    """
    last = len(network.layers) - 1
    readers = [0] * len(network.layers)
    # A state is read out of the cell's own memory.
    states = {
        read[0] for layer, read in zip(network.layers, network.sources, strict=True) if isinstance(layer, FinalState)
    }
    for layer, read in zip(network.layers, network.sources, strict=True):
        for source in read:
            if source >= 0 and not isinstance(layer, FinalState):
                readers[source] += 1
    joined = not apart and (network.last != (last,) or readers[last] > 0)
    for end in network.last:
        readers[end] += joined or apart
    order: list[tuple[str, Layer | None, int, tuple[int, ...]]] = []
    for number, layer in enumerate(network.layers):
        order.append((kind_of(layer), layer, number, network.sources[number]))
        read = network.sources[number]
        if isinstance(layer, Recurrent) and len(read) == 1 and read[0] >= 0 and network.masked[read[0]]:
            order.append(("held_output", layer, number, ()))
        if readers[number] > 1 or (readers[number] == 0 and number in states and number not in network.last):
            order.append(("branch", None, number, ()))
    if joined:
        order.append((kind_of(Concatenate()), Concatenate(), last + 1, network.last))
    return order


class _Outputs:
    """Where the outputs of the layers laid out so far lie, and who reads them."""

    def __init__(
        self,
        network: Network,
        timesteps: int,
        every_step: bool,
        lanes: int,
        spaces: Spaces,
        gathered: int,
        branched: set[int],
    ) -> None:
        self._network, self._timesteps = network, timesteps
        self._lanes, self._spaces, self._gathered = lanes, spaces, gathered
        self._branches = branched
        given = network.steps(timesteps)
        joined = Concatenate().steps([given[end] for end in network.last])
        # A join of several outputs stands behind all layers.
        self._given = (*given, joined)
        self.seen = (*network.steps_seen(timesteps, every_step), joined if every_step else 1)
        self._every_step, self._all_seen = every_step, network.all_seen(every_step)
        self.rows: dict[int, NDArray[np.int64]] = {}
        self.readers: dict[int, list[Source]] = {}
        self._cells: dict[int, NDArray[np.int64]] = {}
        self._unmoved = set[int]()

    def is_masked(self, number: int) -> bool:
        """Whether a layer passes a mask on: a cell with its last step alone does not, a join has its inputs'."""
        layers = self._network.layers
        if number == len(layers) or not self._network.masked[number]:
            return False
        return self._all_seen[number] or not isinstance(layers[number], Recurrent)

    def add(self, number: int, row: NDArray[np.int64], moved: bool) -> None:
        """Take in a layer that has been laid out; whether some weights are in it, or in what it reads."""
        self.rows[number] = row
        if not moved and number not in self._branches:
            self._unmoved.add(number)
        if row[STATES] > 0:
            self._cells[number] = row

    def held(self, number: int) -> Source:
        """The output of a cell just laid out, with the mask of its input, for the row that gives what others see."""
        row = self.rows[number]
        return Source(
            int(row[OUT]),
            int(row[SCORED_OFFSET]),
            int(row[WIDE]),
            int(row[UNITS]),
            int(row[D_OUT]),
            int(row[STEPS]),
            int(row[X_STEP_MASK]),
            int(row[X_STEP_MASK_SKIP]),
        )

    def final(self, number: int, state: int) -> Source:
        """A state of a cell after its last step; its gradient is left where the cell will look for it."""
        cell = self._cells.get(number)
        if cell is None or state >= cell[STATES]:
            raise SettingError(f"layer {number + 1} ({self._network.layers[number]}) has no state {state}; read a cell")
        wide, at = int(cell[WIDE]), D_FINAL + state
        if cell[at] >= 0:
            raise SettingError(f"state {state} of layer {number + 1} is read by two FinalState; use one for both")
        cell[at] = self._spaces.work.take(self._lanes * wide)
        states = int(cell[STATE_OUT + 2 * state])
        return Source(states, int(cell[INPUT_STEPS]), wide, int(cell[UNITS]), int(cell[at]), 1)

    def given(self, source: int) -> int:
        """How many steps a layer or an input gives."""
        return self._given[source] if source >= 0 else self._timesteps

    def scored(self, number: int) -> int:
        """How many steps of an end the loss scores."""
        return self._given[number] if self._every_step else 1

    def wanted(self, layer: Layer, number: int, read: tuple[int, ...]) -> list[tuple[int, int]]:
        """What a layer reads, and how many steps of each."""
        given = [self.given(source) for source in read]
        return [(source, layer.reads_from(i, self.seen[number], given[i])) for i, source in enumerate(read)]

    def in_order(self, source: int, steps: int) -> Source:
        """`read` for a layer: the gradient of what no weights are in is not wanted."""
        found = self.read(source, steps)
        return replace(found, d_x=-1) if source in self._unmoved else found

    def read(self, source: int, steps: int) -> Source:
        """The last `steps` steps of a layer's output or of an input, for one more reader."""
        network = self._network
        if source < 0:
            sizes = network.input_sizes or (network.inputs,)
            before = sum(sizes[: -1 - source])
            return Source(
                self._gathered + before, self._timesteps - steps, network.inputs, sizes[-1 - source], -1, steps
            )
        row = self.rows[source]
        wide, d_x = int(row[WIDE]), int(row[D_OUT])
        if source in self._branches:
            d_x = self._spaces.work.take(steps * self._lanes * wide)
        parts = int(row[PARTS])
        skip = int(row[SCORED_OFFSET] + row[STEPS]) * parts - steps
        mask, mask_skip = int(row[STEP_MASK]), int(row[STEP_MASK_SKIP] + row[STEPS]) * parts - steps
        found = Source(int(row[OUT]), skip, wide, int(row[UNITS]), d_x, steps, mask, mask_skip)
        self.readers.setdefault(source, []).append(found)
        return found
