"""Losses as frozen descriptions. Each is the mean over the scored target values of an update."""

from dataclasses import dataclass

from tsuzuki.errors import SettingError


@dataclass(frozen=True)
class MSE:
    """Mean squared error."""


@dataclass(frozen=True)
class MAE:
    """Mean absolute error."""


@dataclass(frozen=True)
class Huber:
    """Quadratic up to an error of `delta`, linear beyond it (Huber 1964; `keras.losses.Huber`)."""

    delta: float = 1.0


@dataclass(frozen=True)
class Pinball:
    """Quantile loss (Koenker and Bassett 1978), averaged over the quantiles.

    The network has an output for each target value and quantile, the quantiles of a value side by side.
    """

    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)

    def __post_init__(self) -> None:
        if not self.quantiles or not all(0 < q < 1 for q in self.quantiles):
            raise SettingError(f"Pinball has quantiles {self.quantiles}; give one or more between 0 and 1")


@dataclass(frozen=True)
class GaussianNLL:
    """Half of (log variance + squared error / variance), without the constant.

    The network has two outputs for each target value: the mean and the logarithm of the variance.
    """


Loss = MSE | MAE | Huber | Pinball | GaussianNLL


def named(loss: "str | Loss") -> Loss:
    """A loss by its Keras name, or as it is.

    Raises:
        SettingError: no loss has the name.
    """
    if not isinstance(loss, str):
        return loss
    names: dict[str, Loss] = {
        "mse": MSE(),
        "mean_squared_error": MSE(),
        "mae": MAE(),
        "mean_absolute_error": MAE(),
        "huber": Huber(),
    }
    if loss not in names:
        raise SettingError(f"there is no loss named {loss!r}; choose one of {', '.join(names)} or give an object")
    return names[loss]
