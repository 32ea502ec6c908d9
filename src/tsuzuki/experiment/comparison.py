"""The experiment: does carrying the state help? Stateless and stateful windows and streams, side by side.

All rows train the same network from the same initial weights, seed by seed, through the same number of recurrent
steps. What is reported is not only the running loss, which follows the season, but the error of the finished weights,
on the training part and on a test part that comes after it, against persistence.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tsuzuki.data.scaling import Standardizer
from tsuzuki.data.segments import Segment
from tsuzuki.data.series import Collection
from tsuzuki.errors import DataError, SettingError
from tsuzuki.layouts.layout import Layout, check_length
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import GRU, LSTM, Dense, Layer, SimpleRNN
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import Cosine, RMSprop
from tsuzuki.training.fit import fit, predict
from tsuzuki.training.records import EpochRecord, Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STATELESS, STATEFUL, STREAMS, DECAYED = "stateless", "stateful", "streams", "streams, decayed"
CELLS = {"simple_rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
# A stream's update looks back over this many windows' worth of steps: 24 hours for windows of 6.
STREAM_WINDOWS = 4
# Windows scored at once where no state is carried.
SCORING_BATCH = 256


@dataclass(frozen=True)
class Recipe:
    """What is trained, and how.

    Attributes:
        cell: simple_rnn, gru or lstm.
        layers: recurrent layers, one on another.
        units: of each recurrent layer and of the Dense(tanh) between them and the output.
        timesteps: inputs of a window.
        batch_size: rows of an update.
        epochs: over all windows; streams take timesteps times as many epochs, each over single observations.
        seeds: how many paired runs.
        learning_rate: of RMSprop.
        test_fraction: the last part of each series that is held out; 0 trains on everything.
        max_gap: longest gap in steps that is interpolated.
    """

    cell: str = "simple_rnn"
    layers: int = 1
    units: int = 10
    timesteps: int = 6
    batch_size: int = 6
    epochs: int = 3
    seeds: int = 10
    learning_rate: float = 0.001
    test_fraction: float = 0.2
    max_gap: int = 24

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise SettingError(f"--cell is {self.cell!r}; choose one of {', '.join(CELLS)}")
        for name in ("layers", "units", "timesteps", "batch_size", "epochs", "seeds"):
            if getattr(self, name) < 1:
                raise SettingError(f"--{name.replace('_', '-')} is {getattr(self, name)}; give a whole number from 1")
        if not 0 <= self.test_fraction < 1:
            raise SettingError(f"--test-fraction is {self.test_fraction}; give a share of at least 0 and below 1")
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise SettingError(f"--learning-rate is {self.learning_rate}; give a number above 0, such as 0.001")
        if self.max_gap < 0:
            raise SettingError(f"--max-gap is {self.max_gap}; give a number of steps from 0")

    @property
    def network(self) -> Network:
        """The network of the recipe: recurrent layers, Dense(units, tanh), Dense(1)."""
        layers: list[Layer] = [CELLS[self.cell](self.units) for _ in range(self.layers)]
        return Network(1, (*layers, Dense(self.units, "tanh"), Dense(1)))


@dataclass(frozen=True)
class Problem:
    """A collection made ready: scaled on its training part, flat, and split.

    Attributes:
        collection: where it comes from.
        scaled: float32 [points, 1], each series standardised by its training part.
        deviations: float64 [points], the standard deviation that undoes the scaling.
        training: the segments trained on.
        segments: all segments, uncut.
        train_targets: bool [points], the targets scored as training, the same for every row.
        test_targets: bool [points], likewise held out.
    """

    collection: Collection
    scaled: "NDArray[np.float32]"
    deviations: "NDArray[np.float64]"
    training: tuple[Segment, ...]
    segments: tuple[Segment, ...]
    train_targets: "NDArray[np.bool_]"
    test_targets: "NDArray[np.bool_]"


def pose(collection: Collection, recipe: Recipe) -> Problem:
    """Split by time, scale by the training part, and mark the targets that every row is scored on.

    Raises:
        TooShortError: no unbroken stretch of the training part holds timesteps + 2 points.
        DataError: a series is constant in its training part, or the test part holds no target.
    """
    import numpy as np

    values, offsets = collection.values, collection.offsets
    cuts, training = collection.split(recipe.test_fraction), collection.training_segments(recipe.test_fraction)
    check_length(training, recipe.timesteps + 2, f"training on windows of {recipe.timesteps} steps")
    scaled, deviations = np.empty_like(values), np.empty_like(values)
    test = np.zeros(len(values), bool)
    for start, cut, stop in zip(offsets, cuts, offsets[1:], strict=False):
        scaler = Standardizer().fit(values[start:cut, None])
        scaled[start:stop] = scaler.transform(values[start:stop, None])[:, 0]
        deviations[start:stop] = scaler.scale[0]
        test[cut:stop] = True
    targets = np.zeros(len(values), bool)
    for segment in collection.segments:
        targets[segment.start + recipe.timesteps : segment.stop] = True
    if recipe.test_fraction > 0 and not (targets & test).any():
        raise DataError(
            f"the test part of {collection.name} holds no value with {recipe.timesteps} steps before it; "
            "raise --test-fraction or give a longer series"
        )
    return Problem(
        collection=collection,
        scaled=np.ascontiguousarray(scaled[:, None], np.float32),
        deviations=deviations,
        training=training,
        segments=collection.segments,
        train_targets=targets & ~test,
        test_targets=targets & test,
    )


@dataclass(frozen=True)
class Scores:
    """Errors of finished weights; the test's are NaN where nothing is held out.

    Attributes:
        train_mse: of scaled values, on the training targets.
        test_mse: likewise held out.
        test_rmse: in the series' unit.
    """

    train_mse: float
    test_mse: float
    test_rmse: float


def score(problem: Problem, forecasts: "NDArray[np.float32]") -> Scores:
    """Score forecasts [points] of scaled values at every row's common targets."""
    import numpy as np

    errors = problem.scaled[:, 0].astype(np.float64) - forecasts
    test = problem.test_targets

    def mean(values: "NDArray[np.float64]") -> float:
        return float(np.mean(values)) if len(values) else math.nan

    return Scores(
        train_mse=mean(errors[problem.train_targets] ** 2),
        test_mse=mean(errors[test] ** 2),
        test_rmse=math.sqrt(mean((errors[test] * problem.deviations[test]) ** 2)),
    )


