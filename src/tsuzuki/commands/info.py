"""`tsuzuki info`: what a file holds, a model or readings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsuzuki.commands.options import Column, Debug, Freq, Json, Resample, Time
from tsuzuki.commands.plotting import Lang
from tsuzuki.commands.terminal import Grid, check_targets, errors_in_words, reading, write_json
from tsuzuki.commands.texts import JAPANESE_SEASONS, fact, language
from tsuzuki.errors import DataError

if TYPE_CHECKING:
    from tsuzuki.data.readers import Reading
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings

MAX_GAP = 24


def info(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Readings, in several files as one source; or a model, another file of tsuzuki's, a folder of states.",
        ),
    ],
    column: Column = None,
    time: Time = None,
    freq: Freq = "",
    resample: Resample = "mean",
    json_path: Json = None,
    lang: Lang = "",
    debug: Debug = False,
) -> None:
    """Say what a file holds: its step, gaps and seasons, or a model."""
    with errors_in_words(debug, lang):
        check_targets({"--json": json_path}, source)
        outcome = _held(source[0]) if len(source) == 1 else None
        if outcome is None:
            outcome = _readings(source, column, time, Grid(freq, resample))
        if json_path is not None:
            write_json(json_path, outcome)
        if json_path != "-":
            for name, value in outcome.items():
                if value is not None and value != []:
                    _line(name.replace("_", " "), _told(name, value))
            if outcome["kind"] == "readings":
                _line("next", _next(source, outcome, freq, column or []))


def _line(name: str, value: str) -> None:
    from rich.cells import cell_len

    label = fact(name)
    typer.echo(f"{label}{' ' * max(0, 18 - cell_len(label))} {value}")


def _held(path: str) -> dict[str, Any] | None:
    """What a file or a folder holds that tsuzuki wrote; None of others."""
    from tsuzuki.forecasting.serialization import restore
    from tsuzuki.storage import looks_stored, read
    from tsuzuki.streaming.state_store import NAME, describe

    if (Path(path) / NAME).is_file():
        return describe(path)
    if not looks_stored(path):
        return None
    stored = read(path)
    if stored.kind == "forecaster":
        own = facts(*restore(stored, path)) | {"tsuzuki": stored.facts.get("tsuzuki")}
    else:
        own = {name: value for name, value in stored.facts.items() if isinstance(value, str | int | float)}
    return {"kind": stored.kind} | own


def _readings(source: list[str], column: list[str] | None, time: str | None, grid: Grid) -> dict[str, Any]:
    from tsuzuki.data.summary import reading_facts

    return reading_facts(_read(source, column, time, grid), MAX_GAP)


def _read(source: list[str], column: list[str] | None, time: str | None, grid: Grid) -> "Reading":
    """Readings of the column that is named, or of all where there are several."""
    try:
        return reading(source, column, time, grid=grid)
    except DataError:
        if column:
            raise
        try:
            return reading(source, ["*"], time, grid=grid)
        except DataError:
            pass
        raise


def _told(name: str, value: Any) -> str:
    if name == "kind":
        return fact(str(value))
    if name == "step" and language() == "ja":
        from tsuzuki.report.texts import step_of

        return step_of(value).ja
    return _shown(value)


def _shown(value: Any) -> str:
    if not isinstance(value, list):
        return f"{value:,}" if isinstance(value, int) else f"{value:.6g}" if isinstance(value, float) else str(value)
    shown = [_season(one) if isinstance(one, dict) else str(one) for one in value[:8]]
    return ", ".join(shown) + (" ..." if len(value) > 8 else "")


def _season(found: dict[str, Any]) -> str:
    if language() == "ja":
        name = JAPANESE_SEASONS[found["name"]]
        return f"{name}（{found['steps']:g} ステップ、変動の {found['explains']:.0%} を説明）"
    return f"{found['name']} ({found['steps']:g} steps, explains {found['explains']:.0%})"


def _next(source: list[str], outcome: dict[str, Any], freq: str, column: list[str]) -> str:
    """The command that trains on these readings."""
    import shlex

    wanted = freq or outcome.get("suits", "")
    columns, switches = outcome["columns"], [one for one in outcome.get("only_0_and_1", []) if not column]
    series = [one for one in columns if one not in switches]
    chosen = column or (series or columns)[:1] * (len(columns) > 1)
    named = [f"--column {shlex.quote(one)}" for one in chosen]
    named += [f"--known {shlex.quote(one)}" for one in columns if one in switches and series]
    return " ".join(["tsuzuki fit", shlex.join(source), *named, *([f"--freq {wanted}"] if wanted else [])])


def facts(settings: "Settings", fitted: "Fitted") -> dict[str, Any]:
    """What is worth knowing of a trained forecaster."""
    from tsuzuki.data.zones import in_zone

    kinds = [settings.of_network(number) for number in range(0, settings.networks, settings.ensemble)]
    checked = [record.validation_loss for history in fitted.histories for record in history]
    return {
        "network": ", ".join(dict.fromkeys(f"{one.cell}({one.units}) x {one.layers}" for one in kinds)),
        "networks": len(fitted.members),
        "weights": max(sum(array.size for array in one) for one in fitted.members),
        "horizon": settings.horizon,
        "series": len(fitted.ids),
        "ids": list(fitted.ids),
        "points": fitted.points,
        "last_times": [str(last) for last in in_zone([times[-1] for times in fitted.times], fitted.zone)],
        "time_zone": fitted.zone,
        "step_seconds": fitted.step / 1e9,
        "lags": [f"{over} steps, {behind} back" for behind, over in fitted.rules.lags],
        **{kind: list(getattr(settings, kind)) for kind in ("past", "known", "static") if getattr(settings, kind)},
        **({"holidays": settings.holidays} if settings.holidays else {}),
        "intervals": "quantiles" if settings.quantiles else "conformal",
        "best_epochs": list(fitted.best_epochs),
        "validation_loss": min((loss for loss in checked if loss is not None), default=None),
        "training_seconds": sum(record.seconds for history in fitted.histories for record in history),
        "data_fingerprint": fitted.fingerprint,
    }


EXAMPLES = ((info, "Example: tsuzuki info readings.csv"),)
