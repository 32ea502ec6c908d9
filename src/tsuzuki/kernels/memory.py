"""Where a layer's arrays lie: what each layer kind asks for when a network is laid out, in offsets of floats."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.kernels.host import padded
from tsuzuki.kernels.table import (
    ACTIVATED,
    ACTIVATION,
    BIAS,
    D_CARRIED,
    D_OUT,
    D_X,
    DROPOUT,
    FORGETS,
    GATES,
    HELD,
    INPUT_SIZE,
    INPUT_STRIDE,
    KERNEL,
    LINK_COUNT,
    LINKS,
    MASK,
    MASKED_STATE,
    MASKED_X,
    OUT,
    PACKED_KERNEL_T,
    PACKED_RECURRENT,
    PACKED_RECURRENT_T,
    PANEL,
    RARE,
    RECURRENT_ACTIVATED,
    RECURRENT_ACTIVATION,
    RECURRENT_DROPOUT,
    RECURRENT_KERNEL,
    RECURRENT_MASK,
    SCORED_OFFSET,
    SHORT_ROW,
    STATE,
    STATE_OUT,
    STATES,
    STEP_MASK,
    STEP_MASK_SKIP,
    UNITS,
    WIDE,
    X_SKIP,
    X_STEP_MASK,
    X_STEP_MASK_SKIP,
    X,
    Z,
)
from tsuzuki.network.activations import DEFAULTS, FROM_INPUT, USUAL, WHOLE_STEP
from tsuzuki.network.layers import Recurrent
from tsuzuki.network.network import Parameter

# Floats of a table, and rows of it for each number of a block's, from which on it pays to look only at the rows that an
# update names: 50,000 x 128 with 3,200 numbers takes 0.55 of the time, 10,000 x 64 the same time as before.
WORTH_FLAGS, ROWS_A_NUMBER = 1 << 16, 8


class Space:
    """Hands out places in a buffer, each on a boundary of 16 floats (a cache line)."""

    def __init__(self) -> None:
        self.size = 0

    def take(self, count: int) -> int:
        """Reserve `count` floats; return where they begin."""
        place = self.size
        self.size += -(-count // 16) * 16
        return place


@dataclass
class Spaces:
    """The buffers that all layers of a network share.

    Attributes:
        weights: the padded parameters that optimisers move.
        statistics: those that they do not move, which stand behind them.
        packed: copies of weights as the products want them.
        work: a block's work space.
        state: a lane's saved state.
        places: for each array of weights its offset and padded shape (rows, gates, wide).
        links: the lists that rows point to, flat.
        rare_activations: those that rows use, which have a record each: name and settings.
        squares: offsets of arrays whose gradients are squared before they are summed, and of these sums.
        constants: numbers that are there from the beginning: offset in the work space, values.
        flags: of tables by their offset, where their rows have flags (see `touched_rows`).
        unplaced: fields of rows that hold offsets of statistics, to which the size of the weights is to be added.
    """

    weights: Space = field(default_factory=Space)
    statistics: Space = field(default_factory=Space)
    packed: Space = field(default_factory=Space)
    work: Space = field(default_factory=Space)
    state: Space = field(default_factory=Space)
    places: list[tuple[Parameter, int, tuple[int, int, int]]] = field(default_factory=list)
    links: list[int] = field(default_factory=list)
    rare_activations: list[tuple[str, tuple[float, ...]]] = field(default_factory=list)
    squares: list[tuple[int, int]] = field(default_factory=list)
    flags: dict[int, int] = field(default_factory=dict)
    constants: list[tuple[int, tuple[float, ...]]] = field(default_factory=list)
    unplaced: list[tuple[NDArray[np.int64], int]] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """What a layer reads: an array [steps, lanes, stride] in the work space, of which `size` values are real.

    Attributes:
        x: its offset in the work space.
        skip: steps to skip there.
        stride: floats from one lane to the next.
        size: values of a lane.
        d_x: offset of its gradient, -1 where none is wanted.
        steps: steps of that gradient.
        mask: offset of the mask of its steps, -1 where all count.
        mask_skip: steps to skip in the mask.
    """

    x: int
    skip: int
    stride: int
    size: int
    d_x: int
    steps: int
    mask: int = -1
    mask_skip: int = 0

    def in_parts(self, parts: int) -> "Source":
        """The same for a layer that takes parts of the steps for lanes; it reads no mask."""
        if self.skip % parts:
            raise SettingError(
                "a layer around another reads a recurrent layer, whose steps do not begin where its parts do; put "
                "a linear activation between them"
            )
        return replace(self, skip=self.skip // parts, steps=self.steps // parts)


@dataclass(frozen=True)
class Place:
    """A row of the table to fill for one layer, and the buffers to take from.

    Attributes:
        row: int64 [ROW], filled with -1 or what all kinds share.
        sources: what the layer reads.
        parameters: its arrays of weights by name.
        input_steps: steps of the inputs that it goes through.
        steps: steps of its output that somebody sees.
        lanes: of a block.
        spaces: the buffers.
        first_link: where the lists of links begin, in integers from the job's beginning.
    """

    row: NDArray[np.int64]
    sources: tuple[Source, ...]
    parameters: Mapping[str, Parameter]
    input_steps: int
    steps: int
    lanes: int
    spaces: Spaces
    first_link: int

    @property
    def whole(self) -> int:
        """Floats of all gates of a lane."""
        return int(self.row[GATES] * self.row[WIDE])

    def work(self, steps: int, width: int) -> int:
        """Reserve [steps, lanes, width] in the work space."""
        return self.spaces.work.take(steps * self.lanes * width)


def describe_outputs(place: Place, units: int, gates: int = 1) -> None:
    """Note how many values a lane of the layer has."""
    place.row[UNITS], place.row[WIDE], place.row[GATES] = units, padded(units), gates


def describe_source(place: Place) -> None:
    """Note where the input lies, the first one of a cell that reads its states too."""
    source, row = place.sources[0], place.row
    row[X], row[X_SKIP], row[D_X] = source.x, source.skip, source.d_x
    row[INPUT_STRIDE], row[INPUT_SIZE] = source.stride, source.size
    row[X_STEP_MASK], row[X_STEP_MASK_SKIP] = source.mask, source.mask_skip


def describe_links(place: Place, sources: tuple[Source, ...]) -> None:
    """List several inputs, or several readers of the output."""
    links = place.spaces.links
    place.row[LINKS], place.row[LINK_COUNT] = place.first_link + len(links), len(sources)
    for one in sources:
        links += [one.x, one.skip, one.stride, one.size, one.d_x, one.steps, one.mask, one.mask_skip]


def take_joined_mask(place: Place) -> None:
    """Reserve the mask of a merge: it has one where all of its inputs have."""
    if all(source.mask >= 0 for source in place.sources):
        place.row[STEP_MASK], place.row[STEP_MASK_SKIP] = place.work(place.steps, 1), 0


def activation_number(place: Place, name: str, settings: tuple[float, ...] = ()) -> int:
    """The number of an activation, of a rare one RARE and its place among those, which the job has addresses for."""
    if name in (*USUAL, *WHOLE_STEP):
        return (*USUAL, *WHOLE_STEP).index(name)
    rare, wanted = place.spaces.rare_activations, (name, settings or DEFAULTS.get(name, ()))
    if wanted not in rare:
        rare.append(wanted)
    return RARE + rare.index(wanted)


def take_activation(place: Place, name: str, settings: tuple[float, ...] = ()) -> None:
    """Note the activation of a layer without state, and keep what goes into it where its slope needs that."""
    row = place.row
    row[ACTIVATION] = activation_number(place, name, settings)
    if name in FROM_INPUT:
        row[ACTIVATED] = place.work(place.steps, int(row[WIDE]))


def take_outputs(place: Place) -> None:
    """Reserve the output of a layer without state, and the output's gradient."""
    wide = int(place.row[WIDE])
    place.row[OUT], place.row[SCORED_OFFSET] = place.work(place.steps, wide), 0
    place.row[D_OUT] = place.work(place.steps, wide)


