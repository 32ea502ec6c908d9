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


@dataclass(frozen=True)
class CategoricalCrossentropy:
    """Cross-entropy of a distribution over classes: a target value for each output, which add up to 1 (Keras's).

    Outputs that come straight from softmax are computed from their logits; other probabilities are made to add up to 1
    and clipped at 1e-7.

    Attributes:
        from_logits: the outputs are logits instead of probabilities.
        label_smoothing: share of the labels that is spread evenly over all classes.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _check_smoothing(self, self.label_smoothing)


@dataclass(frozen=True)
class SparseCategoricalCrossentropy:
    """The same for one target value that is the number of the class, from 0.

    Attributes:
        from_logits: as in `CategoricalCrossentropy`.
        ignore_class: a target that is not scored, or None.
    """

    from_logits: bool = False
    ignore_class: int | None = None


@dataclass(frozen=True)
class BinaryCrossentropy:
    """Cross-entropy of each output by itself, a probability of 1 against 0; the attributes are as above.

    Outputs that come straight from sigmoid are computed from their logits.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _check_smoothing(self, self.label_smoothing)


@dataclass(frozen=True)
class MAPE:
    """Mean absolute percentage error; targets count at least 1e-7."""


@dataclass(frozen=True)
class MSLE:
    """Mean squared difference of log(1 + value); values count at least 1e-7."""


@dataclass(frozen=True)
class LogCosh:
    """Mean logarithm of the hyperbolic cosine of the error: quadratic near 0, linear far from it."""


@dataclass(frozen=True)
class Poisson:
    """Negative log likelihood of counts, without the constant; the outputs are their means."""


@dataclass(frozen=True)
class LogCounts:
    """Negative log likelihood of counts, without what does not depend on the mean; the outputs are its logarithm.

    Poisson's where the dispersion is 0, otherwise that of the negative binomial distribution whose variance is
    mean + dispersion * mean² (NB2: Cameron and Trivedi 2013). Targets are from 0, and need not be whole: divided by a
    unit, with the dispersion multiplied by it, they have the same slopes.
    """

    dispersion: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.dispersion < float("inf"):
            raise SettingError(f"LogCounts has dispersion={self.dispersion}; give a number from 0")


@dataclass(frozen=True)
class Hinge:
    """max(0, 1 - target * output) for targets -1 and 1; 0 stands for -1."""


@dataclass(frozen=True)
class SquaredHinge:
    """The square of `Hinge`'s values."""


@dataclass(frozen=True)
class KLDivergence:
    """Kullback and Leibler's divergence of the outputs from a distribution over them, both clipped at 1e-7."""


@dataclass(frozen=True)
class CategoricalHinge:
    """How much the largest output of a wrong class is above that of the right one less 1."""


@dataclass(frozen=True)
class CosineSimilarity:
    """The cosine of the angle between outputs and targets, negative: -1 where they point in the same direction."""


@dataclass(frozen=True)
class GivenSlopes:
    """A loss that whoever trains computes himself, with its slopes at the outputs, which stand where targets would.

    See `CompiledNetwork.begin_update`.
    """


Crossentropy = CategoricalCrossentropy | SparseCategoricalCrossentropy | BinaryCrossentropy
Rare = (
    MAPE
    | MSLE
    | LogCosh
    | Poisson
    | LogCounts
    | Hinge
    | SquaredHinge
    | KLDivergence
    | CategoricalHinge
    | CosineSimilarity
)
Loss = MSE | MAE | Huber | Pinball | GaussianNLL | Crossentropy | Rare | GivenSlopes


def targets_for(loss: Loss, outputs: int) -> int:
    """How many target values a loss needs for so many outputs of a network, rounded down."""
    if isinstance(loss, SparseCategoricalCrossentropy):
        return 1
    return outputs // heads_of(loss)


def heads_of(loss: Loss) -> int:
    """How many outputs belong to a target value; 1 where the classes of a step are scored together."""
    if isinstance(loss, Pinball):
        return len(loss.quantiles)
    return 2 if isinstance(loss, GaussianNLL) else 1


def forecasts_values(loss: Loss) -> bool:
    """Whether the outputs have the unit of the targets, so that they can be changes from the last value."""
    return isinstance(loss, MSE | MAE | Huber | Pinball)


def _check_smoothing(loss: Loss, share: float) -> None:
    if not 0 <= share <= 1:
        raise SettingError(f"{loss} has label_smoothing={share}; give a share from 0 to 1")


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
        "mape": MAPE(),
        "mean_absolute_percentage_error": MAPE(),
        "msle": MSLE(),
        "mean_squared_logarithmic_error": MSLE(),
        "log_cosh": LogCosh(),
        "poisson": Poisson(),
        "hinge": Hinge(),
        "squared_hinge": SquaredHinge(),
        "kl_divergence": KLDivergence(),
        "categorical_hinge": CategoricalHinge(),
        "cosine_similarity": CosineSimilarity(),
        "categorical_crossentropy": CategoricalCrossentropy(),
        "sparse_categorical_crossentropy": SparseCategoricalCrossentropy(),
        "binary_crossentropy": BinaryCrossentropy(),
    }
    if loss not in names:
        raise SettingError(f"there is no loss named {loss!r}; choose one of {', '.join(names)} or give an object")
    return names[loss]
