"""A Keras layer where it is called, as the readers see it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras

from tsuzuki.errors import SettingError
from tsuzuki.keras.gelu import is_gelu_tanh
from tsuzuki.network.activations import ACTIVATIONS
from tsuzuki.network.layers import Activation, Layer, Recurrent
from tsuzuki.network.normalisation import BatchNormalization
from tsuzuki.network.time_distributed import TimeDistributed, goes_by_steps

Shape = tuple[int | None, ...]


@dataclass
class Draft:
    """A network that is being read from a Keras model.

    Attributes:
        layers: those read so far.
        wiring: what each of them reads.
        masked: whether the output of each has a mask.
        problems: what has no equal, each a sentence that says what to use in its place.
        shorter: the steps of inputs of numbers that have fewer than others, by their numbers here.
        shared: of layers that have the weights of an earlier one, which.
        part_steps: the steps of a part, behind layers whose steps are several parts (see `TimeDistributed`).
        in_parts: whether layers are added that go through each part by itself.
    """

    layers: list[Layer] = field(default_factory=list)
    wiring: list[tuple[int, ...]] = field(default_factory=list)
    masked: list[bool] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    shorter: dict[int, int] = field(default_factory=dict)
    shared: dict[int, int] = field(default_factory=dict)
    part_steps: dict[int, int] = field(default_factory=dict)
    in_parts: bool = False

    def add(self, layer: Layer, sources: Sequence[int]) -> int:
        """Add a layer that reads others, or inputs (-1, -2, …); its number."""
        steps = self.part_steps.get(sources[0], 1)
        if self.in_parts or steps > 1:
            if isinstance(layer, BatchNormalization) and layer.trainable and self.in_parts:
                raise SettingError("Keras takes the moments of a BatchNormalization there of each step by itself")
            given = layer.steps([steps] * len(sources))
            if not goes_by_steps(layer):
                layer = TimeDistributed(layer, steps)
                if sources[0] >= 0 and isinstance(self.layers[sources[0]], Recurrent):
                    # What is around another layer reads no cell (see `Source.in_parts`).
                    sources = (self.add(Activation("linear"), sources),)
            self.part_steps[len(self.layers)] = given
        self.layers.append(layer)
        self.wiring.append(tuple(sources))
        self.masked.append(layer.masks([source >= 0 and self.masked[source] for source in sources]))
        return len(self.layers) - 1

    @contextmanager
    def parts(self) -> Iterator[None]:
        """What is added meanwhile goes through each part of the steps by itself."""
        before, self.in_parts = self.in_parts, True
        try:
            yield
        finally:
            self.in_parts = before


@dataclass(frozen=True)
class Call:
    """A Keras layer and what it is called with.

    Attributes:
        layer: the layer, or an operation of keras.ops.
        name: how it is named in messages.
        sources: numbers of the network's layers that it reads, or -1, -2, … for inputs.
        shapes: of what it reads, with the batch; None where the model is not built and the shape is not known.
        arguments: the arguments of the call by place.
        options: those by name that are not None, but for `training`: tensors, or plain values.
        draft: the network so far.
    """

    layer: Any
    name: str
    sources: tuple[int, ...]
    shapes: tuple[Shape | None, ...]
    arguments: Sequence[Any]
    options: Mapping[str, Any]
    draft: Draft

    def refuse(self, text: str) -> None:
        """Say what has no equal, in words that go on after the layer's name."""
        self.draft.problems.append(f"{self.name} {text}")

    @property
    def reads_a_mask(self) -> bool:
        """Whether a mask comes with what the call reads."""
        return any(source >= 0 and self.draft.masked[source] for source in self.sources)

    def refuse_masks(self, instead: str) -> None:
        """For operations of keras.ops, which lose the mask of what they read: refuse one."""
        if self.reads_a_mask:
            self.refuse(f"is an operation, behind which Keras knows no mask any more; {instead}")

    def put(self, found: "Layer | Sequence[Layer] | int | tuple[int, ...]") -> tuple[int, ...]:
        """Add what a reader found in the layer's place, unless it did so itself; the numbers of the outputs."""
        if isinstance(found, int):
            return (found,)
        if isinstance(found, tuple):
            return found
        sources = self.sources
        for layer in [found] if isinstance(found, Layer) else found:
            # What a tuple holds are numbers.
            assert isinstance(layer, Layer)
            sources = (self.draft.add(layer, sources),)
        return sources

    def add(self, layer: Layer, *sources: int) -> int:
        """Add a layer to the network, reading what is given, or what the Keras layer reads; its number."""
        return self.draft.add(layer, sources or self.sources)

    def activation(self, option: str = "activation", layer: Any = None) -> str:
        """An activation by its name here; refused where it has none."""
        function = getattr(layer or self.layer, option)
        if is_gelu_tanh(function):
            return "gelu_tanh"
        for known in ACTIVATIONS:
            if function is getattr(keras.activations, known, None):
                return known
        shown = getattr(function, "__name__", repr(function))
        self.refuse(f"has {option}={shown!r}, which is not supported; use one of {', '.join(ACTIVATIONS)}")
        return "linear"

    def share(self, option: str, layer: Any = None) -> float:
        """A rate of dropout; refused where it is none."""
        rate = getattr(layer or self.layer, option)
        if not 0 <= rate < 1:
            self.refuse(f"has {option} {rate}; give a share of at least 0 and below 1")
            return 0.0
        return float(rate)


Found = Layer | Sequence[Layer] | int | tuple[int, ...] | None
Reader = Callable[[Call], Found]