def persistence(problem: Problem) -> Scores:
    """Score the forecast that the next value is the last one."""
    import numpy as np

    last = np.roll(problem.scaled[:, 0], 1)
    return score(problem, last)


@dataclass(frozen=True)
class Row:
    """One way of training, over all seeds.

    Attributes:
        name: stateless, stateful, streams, or "streams, decayed".
        updates_per_epoch: updates of an epoch.
        samples_per_epoch: targets scored in an epoch.
        seconds_per_epoch: mean over epochs and seeds.
        running_loss: [seeds][epochs], what a training loop prints.
        scores: [seeds], the finished weights'.
        layout: the rows that trained.
        forecasts: float32 [points] of scaled values, by the first seed's finished weights.
    """

    name: str
    updates_per_epoch: int
    samples_per_epoch: int
    seconds_per_epoch: float
    running_loss: tuple[tuple[float, ...], ...]
    scores: tuple[Scores, ...]
    layout: Layout | None = field(default=None, repr=False, compare=False)
    forecasts: "NDArray[np.float32] | None" = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Paired:
    """Stateful minus stateless, seed by seed.

    Attributes:
        mean_difference: below 0 where stateful is better.
        ci95: the 95 % confidence interval of the mean (Student's t), or None with a single seed.
        stateful_better_share: the share of seeds in which stateful is the lower one.
    """

    mean_difference: float
    ci95: tuple[float, float] | None
    stateful_better_share: float


@dataclass(frozen=True)
class Comparison:
    """The experiment's outcome."""

    problem: Problem
    recipe: Recipe
    rows: tuple[Row, ...]
    persistence: Scores
    paired_first_epoch_loss: Paired
    paired_test_mse: Paired


@dataclass(frozen=True)
class _Way:
    """How one row lays out, trains and is scored."""

    name: str
    layout: Layout
    epochs: int
    optimizer: RMSprop
    scoring: Layout


