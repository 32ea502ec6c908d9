"""What a model takes and gives: the steps of its samples, and each of its outputs with the loss that scores it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.keras.output_mask import Mask
from tsuzuki.keras.own_loss import OwnLoss
from tsuzuki.network.losses import MSE, Loss, SparseCategoricalCrossentropy

# Of each of several outputs its targets of a step, and whether they come without a last axis.
Columns = tuple[tuple[int, bool], ...]


@dataclass(frozen=True)
class OutputLoss:
    """How an output is scored.

    Attributes:
        loss: None: it is not, and has no targets.
        weight: the loss's factor in what is minimised.
        shown: the loss's name in the logs, where each has one.
        place: which of the losses it is, in the order in which they are given.
        own: what computes it and its slopes where no kernel does.
    """

    loss: Loss | None
    weight: float = 1.0
    shown: str = ""
    place: int = 0
    own: OwnLoss | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Output:
    """One output of a model.

    Attributes:
        size: its values of a step.
        scored: how; by its squared error where nothing is trained or scored.
        mask: tells from inputs which of its steps count; None: all.
        given: target values of a step that come, where the loss is none of the kernels' and may want any.
        flat: whether such targets come without a last axis.
    """

    size: int
    scored: OutputLoss = OutputLoss(MSE())
    mask: Mask | None = field(default=None, compare=False)
    given: int | None = None
    flat: bool = False

    @property
    def classes(self) -> bool:
        """Whether a target is the number of one of the values, in a single column."""
        return isinstance(self.scored.loss, SparseCategoricalCrossentropy)

    @property
    def ignored(self) -> int | None:
        """A number that such targets may have besides."""
        return getattr(self.scored.loss, "ignore_class", None)

    @property
    def targets(self) -> int:
        """Values of a step that stand among the data's targets."""
        return 1 if self.classes else self.size

    @property
    def aims(self) -> int:
        """Target values of a step, which metrics see."""
        return self.targets if self.given is None else self.given


@dataclass(frozen=True)
class Shape:
    """What a model takes and gives.

    Attributes:
        inputs: features of a step.
        each: its outputs; their values stand side by side in forecasts, and their targets in the data.
        every_step: whether each step is scored.
        stateful: whether the state is carried from batch to batch.
        lanes: the batch size.
        timesteps: steps of a sample, None where the model takes any.
        steps_given: how many steps the model gives for a sample of so many, where each is scored.
    """

    inputs: int
    each: tuple[Output, ...]
    every_step: bool
    stateful: bool
    lanes: int
    timesteps: int | None = None
    steps_given: Callable[[int], int] = field(default=int, compare=False)

    def scored_steps(self, timesteps: int) -> int:
        """How many steps of a sample are scored."""
        return self.steps_given(timesteps) if self.every_step else 1

    def scored_by(self, losses: Sequence[OutputLoss]) -> "Shape":
        """The same with a loss for each output, and such targets as it wants."""
        return replace(self, each=tuple(replace(one, scored=loss) for one, loss in zip(self.each, losses, strict=True)))

    def aimed_at(self, y: tuple[int, ...], columns: Columns = ()) -> "Shape":
        """The same with targets of a shape, which tells how many a loss of a user's own is given for a step.

        Args:
            y: the shape.
            columns: of each of several outputs its targets of a step, and whether they came without a last axis.
        """
        if self.own is None or not (y or columns):
            return self
        if columns:
            pairs = zip(self.each, columns, strict=True)
            return replace(self, each=tuple(replace(one, given=count, flat=flat) for one, (count, flat) in pairs))
        values = y[-1] if len(y) == 2 + self.every_step else 1
        return replace(self, each=(replace(self.each[0], given=values),))

    @property
    def outputs(self) -> int:
        """Values of a forecast."""
        return sum(one.size for one in self.each)

    @property
    def targets(self) -> int:
        """Target values of a forecast."""
        return sum(one.targets for one in self.each)

    @property
    def own(self) -> OwnLoss | None:
        """The loss of its outputs where no kernel computes it."""
        return next((one.scored.own for one in self.each if one.scored.own is not None), None)

    @property
    def own_columns(self) -> Columns:
        """What such a loss is told of the targets of several outputs."""
        return tuple((one.aims, one.flat) for one in self.each) if len(self.each) > 1 else ()

    def counting(self, inputs: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Which scored steps of samples count, with a last axis of the outputs where there are several; None: all."""
        masks = [None if one.mask is None else one.mask(inputs) for one in self.each]
        known = next((mask for mask in masks if mask is not None), None)
        if known is None or len(masks) == 1:
            return known
        return np.stack([np.ones_like(known) if mask is None else mask for mask in masks], axis=-1)

    @property
    def masked(self) -> bool:
        """Whether an output has steps that do not count."""
        return any(one.mask is not None for one in self.each)

    def aims(self, number: int) -> slice:
        """Where an output's targets lie among those that a loss of a user's own is given."""
        first = sum(one.aims for one in self.each[:number])
        return slice(first, first + self.each[number].aims)

    def columns(self, number: int) -> tuple[slice, slice]:
        """Where an output's values lie in forecasts, and its targets in the data."""
        before = self.each[:number]
        first, target = sum(one.size for one in before), sum(one.targets for one in before)
        own = self.each[number]
        return slice(first, first + own.size), slice(target, target + own.targets)
