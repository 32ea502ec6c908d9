"""`tsuzuki info`: what a file holds."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsuzuki.commands.options import Debug, Json
from tsuzuki.commands.terminal import check_targets, errors_in_words, write_json

if TYPE_CHECKING:
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings


def info(
    model: Annotated[str, typer.Argument(metavar="FILE", help="A file that tsuzuki wrote.")],
    json_path: Json = None,
    debug: Debug = False,
) -> None:
    """Say what a file holds."""
    from tsuzuki.forecasting.serialization import restore
    from tsuzuki.storage import read

    with errors_in_words(debug):
        check_targets({"--json": json_path}, [model])
        stored = read(model)
        outcome: dict[str, Any] = {"kind": stored.kind}
        if stored.kind == "forecaster":
            outcome |= facts(*restore(stored, model)) | {"tsuzuki": stored.facts.get("tsuzuki")}
        else:
            outcome |= {name: value for name, value in stored.facts.items() if isinstance(value, str | int | float)}
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
