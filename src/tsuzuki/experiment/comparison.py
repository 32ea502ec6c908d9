"""Train every variant with every seed side by side, in threads or in workers, and collect the results."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from threading import Event
from typing import TYPE_CHECKING

from tsuzuki.experiment.paired_statistics import PairedDifference, mean_of, paired_difference
from tsuzuki.experiment.prepared_data import PreparedData
from tsuzuki.experiment.recipe import Recipe
from tsuzuki.experiment.scoring import Scores, persistence, score
from tsuzuki.experiment.season import Season, season
from tsuzuki.experiment.variants import STATEFUL, STATELESS, Variant, variants
from tsuzuki.layouts.layout import Layout
from tsuzuki.network.initialisers import initialise
from tsuzuki.training.fit import fit
from tsuzuki.training.predict import predict
from tsuzuki.training.records import EpochRecord, Progress
from tsuzuki.training.side_by_side import run_side_by_side
from tsuzuki.training.workers import Workers, result_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class VariantResult:
    """The results of one variant, over all seeds.

    Attributes:
        name: stateless, stateful, streams, or "streams, decayed".
        updates_per_epoch: updates per epoch.
        samples_per_epoch: targets scored per epoch.
        seconds_per_epoch: mean over epochs and seeds.
        running_loss: [seeds][epochs], as a training loop prints it.
        scores: [seeds], of the finished weights.
        layout: the rows trained on.
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

    def mean_loss(self, epoch: int) -> float:
        """The running loss of an epoch, averaged over seeds."""
        return mean_of(losses[epoch] for losses in self.running_loss)


@dataclass(frozen=True)
class Comparison:
    """The results of all variants.

    Attributes:
        data: what was trained on.
        recipe: what was trained.
        results: of each variant.
        persistence: the scores of the last value as forecast.
        paired_first_epoch_loss: of stateful and stateless windows.
        paired_test_mse: likewise.
        season: whether the windows' finished weights follow the season; None where the data do not tell.
    """

    data: PreparedData
    recipe: Recipe
    results: tuple[VariantResult, ...]
    persistence: Scores
    paired_first_epoch_loss: PairedDifference
    paired_test_mse: PairedDifference
    season: Season | None = None


@dataclass(frozen=True)
class _Run:
    """What came of one variant and one seed; of some the forecasts of all points, float32 [points]."""

    history: tuple[EpochRecord, ...]
    scores: Scores
    forecasts: "NDArray[np.float32] | None"


@dataclass(frozen=True)
class _Runs:
    """Trains any variant with any seed, in this process or in a worker, which keeps the layouts from unit to unit."""

    data: PreparedData
    recipe: Recipe

    @cached_property
    def variants(self) -> list[Variant]:
        return variants(self.data, self.recipe)

    def __call__(self, unit: tuple[int, int]) -> _Run:
        return self.run(*unit)

    def run(self, number: int, seed: int, on_progress: Callable[[Progress], object] | None = None) -> _Run:
        """Train the variant of a number with a seed."""
        variant, network, scaled = self.variants[number], self.recipe.network, self.data.scaled
        result = fit(
            network,
            initialise(network, seed),
            scaled,
            scaled,
            variant.layout,
            epochs=variant.epochs,
            optimizer=variant.optimizer,
            threads=1,
            on_progress=on_progress,
        )
        if result.interrupted:
            # `on_progress` raised it.
            raise KeyboardInterrupt
        found = predict(network, result.weights, scaled, variant.scoring, threads=1)[:, 0]
        shown = seed == 0 or variant.name in (STATELESS, STATEFUL)
        return _Run(result.history, score(self.data, found), found if shown else None)