def _ways(problem: Problem, recipe: Recipe) -> list[_Way]:
    steps, batch, rate = recipe.timesteps, recipe.batch_size, recipe.learning_rate
    stateless, stateful = Windows(steps, batch), Windows(steps, batch, stateful=True)
    streams = Streams(STREAM_WINDOWS * steps, batch).over(problem.training)
    # A window costs `steps` recurrent steps and a stream visits each observation once, so that many more epochs make
    # the same number of steps in all.
    many = recipe.epochs * steps
    constant = RMSprop(learning_rate=rate)
    decayed = RMSprop(learning_rate=Cosine(rate, many * streams.updates))
    # The state runs on from the training part into the test part, through whole segments.
    uncut = Streams(STREAM_WINDOWS * steps, 1).over(problem.segments)
    carried = Windows(steps, steps, stateful=True).over(problem.segments)
    fresh = Windows(steps, SCORING_BATCH).over(problem.segments)
    return [
        _Way(STATELESS, stateless.over(problem.training), recipe.epochs, constant, fresh),
        _Way(STATEFUL, stateful.over(problem.training), recipe.epochs, constant, carried),
        _Way(STREAMS, streams, many, constant, uncut),
        _Way(DECAYED, streams, many, decayed, uncut),
    ]


@dataclass
class Signals:
    """How a running comparison talks to whoever started it.

    Attributes:
        advance: called with the share of the whole work that was just done; from any thread.
        stopped: set it to True to end all runs at their next call of the compiled program.
    """

    advance: Callable[[float], object] = field(default=lambda share: None)
    stopped: bool = False


class StoppedError(Exception):
    """Raised inside a run when the whole comparison was stopped."""


def compare(problem: Problem, recipe: Recipe, workers: int, signals: Signals | None = None) -> Comparison:
    """Run every row with every seed, side by side.

    Args:
        problem: the data made ready.
        recipe: what to train.
        workers: runs at a time; each takes one core.
        signals: progress out, stop in.

    Raises:
        DivergedError: a run's loss is not finite.
    """
    signals = signals or Signals()
    ways = _ways(problem, recipe)
    work = sum(way.epochs * way.layout.updates * way.layout.timesteps for way in ways) * recipe.seeds
    network = recipe.network
    examples: dict[str, NDArray[np.float32]] = {}

    def one(way: _Way, seed: int) -> tuple[tuple[EpochRecord, ...], Scores]:
        done = 0

        def progress(now: Progress) -> None:
            nonlocal done
            if signals.stopped:
                raise StoppedError
            update = (now.epoch - 1) * now.updates + now.update
            signals.advance((update - done) * way.layout.timesteps / work)
            done = update

        result = fit(
            network,
            initialise(network, seed),
            problem.scaled,
            problem.scaled,
            way.layout,
            epochs=way.epochs,
            optimizer=way.optimizer,
            threads=1,
            on_progress=progress,
        )
        forecasts = predict(network, result.weights, problem.scaled, way.scoring, threads=1)[:, 0]
        if seed == 0:
            examples[way.name] = forecasts
        return result.history, score(problem, forecasts)

    found: dict[tuple[str, int], tuple[tuple[EpochRecord, ...], Scores]] = {}
    with ThreadPoolExecutor(workers) as pool:
        runs = {pool.submit(one, way, seed): (way.name, seed) for seed in range(recipe.seeds) for way in ways}
        try:
            for run in as_completed(runs):
                found[runs[run]] = run.result()
        except BaseException:
            signals.stopped = True
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    rows = tuple(_row(way, [found[way.name, seed] for seed in range(recipe.seeds)], examples[way.name]) for way in ways)
    stateless, stateful = rows[0], rows[1]
    return Comparison(
        problem,
        recipe,
        rows,
        persistence(problem),
        pair([loss[0] for loss in stateless.running_loss], [loss[0] for loss in stateful.running_loss]),
        pair([one.test_mse for one in stateless.scores], [one.test_mse for one in stateful.scores]),
    )


