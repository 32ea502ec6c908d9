"""A search over recipes: several settings tried on held-out stretches of the training data, within given seconds.

Successive halving (Jamieson and Talwalkar 2016): all recipes are trained for a quarter of the passes, the better half
of them for half, and so on; what time is left goes to the next best. What is compared is the committee's error where
its networks were held out. Networks that made all passes are not trained again: the committee is those of the settings
given, and of whichever recipes lower its held-out error beside them (`selection`). What all networks share gives way to
something else only if that is better by more than chance would have it.
"""

import glob
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsuzuki.forecasting.fit import fingerprint
from tsuzuki.forecasting.selection import chosen_together, held_out_values
from tsuzuki.forecasting.settings import POINT_LOSSES
from tsuzuki.forecasting.spread import COUNTS, GAUSSIAN
from tsuzuki.forecasting.trial import Trial, TrialWork, Tried, of_networks, tried
from tsuzuki.forecasting.trust import Trust

if TYPE_CHECKING:
    from tsuzuki.data.covariates import CovariateSeries
    from tsuzuki.forecasting.member_training import Member
    from tsuzuki.forecasting.settings import Settings
    from tsuzuki.training.workers import Workers

# What is tried beside the settings themselves, the most promising first; one differs by its seed alone.
RECIPES: tuple[dict[str, Any], ...] = (
    {"units": 32, "head": 32},
    {"loss": "mae"},
    {"timesteps": 24},
    {"units": 96, "timesteps": 24, "lanes": 16, "learning_rate": 1e-2, "head": 0},
    {"epochs": 40},
    {"learning_rate": 2.5e-3},
    {"cell": "lstm"},
    {},
    {"units": 96, "head": 96},
    {"weight_decay": 0.5},
    {"loss": "mse"},
    {"layers": 2},
    {"with_calendar": False},
    {"learning_rate": 1e-2},
    {"base": "season"},
    {"units": 24, "head": 0, "weight_decay": 0.3},
)
# The share of the passes that the first round has.
FIRST_SHARE = 0.25
# Points that trials are trained on at most: fewer series, then the end of each.
POINTS = 40_000
# What all networks share, such as their base, gives way where the other's error, all passes made, is below this share
# of that of the settings: of so many recipes one is a per cent better by chance.
BETTER = 0.98
# Share of the seconds that trials may take: what is left judges the networks that stay, or trains them where trials saw
# only a part of the data.
SEARCHED, SEARCHED_IN_PART = 0.85, 0.6
# All rounds together take about so many times as long as the first one; no more recipes are begun with than there is
# time for, but so many at least.
ROUNDS, FEWEST = 4, 4
# Recipes whose error is at most so many times that of the settings may stand in the committee beside these, so many in
# all at most: each costs every forecast as much again.
CLOSE, KINDS = 1.05, 4
# A network that is trained anew takes so many times as long as in its trial: it goes through what was held out, too.
LONGER = 1.5


@dataclass(frozen=True)
class Searched:
    """What a search comes to.

    Attributes:
        settings: those that stay, without a further search.
        trials: in the order they were made.
        networks: of these settings, where trials have trained them on all data; None where they are yet to be trained.
    """

    settings: "Settings"
    trials: tuple[Trial, ...]
    networks: "tuple[Member, ...] | None" = None


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
    some = _sample(series, settings)
    record = _Record(checkpoint, f"{fingerprint(some)} {replace(settings, search=0)}")
    if record.chosen is not None:
        return Searched(replace(settings, **record.chosen, search=0), tuple(record.trials))
    plain = replace(settings, search=0, quantiles=(), committee=True, budget="")
    in_part = plain != replace(settings, search=0) or sum(map(_size, some)) < sum(map(_size, series))
    work = TrialWork(some, plain, record.networks)
    share = SEARCHED_IN_PART if in_part else SEARCHED
    trying = _Trying(work, record, share * settings.search, on_trial, workers)
    ranked = trying.halved([{}, *_recipes(plain)])
    spent = sum(one.seconds for one in record.trials) / trying.together
    more = sum(map(_size, series)) / sum(map(_size, some))
    seconds = (settings.search - spent) / (LONGER * more) if in_part else float("inf")
    stay = built_from(ranked, settings, work, seconds)
    chosen = settings_of(stay)
    networks = None if in_part or not stay else tuple(network for one in stay for network in one.networks)
    record.end(chosen)
    return Searched(replace(settings, **chosen, search=0), tuple(record.trials), networks)


