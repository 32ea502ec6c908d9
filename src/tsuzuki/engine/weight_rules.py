"""A network's rules for single arrays of weights as rows of the kernels' tables."""

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.plan import Plan
from tsuzuki.errors import SettingError
from tsuzuki.kernels import table as p
from tsuzuki.network.optimizers import Ftrl, Optimizer
from tsuzuki.network.weight_rules import MaxNorm, MinMaxNorm, NonNeg, WeightRule

UNIT = "weight_rules"


def describe_rules(plan: Plan, table: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mark what is frozen or bounded in the table of variables; returns the table of rules, [variables, RULE]."""
    rules = {(rule.layer, rule.name): rule for rule in plan.network.rules}
    found = np.zeros((len(plan.trained), p.RULE))
    for row, numbers, (parameter, _, shape) in zip(table, found, plan.trained, strict=True):
        row[p.VARIABLE_ROWS] = shape[0]
        rule = rules.get((parameter.layer, parameter.name))
        if rule is not None:
            row[p.FROZEN], row[p.CONSTRAINT] = not rule.trainable, _kind(rule, len(parameter.shape))
            row[p.DECAYED] &= rule.trainable
            numbers[:] = rule.l1, rule.l2, *_bounds(rule)
    return found


def check_rules(plan: Plan, optimizer: Optimizer | None) -> None:
    """Raise SettingError where an optimiser cannot leave weights alone."""
    if isinstance(optimizer, Ftrl) and not all(rule.trainable for rule in plan.network.rules):
        raise SettingError("Ftrl computes weights anew from its slots, so none can stay; use another optimiser")


def _kind(rule: WeightRule, axes: int) -> int:
    if rule.constraint is None:
        return p.NO_CONSTRAINT
    if isinstance(rule.constraint, NonNeg):
        return p.NON_NEGATIVE
    if axes > 2:
        raise SettingError(
            f"{rule.constraint} bounds {rule.name} of layer {rule.layer + 1}; leave it out, {axes} axes are too many"
        )
    # The first axis of a plain bias is its only one.
    return p.COLUMN_NORMS if axes == 2 else p.WHOLE_NORM


def _bounds(rule: WeightRule) -> tuple[float, float, float]:
    """Smallest and largest norm, and how far it is brought there."""
    if isinstance(rule.constraint, MaxNorm):
        return 0.0, rule.constraint.max_value, 1.0
    if isinstance(rule.constraint, MinMaxNorm):
        return rule.constraint.min_value, rule.constraint.max_value, rule.constraint.rate
    return 1.0, 1.0, 1.0
