"""Train every variant with every seed in parallel and collect the results."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from tsuzuki.experiment.paired_statistics import PairedDifference, paired_difference
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
        return fmean(losses[epoch] for losses in self.running_loss)


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


@dataclass
class RunControl:
    """Progress and cancellation of a running comparison.

    Attributes:
        on_progress: called with the share of the whole work that was just done; from any thread.
        cancelled: set it to True to end all runs at their next call of the compiled program.
    """

    on_progress: Callable[[float], object] = field(default=lambda share: None)
    cancelled: bool = False


class ComparisonCancelledError(Exception):
    """Raised inside a run when the whole comparison was cancelled."""


def compare(data: PreparedData, recipe: Recipe, workers: int, control: RunControl | None = None) -> Comparison:
    """Train every variant with every seed, in parallel.

    Args:
        data: from `prepare_data`.
        recipe: what to train.
        workers: runs at a time; each takes one core.
        control: progress and cancellation.

    Raises:
        DivergedError: a run's loss is not finite.
    """
    control = control or RunControl()
    tried = variants(data, recipe)
    work = sum(variant.epochs * variant.layout.updates * variant.layout.timesteps for variant in tried) * recipe.seeds
    network = recipe.network
    forecasts: dict[tuple[str, int], NDArray[np.float32]] = {}

    def one(variant: Variant, seed: int) -> tuple[tuple[EpochRecord, ...], Scores]:
        done = 0

        def progress(now: Progress) -> None:
            nonlocal done
            if control.cancelled:
                raise ComparisonCancelledError
            update = (now.epoch - 1) * now.updates + now.update
            control.on_progress((update - done) * variant.layout.timesteps / work)
            done = update

        result = fit(
            network,
            initialise(network, seed),
            data.scaled,
            data.scaled,
            variant.layout,
            epochs=variant.epochs,
            optimizer=variant.optimizer,
            threads=1,
            on_progress=progress,
        )
        found = predict(network, result.weights, data.scaled, variant.scoring, threads=1)[:, 0]
        if seed == 0 or variant.name in (STATELESS, STATEFUL):
            forecasts[variant.name, seed] = found
        return result.history, score(data, found)

    found: dict[tuple[str, int], tuple[tuple[EpochRecord, ...], Scores]] = {}
    with ThreadPoolExecutor(workers) as pool:
        runs = {
            pool.submit(one, variant, seed): (variant.name, seed) for seed in range(recipe.seeds) for variant in tried
        }
        try:
            for run in as_completed(runs):
                found[runs[run]] = run.result()
        except BaseException:
            control.cancelled = True
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    results = tuple(
        _result(variant, [found[variant.name, seed] for seed in range(recipe.seeds)], forecasts[variant.name, 0])
        for variant in tried
    )
    stateless, stateful = results[0], results[1]
    return Comparison(
        data,
        recipe,
        results,
        persistence(data),
        paired_difference([loss[0] for loss in stateless.running_loss], [loss[0] for loss in stateful.running_loss]),
        paired_difference([one.test_mse for one in stateless.scores], [one.test_mse for one in stateful.scores]),
        season(data, [one for (name, _), one in forecasts.items() if name in (STATELESS, STATEFUL)]),
    )


def _result(
    variant: Variant, runs: Sequence[tuple[tuple[EpochRecord, ...], Scores]], example: "NDArray[np.float32]"
) -> VariantResult:
    seconds = [record.seconds for history, _ in runs for record in history]
    return VariantResult(
        name=variant.name,
        updates_per_epoch=variant.layout.updates,
        samples_per_epoch=variant.layout.targets,
        seconds_per_epoch=sum(seconds) / len(seconds),
        running_loss=tuple(tuple(record.loss for record in history) for history, _ in runs),
        scores=tuple(scores for _, scores in runs),
        layout=variant.layout,
        forecasts=example,
    )
