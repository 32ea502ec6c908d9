"""A network: layers in topological order, each naming the layers that it reads; the list of its weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tsuzuki.errors import SettingError
from tsuzuki.network.layers import Layer, Recurrent
from tsuzuki.network.time_distributed import TimeDistributed
from tsuzuki.network.weight_rules import WeightRule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# How far `fewest_steps` looks.
MOST_STEPS = 1 << 14


@dataclass(frozen=True)
class Network:
    """Layers of which at least one is recurrent: one after another, or wired as a graph (see `graph`).

    Attributes:
        inputs: features of a step, >= 1.
        layers: the layers, each after all that it reads; the last one's units are the outputs.
        wiring: what each layer reads, or () where each reads the one before: the number of an earlier layer, or
            -1, -2, ... for the first, second ... of the inputs.
        input_sizes: features of each input where there are several, side by side in a step; they add up to `inputs`.
        ends: the layers whose outputs, side by side, are the network's, or () for the last layer alone.
        rules: penalties and bounds of single arrays of weights, and which are not trained.
        shared: pairs of layers of which the first has the weights of the second, an earlier one of the same
            description; each place has a state of its own.
    """

    inputs: int
    layers: tuple[Layer, ...]
    wiring: tuple[tuple[int, ...], ...] = ()
    input_sizes: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    rules: tuple[WeightRule, ...] = ()
    shared: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.inputs < 1:
            raise SettingError(f"a network needs at least 1 input, not {self.inputs}; give the number of features")
        if not any(isinstance(layer, Recurrent) for layer in self.layers):
            raise SettingError("no layer of the network is recurrent; put a SimpleRNN, GRU or LSTM among its layers")
        if self.input_sizes and sum(self.input_sizes) != self.inputs:
            raise SettingError(
                f"inputs of {', '.join(map(str, self.input_sizes))} features make no {self.inputs}; mend one of both"
            )
        if self.wiring and len(self.wiring) != len(self.layers):
            raise SettingError(f"there are {len(self.layers)} layers but {len(self.wiring)} of them are wired")
        for i, read in enumerate(self.sources):
            if not read or min(read) < -len(self.input_sizes or (0,)) or max(read) >= i:
                raise SettingError(f"layer {i + 1} ({self.layers[i]}) reads {read}; name inputs or earlier layers")
            if len(read) > 1 and not self.layers[i].merges and not isinstance(self.layers[i], Recurrent):
                raise SettingError(
                    f"layer {i + 1} ({self.layers[i]}) reads {len(read)} layers; merge them first, as with Concatenate"
                )
        for end in self.ends:
            if not 0 <= end < len(self.layers):
                raise SettingError(f"output {end} is no layer; name layers from 0 to {len(self.layers) - 1}")
        self._check_shared()
        read_by_some = {source for read in self.sources for source in read} | set(self.last)
        for i, layer in enumerate(self.layers):
            if i not in read_by_some:
                raise SettingError(f"layer {i + 1} ({layer}) is read by no other and is no output; leave it out")
            if getattr(layer, "return_sequences", None) is False and self.recurrent_follows[i]:
                raise SettingError(
                    f"layer {i + 1} ({layer}) has return_sequences=False, but a recurrent layer "
                    "follows it; set it to True or leave it out"
                )
        _ = self.widths
        known = {(parameter.layer, parameter.name) for parameter in parameters(self) if parameter.trained}
        for rule in self.rules:
            if (rule.layer, rule.name) not in known:
                raise SettingError(
                    f"there is a rule for {rule.name!r} of layer {rule.layer + 1}, which has none to train"
                )

    def _check_shared(self) -> None:
        for i, other in self.shared:
            if not 0 <= other < i < len(self.layers) or self.owner(other) != other:
                raise SettingError(f"layer {i + 1} has the weights of layer {other + 1}; name the first that has them")
            if self.layers[i] != self.layers[other]:
                raise SettingError(
                    f"layer {i + 1} ({self.layers[i]}) has the weights of layer {other + 1} ({self.layers[other]}); "
                    "describe both alike"
                )
            if self.read_values(i) != self.read_values(other):
                raise SettingError(
                    f"layer {i + 1} ({self.layers[i]}) reads {self.read_values(i)} values a step, but layer "
                    f"{other + 1}, whose weights it has, {self.read_values(other)}; give both as many"
                )

    def read_values(self, i: int) -> int:
        """Values of a step that layer i multiplies."""
        return sum(self.width_of(source, self.widths) for source in self.read_in_time(i))

    def owner(self, i: int) -> int:
        """The first layer that has the weights of layer i: itself, but for those of `shared`."""
        return dict(self.shared).get(i, i)

    def place_of_weights(self, i: int) -> int:
        """How many layers before layer i have its weights."""
        own = self.owner(i)
        return 0 if own == i else 1 + sum(other == own and number < i for number, other in self.shared)

    @cached_property
    def sources(self) -> tuple[tuple[int, ...], ...]:
        """What each layer reads: numbers of layers, or -1 - k for input k."""
        return self.wiring or tuple((i - 1,) for i in range(len(self.layers)))

    def read_in_time(self, i: int) -> tuple[int, ...]:
        """What layer i reads, without the states that it begins with."""
        return self.sources[i][:1] if isinstance(self.layers[i], Recurrent) else self.sources[i]

    @cached_property
    def last(self) -> tuple[int, ...]:
        """The layers whose outputs are the network's."""
        return self.ends or (len(self.layers) - 1,)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """How many values each layer gives for a step."""
        found: list[int] = []
        for layer, read in zip(self.layers, self.sources, strict=True):
            found.append(layer.outputs([self.width_of(source, found) for source in read]))
        return tuple(found)

    @cached_property
    def masked(self) -> tuple[bool, ...]:
        """For each layer whether its output has a mask of the steps that count."""
        found: list[bool] = []
        for layer, read in zip(self.layers, self.sources, strict=True):
            found.append(layer.masks([source >= 0 and found[source] for source in read]))
        return tuple(found)

    def width_of(self, source: int, widths: Sequence[int]) -> int:
        """How many values a layer, or input -1 - source, gives for a step."""
        return widths[source] if source >= 0 else (self.input_sizes or (self.inputs,))[-1 - source]

    def steps(self, timesteps: int) -> tuple[int, ...]:
        """How many steps each layer gives of rows of so many.

        Raises:
            SettingError: a layer that does not fit the steps of what it reads.
        """
        found: list[int] = []
        for layer, read in zip(self.layers, self.sources, strict=True):
            found.append(layer.steps([found[source] if source >= 0 else timesteps for source in read]))
        return tuple(found)

    def steps_seen(self, timesteps: int, every_step: bool) -> tuple[int, ...]:
        """How many steps of each layer, the last ones, others read or the loss scores: of the ends all, or the last."""
        given = self.steps(timesteps)
        seen = [0] * len(self.layers)
        for end in self.last:
            seen[end] = given[end] if every_step else 1
        for i in reversed(range(len(self.layers))):
            if isinstance(self.layers[i], TimeDistributed):
                # Its last steps are not the last ones of all parts.
                seen[i] = given[i]
            for place, source in enumerate(self.sources[i]):
                if source >= 0:
                    seen[source] = max(seen[source], self.layers[i].reads_from(place, seen[i], given[source]))
        return tuple(seen)

    def all_seen(self, every_step: bool) -> tuple[bool, ...]:
        """For each layer whether others read, or the loss scores, all of its steps, not the last alone."""
        found = [every_step and i in self.last for i in range(len(self.layers))]
        for i in reversed(range(len(self.layers))):
            for place, source in enumerate(self.sources[i]):
                if source >= 0:
                    around = isinstance(self.layers[i], TimeDistributed)
                    found[source] |= around or self.layers[i].reads_from(place, 2 if found[i] else 1, 2) == 2
        return tuple(found)

    @cached_property
    def fewest_steps(self) -> int:
        """The fewest steps of a row that suit all layers."""
        for timesteps in range(1, MOST_STEPS):
            try:
                self.steps(timesteps)
            except SettingError as error:
                reason = error
            else:
                return timesteps
        raise SettingError(f"rows of no number of steps suit the network: {reason}")

    @cached_property
    def whole_rows(self) -> bool:
        """Whether no row may end before its last step."""
        return any(layer.whole_rows for layer in self.layers)

    @cached_property
    def looks_ahead(self) -> bool:
        """Whether a step of the outputs depends on later steps of the inputs."""
        return any(layer.looks_ahead for layer in self.layers)

    @cached_property
    def recurrent_follows(self) -> tuple[bool, ...]:
        """For each layer whether a recurrent one reads its steps, directly or through others that go step by step."""
        follows = [False] * len(self.layers)
        for i in reversed(range(len(self.layers))):
            for source in self.read_in_time(i):
                if source >= 0:
                    through = follows[i] and not self.layers[i].whole_rows
                    follows[source] |= through or isinstance(self.layers[i], Recurrent)
        return tuple(follows)

    @property
    def outputs(self) -> int:
        """Values the network gives for a step."""
        return sum(self.widths[i] for i in self.last)

    @property
    def last_recurrent(self) -> int:
        """Position of the recurrent layer after which the scored steps are picked (the last of several)."""
        return max(i for i, layer in enumerate(self.layers) if isinstance(layer, Recurrent))


