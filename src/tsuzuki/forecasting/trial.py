"""One recipe of a search, tried: networks trained on the data, and judged where they were held out."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import SettingError
from tsuzuki.forecasting.fit import trained_networks
from tsuzuki.forecasting.preparation import Prepared, prepared
from tsuzuki.forecasting.products_alone import products_alone
from tsuzuki.forecasting.settings import OF_NETWORKS, Settings
from tsuzuki.forecasting.trust import Trust, trust_in
from tsuzuki.training.workers import result_of

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.data.covariates import CovariateSeries
    from tsuzuki.forecasting.member_training import Member
    from tsuzuki.training.workers import Workers

# Networks of a trial before the last round, which has as many as stay, each with a stretch held out.
NETWORKS = 2


@dataclass(frozen=True)
class Trial:
    """One recipe, tried.

    Attributes:
        recipe: settings that differ from those given.
        share: of the passes over the data.
        error: mean absolute error of the committee on held-out stretches, in units of the best naive forecast's.
        seconds: that it took.
    """

    recipe: dict[str, Any]
    share: float
    error: float
    seconds: float


@dataclass(frozen=True)
class Tried:
    """A trial and what it leaves.

    Attributes:
        trial: of one recipe.
        networks: trained by all passes; none before the last round.
        trust: what held-out stretches say of them.
    """

    trial: Trial
    networks: "tuple[Member, ...]"
    trust: Trust


@dataclass(frozen=True)
class TrialWork:
    """Tries recipes, here or in a worker.

    Attributes:
        series: the data.
        settings: those that recipes differ from.
        checkpoint: where networks of the last round are kept, with a text for each recipe behind it, or None.
    """

    series: "Sequence[CovariateSeries]"
    settings: Settings
    checkpoint: str | None = None

    @cached_property
    def made(self) -> Prepared:
        """The data, ready for networks of these settings and of all recipes that change nothing but networks."""
        return prepared(self.series, self.settings)

    @products_alone()
    def __call__(self, unit: tuple[dict[str, Any], float]) -> Tried:
        """Try a recipe at a share of the passes."""
        began, (recipe, share) = time.perf_counter(), unit
        whole, chosen = share >= 1, replace(self.settings, **recipe)
        if not whole:
            networks = min(NETWORKS, chosen.ensemble)
            chosen = replace(chosen, epochs=max(1, round(chosen.epochs * share)), ensemble=networks)
        made = self.made.by_networks_of(chosen) if of_networks(recipe) else prepared(self.series, chosen)
        job = made.job(checkpoint=self._path(recipe) if whole else None)
        networks_of_it = trained_networks(job)
        trust = trust_in(
            job, networks_of_it, made.held_out, made.inputs, made.steady, made.series, checked=made.checked, whole=False
        )
        error = float("inf") if trust.error is None else trust.error
        trial = Trial(recipe, share, error, time.perf_counter() - began)
        return Tried(trial, tuple(networks_of_it) if whole else (), trust)

    def _path(self, recipe: dict[str, Any]) -> str | None:
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]
        return None if self.checkpoint is None else f"{self.checkpoint}-{digest}"


def of_networks(recipe: dict[str, Any]) -> bool:
    """Whether a recipe changes nothing but networks."""
    return set(recipe) <= set(OF_NETWORKS)


def tried(work: TrialWork, units: Sequence[tuple[dict[str, Any], float]], workers: "Workers | None") -> Iterator[Tried]:
    """The trials of some recipes at a share of the passes, in their order."""
    if workers is None:
        yield from map(work, units)
        return
    for future in [workers.submit(work, unit) for unit in units]:
        yield result_of(future, lambda: None)


def trials_table(trials: Sequence[Trial]) -> "pd.DataFrame":
    """Trials as a table; see `Forecaster.trials_`."""
    import pandas as pd

    if not trials:
        raise SettingError("this Forecaster has searched nothing; give seconds, search=60, and call fit(frame)")
    rows = [
        {
            "recipe": ", ".join(f"{name}={value}" for name, value in one.recipe.items()) or "as given",
            "share": one.share,
            "error": one.error,
            "seconds": one.seconds,
        }
        for one in sorted(trials, key=lambda one: (-one.share, one.error))
    ]
    return pd.DataFrame(rows)
