"""A trained forecaster as JSON facts and arrays, and back; `storage` writes and reads the file."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tsuzuki.forecasting.fitted import Fitted, Source
    from tsuzuki.forecasting.level_shift import LevelShifts
    from tsuzuki.forecasting.recent_errors import RecentErrors
    from tsuzuki.forecasting.rules import Rules
    from tsuzuki.forecasting.settings import Settings
    from tsuzuki.forecasting.spread import Spread
    from tsuzuki.storage import Stored


# Raised whenever a file says less or other things than forecasts need: what an older number wrote is refused.
FORM = 5
# No grid's step, in nanoseconds, is as long as this.
LONGEST_STEP = 2**62


def save(settings: "Settings", fitted: "Fitted", path: Path | str) -> None:
    """Write trained networks and their settings to a file; see `Forecaster.save`."""
    from tsuzuki import __version__
    from tsuzuki.storage import write

    facts = {"tsuzuki": __version__, "form": FORM, "settings": asdict(settings), **_facts(fitted)}
    write(path, "forecaster", facts, _arrays(fitted))


def restore(stored: "Stored", name: str) -> "tuple[Settings, Fitted]":
    """The settings and networks that a file's facts and arrays describe.

    Raises:
        FileError: they do not fit together.
    """
    from tsuzuki.forecasting.settings import Settings

    form, written = stored.facts.get("form", 1), str(stored.facts.get("tsuzuki"))[:40]
    if "fingerprint" in stored.facts and form != FORM:
        when = "an earlier" if isinstance(form, int) and form < FORM else "a later"
        raise FileError(
            f"{name} was written by {when} tsuzuki, whose forecasts are made of other things; read it with tsuzuki "
            f"{written}, or fit and save it again"
        )
    try:
        known = {field.name for field in fields(Settings)}
        given = {key: _as_tuples(value) for key, value in stored.facts["settings"].items() if key in known}
        settings = Settings(**given)
        return settings, _fitted_from(stored, settings)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        said = " ".join(str(error).split())[:120]
        raise FileError(f"{name} is not a consistent forecaster ({said}); fit and save it again") from None


def model_id(fitted: "Fitted") -> str:
    """A hash of the networks' weights: states belong to the weights that made them."""
    import hashlib

    import numpy as np

    digest = hashlib.sha256()
    for weights in fitted.members:
        for array in weights:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _as_tuples(value: Any) -> Any:
    return tuple(_as_tuples(one) for one in value) if isinstance(value, list) else value


def _facts(fitted: "Fitted") -> dict[str, Any]:
    return {
        "ids": list(fitted.ids),
        "step": fitted.step,
        "points": fitted.points,
        "fingerprint": fitted.fingerprint,
        "checked": fitted.checked,
        "source": None if fitted.source is None else asdict(fitted.source),
        "zone": fitted.zone,
        "best_epochs": list(fitted.best_epochs),
        "histories": [[asdict(record) for record in history] for history in fitted.histories],
        "kept_times": [len(times) for times in fitted.times],
        "rules": asdict(fitted.rules),
        "effects_are_factors": fitted.effects.factor,
        "shifts": [fitted.shifts.season, fitted.shifts.steps],
        "spread": None if fitted.spread is None else {k: v for k, v in asdict(fitted.spread).items() if k != "usual"},
        "members": None if fitted.committee is None else list(fitted.committee.members),
    }


def _arrays(fitted: "Fitted") -> "dict[str, NDArray[Any]]":
    import numpy as np

    found: dict[str, NDArray[Any]] = {
        "scales": fitted.scales,
        "covariate_scales": fitted.covariate_scales,
        "last_covariates": fitted.last_covariates,
        "times": np.concatenate(fitted.times).astype("datetime64[ns]").astype(np.int64),
    }
    found |= {"marks": fitted.transform.marks, "windows": fitted.windows, "absent": fitted.absent}
    found |= {"effects": fitted.effects.slopes, "window effects": fitted.window_effects}
    found |= {"shift limits": fitted.shifts.limits, "outage limits": fitted.shifts.outages}
    found |= {"window shifts": fitted.window_shifts}
    found["recent states"] = fitted.recent_states
    found |= {"earlier": fitted.earlier, "unfollowed": fitted.unfollowed}
    if fitted.recent is not None:
        recent = fitted.recent
        found |= {"recent usual": recent.usual, "recent ends": recent.ends, "recent losses": recent.losses}
        found |= {"recent leads": recent.leads, "recent naive": np.array(recent.naive, np.int64)}
        found["recent rate"] = np.array([recent.rate])
    if fitted.spread is not None:
        found["usual sizes"] = fitted.spread.usual
    if fitted.calibration is not None:
        found["calibration"] = fitted.calibration.offsets
        if fitted.calibration.sizes is not None:
            found["sizes of errors"] = fitted.calibration.sizes
    if fitted.committee is not None:
        found["committee weights"], found["committee maps"] = fitted.committee.weights, fitted.committee.maps
        found["committee bases"] = fitted.committee.bases
        found["committee seasons"] = np.array(fitted.committee.seasons, np.int64)
        found["profiles"], found["profile maps"] = fitted.committee.profiles.shapes, fitted.committee.profile_maps
    for number, (weights, state) in enumerate(zip(fitted.members, fitted.states, strict=True)):
        found |= {f"network {number} weights {i}": array for i, array in enumerate(weights)}
        found |= {f"network {number} states": state.saved, f"network {number} rows": state.rows}
        found[f"network {number} pending"] = state.pending
    return found


