"""Standardisation, fitted on training data only.

Any object with scikit-learn's `fit`, `transform` and `inverse_transform` on [points, 1] can replace it.
"""

from typing import TYPE_CHECKING, Any, Protocol

from tsuzuki.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Scaler(Protocol):
    """The methods of a scaler, as in scikit-learn; arrays are [points, columns]."""

    def fit(self, values: "NDArray[np.float64]") -> Any:
        """Learn from values."""
        ...

    def transform(self, values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Scale values."""
        ...

    def inverse_transform(self, values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Undo `transform`."""
        ...


class Standardizer:
    """(value - mean) / standard deviation, column by column, NaN ignored (`sklearn.preprocessing.StandardScaler`).

    Attributes:
        mean: float64 [columns], after `fit`.
        scale: float64 [columns], after `fit`.
    """

    mean: "NDArray[np.float64]"
    scale: "NDArray[np.float64]"

    def fit(self, values: "NDArray[np.float64]") -> "Standardizer":
        """Learn mean and deviation from values [points, columns].

        Raises:
            DataError: a column without values, or constant.
        """
        import numpy as np

        values = np.asarray(values, np.float64)
        if len(values) == 0 or np.isnan(values).all(axis=0).any():
            raise DataError("a column to standardise has no values; give a longer training part")
        self.mean, self.scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        if (self.scale == 0).any():
            raise DataError(
                "a column to standardise is constant in its training part; there is nothing to learn from it"
            )
        return self

    def transform(self, values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Scale values [points, columns]."""
        return (values - self.mean) / self.scale

    def inverse_transform(self, values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Undo `transform`."""
        return values * self.scale + self.mean
