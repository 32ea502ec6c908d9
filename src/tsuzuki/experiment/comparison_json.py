"""A comparison as plain values, for JSON."""

import math

from tsuzuki.experiment.comparison import Comparison
from tsuzuki.experiment.paired_statistics import PairedDifference


def as_json_values(comparison: Comparison) -> dict[str, object]:
    """The results as plain values, for JSON; None where there is no value."""

    def plain(value: float) -> float | None:
        return value if math.isfinite(value) else None

    def paired(pair: PairedDifference) -> dict[str, object] | None:
        if not math.isfinite(pair.mean_difference):
            return None
        return {
            "mean_difference": pair.mean_difference,
            "ci95": None if pair.ci95 is None else list(pair.ci95),
            "stateful_better_share": pair.stateful_better_share,
        }

    data, recipe = comparison.data, comparison.recipe
    collection = data.collection
    cuts = collection.split(recipe.test_fraction)
    train = sum(cut - start for start, cut in zip(collection.offsets, cuts, strict=False))
    return {
        "dataset": {
            "name": collection.name,
            "points": len(data.scaled),
            "missing": collection.repairs.missing,
            "segments": len(data.segments),
            "train_points": train,
            "test_points": len(data.scaled) - train,
            "unit": collection.unit,
        },
        "recipe": {name: getattr(recipe, name) for name in recipe.__dataclass_fields__},
        "seeds": list(range(recipe.seeds)),
        "rows": [
            {
                "name": row.name,
                "updates_per_epoch": row.updates_per_epoch,
                "seconds_per_epoch": row.seconds_per_epoch,
                "us_per_update": row.seconds_per_epoch / row.updates_per_epoch * 1e6,
                "us_per_sample": row.seconds_per_epoch / row.samples_per_epoch * 1e6,
                "running_loss": [list(losses) for losses in row.running_loss],
                "train_mse": [one.train_mse for one in row.scores],
                "test_mse": [plain(one.test_mse) for one in row.scores],
                "test_rmse": [plain(one.test_rmse) for one in row.scores],
            }
            for row in comparison.results
        ],
        "persistence": {
            "train_mse": comparison.persistence.train_mse,
            "test_mse": plain(comparison.persistence.test_mse),
            "test_rmse": plain(comparison.persistence.test_rmse),
        },
        "paired": {
            "first_epoch_loss": paired(comparison.paired_first_epoch_loss),
            "test_mse": paired(comparison.paired_test_mse),
        },
    }
