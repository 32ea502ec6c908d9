"""`tsuzuki info`: what a file holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsuzuki.commands.options import Debug, Json
from tsuzuki.commands.terminal import check_targets, errors_in_words, write_json

if TYPE_CHECKING:
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings


def info(
    model: Annotated[str, typer.Argument(metavar="FILE", help="A file that tsuzuki wrote, or a folder of states.")],
    json_path: Json = None,
    debug: Debug = False,
) -> None:
    """Say what a file holds."""
    with errors_in_words(debug):
        check_targets({"--json": json_path}, [model])
        outcome = _held(model)
        if json_path is not None:
            write_json(json_path, outcome)
        if json_path != "-":
            for name, value in outcome.items():
                shown = (
                    ", ".join(map(str, value[:8])) + (" ..." if len(value) > 8 else "")
                    if (isinstance(value, list))
                    else value
                )
                typer.echo(f"{name.replace('_', ' '):18} {shown}")


def _held(path: str) -> dict[str, Any]:
    """What a file or a folder holds."""
    from tsuzuki.forecasting.serialization import restore
    from tsuzuki.storage import read
    from tsuzuki.streaming.state_store import describe

    if Path(path).is_dir():
        return describe(path)
    stored = read(path)
    if stored.kind == "forecaster":
        own = facts(*restore(stored, path)) | {"tsuzuki": stored.facts.get("tsuzuki")}
    else:
        own = {name: value for name, value in stored.facts.items() if isinstance(value, str | int | float)}
    return {"kind": stored.kind} | own


def facts(settings: "Settings", fitted: "Fitted") -> dict[str, Any]:
    """What is worth knowing of a trained forecaster."""
    checked = [record.validation_loss for history in fitted.histories for record in history]
    return {
        "network": f"{settings.cell}({settings.units}) x {settings.layers}",
        "networks": len(fitted.members),
        "weights": sum(array.size for array in fitted.members[0]),
        "horizon": settings.horizon,
        "series": len(fitted.ids),
        "ids": list(fitted.ids),
        "points": fitted.points,
        "last_times": [str(times[-1])[:19] for times in fitted.times],
        "step_seconds": fitted.step / 1e9,
        "lags": [f"{over} steps, {behind} back" for behind, over in fitted.way.lags],
        **{kind: list(getattr(settings, kind)) for kind in ("past", "known", "static") if getattr(settings, kind)},
        "intervals": "quantiles" if settings.quantiles else "conformal",
        "best_epochs": list(fitted.best_epochs),
        "validation_loss": min((loss for loss in checked if loss is not None), default=None),
        "training_seconds": sum(record.seconds for history in fitted.histories for record in history),
        "data_fingerprint": fitted.fingerprint,
    }


EXAMPLES = ((info, "Example: tsuzuki info model.tsuzuki"),)
