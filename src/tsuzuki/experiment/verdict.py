"""The verdict in plain words: what the numbers of a comparison show."""

import math
from dataclasses import dataclass
from typing import Any

from tsuzuki.experiment.comparison import Comparison
from tsuzuki.experiment.paired_statistics import PairedDifference, mean_of
from tsuzuki.experiment.variants import DECAYED, STATEFUL, STATELESS, STREAMS


@dataclass(frozen=True)
class Finding:
    """One result that the numbers show; `ENGLISH` and `report.japanese` have the sentences for it.

    Attributes:
        key: of the sentence.
        values: the values in the sentence.
    """

    key: str
    values: dict[str, Any]


# The first half says what the state did for windows, the second what is best.
CONCLUSIONS = {
    "windows_untested": "Nothing was held out, so only errors on the data trained on can be compared",
    "windows_one": "One seed says little of what the state does for windows",
    "windows_same": "Carrying the state from window to window made no clear difference",
    "windows_apart": "Carrying the state from window to window made the error {share:.0%} {word}",
    "best_streams": "streams, which carry it and score every step, have {share:.0%} less squared error than "
    "persistence.",
    "best_none": "streams do better than windows, but nothing here does better than persistence.",
    "best_windows": "streams do no better than windows, the best of which have {share:.0%} less squared error than "
    "persistence.",
    "best_persistence": "nothing here does better than persistence.",
}
ENGLISH = {
    "start_one": "With one seed stateful windows started {share:.1%} {word} than stateless ones (loss of the first "
    "epoch); one seed shows nothing, try --seeds 10.",
    "start_unclear": "Over {seeds} paired seeds carrying the state made no clear difference to the start: the "
    "first epoch's loss of stateful windows was {share:.1%} {word} (lower in {won} of {seeds}; the 95 % interval "
    "includes 0).",
    "start_clear": "Over {seeds} paired seeds stateful windows started {share:.1%} {word} than stateless ones (lower "
    "in {won} of {seeds}).",
    "windows_worse": "The finished weights of both kinds of windows are worse than persistence {part} ({low:.1f} and "
    "{high:.1f} times its error); the running loss, taken while the weights move with the data, does not show it.",
    "season_chased": "In time order the weights chase the season: in the half-years around the time of year at which "
    "training ended they have {near:.1f} times persistence's error, in the opposite ones {far:.1f} times, every year.",
    "one_worse": "The finished weights of {worse} windows are worse than persistence {part}.",
    "windows_beat": "The finished weights of both kinds of windows beat persistence {part}.",
    "test_unclear": "Between stateful and stateless windows the test error shows no clear difference.",
    "test_clear": "The test error of stateful windows is {share:.0%} {word} than that of stateless ones, better in "
    "{won} of {seeds} seeds.",
    "streams_best": "{label}, which carry the state so that every step can be scored, do best: {share:.0%} less "
    "squared error than persistence for the same number of recurrent steps.",
    "streams_better": "{label}, which carry the state so that every step can be scored, do better than the windows, "
    "though not than persistence; more epochs may help.",
    "streams_no_better": "Streams do no better than the windows here.",
}


def verdict(comparison: Comparison) -> str:
    """State in plain words what the numbers show."""
    return " ".join(ENGLISH[finding.key].format(**finding.values) for finding in findings(comparison))


def conclusion(comparison: Comparison) -> str:
    """What the comparison comes to, in one sentence."""
    first, second = conclusions(comparison)
    return f"{CONCLUSIONS[first.key].format(**first.values)}; {CONCLUSIONS[second.key].format(**second.values)}"