def built_from(ranked: Sequence[Tried], settings: "Settings", work: TrialWork, seconds: float) -> list[Tried]:
    """The trials whose networks make the committee.

    Args:
        ranked: trials with all passes made, the best first, that of the settings themselves among them; none if there
            was no time for them.
        settings: of the forecaster.
        work: that made them.
        seconds: that trials of the recipes that stay may take together.
    """
    if not ranked:
        return []
    best, own = ranked[0], next(one for one in ranked if not one.trial.recipe)
    if not of_networks(best.trial.recipe) and best.trial.error < BETTER * own.trial.error:
        # All others were tried with what networks shared before.
        return [best]
    alike = settings.loss in POINT_LOSSES and not settings.quantiles
    beside = [
        one
        for one in ranked
        if one.trial.recipe
        and of_networks(one.trial.recipe)
        and (alike or "loss" not in one.trial.recipe)
        and one.trial.error <= CLOSE * own.trial.error
    ]
    if own.trust.committee is None or not beside:
        return [own]
    values = [
        held_out_values(work.made, work.made.job(), one.networks, own.trust.committee, own.trust.errors)
        for one in (own, *beside)
    ]
    stay, left = [own], seconds - own.trial.seconds
    for number in chosen_together(values[0], [one.said for one in values[1:]], KINDS):
        if beside[number].trial.seconds <= left:
            stay.append(beside[number])
            left -= beside[number].trial.seconds
    return stay


def settings_of(stay: Sequence[Tried]) -> dict[str, Any]:
    """What the settings of a committee of some trials' networks differ in."""
    if len(stay) <= 1:
        return dict(stay[0].trial.recipe) if stay else {}
    return {"recipes": tuple(tuple(sorted(one.trial.recipe.items())) for one in stay)}