def _row(way: _Way, runs: Sequence[tuple[tuple[EpochRecord, ...], Scores]], example: "NDArray[np.float32]") -> Row:
    seconds = [record.seconds for history, _ in runs for record in history]
    return Row(
        name=way.name,
        updates_per_epoch=way.layout.updates,
        samples_per_epoch=way.layout.targets,
        seconds_per_epoch=sum(seconds) / len(seconds),
        running_loss=tuple(tuple(record.loss for record in history) for history, _ in runs),
        scores=tuple(scores for _, scores in runs),
        layout=way.layout,
        forecasts=example,
    )


def pair(stateless: Sequence[float], stateful: Sequence[float]) -> Paired:
    """Compare two rows seed by seed."""
    differences = [b - a for a, b in zip(stateless, stateful, strict=True)]
    count = len(differences)
    mean = sum(differences) / count
    interval = None
    if count > 1:
        deviation = math.sqrt(sum((d - mean) ** 2 for d in differences) / (count - 1))
        half = student_t(count - 1) * deviation / math.sqrt(count)
        interval = (mean - half, mean + half)
    return Paired(mean, interval, sum(d < 0 for d in differences) / count)


def student_t(freedom: int) -> float:
    """The 97.5 % quantile of Student's t distribution.

    Solved by bisection on the distribution's closed form for whole degrees of freedom (Abramowitz and Stegun 26.7.3
    and 26.7.4).
    """

    def within(t: float) -> float:
        angle = math.atan2(t, math.sqrt(freedom))
        cosine2 = math.cos(angle) ** 2
        if freedom % 2:
            total = term = math.cos(angle) if freedom > 1 else 0.0
            for k in range(3, freedom - 1, 2):
                term *= cosine2 * (k - 1) / k
                total += term
            return 2 / math.pi * (angle + math.sin(angle) * total)
        total = term = 1.0
        for k in range(2, freedom - 1, 2):
            term *= cosine2 * (k - 1) / k
            total += term
        return math.sin(angle) * total

    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) < 0.95 else (low, middle)
    return (low + high) / 2


def as_json(comparison: Comparison) -> dict[str, object]:
    """The outcome as plain values, for JSON; what does not exist is None."""

    def plain(value: float) -> float | None:
        return value if math.isfinite(value) else None

    def paired(pair: Paired) -> dict[str, object] | None:
        if not math.isfinite(pair.mean_difference):
            return None
        return {
            "mean_difference": pair.mean_difference,
            "ci95": None if pair.ci95 is None else list(pair.ci95),
            "stateful_better_share": pair.stateful_better_share,
        }

    problem, recipe = comparison.problem, comparison.recipe
    collection = problem.collection
    cuts = collection.split(recipe.test_fraction)
    train = sum(cut - start for start, cut in zip(collection.offsets, cuts, strict=False))
    return {
        "dataset": {
            "name": collection.name,
            "points": len(problem.scaled),
            "missing": collection.repairs.missing,
            "segments": len(problem.segments),
            "train_points": train,
            "test_points": len(problem.scaled) - train,
            "unit": collection.unit,
        },
        "recipe": {name: getattr(recipe, name) for name in recipe.__dataclass_fields__},
        "seeds": list(range(recipe.seeds)),
        "rows": [
            {
                "name": row.name,
                "updates_per_epoch": row.updates_per_epoch,
                "seconds_per_epoch": row.seconds_per_epoch,
                "us_per_update": row.seconds_per_epoch / row.updates_per_epoch * 1e6,
                "us_per_sample": row.seconds_per_epoch / row.samples_per_epoch * 1e6,
                "running_loss": [list(losses) for losses in row.running_loss],
                "train_mse": [one.train_mse for one in row.scores],
                "test_mse": [plain(one.test_mse) for one in row.scores],
                "test_rmse": [plain(one.test_rmse) for one in row.scores],
            }
            for row in comparison.rows
        ],
        "persistence": {
            "train_mse": comparison.persistence.train_mse,
            "test_mse": plain(comparison.persistence.test_mse),
            "test_rmse": plain(comparison.persistence.test_rmse),
        },
        "paired": {
            "first_epoch_loss": paired(comparison.paired_first_epoch_loss),
            "test_mse": paired(comparison.paired_test_mse),
        },
    }