def compare(
    data: PreparedData,
    recipe: Recipe,
    threads: int,
    on_progress: Callable[[float], object] | None = None,
    workers: Workers | None = None,
) -> Comparison:
    """Train every variant with every seed, side by side; the results do not depend on how many at a time, or where.

    Args:
        data: from `prepare_data`.
        recipe: what to train.
        threads: runs at a time; each takes one core.
        on_progress: called with each further share of the work done, from any thread; what it raises ends all runs.
        workers: who make the runs, as many at once as they are; threads of this process if None.

    Raises:
        DivergedError: a run's loss is not finite.
    """
    runs, tell = _Runs(data, recipe), on_progress or (lambda share: None)
    tried = variants(data, recipe)
    units = [(number, seed) for seed in range(recipe.seeds) for number in range(len(tried))]
    steps = [variant.epochs * variant.layout.updates * variant.layout.timesteps for variant in tried]
    work = sum(steps) * recipe.seeds

    def one(at: int, check_cancelled: Callable[[], None]) -> _Run:
        number, seed = units[at]
        if workers is not None:

            def on_wait() -> None:
                check_cancelled()
                # Whoever is told may end all runs; a unit may take minutes.
                tell(0.0)

            made: _Run = result_of(workers.submit(runs, units[at]), on_wait)
            tell(steps[number] / work)
            return made
        timesteps, done = tried[number].layout.timesteps, 0

        def progress(now: Progress) -> None:
            nonlocal done
            check_cancelled()
            update = (now.epoch - 1) * now.updates + now.update
            tell((update - done) * timesteps / work)
            done = update

        return runs.run(number, seed, progress)

    # Each worker has a unit, and the next one waits for it.
    together = threads if workers is None else 2 * workers.workers
    found = dict(zip(units, run_side_by_side(one, len(units), together), strict=True))
    results = tuple(
        _result(variant, [found[number, seed] for seed in range(recipe.seeds)]) for number, variant in enumerate(tried)
    )
    stateless, stateful = results[0], results[1]
    windows = [found[unit].forecasts for unit in units if tried[unit[0]].name in (STATELESS, STATEFUL)]
    return Comparison(
        data,
        recipe,
        results,
        persistence(data),
        paired_difference([loss[0] for loss in stateless.running_loss], [loss[0] for loss in stateful.running_loss]),
        paired_difference([one.test_mse for one in stateless.scores], [one.test_mse for one in stateful.scores]),
        season(data, [one for one in windows if one is not None]),
    )


@contextmanager
def started(
    data: PreparedData, recipe: Recipe, threads: int, workers: Workers | None = None
) -> Iterator[Callable[[Callable[[float], object]], Comparison]]:
    """Start a comparison in the background, so that what shows it can be imported meanwhile.

    Args:
        data: as for `compare`.
        recipe: likewise.
        threads: likewise.
        workers: likewise.

    Yields:
        What waits for the comparison, as `compare`, given its `on_progress`. A comparison that is left by an exception,
        by Ctrl-C as well, ends.
    """
    shares: list[float] = []
    tell: Callable[[float], object] = shares.append
    left = Event()

    def progress(share: float) -> None:
        if left.is_set():
            raise KeyboardInterrupt
        tell(share)

    def finish(on_progress: Callable[[float], object]) -> Comparison:
        nonlocal tell
        tell = on_progress
        tell(sum(shares))
        found: Comparison = result_of(running, lambda: None)
        return found

    with ThreadPoolExecutor(1) as background:
        running = background.submit(compare, data, recipe, threads, progress, workers)
        try:
            yield finish
        except BaseException:
            left.set()
            raise


def _result(variant: Variant, runs: Sequence[_Run]) -> VariantResult:
    seconds = [record.seconds for run in runs for record in run.history]
    return VariantResult(
        name=variant.name,
        updates_per_epoch=variant.layout.updates,
        samples_per_epoch=variant.layout.targets,
        seconds_per_epoch=sum(seconds) / len(seconds),
        running_loss=tuple(tuple(record.loss for record in run.history) for run in runs),
        scores=tuple(run.scores for run in runs),
        layout=variant.layout,
        forecasts=runs[0].forecasts,
    )