def graph(
    inputs: int | Mapping[str, int],
    layers: Mapping[str, tuple[Layer, *tuple[str, ...]]],
    outputs: str | Sequence[str],
    shared: Mapping[str, str] | None = None,
) -> Network:
    """Describe a network that branches and merges.

    Example:
        graph(
            {"history": 1, "calendar": 4},
            {
                "state": (GRU(16), "history"),
                "season": (Dense(8, "tanh"), "calendar"),
                "both": (Concatenate(), "state", "season"),
                "y": (Dense(24), "both"),
            },
            "y",
        )

    Args:
        inputs: features of a step of each input by name; they stand side by side, in this order, in the data. A number
            alone is one input named "inputs".
        layers: each layer by name, with the names of the inputs or earlier layers that it reads.
        outputs: the layer or layers whose outputs, side by side, are the network's.
        shared: of a layer, by name, an earlier one of the same description whose weights it has, as a Keras layer that
            is called at several places.

    Raises:
        SettingError: a name that is not known where it is read, or sizes that do not fit.
    """
    sizes = {"inputs": inputs} if isinstance(inputs, int) else dict(inputs)
    numbers = {name: -1 - k for k, name in enumerate(sizes)}
    wiring = []
    for name, (layer, *read) in layers.items():
        for source in read:
            if source not in numbers:
                raise SettingError(f"layer {name!r} ({layer}) reads {source!r}; known there: {', '.join(numbers)}")
        wiring.append(tuple(numbers[source] for source in read))
        if name in numbers:
            raise SettingError(f"{name!r} names two layers or inputs; choose another name for one")
        numbers[name] = len(wiring) - 1
    wanted = [outputs] if isinstance(outputs, str) else list(outputs)
    for name in wanted:
        if numbers.get(name, -1) < 0:
            raise SettingError(f"output {name!r} is no layer; choose among {', '.join(layers)}")
    pairs = {} if shared is None else dict(shared)
    for name in [*pairs, *pairs.values()]:
        if numbers.get(name, -1) < 0:
            raise SettingError(f"shared names {name!r}, which is no layer; choose among {', '.join(layers)}")
    return Network(
        sum(sizes.values()),
        tuple(layer for layer, *_ in layers.values()),
        tuple(wiring),
        tuple(sizes.values()),
        tuple(numbers[name] for name in wanted),
        shared=tuple((numbers[name], numbers[first]) for name, first in pairs.items()),
    )


