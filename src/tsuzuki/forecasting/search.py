"""A search over recipes: several settings tried on held-out stretches of the training data, within given seconds.

Successive halving (Jamieson and Talwalkar 2016): all recipes are trained for a quarter of the passes, the better half
of them for half, and so on. What is compared is the committee's error where its networks were held out. The committee
is built from the best: networks of each recipe that errs about as little as the one that the settings say, beside
networks of that, as many recipes as there is time left for. What all networks share gives way to something else only if
that is better by more than chance would have it.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import SettingError
from tsuzuki.forecasting.fit import fingerprint, train
from tsuzuki.forecasting.settings import OF_NETWORKS, POINT_LOSSES
from tsuzuki.forecasting.spread import COUNTS, GAUSSIAN
from tsuzuki.training.workers import result_of

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.data.covariates import CovariateSeries
    from tsuzuki.forecasting.settings import Settings
    from tsuzuki.training.workers import Workers

# What is tried beside the settings themselves, the most promising first.
RECIPES: tuple[dict[str, Any], ...] = (
    {"units": 32, "head": 32},
    {"units": 96, "timesteps": 24, "lanes": 16, "learning_rate": 1e-2, "head": 0},
    {"epochs": 40},
    {"timesteps": 24},
    {"learning_rate": 2.5e-3},
    {"units": 96, "head": 96},
    {"weight_decay": 0.5},
    {"loss": "mae"},
    {"loss": "mse"},
    {"cell": "lstm"},
    {"layers": 2},
    {"with_calendar": False},
    {"learning_rate": 1e-2},
    {"base": "season"},
    {"units": 24, "head": 0, "weight_decay": 0.3},
)
# Networks of a trial before the last round, which has as many as stay, each with a stretch held out; the share of the
# passes that the first round has.
NETWORKS, FIRST_SHARE = 2, 0.25
# Points that trials are trained on at most: fewer series, then the end of each.
POINTS = 40_000
# What all networks share, such as their base, gives way where the other's error, all passes made, is below this share
# of that of the settings: of so many recipes one is a per cent better by chance.
BETTER = 0.98
# Share of the seconds that trials may take; what is left trains the networks that stay.
SEARCHED = 0.6
# All rounds together take about so many times as long as the first one; no more recipes are begun with than there is
# time for, but so many at least.
ROUNDS, FEWEST = 4, 4
# Recipes whose error is at most so many times that of the settings stand in the committee beside these, so many in all
# at most: each costs every forecast as much again.
CLOSE, KINDS = 1.01, 4
# A network that stays takes so many times as long as in its trial: it goes through what was held out, too.
LONGER = 1.5


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
class Searched:
    """What a search comes to.

    Attributes:
        settings: those that stay, without a further search.
        trials: in the order they were made.
    """

    settings: "Settings"
    trials: tuple[Trial, ...]


def search(
    series: "Sequence[CovariateSeries]",
    settings: "Settings",
    checkpoint: str | Path | None = None,
    on_trial: Callable[[Trial], object] | None = None,
    workers: "Workers | None" = None,
) -> Searched:
    """Try recipes for a share of `settings.search` seconds.

    Args:
        series: the training data; nothing else is looked at.
        settings: of the forecaster.
        checkpoint: trials are kept beside this path; with the same data and settings they are not made again.
        on_trial: called with each trial once it is made.
        workers: who make trials, as many at once as they are; this process if None.
    """
    began = time.perf_counter()
    some = _sample(series, settings)
    path = None if checkpoint is None else Path(f"{checkpoint}.trials")
    identity = f"{fingerprint(some)} {replace(settings, search=0)}"
    trials, chosen = _kept(path, identity)
    if chosen is not None:
        return Searched(replace(settings, **chosen, search=0), tuple(trials))
    known = {(json.dumps(one.recipe, sort_keys=True), one.share): one for one in trials}
    plain = replace(settings, search=0, quantiles=(), committee=True)
    recipes = [{}, *(one for one in RECIPES if _differs(plain, one))]
    spent, share, left = sum(one.seconds for one in trials), FIRST_SHARE, list(recipes)
    work, together = _TrialWork(some, plain), 1 if workers is None else workers.workers

    def over() -> bool:
        return spent + time.perf_counter() - began > SEARCHED * settings.search

    ranked: list[Trial] = []
    while left:
        round_of: list[Trial] = []
        keys = [(json.dumps(recipe, sort_keys=True), share) for recipe in left]
        for begin in range(0, len(left), together):
            if begin >= len(left):
                break
            here = slice(begin, begin + together)
            new = [(recipe, share) for recipe, key in zip(left[here], keys[here], strict=True) if key not in known]
            # The settings themselves are tried in every round, or nothing could be compared with them.
            if over():
                new = [one for one in new if not one[0]]
            for trial in _trials(work, new, workers):
                known[json.dumps(trial.recipe, sort_keys=True), share] = trial
                trials.append(trial)
                _keep(path, identity, trials)
                if on_trial is not None:
                    on_trial(trial)
            round_of += [known[key] for key in keys[here] if key in known]
            if share == FIRST_SHARE:
                most = SEARCHED * settings.search * together / (ROUNDS * max(round_of[0].seconds, 1e-9))
                left = left[: max(FEWEST, min(len(left), int(most)))]
            if any(key not in known for key in keys[here]):
                break
        own = next(one for one in round_of if not one.recipe)
        ranked = sorted(round_of, key=lambda one: one.error)
        if share >= 1 or over() or len(ranked) < 2:
            break
        better = [one.recipe for one in ranked[: max(1, len(ranked) // 2)] if one.recipe]
        left, share = [own.recipe, *better], min(1.0, 2 * share)
    seconds = settings.search - sum(one.seconds for one in trials) / together
    more = sum(len(one.values) for one in series) / sum(len(one.values) for one in some)
    chosen = built_from(ranked if share >= 1 else [], settings, seconds / (LONGER * more))
    _keep(path, identity, trials, chosen)
    return Searched(replace(settings, **chosen, search=0), tuple(trials))


def built_from(ranked: Sequence[Trial], settings: "Settings", seconds: float) -> dict[str, Any]:
    """The settings of a committee of the best recipes.

    Args:
        ranked: trials with all passes made, the best first, that of the settings themselves among them; none if there
            was no time for them.
        settings: of the forecaster.
        seconds: that trials of the recipes that stay may take together.
    """
    if not ranked:
        return {}
    best, own = ranked[0], next(one for one in ranked if not one.recipe)
    shared = {name: value for name, value in best.recipe.items() if name not in OF_NETWORKS}
    if shared and best.error < BETTER * own.error:
        # All others were tried with what networks shared before.
        return best.recipe
    alike = settings.loss in POINT_LOSSES and not settings.quantiles
    kinds, left = [own], seconds - own.seconds
    for one in ranked:
        fits = one.recipe and set(one.recipe) <= set(OF_NETWORKS) and (alike or "loss" not in one.recipe)
        if fits and one.error <= CLOSE * own.error and one.seconds <= left and len(kinds) < KINDS:
            kinds.append(one)
            left -= one.seconds
    return {} if len(kinds) == 1 else {"recipes": tuple(tuple(sorted(one.recipe.items())) for one in kinds)}


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


@dataclass(frozen=True)
class _TrialWork:
    """Tries recipes, here or in a worker."""

    series: "list[CovariateSeries]"
    settings: "Settings"

    def __call__(self, unit: tuple[dict[str, Any], float]) -> Trial:
        return _tried(self.series, self.settings, *unit)


def _trials(
    work: _TrialWork, units: Sequence[tuple[dict[str, Any], float]], workers: "Workers | None"
) -> Iterator[Trial]:
    """The trials of some recipes at a share of the passes, in their order."""
    if workers is None:
        yield from map(work, units)
        return
    for future in [workers.submit(work, unit) for unit in units]:
        yield result_of(future, lambda: None)


def _tried(series: "Sequence[CovariateSeries]", settings: "Settings", recipe: dict[str, Any], share: float) -> Trial:
    began = time.perf_counter()
    chosen = replace(settings, **recipe)
    networks = settings.ensemble if share >= 1 else min(NETWORKS, settings.ensemble)
    chosen = replace(chosen, epochs=max(1, round(chosen.epochs * share)), ensemble=networks, budget="")
    error = train(series, chosen, last=False).held_out_error
    return Trial(recipe, share, float("inf") if error is None else error, time.perf_counter() - began)


def _differs(settings: "Settings", recipe: dict[str, Any]) -> bool:
    # Networks that say more than a value are not exchanged for others, and counts have no season to add to.
    if settings.loss in (GAUSSIAN, *COUNTS) and ("loss" in recipe or "base" in recipe):
        return False
    return any(getattr(settings, name) != value for name, value in recipe.items())


def _sample(series: "Sequence[CovariateSeries]", settings: "Settings") -> "list[CovariateSeries]":
    """Series with so many points at most, spread over all; the end of each where even one has more."""
    total = sum(len(one.values) for one in series)
    every = min(len(series), -(-total // POINTS))
    some = list(series[::every])
    most = max(POINTS // len(some), 10 * settings.horizon)
    return [one if len(one.values) <= most else one.last_points(most) for one in some]


def _kept(path: Path | None, identity: str) -> tuple[list[Trial], dict[str, Any] | None]:
    """Trials of the same data and settings that were made before, and what was built from them if that was the end."""
    try:
        found = {} if path is None else json.loads(path.read_text("utf-8"))
        if found.get("of") == identity:
            return [Trial(**one) for one in found["trials"]], found["chosen"]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    return [], None


def _keep(path: Path | None, identity: str, trials: Sequence[Trial], chosen: dict[str, Any] | None = None) -> None:
    if path is not None:
        from tsuzuki.storage import write_bytes

        found = {"of": identity, "trials": [asdict(one) for one in trials], "chosen": chosen}
        write_bytes(path, json.dumps(found).encode())
