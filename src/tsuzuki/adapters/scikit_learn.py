"""A recurrent network as an estimator of scikit-learn: each row of X is a window, read step by step.

Import it from here: `from tsuzuki.adapters.scikit_learn import TsuzukiRegressor`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.data.segments import Segment
from tsuzuki.errors import MissingExtraError, SettingError
from tsuzuki.layouts.layout import Layout
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import CELLS, Dense
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import Adam
from tsuzuki.training.fit import fit
from tsuzuki.training.predict import predict

# Windows that are forecast at once. Always so many: the last bits of a window's forecast depend on it.
LANES = 32

try:
    from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise MissingExtraError(
        "TsuzukiRegressor needs the package scikit-learn, which is not installed; install it with: pip install "
        '"tsuzuki[sklearn]"'
    ) from None


class TsuzukiRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Regression on windows of a time series with a recurrent network.

    A row of X holds the steps of a window from the oldest to the newest, `inputs` values each; so X has
    steps x inputs columns. Rows are independent of one another, as scikit-learn shuffles and splits them: the state
    begins at zero in each. (To carry it on, use `Forecaster` or `tsuzuki.fit`.)

    Args:
        cell: simple_rnn, gru or lstm.
        units: units of each recurrent layer.
        layers: recurrent layers, stacked.
        inputs: values of a step; the columns of X are a multiple of it.
        epochs: passes over the data, more where there are fewer than `updates` updates.
        updates: updates of the weights, at least.
        batch_size: windows per update.
        learning_rate: of Adam.
        random_state: of the initial weights and the order of the windows: a whole number, a RandomState or None.

    Attributes:
        weights_: the trained arrays.
        network_: the network's description.
        n_features_in_: columns of X.

    Raises:
        SettingError: settings that cannot work.

    Example:
        TsuzukiRegressor(units=16).fit(X, y).predict(X)
    """

    def __init__(
        self,
        cell: str = "gru",
        units: int = 16,
        layers: int = 1,
        inputs: int = 1,
        epochs: int = 20,
        updates: int = 2000,
        batch_size: int = 32,
        learning_rate: float = 0.01,
        random_state: Any = None,
    ) -> None:
        self.cell = cell
        self.units = units
        self.layers = layers
        self.inputs = inputs
        self.epochs = epochs
        self.updates = updates
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "TsuzukiRegressor":
        """Train on windows X [rows, steps * inputs] and what follows them, y [rows] or [rows, outputs]."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=np.float64)
        if self.cell not in CELLS:
            raise SettingError(f"cell is {self.cell!r}; choose {', '.join(CELLS)}")
        if X.shape[1] % self.inputs:
            raise SettingError(
                f"X has {X.shape[1]} columns, which are no steps of {self.inputs} inputs; give a multiple of "
                f"{self.inputs}"
            )
        targets = y.reshape(len(y), -1)
        self._one_output = y.ndim == 1
        self._means, self._scales = _mean_and_scale(X)
        self._target_means, self._target_scales = _mean_and_scale(targets)
        cells = tuple(CELLS[self.cell](self.units) for _ in range(self.layers))
        self.network_ = Network(self.inputs, (*cells, Dense(targets.shape[1])))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        flat, scored = self._flat(X), np.full((self._rows(X), targets.shape[1]), np.nan, np.float32)
        scored[self._steps(X) :: self._steps(X) + 1] = (targets - self._target_means) / self._target_scales
        windows = Windows(self._steps(X), min(self.batch_size, len(X)), shuffle=True, seed=seed)
        segments = self._segments(X)
        epochs = max(self.epochs, -(-self.updates * windows.batch_size // len(X)))

        def layout(epoch: int) -> Layout:
            return windows.over(segments, epoch)

        trained = fit(
            self.network_,
            initialise(self.network_, seed),
            flat,
            scored,
            layout,
            epochs=epochs,
            optimizer=Adam(self.learning_rate),
            seed=seed,
        )
        self.weights_ = trained.weights
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """What follows each window, [rows] or [rows, outputs] as y was.

        Args:
            X: [rows, steps * inputs].
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        layout = Windows(self._steps(X), LANES).over(self._segments(X))
        found = predict(self.network_, self.weights_, self._flat(X), layout)[self._steps(X) :: self._steps(X) + 1]
        outputs = found.astype(np.float64) * self._target_scales + self._target_means
        return outputs[:, 0] if self._one_output else outputs

    def _steps(self, X: NDArray[np.float64]) -> int:
        return int(X.shape[1] // self.inputs)

    def _rows(self, X: NDArray[np.float64]) -> int:
        return int(len(X) * (self._steps(X) + 1))

    def _segments(self, X: NDArray[np.float64]) -> list[Segment]:
        """Each window with a row behind it for its target."""
        size = self._steps(X) + 1
        return [Segment(start, start + size) for start in range(0, self._rows(X), size)]

    def _flat(self, X: NDArray[np.float64]) -> NDArray[np.float32]:
        """The windows one after another, [rows, inputs], with an empty row behind each."""
        scaled = ((X - self._means) / self._scales).reshape(len(X), -1, self.inputs)
        return np.pad(scaled, ((0, 0), (0, 1), (0, 0))).reshape(-1, self.inputs).astype(np.float32)


def _mean_and_scale(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of each column; a deviation of 1 where nothing varies."""
    deviation = values.std(axis=0)
    return values.mean(axis=0), np.where(deviation > 0, deviation, 1.0)