def _spread(stored: "Stored", settings: "Settings") -> "Spread | None":
    """How large errors are expected to be, as a file says."""
    import numpy as np

    from tsuzuki.forecasting.spread import COUNTS, GAUSSIAN, POWERS, Spread

    kept = stored.facts["spread"]
    if (settings.loss in (GAUSSIAN, *COUNTS)) is not (kept is not None):
        raise ValueError("the sizes of errors are missing")
    if kept is None:
        return None
    usual = stored.arrays["usual sizes"]
    found = Spread(settings.loss, float(kept["power"]), usual, float(kept["dispersion"]), bool(kept["whole"]))
    if kept["loss"] != settings.loss or found.power not in POWERS or not 0 <= found.dispersion < float("inf"):
        raise ValueError("the sizes of errors are of another model")
    if usual.dtype != np.float64 or usual.shape != (settings.horizon,) or not np.isfinite(usual).all():
        raise ValueError("the usual sizes of errors are missing")
    return found


def _recent(
    arrays: "Mapping[str, NDArray[Any]]", rules: "Rules", series: int, *, spread: bool
) -> "RecentErrors | None":
    """What recent errors are measured by, as a file's arrays say."""
    import numpy as np

    from tsuzuki.forecasting.recent_errors import FASTEST, LEADS, LOSSES, RATE, RecentErrors, widest_on

    states = arrays["recent states"]
    if states.dtype != np.float32 or states.ndim != 2 or len(states) != series:
        raise ValueError("the recent errors of the series are missing")
    if "recent leads" not in arrays:
        if states.shape[1] != LOSSES:
            raise ValueError("the recent errors of the series are of another model")
        return None
    leads, naive = arrays["recent leads"], tuple(int(one) for one in arrays["recent naive"])
    usual, ends, losses = (arrays[f"recent {name}"] for name in ("usual", "ends", "losses"))
    count = min(LEADS, rules.horizon)
    rate = float(arrays["recent rate"][0])
    more = spread, rate, widest_on(rules.transform)
    found = RecentErrors(rules.horizon, leads.astype(np.int64), naive, usual, ends, losses, *more)
    if (leads.shape, usual.shape, ends.shape) != ((count,), (series, count), (2, series, count)):
        raise ValueError("the recent errors are of another horizon")
    if losses.shape != (series, 1 + len(naive)) or states.shape[1] != found.size or not naive:
        raise ValueError("the losses of the series are missing")
    if leads.min() < 1 or leads.max() > rules.horizon or (leads % count != np.arange(count)).any():
        raise ValueError("the leads of recent errors are none of the horizon")
    if min(naive) < 0 or any(found.back(season, rules.horizon) >= rules.history for season in naive):
        raise ValueError("a naive forecast looks back beyond the window")
    if not RATE <= rate <= FASTEST:
        raise ValueError("the rate that intervals follow at is none that they can")
    if not (np.isfinite(usual).all() and (usual > 0).all() and np.isfinite(ends).all() and np.isfinite(losses).all()):
        raise ValueError("what recent errors are measured by is not finite")
    return found


def _shifts(stored: "Stored", rules: "Rules", series: int) -> "LevelShifts":
    """How shifts of the level are seen, as a file says."""
    import numpy as np

    from tsuzuki.forecasting.level_shift import FEWEST, STEPS, LevelShifts

    season, steps = stored.facts["shifts"]
    limits, outages = stored.arrays["shift limits"], stored.arrays["outage limits"]
    if any(one.dtype != np.float32 or one.shape != (series,) or not (one > 0).all() for one in (limits, outages)):
        raise ValueError("the limits of shifts and outages are missing")
    if season not in (0, *rules.seasons) or not FEWEST <= steps <= STEPS or (season and season + steps > rules.history):
        raise ValueError("shifts are seen over a season that there is not")
    return LevelShifts(limits, outages, season, steps, rules.history)


