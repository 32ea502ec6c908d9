"""A callback for those who stay in Keras's own loop: it does by itself what a stateful model needs."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.keras.arrays import as_array, first_break


class StateKeeper(keras.callbacks.Callback):  # type: ignore[misc]
    """Keep the states of a stateful model right through `model.fit(…, shuffle=False, callbacks=[StateKeeper()])`.

    It resets them at the start of every epoch, gives them back after validation as they were before, and, given the
    arrays, checks at the start of training that every batch goes on where the one before it ended. What a callback
    cannot see is `shuffle`: pass False.

    Args:
        x: [samples, timesteps, features], to be checked; samples that overlap show where they lie in time.
        y: [samples, outputs] or [samples, timesteps, outputs], only where it is the first `outputs` features of the
            step after each sample: then it must be what the sample that takes over the state begins with.

    Raises:
        SettingError: at the start of training: the batches do not continue one another, no layer is stateful, or the
            backend is JAX, on which Keras (seen in 3.15) trains stateful layers as if they were stateless.
    """

    def __init__(self, x: Any = None, y: Any = None) -> None:
        super().__init__()
        if y is not None and x is None:
            raise SettingError("StateKeeper has y without x; give both, or x alone")
        self._x = None if x is None else as_array(x, "x")
        self._y = None if y is None else as_array(y, "y")
        self._saved: list[list[NDArray[Any]]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Check what can be checked before anything is trained."""
        stateful = self._stateful()
        if not stateful:
            raise SettingError(
                "StateKeeper has nothing to keep: no layer of the model has stateful=True; set it, or leave it out"
            )
        if keras.backend.backend() == "jax":
            raise SettingError(
                "the backend is JAX, on which Keras trains stateful layers as if they were stateless, without a word; "
                "use tsuzuki.fit(model, …), which carries the states on any backend, or set KERAS_BACKEND=tensorflow"
            )
        if self._x is not None:
            check_rows(self._x, self._y, int(stateful[0].states[0].shape[0]))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start from zero states."""
        for layer in self._stateful():
            layer.reset_state()

    def on_test_begin(self, logs: Any = None) -> None:
        """Keep the states that training has reached."""
        self._saved = [
            [np.array(keras.ops.convert_to_numpy(state)) for state in layer.states] for layer in self._stateful()
        ]

    def on_test_end(self, logs: Any = None) -> None:
        """Give them back."""
        for layer, states in zip(self._stateful(), self._saved, strict=True):
            for variable, state in zip(layer.states, states, strict=True):
                variable.assign(state)

    def _stateful(self) -> list[Any]:
        return [layer for layer in self.model.layers if getattr(layer, "stateful", False)]


def check_rows(x: NDArray[Any], y: NDArray[Any] | None, lanes: int) -> None:
    """Raise SettingError where batches of so many rows do not continue one another, naming the first pair."""
    samples = len(x)
    advice = "let tsuzuki.fit(model, series=…, timesteps=…, batch_size=…) make the rows"
    if samples % lanes:
        raise SettingError(
            f"x has {samples} samples, no multiple of the batch size {lanes}, which Keras's stateful layers need; "
            f"leave out the last {samples % lanes}, or use tsuzuki.fit, which masks them"
        )
    found = first_break(x, lanes)
    if found is not None:
        sample, follower, reason = found
        raise SettingError(
            f"row 0 of batch 1 (sample {follower}) does not go on where row 0 of batch 0 (sample {sample}) ended: "
            f"{reason}; {advice}"
        )
    if y is None or samples <= lanes:
        return
    y = y.reshape(samples, -1, 1) if y.ndim == 1 or (y.ndim == 2 and x.shape[2] == 1) else y
    last = y[:, -1] if y.ndim == 3 else y
    begins = x[lanes:, 0, : last.shape[1]]
    wrong = np.flatnonzero((np.abs(begins - last[:-lanes]) > 1e-6 * (1 + np.abs(begins))).any(axis=1))
    if len(wrong):
        sample = int(wrong[0])
        batch, row = divmod(sample, lanes)
        raise SettingError(
            f"row {row} of batch {batch + 1} (sample {sample + lanes}) begins with {begins[sample].tolist()}, but row "
            f"{row} of batch {batch} (sample {sample}) is followed by {last[sample].tolist()}; {advice}"
        )
