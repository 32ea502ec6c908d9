"""Values on a scale where their errors are about equally large: logarithm, inverse hyperbolic sine, or as they are.

Below the least value of the training data the logarithm goes on as a straight line. How errors grow with the level is
known only where there were values; a logarithm would go on to say that errors vanish towards 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Nothing is ever so large on the transformed scale that its exponential is not finite.
LARGEST = 80.0


@dataclass(frozen=True)
class Transform:
    """A transformation of the values of some series, and back.

    Attributes:
        kind: none, log or asinh.
        marks: float64 [series]; the value below which the logarithm is a line, the unit of the inverse sine.
    """

    kind: str
    marks: NDArray[np.float64]

    def forward(self, values: ArrayLike, series: "int | NDArray[np.int64]") -> NDArray[np.float64]:
        """Values of one series on the transformed scale; with several series, a row of values of each."""
        given = np.asarray(values, np.float64)
        if self.kind == "none":
            return given
        marks = self._marks(series, given.ndim)
        if self.kind == "log":
            return np.asarray(np.log(np.maximum(given, marks)) + np.minimum(given - marks, 0) / marks)
        return np.asarray(np.arcsinh(given / marks))

    def inverse(self, values: ArrayLike, series: "int | NDArray[np.int64]") -> NDArray[np.float64]:
        """Transformed values of one series in its unit; with several series, a row of values of each."""
        given = np.asarray(values, np.float64)
        if self.kind == "none":
            return given
        marks = self._marks(series, given.ndim)
        if self.kind == "log":
            low = np.log(marks)
            return np.asarray(np.exp(np.clip(given, low, LARGEST)) + np.minimum(given - low, 0) * marks)
        return np.asarray(np.sinh(np.clip(given, -LARGEST, LARGEST)) * marks)

    def moved(
        self, values: NDArray[np.float64], by: NDArray[np.float64], series: "int | NDArray[np.int64]"
    ) -> NDArray[np.float64]:
        """Values in the series' units, moved by so much on the transformed scale; of several series a row each."""
        return self.inverse(self.forward(values, series) + by, series)

    def scale(self, series: int, mean: float, deviation: float) -> tuple[float, float]:
        """The transformed mean and deviation of a series of which only these are known."""
        if self.kind == "none":
            return mean, deviation
        if self.kind == "log":
            return float(np.log(mean)), deviation / mean
        mark = float(self.marks[series])
        return float(np.arcsinh(mean / mark)), deviation / float(np.hypot(mean, mark))

    def _marks(self, series: "int | NDArray[np.int64]", dimensions: int) -> "NDArray[np.float64] | np.float64":
        found = self.marks[series]
        return found.reshape(-1, *[1] * (dimensions - 1)) if np.ndim(found) else found


def transform_of(kind: str, values: list[NDArray[np.float64]]) -> Transform:
    """A transformation for series [points] each, NaN where missing."""
    marks = np.ones(len(values))
    for number, own in enumerate(values):
        positive = own[own > 0]
        if len(positive):
            marks[number] = positive.min() if kind == "log" else np.median(positive)
    return Transform(kind, marks)