def take_array(place: Place, name: str) -> int:
    """Reserve an array of weights whose last axis is the layer's values, unless a layer before has the same; return
    where it begins.
    """
    parameter = place.parameters[name]
    for other, offset, _ in place.spaces.places:
        if other is parameter:
            return offset
    shape = (int(np.prod(parameter.shape)) // parameter.shape[-1], parameter.gates, int(place.row[WIDE]))
    space = place.spaces.weights if parameter.trained else place.spaces.statistics
    offset = space.take(int(np.prod(shape)))
    place.spaces.places.append((parameter, offset, shape))
    return offset


def take_squares(place: Place, name: str) -> int:
    """Reserve room behind an array that is trained, where its gradients' squares are summed; return where it begins."""
    if not place.parameters[name].trained:
        return -1
    (offset, shape) = next(found[1:] for found in reversed(place.spaces.places) if found[0] is place.parameters[name])
    if offset not in (squares := dict(place.spaces.squares)):
        squares[offset] = place.spaces.weights.take(int(np.prod(shape)))
        place.spaces.squares.append((offset, squares[offset]))
    return squares[offset]


def take_flags(place: Place, name: str) -> int:
    """Reserve room for a flag of each row behind a table that is trained; return where it begins, -1 for none.

    Only tables have flags that are much larger than what an update names.
    """
    (offset, shape) = next(found[1:] for found in place.spaces.places if found[0] is place.parameters[name])
    flags, few = place.spaces.flags, shape[0] >= ROWS_A_NUMBER * place.steps * place.lanes
    if offset not in flags:
        # Where several layers have one table, the first decides for all of them.
        worth = place.parameters[name].trained and np.prod(shape) >= WORTH_FLAGS and few
        flags[offset] = place.spaces.weights.take(shape[0]) if worth else -1
    return flags[offset]


def take_vectors(place: Place, fields: Mapping[str, int]) -> None:
    """Reserve weights of one value for each of the layer's, by name, and note where they begin; -1 where absent."""
    for name, at in fields.items():
        if name in place.parameters:
            place.row[at] = take_array(place, name)
            if not place.parameters[name].trained:
                place.spaces.unplaced.append((place.row, at))


def take_constant(place: Place, values: tuple[float, ...]) -> int:
    """Reserve numbers that stand in each block's work space from the beginning."""
    offset = place.spaces.work.take(padded(len(values)))
    place.spaces.constants.append((offset, values))
    return offset


def float_as_integers(value: float) -> tuple[int, int]:
    """A number as (significand, exponent) for fields of a row: significand * 2^exponent, exactly."""
    fraction, exponent = math.frexp(value)
    return round(fraction * 2**53), exponent - 53


def take_weights(place: Place) -> None:
    """Reserve the arrays of weights, and the packed kernel that the gradient of the input needs."""
    for name, at in (("kernel", KERNEL), ("recurrent_kernel", RECURRENT_KERNEL), ("bias", BIAS)):
        if name in place.parameters:
            place.row[at] = take_array(place, name)
    if place.row[D_X] >= 0:
        panels = -(-int(place.row[INPUT_SIZE]) // PANEL)
        place.row[PACKED_KERNEL_T] = place.spaces.packed.take(panels * PANEL * place.whole)


def take_recurrent(place: Place, layer: Recurrent) -> None:
    """Reserve what every recurrent layer needs: gates, states, packed recurrent kernels, masks, gradients."""
    row, spaces, steps = place.row, place.spaces, place.input_steps
    describe_source(place)
    describe_outputs(place, layer.units, layer.gates)
    take_weights(place)
    wide, stride, whole = int(row[WIDE]), int(row[INPUT_STRIDE]), place.whole
    row[ACTIVATION] = activation_number(place, layer.activation)
    row[RECURRENT_ACTIVATION] = activation_number(place, getattr(layer, "recurrent_activation", layer.activation))
    row[DROPOUT], row[RECURRENT_DROPOUT] = (round(share * 2**32) for share in (layer.dropout, layer.recurrent_dropout))
    if whole > SHORT_ROW:
        row[PACKED_RECURRENT] = spaces.packed.take(-(-whole // PANEL) * PANEL * layer.units)
    row[PACKED_RECURRENT_T] = spaces.packed.take(-(-layer.units // PANEL) * PANEL * whole)
    row[Z] = place.work(steps, whole)
    kept = [name in FROM_INPUT for name in (layer.activation, getattr(layer, "recurrent_activation", ""))]
    if any(kept):
        sums = place.work(steps, whole)
        row[ACTIVATED], row[RECURRENT_ACTIVATED] = (sums if one else -1 for one in kept)
    row[OUT] = place.work(steps + 1, wide)
    row[STATES], row[FORGETS] = layer.states, 0 if layer.stateful else layer.states
    for state in range(layer.states):
        row[STATE + 2 * state] = spaces.state.take(wide)
        row[STATE_OUT + 2 * state] = place.work(steps + 1, wide) if state else row[OUT]
    row[D_CARRIED] = place.work(1, wide)
    if layer.dropout:
        row[MASK], row[MASKED_X] = place.work(1, stride), place.work(steps, stride)
    if layer.recurrent_dropout:
        row[RECURRENT_MASK], row[MASKED_STATE] = place.work(1, wide), place.work(steps, wide)
    if row[X_STEP_MASK] >= 0:
        row[HELD] = place.work(layer.states, wide)
    row[SCORED_OFFSET] = 1 if place.steps == steps else steps
    if begins := place.sources[1:]:
        describe_links(place, begins)
    # The gradient of the states that it begins with stands before that of the first step.
    before = place.lanes * wide if begins else 0
    row[D_OUT] = place.work(place.steps + bool(begins), wide) + before