@dataclass(frozen=True)
class Parameter:
    """One array of weights.

    Attributes:
        layer: position of its layer.
        name: Keras's name: kernel, recurrent_kernel or bias.
        shape: (rows, gates * units), or (gates * units,), or (2, gates * units) for two biases.
        gates: how many gates stand side by side in the last axis.
        trained: whether optimisers move it, as they do all but moving averages and what belongs to a frozen layer.
    """

    layer: int
    name: str
    shape: tuple[int, ...]
    gates: int
    trained: bool = True


def parameters(network: Network) -> tuple[Parameter, ...]:
    """List the weights of a network in Keras's order; those that several layers have once, at the first."""
    found: list[Parameter] = []
    for i, layer in enumerate(network.layers):
        if network.owner(i) != i:
            continue
        inputs = network.read_values(i)
        found += [
            Parameter(i, name, shape, layer.gates, name not in layer.untrained())
            for name, shape in layer.shapes(inputs).items()
        ]
    return tuple(found)


def check_weights(network: Network, weights: "Sequence[NDArray[np.float32]]") -> None:
    """Raise SettingError where weights do not fit a network, naming the first that does not."""
    expected = parameters(network)
    if len(weights) != len(expected):
        raise SettingError(f"the network has {len(expected)} arrays of weights, not {len(weights)}; give one for each")
    for i, (parameter, array) in enumerate(zip(expected, weights, strict=True)):
        if array.shape != parameter.shape:
            raise SettingError(
                f"weights {i} ({parameter.name} of layer {parameter.layer + 1}) have shape {array.shape}; "
                f"give them as {parameter.shape}"
            )