def conclusions(comparison: Comparison) -> tuple[Finding, Finding]:
    """The two halves of the conclusion: what the state did for windows, and what is best."""
    paired, errors = comparison.paired_test_mse, _Errors.of(comparison)
    if not errors.tested:
        first = Finding("windows_untested", {})
    elif paired.log_ci95 is None:
        first = Finding("windows_one", {})
    elif paired.log_ci95[0] <= 0 <= paired.log_ci95[1]:
        first = Finding("windows_same", {})
    else:
        word = "lower" if paired.log_ratio < 0 else "higher"
        first = Finding("windows_apart", {"share": _share(paired), "word": word})
    windows, streams = min(errors.windows), min(errors.streams.values())
    if streams < min(windows, errors.reference):
        return first, Finding("best_streams", {"share": 1 - streams / errors.reference})
    if windows < errors.reference:
        return first, Finding("best_windows", {"share": 1 - windows / errors.reference})
    return first, Finding("best_none" if streams < windows else "best_persistence", {})


@dataclass(frozen=True)
class _Errors:
    """The mean squared errors that a verdict compares: held out, or of the training where nothing was.

    Attributes:
        tested: whether they are those held out.
        windows: of stateless and stateful windows.
        streams: of streams by their names.
        reference: persistence's.
    """

    tested: bool
    windows: tuple[float, float]
    streams: dict[str, float]
    reference: float

    @classmethod
    def of(cls, comparison: Comparison) -> "_Errors":
        rows = {row.name: row for row in comparison.results}
        baseline = comparison.persistence
        tested = math.isfinite(baseline.test_mse)

        def error(name: str) -> float:
            return mean_of(one.test_mse if tested else one.train_mse for one in rows[name].scores)

        reference = baseline.test_mse if tested else baseline.train_mse
        streams = {name: error(name) for name in (STREAMS, DECAYED)}
        return cls(tested, (error(STATELESS), error(STATEFUL)), streams, reference)


def findings(comparison: Comparison) -> tuple[Finding, ...]:
    """What the numbers show, in the order of the verdict."""
    seeds, errors = comparison.recipe.seeds, _Errors.of(comparison)
    found = [_start(comparison.paired_first_epoch_loss, seeds)]
    tested, windows, reference = errors.tested, errors.windows, errors.reference
    part = "on the held-out part" if tested else "on the data they were trained on"
    if min(windows) > reference:
        low, high = min(windows) / reference, max(windows) / reference
        found.append(Finding("windows_worse", {"part": part, "low": low, "high": high}))
        if comparison.season is not None and comparison.season.chased:
            found.append(Finding("season_chased", {"near": comparison.season.near, "far": comparison.season.far}))
    elif max(windows) > reference:
        worse = STATELESS if windows[0] > windows[1] else STATEFUL
        found.append(Finding("one_worse", {"part": part, "worse": worse}))
    else:
        found.append(Finding("windows_beat", {"part": part}))
    if tested:
        found.append(_tested(comparison.paired_test_mse, seeds))
    best, least = min(errors.streams.items(), key=lambda entry: entry[1])
    label = "Streams" if best == STREAMS else "Streams with a decayed rate"
    if least < min(*windows, reference):
        found.append(Finding("streams_best", {"label": label, "share": 1 - least / reference}))
    elif least < min(windows):
        found.append(Finding("streams_better", {"label": label}))
    else:
        found.append(Finding("streams_no_better", {}))
    return tuple(found)


def _start(paired: PairedDifference, seeds: int) -> Finding:
    word = "better" if paired.log_ratio < 0 else "worse"
    values = {"share": _share(paired), "word": word, "seeds": seeds, "won": round(paired.stateful_better_share * seeds)}
    if paired.log_ci95 is None:
        return Finding("start_one", values)
    low, high = paired.log_ci95
    return Finding("start_unclear" if low <= 0 <= high else "start_clear", values)


def _share(paired: PairedDifference) -> float:
    """By how much of the stateless value the stateful one is lower or higher, over all seeds."""
    return abs(math.expm1(paired.log_ratio))


def _tested(paired: PairedDifference, seeds: int) -> Finding:
    if paired.log_ci95 is None or paired.log_ci95[0] <= 0 <= paired.log_ci95[1]:
        return Finding("test_unclear", {})
    word = "lower" if paired.log_ratio < 0 else "higher"
    won = round(paired.stateful_better_share * seeds)
    return Finding("test_clear", {"share": _share(paired), "word": word, "won": won, "seeds": seeds})
