"""What a Keras model says of single variables: regularisers, constraints, and whether they are trained."""

from typing import Any

import keras

from tsuzuki.keras.model_graph import weights_of
from tsuzuki.network.network import Network, parameters
from tsuzuki.network.weight_rules import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm, WeightRule


def rules_of(model: Any, network: Network) -> tuple[WeightRule, ...]:
    """The rules of a built model's weights."""
    trained = {id(variable) for variable in model.trainable_variables}
    rules = []
    for parameter, variable in zip(parameters(network), weights_of(model), strict=True):
        if not parameter.trained:
            continue
        penalty, bound, trainable = variable.regularizer, variable.constraint, id(variable) in trained
        if penalty is not None or bound is not None or not trainable:
            l1, l2 = (float(getattr(penalty, name, 0.0)) for name in ("l1", "l2"))
            rules.append(WeightRule(parameter.layer, parameter.name, l1, l2, _constraint(bound), trainable))
    return tuple(rules)


def _constraint(bound: Any) -> Constraint | None:
    if isinstance(bound, keras.constraints.MaxNorm):
        return MaxNorm(float(bound.max_value))
    if isinstance(bound, keras.constraints.MinMaxNorm):
        return MinMaxNorm(float(bound.min_value), float(bound.max_value), float(bound.rate))
    if isinstance(bound, keras.constraints.UnitNorm):
        return UnitNorm()
    return None if bound is None else NonNeg()