def _source(kept: Any) -> "Source | None":
    from tsuzuki.forecasting.fitted import Source

    if kept is None:
        return None
    columns, unit, day_first = _as_tuples(kept["columns"]), kept["unit"], kept.get("day_first")
    if not all(isinstance(one, str) for one in columns) or not isinstance(unit, str | None):
        raise ValueError("the columns or the unit of the readings are no text")
    if not isinstance(day_first, bool | None):
        raise ValueError("whether dates begin with the day is neither true nor false")
    return Source(columns, unit, day_first)


def _zone(kept: Any) -> str | None:
    from tsuzuki.data.zones import is_zone

    if kept is not None and not (isinstance(kept, str) and is_zone(kept)):
        raise ValueError("the time zone of the readings is none that is known here")
    return kept


def _check_rules(rules: "Rules", step: int) -> None:
    """Raise ValueError or KeyError where rules are not what `Rules` says that they are."""
    import numpy as np

    from tsuzuki.data.calendar import calendar

    counts = (*rules.seasons, *rules.bases, rules.history, rules.horizon, *(one for lag in rules.lags for one in lag))
    if not all(type(count) is int and 0 <= count < 2**31 for count in counts):
        raise ValueError("a season, a base or a count of the rules is no whole number from 0")
    if 0 in rules.seasons:
        raise ValueError("a season of the rules has no steps")
    if not all(isinstance(unit, float) and 0 < unit < float("inf") for unit in rules.units):
        raise ValueError("a unit of the rules is no number above 0")
    if max((behind + over for behind, over in rules.lags), default=0) > rules.history and not rules.alone:
        raise ValueError("the rules name lags beyond the window")
    if rules.transform not in ("none", "log", "asinh"):
        raise ValueError("the rules name a transformation that there is not")
    if not (isinstance(rules.dispersion, float) and 0 <= rules.dispersion < float("inf")):
        raise ValueError("the dispersion of the rules is no number from 0")
    if not isinstance(rules.weekly, bool):
        raise ValueError("whether networks read changes over a week is neither true nor false")
    # A cycle that there is not is a KeyError.
    calendar(np.zeros(1, "datetime64[ns]"), step, rules.cycles)


