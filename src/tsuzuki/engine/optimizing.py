"""An optimiser in the kernels' words: its number and settings, the unit it needs, its rates of a run of updates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsuzuki.kernels import table as p
from tsuzuki.network.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    Ftrl,
    Lion,
    Nadam,
    Optimizer,
    RMSprop,
    momentum_shares,
    rates,
)

RARE_UNIT, RARE_MODULE = "rare_updates", "rare_optimizers"
# The moving average stands behind these.
SLOTS = 3


def settings_of(optimizer: Optimizer) -> tuple[int, tuple[float, float, float, float]]:
    """An optimiser's number, and the four settings that its kernel reads."""
    o = optimizer
    if isinstance(o, SGD):
        return p.SGD, (o.momentum, 0.0, 0.0, float(o.nesterov))
    if isinstance(o, RMSprop):
        return p.RMSPROP, (o.rho, o.momentum, o.epsilon, float(o.centered))
    if isinstance(o, Adam):
        return p.ADAM, (o.beta_1, o.beta_2, o.epsilon, float(o.amsgrad))
    if isinstance(o, Adagrad):
        return p.ADAGRAD, (0.0, 0.0, o.epsilon, 0.0)
    if isinstance(o, Adadelta):
        return p.ADADELTA, (o.rho, 0.0, o.epsilon, 0.0)
    if isinstance(o, Adamax):
        return p.ADAMAX, (o.beta_1, o.beta_2, o.epsilon, 0.0)
    if isinstance(o, Nadam):
        return p.NADAM, (o.beta_1, o.beta_2, o.epsilon, 0.0)
    if isinstance(o, Lion):
        return p.LION, (o.beta_1, o.beta_2, 0.0, 0.0)
    l2, shrinkage = o.l2_regularization_strength, o.l2_shrinkage_regularization_strength
    return p.FTRL, (o.l1_regularization_strength, l2, shrinkage, o.beta)


def is_rare(optimizer: Optimizer) -> bool:
    """Whether it is computed in a unit of its own, compiled only where it is used."""
    return not isinstance(optimizer, SGD | RMSprop | Adam)


def squares_gradients(optimizer: Optimizer | None) -> bool:
    """Whether it, or how it clips, squares gradients."""
    return not isinstance(optimizer, SGD) or _clips(optimizer)


def moves_all(optimizer: Optimizer | None) -> bool:
    """Whether it may move a weight whose gradient is zero, or look at all gradients together."""
    if not isinstance(optimizer, SGD | Adagrad) or _clips(optimizer):
        return True
    return bool(getattr(optimizer, "momentum", 0.0) or optimizer.weight_decay or optimizer.use_ema)


def _clips(optimizer: Optimizer) -> bool:
    return bool(optimizer.clipvalue or optimizer.clipnorm or optimizer.global_clipnorm)


def first_slot(optimizer: Optimizer | None) -> float:
    """What its first slot begins with."""
    return optimizer.initial_accumulator_value if isinstance(optimizer, Adagrad | Ftrl) else 0.0


@dataclass(frozen=True)
class Rates:
    """What changes with the update alone, float64 [updates].

    Attributes:
        rate: the learning rate, with the bias correction where the formula allows it.
        decays: the share of the weights that decays, or None.
        more: [updates, 2], what Nadam needs besides; or None.
    """

    rate: NDArray[np.float64]
    decays: NDArray[np.float64] | None
    more: NDArray[np.float64] | None


def rates_of(optimizer: Optimizer, first: int, count: int, factor: float) -> Rates:
    """The rates of `count` updates from number `first` on."""
    rate, more = rates(optimizer, first, first + count, factor), None
    decays = rate * optimizer.weight_decay if optimizer.weight_decay else None
    power = np.arange(first + 1, first + count + 1, dtype=np.float64)
    if isinstance(optimizer, Adam):
        rate = rate * np.sqrt(1 - optimizer.beta_2**power) / (1 - optimizer.beta_1**power)
    elif isinstance(optimizer, Adamax):
        rate = rate / (1 - optimizer.beta_1**power)
    elif isinstance(optimizer, Nadam):
        share = momentum_shares(optimizer, first + count + 1)
        products = np.cumprod(share)[first:]
        of_gradient = rate * (1 - share[first:-1]) / (1 - products[:-1])
        rate = rate * share[first + 1 :] / (1 - products[1:])
        more = np.stack([of_gradient, 1 / np.sqrt(1 - optimizer.beta_2**power)], axis=1)
    return Rates(rate, decays, more)