class _Trying:
    """Trials, made one after the other or side by side until their time is over.

    Args:
        work: that makes them.
        record: of those made.
        limit: seconds that they may take.
        on_trial: called with each.
        workers: who make them.
    """

    def __init__(
        self,
        work: TrialWork,
        record: "_Record",
        limit: float,
        on_trial: Callable[[Trial], object] | None,
        workers: "Workers | None",
    ) -> None:
        self._work, self._record, self._limit = work, record, limit
        self._on_trial, self._workers = on_trial, workers
        self.together = 1 if workers is None else workers.workers
        self._began, self._before = time.perf_counter(), sum(one.seconds for one in record.trials)
        self._whole: dict[str, Tried] = {}

    def _over(self, seconds: float = 0.0) -> bool:
        """Whether there is no time for what takes so many seconds."""
        return self._before + time.perf_counter() - self._began + seconds > self._limit

    def halved(self, left: list[dict[str, Any]]) -> list[Tried]:
        """Those of some recipes that made all passes, the best first; none where there was no time for it. The first
        recipe is that of the settings."""
        share, ranks = FIRST_SHARE, list[Trial]()
        while True:
            found = self._round(left, share)
            ranked = sorted(found, key=lambda one: one.error)
            ranks = ranked + [one for one in ranks if one.recipe not in [own.recipe for own in found]]
            if share >= 1 or self._over() or len(ranked) < 2:
                break
            better = [one.recipe for one in ranked[: max(1, len(ranked) // 2)] if one.recipe]
            left, share = [{}, *better], min(1.0, 2 * share)
        if share < 1:
            return []
        rest = [one.recipe for one in ranks if _name(one.recipe) not in self._whole]
        self._round(rest, share, max(one.trial.seconds for one in self._whole.values()))
        return sorted(self._whole.values(), key=lambda one: one.trial.error)

    def _round(self, left: list[dict[str, Any]], share: float, seconds: float = 0.0) -> list[Trial]:
        """Trials of recipes at a share of the passes while there are so many seconds for each."""
        found: list[Trial] = []
        begin = 0
        while begin < len(left):
            here = left[begin : begin + self.together]
            # The settings themselves are tried in every round, or nothing could be compared with them.
            allowed = [one for one in here if not one or not self._over(seconds)]
            found += self._made(allowed, share)
            if share == FIRST_SHARE:
                most = self._limit * self.together / (ROUNDS * max(found[0].seconds, 1e-9))
                left = left[: max(FEWEST, min(len(left), int(most)))]
            if len(allowed) < len(here):
                break
            begin += len(here)
        return found

    def _made(self, recipes: list[dict[str, Any]], share: float) -> list[Trial]:
        """The trials of some recipes; of those that a file tells of, only networks that made all passes are needed."""
        kept = [self._record.of(one, share) for one in recipes]
        new = [(one, share) for one, own in zip(recipes, kept, strict=True) if own is None or share >= 1]
        for one in tried(self._work, new, self._workers):
            trial = self._record.of(one.trial.recipe, share)
            if trial is None:
                trial = one.trial
                self._record.add(trial)
                if self._on_trial is not None:
                    self._on_trial(trial)
            if share >= 1:
                # Held-out errors are large, and only those of the settings themselves are asked for again.
                trust = Trust(error=trial.error) if trial.recipe else one.trust
                self._whole[_name(trial.recipe)] = replace(one, trial=trial, trust=trust)
        return [own for one in recipes if (own := self._record.of(one, share)) is not None]


class _Record:
    """Trials that were made, in a file beside a checkpoint if there is one.

    Args:
        checkpoint: the path; None keeps nothing.
        identity: of the data and settings; what a file tells of others is not looked at.

    Attributes:
        trials: made, of this process and of one that was stopped.
        chosen: the settings that a search came to if that was the end, else None.
        networks: where networks of the last round are kept.
    """

    def __init__(self, checkpoint: str | Path | None, identity: str) -> None:
        self._path = None if checkpoint is None else Path(f"{checkpoint}.trials")
        self._identity, self.trials = identity, list[Trial]()
        self.chosen: dict[str, Any] | None = None
        digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
        self.networks = None if checkpoint is None else f"{checkpoint}.trial-{digest}"
        try:
            found = {} if self._path is None else json.loads(self._path.read_text("utf-8"))
            if found.get("of") == identity:
                self.trials, self.chosen = [Trial(**one) for one in found["trials"]], found["chosen"]
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            pass

    def of(self, recipe: dict[str, Any], share: float) -> Trial | None:
        """The trial of a recipe at a share of the passes, if it was made."""
        return next((one for one in self.trials if one.recipe == recipe and one.share == share), None)

    def add(self, trial: Trial) -> None:
        """Keep a further trial."""
        self.trials.append(trial)
        self._write()

    def end(self, chosen: dict[str, Any]) -> None:
        """Keep what the search came to; the networks of trials are not needed any more."""
        self.chosen = chosen
        self._write()
        if self._path is not None:
            for path in self._path.parent.glob(f"{glob.escape(Path(str(self.networks)).name)}-*"):
                path.unlink(missing_ok=True)

    def _write(self) -> None:
        if self._path is not None:
            from tsuzuki.storage import write_bytes

            found = {"of": self._identity, "trials": [asdict(one) for one in self.trials], "chosen": self.chosen}
            write_bytes(self._path, json.dumps(found).encode())


def _name(recipe: dict[str, Any]) -> str:
    return json.dumps(recipe, sort_keys=True)


def _size(one: "CovariateSeries") -> int:
    return len(one.values)


def _recipes(settings: "Settings") -> list[dict[str, Any]]:
    """What is tried beside the settings themselves. Networks that begin from the same weights err alike, so that each
    recipe has a seed of its own."""
    found = [one for one in RECIPES if _differs(settings, one)]
    return [
        one | {"seed": settings.seed + number} if of_networks(one) else one for number, one in enumerate(found, start=1)
    ]


def _differs(settings: "Settings", recipe: dict[str, Any]) -> bool:
    # Networks that say more than a value are not exchanged for others, and counts have no season to add to.
    if settings.loss in (GAUSSIAN, *COUNTS) and ("loss" in recipe or "base" in recipe):
        return False
    return not recipe or any(getattr(settings, name) != value for name, value in recipe.items())


def _sample(series: "Sequence[CovariateSeries]", settings: "Settings") -> "list[CovariateSeries]":
    """Series with so many points at most, spread over all; the end of each where even one has more."""
    total = sum(map(_size, series))
    every = min(len(series), -(-total // POINTS))
    some = list(series[::every])
    most = max(POINTS // len(some), 10 * settings.horizon)
    return [one if len(one.values) <= most else one.last_points(most) for one in some]