def _fitted_from(stored: "Stored", settings: "Settings") -> "Fitted":
    import numpy as np

    from tsuzuki.forecasting.architecture import model_spec
    from tsuzuki.forecasting.committee import Committee
    from tsuzuki.forecasting.conformal_intervals import PROBABILITIES, Calibration
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.known_effects import KnownEffects
    from tsuzuki.forecasting.rules import Rules
    from tsuzuki.forecasting.seasonal_profile import SeasonalProfiles
    from tsuzuki.forecasting.stepwise import SeriesState, rows_kept, state_size
    from tsuzuki.forecasting.transforms import Transform
    from tsuzuki.network.network import check_weights, parameters
    from tsuzuki.training.records import EpochRecord

    facts, arrays = stored.facts, stored.arrays
    ids, step = tuple(str(name) for name in facts["ids"]), int(facts["step"])
    if abs(step) >= LONGEST_STEP:
        raise ValueError(f"a step of {step} ns is none")
    rules = Rules(**{key: _as_tuples(value) for key, value in facts["rules"].items()})
    _check_rules(rules, step)
    if max(settings.layers, settings.networks) > len(arrays):
        raise ValueError("there are fewer arrays than layers or networks")
    ways = [model_spec(settings.of_network(number), rules) for number in range(settings.networks)]
    way = ways[0]
    series, columns = len(ids), 2 + way.covariate_count
    covariates = len(settings.columns.all)

    def array(name: str, kind: Any, *shape: int) -> "NDArray[Any]":
        found = arrays[name]
        if found.dtype != np.dtype(kind) or found.shape != shape:
            raise ValueError(f"array {name} is {found.dtype} {found.shape}, not {np.dtype(kind)} {shape}")
        return found

    members, states = [], []
    for number, own in enumerate(ways):
        weights = [arrays[f"network {number} weights {i}"] for i in range(len(parameters(own.network)))]
        check_weights(own.network, weights)
        members.append([np.ascontiguousarray(one, np.float32) for one in weights])
        saved = array(f"network {number} states", np.float32, series, state_size(own.network))
        kept = rows_kept(settings)
        rows = array(f"network {number} rows", np.float32, series, way.before + kept, columns)
        pending = array(f"network {number} pending", np.int64, series)
        if pending.min() < 1 or pending.max() > kept:
            raise ValueError(f"network {number} has rows to run that it has not")
        states.append(SeriesState(saved, rows, pending))
    unfollowed = array("unfollowed", np.int64, series)
    if (unfollowed < 1).any() or any((unfollowed > state.pending).any() for state in states):
        raise ValueError("there are rows to follow that are not there")
    counts = [int(count) for count in facts["kept_times"]]
    if len(counts) != series or min(counts) < 2:
        raise ValueError("the times of the series are missing")
    times = array("times", np.int64, sum(counts)).astype("datetime64[ns]")
    calibration = None
    if not settings.quantiles:
        offsets = arrays["calibration"]
        array("calibration", np.float32, series if len(offsets) > 1 else 1, len(PROBABILITIES), settings.horizon)
        sizes = array("sizes of errors", np.float32, series) if "sizes of errors" in arrays else None
        calibration = Calibration(offsets, sizes)
    if rules.horizon != settings.horizon or not len(rules.bases) == len(rules.units) == series:
        raise ValueError("the rules are of another horizon or of other series")
    committee, size, horizon = None, rules.history, settings.horizon
    if facts["members"] is not None:
        profiles = SeasonalProfiles(arrays["profiles"], step)
        shapes = array("profiles", np.float32, series, profiles.season)
        if not np.isfinite(shapes).all() or 0 < profiles.season < 2:
            raise ValueError("the profiles of the series are missing")
        seasons = tuple(arrays["committee seasons"].tolist())
        kinds, common = len(seasons), tuple(sorted(set(rules.bases))) * (2 if profiles else 1)
        if seasons[: len(common)] != common or not set(seasons) <= set(common):
            raise ValueError("the kinds of series are missing")
        names = tuple(str(name) for name in facts["members"])
        bases = array("committee bases", np.int64, series)
        if bases.min() < 0 or bases.max() >= kinds:
            raise ValueError("the bases of the series are missing")
        committee = Committee(
            names,
            array("committee weights", np.float64, kinds, len(names), horizon),
            array("committee maps", np.float32, kinds, size, horizon),
            bases,
            np.array(rules.units, np.float32),
            seasons,
            profiles,
            array("profile maps", np.float64, kinds, size if profiles else 0, horizon),
        )
    if rules.alone is not (committee is None):
        raise ValueError("networks that do not stand alone have no committee, or the other way round")
    slopes = array("effects", np.float64, series, len(settings.columns.known))
    if not np.isfinite(slopes).all():
        raise ValueError("an effect of what is known ahead is not finite")
    effects = KnownEffects(slopes, len(settings.columns.past), bool(facts["effects_are_factors"]))
    return Fitted(
        ids=ids,
        step=step,
        ways=ways,
        members=members,
        states=states,
        times=np.split(times, np.cumsum(counts)[:-1]),
        scales=array("scales", np.float64, series, 2),
        covariate_scales=array("covariate_scales", np.float64, covariates, 2),
        last_covariates=array("last_covariates", np.float64, series, covariates),
        calibration=calibration,
        histories=tuple(tuple(EpochRecord(**record) for record in history) for history in facts["histories"]),
        best_epochs=tuple(int(epoch) for epoch in facts["best_epochs"]),
        points=int(facts["points"]),
        fingerprint=str(facts["fingerprint"]),
        rules=rules,
        transform=Transform(rules.transform, array("marks", np.float64, series)),
        committee=committee,
        windows=array("windows", np.float32, series, size),
        absent=array("absent", np.bool_, series, size),
        effects=effects,
        window_effects=array("window effects", np.float32, series, size if effects else 0),
        shifts=_shifts(stored, rules, series),
        spread=_spread(stored, settings),
        recent=_recent(arrays, rules, series, spread=facts["spread"] is not None),
        recent_states=np.ascontiguousarray(arrays["recent states"]),
        window_shifts=array("window shifts", np.float32, series, size),
        earlier=array("earlier", np.float32, series, rows_kept(settings) - 1),
        unfollowed=unfollowed,
        checked=bool(facts["checked"]),
        source=_source(facts.get("source")),
        zone=_zone(facts.get("zone")),
    )
