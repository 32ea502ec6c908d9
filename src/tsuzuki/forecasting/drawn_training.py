"""One network of an ensemble trained within a budget, on stretches drawn over series and time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.threads import threads_allowed
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.optimizers import AdamW, Cosine
from tsuzuki.training.budget import Budget, budget_of
from tsuzuki.training.drawn_fit import Rounds, fit_drawn
from tsuzuki.training.drawn_rows import Piece, RowSource, Shape, draw, draw_held_out
from tsuzuki.training.replica import Recipe

if TYPE_CHECKING:
    from tsuzuki.forecasting.rules import Rules
    from tsuzuki.forecasting.settings import Settings
    from tsuzuki.forecasting.stepwise import ModelSpec
    from tsuzuki.network.losses import Loss
    from tsuzuki.training.records import Training

# Lanes, as many times as whole passes have, at so many times the learning rate; updates of a round. M4's hourly series,
# held-out loss after a million rows: 0.0568; with half as many lanes 0.0575, at twice the rate 0.0653.
WIDER, ROUND = 2, 128
# Rows of a stretch: behind them its state is zero again. M4's hourly series before their test part, files and no frame:
# MASE .824 with 24 rows, .833 with 48, .805 with 96; with 24 and 96, 51 series of five synthetic kinds .664 and .665,
# 300 of waves with noise .562 both. Longer ones have fewer windows to read before them.
LONGEST = 96
# Stretches that are held out of training and scored after each round, their rows, and those that warm the state of each
# up.
SCORED, SCORED_ROWS, WARM_UP = 96, 12, 8
# Updates in which the learning rate rises.
RISING = 100
# Where the budget is "auto", whole passes are made if they take no more updates.
FEW_UPDATES = 16_000
# No training has so many updates: the rate falls as the budget says.
ENDLESS = 10**15


class DrawnData(RowSource, Protocol):
    """Data to draw from, and what is held out of them."""

    def bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the stretches to draw from start and stop (exclusive), in order, each with a target at least."""
        ...

    def held_out_bounds(self) -> list[tuple[int, int, int]]:
        """Where each stretch held out starts and stops, and the first row before it that may be read, in order."""
        ...


class DrawnSource(Protocol):
    """More data than are at hand, for all networks of an ensemble to draw from.

    Attributes:
        identity: what tells them from others.
    """

    identity: str

    def prepare(self, rules: "Rules") -> None:
        """Learn what a sample of the series has suggested, before any rows are asked for."""
        ...

    def rows(self, member: int, spec: "ModelSpec") -> DrawnData:
        """What one network draws from."""
        ...

    def rounds(self, member: int, spec: "ModelSpec", on_wait: Callable[[], object]) -> Rounds | None:
        """Who makes the updates of one network, this process if None; what `on_wait` raises ends the waiting."""
        ...


@dataclass(frozen=True)
class Run:
    """How a training goes on after a crash, and whom it tells about itself.

    Attributes:
        on_progress: called with each further share of the work done; what it raises ends the training.
        checkpoint: where to go on from, or None.
        every: how often that is written.
        identity: what tells the data from others.
    """

    on_progress: Callable[[float], object]
    checkpoint: str | Path | None = None
    every: str | float = 30.0
    identity: str = ""


def budget_for(settings: "Settings", updates: int, together: int | None = None) -> Budget | None:
    """The budget of a network; None where it makes whole passes.

    Args:
        settings: of the forecaster.
        updates: that whole passes would take.
        together: networks that are trained side by side; as many as there are threads if None.
    """
    budget = budget_of(str(settings.budget))
    if budget is None or (budget == Budget() and updates <= FEW_UPDATES):
        return None
    if budget.seconds is not None:
        # Some networks are trained side by side, the others after them.
        turns = -(-settings.networks // min(settings.networks, together or threads_allowed()))
        return replace(budget, seconds=budget.seconds / turns)
    return budget


@dataclass(frozen=True)
class Drawing:
    """How one network is trained on what is drawn; the same wherever it is asked for.

    Attributes:
        recipe: of its training.
        weights: that it begins with.
        held_out: pieces that are scored after each round.
        starts, stops: int64 [segments], where the stretches to draw from begin and end.
        seeds: that the draws begin with.
    """

    recipe: Recipe
    weights: list[NDArray[np.float32]]
    held_out: list[Piece]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    seeds: tuple[int, ...]

    def among(self, starts: NDArray[np.int64], stops: NDArray[np.int64], shard: int) -> "Drawing":
        """The same on a shard of the data."""
        return replace(self, starts=starts, stops=stops, seeds=(*self.seeds, shard))

    def pieces_of(self, number: int) -> list[Piece]:
        """The pieces of a round, from 0."""
        return draw(self.starts, self.stops, np.random.default_rng([*self.seeds, number]), self.recipe.shape)


def drawing_of(data: DrawnData, spec: "ModelSpec", settings: "Settings", member: int, loss: "str | Loss") -> Drawing:
    """How one network is trained; for the arguments see `train_drawn`."""
    shape = Shape(settings.lanes * WIDER, settings.timesteps, ROUND, LONGEST * settings.timesteps)
    starts, stops = data.bounds()
    scored = replace(shape, lanes=SCORED, updates=SCORED_ROWS, longest=SCORED_ROWS * shape.timesteps)
    generator = np.random.default_rng([settings.seed, member])
    held_out = draw_held_out(data.held_out_bounds(), generator, scored, WARM_UP * shape.timesteps)[:SCORED]
    weights = initialise(spec.network, settings.seed + 1000003 * member)
    # The first forecast is that nothing changes.
    weights[-2][:] = 0
    recipe = Recipe(
        spec.network,
        shape,
        optimizer=AdamW(
            learning_rate=Cosine(WIDER * settings.learning_rate, ENDLESS, warmup=RISING),
            weight_decay=settings.weight_decay,
            global_clipnorm=1.0,
        ),
        loss=loss,
        horizon=settings.horizon if data.stride == 1 else None,
        lags=spec.lags,
        impute_from=spec.impute_from,
        residual=spec.impute_from is not None,
        seed=settings.seed + member,
    )
    return Drawing(recipe, weights, held_out, starts, stops, (settings.seed, member))


def train_drawn(
    data: DrawnData,
    spec: "ModelSpec",
    settings: "Settings",
    member: int,
    budget: Budget,
    run: Run,
    loss: "str | Loss",
    rounds: Rounds | None = None,
) -> "Training":
    """Train one network.

    Args:
        data: to draw from; their targets are changes of what the network adds to.
        spec: the network and how it reads.
        settings: of the forecaster.
        member: the number of the network.
        budget: what ends its training.
        run: see `Run`.
        loss: of the network.
        rounds: who makes its updates; this process if None.
    """
    drawing = drawing_of(data, spec, settings, member, loss)
    return fit_drawn(
        drawing.recipe,
        drawing.weights,
        data,
        drawing.pieces_of,
        budget,
        held_out=drawing.held_out,
        rounds=rounds,
        threads=1 if settings.networks > 1 else None,
        checkpoint=run.checkpoint,
        every=run.every,
        identity=run.identity,
        on_progress=run.on_progress,
    )
