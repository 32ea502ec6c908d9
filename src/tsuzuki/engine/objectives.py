"""Losses as rows of the job's table: which outputs each scores, by which targets, and which unit computes it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.data import Data, Objective
from tsuzuki.engine.plan import Plan
from tsuzuki.errors import SettingError
from tsuzuki.kernels import table as p
from tsuzuki.network.losses import (
    MAE,
    MAPE,
    MSE,
    MSLE,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    GaussianNLL,
    GivenSlopes,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    LogCounts,
    Loss,
    Pinball,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    forecasts_values,
    heads_of,
    targets_for,
)

# Of each loss: its unit, its number, and its settings.
_KINDS: dict[type, tuple[str, int, Callable[[Any], Sequence[float]]]] = {
    MSE: ("losses", p.MSE, lambda loss: ()),
    MAE: ("losses", p.MAE, lambda loss: ()),
    Huber: ("losses", p.HUBER, lambda loss: (loss.delta,)),
    Pinball: ("losses", p.PINBALL, lambda loss: loss.quantiles),
    GaussianNLL: ("losses", p.GAUSSIAN, lambda loss: ()),
    CategoricalCrossentropy: (
        "class_losses",
        p.CATEGORICAL,
        lambda loss: (loss.label_smoothing, loss.from_logits),
    ),
    SparseCategoricalCrossentropy: ("class_losses", p.SPARSE, lambda loss: (0.0, loss.from_logits)),
    MAPE: ("rare_losses", p.MAPE, lambda loss: ()),
    MSLE: ("rare_losses", p.MSLE, lambda loss: ()),
    LogCosh: ("rare_losses", p.LOG_COSH, lambda loss: ()),
    Poisson: ("rare_losses", p.POISSON, lambda loss: ()),
    Hinge: ("rare_losses", p.HINGE, lambda loss: ()),
    SquaredHinge: ("rare_losses", p.SQUARED_HINGE, lambda loss: ()),
    KLDivergence: ("rare_losses", p.KL_DIVERGENCE, lambda loss: ()),
    CategoricalHinge: ("rare_losses", p.CATEGORICAL_HINGE, lambda loss: ()),
    CosineSimilarity: ("rare_losses", p.COSINE_SIMILARITY, lambda loss: ()),
    LogCounts: ("rare_losses", p.LOG_COUNTS, lambda loss: (loss.dispersion,)),
    GivenSlopes: ("given_slopes", p.GIVEN_SLOPES, lambda loss: ()),
    BinaryCrossentropy: ("class_losses", p.BINARY, lambda loss: (loss.label_smoothing, loss.from_logits)),
}
# Those that score all outputs of a row together, as one value.
_WHOLE = (p.CATEGORICAL, p.SPARSE, p.KL_DIVERGENCE, p.CATEGORICAL_HINGE, p.COSINE_SIMILARITY)
# The activation that a loss computes itself where the outputs come straight from it.
_LEFT = {
    CategoricalCrossentropy: p.SOFTMAX,
    SparseCategoricalCrossentropy: p.SOFTMAX,
    BinaryCrossentropy: p.SIGMOID,
}


class Described(NamedTuple):
    """What rows of objectives need beside them: the units that compute the losses, and arrays to keep alive."""

    units: tuple[str, ...]
    kept: list[NDArray[Any]]


def describe_objectives(
    plan: Plan, data: Data, objectives: Sequence[Objective], table: NDArray[np.int64], rows: NDArray[np.int64]
) -> Described:
    """Fill the table's rows of objectives, one for each end of a plan.

    Args:
        plan: the network, its ends apart where there are several objectives.
        data: the arrays that its rows read.
        objectives: one for each end.
        table: int64 [objectives, OBJECTIVE], to fill, but for the address of the loss's procedure.
        rows: the layers' rows; one whose activation is left to the loss computes none.

    Raises:
        SettingError: the outputs or the targets are not what a loss needs.
    """
    units, kept = [], []

    def keep(array: NDArray[Any]) -> int:
        kept.append(array)
        return array.ctypes.data

    if len(objectives) != len(plan.ends):
        raise SettingError(f"there are {len(objectives)} objectives for {len(plan.ends)} outputs; give one for each")
    target, forecast = 0, 0
    for number, (objective, end, row) in enumerate(zip(objectives, plan.ends, table, strict=True)):
        loss = objective.loss
        unit, kind, settings = _KINDS[type(loss)]
        horizon = targets_for(loss, end.size) if len(objectives) > 1 else data.horizon
        if data.targets is not None:
            _check(loss, end.size, horizon)
            if data.residual and not forecasts_values(loss):
                raise SettingError(
                    f"{type(loss).__name__} has a head that is no forecast, so none can be residual; use residual=False"
                )
        units.append(unit)
        row[p.LOSS], row[p.HEADS] = kind, heads_of(loss)
        row[p.LOSS_SETTINGS] = keep(np.array([*settings(loss), 0.0], np.float64))
        row[p.FIRST_TARGET], row[p.HORIZON], row[p.FIRST_FORECAST] = target, horizon, forecast
        weighted_apart = data.sample_weights is not None and data.sample_weights.ndim > 1
        row[p.WEIGHT_COLUMN] = number if weighted_apart else 0
        row[p.COUNTED_WHOLE] = kind in _WHOLE
        if isinstance(loss, SparseCategoricalCrossentropy) and loss.ignore_class is not None:
            row[p.IGNORES], row[p.IGNORED] = 1, loss.ignore_class
        if data.targets is not None:
            row[p.MASKED_TARGETS] = bool(np.isnan(data.targets.sum())) or row[p.IGNORES]
        if objective.output_weights is not None:
            if not forecasts_values(loss) and not isinstance(loss, GaussianNLL):
                raise SettingError(f"{loss} scores outputs together or as classes; leave output_weights out")
            row[p.OUTPUT_WEIGHTS] = keep(np.ascontiguousarray(objective.output_weights, np.float32))
        if objective.weight != 1.0:
            row[p.SHARE] = keep(np.array([objective.weight], np.float64))
        row[p.END_OUT], row[p.END_D_OUT], row[p.END_SKIP] = end.x, end.d_x, end.skip
        row[p.END_STEPS], row[p.END_UNITS], row[p.END_WIDE] = end.steps, end.size, end.stride
        row[p.EVERY_STEP] = plan.every_step
        row[p.LEFT_ACTIVATION] = p.LINEAR
        if data.targets is not None:
            row[p.LEFT_ACTIVATION] = _leave_activation(plan, number, loss, rows)
        elif unit != "losses":
            # Only forecasts are written.
            units[-1], row[p.LOSS] = "losses", p.MSE
        target, forecast = target + horizon, forecast + end.size
    if data.targets is not None and len(objectives) > 1 and target != data.horizon:
        raise SettingError(f"the losses need {target} target values, but there are {data.horizon}; give as many")
    return Described(tuple(units), kept)


def _check(loss: Loss, outputs: int, horizon: int) -> None:
    heads, name = heads_of(loss), type(loss).__name__
    if isinstance(loss, SparseCategoricalCrossentropy):
        if horizon != 1:
            raise SettingError(f"{name} needs one target value, the number of a class, not {horizon}; give one column")
        return
    if outputs != heads * horizon:
        raise SettingError(
            f"the network has {outputs} outputs, but {name} on {horizon} target values needs {heads * horizon}; "
            "change the last layer's units"
        )


def _leave_activation(plan: Plan, number: int, loss: Loss, rows: NDArray[np.int64]) -> int:
    """Leave the activation of an end's layer to the loss that computes it more exactly; returns which."""
    wanted, at = _LEFT.get(type(loss)), plan.end_rows[number]
    ignores = isinstance(loss, SparseCategoricalCrossentropy) and loss.ignore_class is not None
    if (
        wanted is None
        or at < 0
        or ignores
        or rows[at][[p.STATES, p.FORGETS]].max() > 0
        or rows[at][p.ACTIVATION] != wanted
    ):
        return p.LINEAR
    rows[at][p.ACTIVATION] = p.LINEAR
    return wanted
