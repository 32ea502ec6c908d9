"""A stream that goes on learning: after each reading one step of training over the last few, watched by a guard.

Truncated backpropagation (Williams and Peng 1990): the last `timesteps` readings are run again from the state that the
network had before them, and every forecast made in them is scored by what has been read since. A network that has not
learned since training runs beside it, so that anybody can see whether learning helps.
"""

import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.forecasting.base import change_map, changes_to
from tsuzuki.layouts.layout import NOWHERE, Block
from tsuzuki.streaming.state_file import adopt, arrays_of, check_owner, owner_of
from tsuzuki.streaming.stream import Stream

if TYPE_CHECKING:
    from tsuzuki.forecasting.fitted import Fitted
    from tsuzuki.forecasting.settings import Settings

# The guard's averages forget a loss by this share at each reading; it needs so many losses before it judges, and holds
# an update back whose loss lies this many usual deviations above the usual loss.
FORGOTTEN, FEWEST, JUMP = 0.02, 50, 10.0


@dataclass(frozen=True)
class Report:
    """What learning has come to.

    Attributes:
        readings: how many have been scored.
        learning: root mean square error one step ahead of the network that learns, over the last `window` readings.
        frozen: that of the network as training left it.
        held_back: updates that the guard has undone.
        window: readings in these means at most.
    """

    readings: int
    learning: float
    frozen: float
    held_back: int
    window: int


class LearningStream(Stream):
    """A `Stream` whose networks learn from each reading.

    Args:
        fitted: what training left.
        settings: of the forecaster.
        unique_id: the series; None where there is only one.
        learning_rate: of Adam, one step a reading.
        window: readings over which `report` compares.
    """

    def __init__(
        self,
        fitted: "Fitted",
        settings: "Settings",
        unique_id: str | None = None,
        *,
        learning_rate: float = 1e-4,
        window: int = 1000,
    ) -> None:
        if settings.columns.all:
            raise SettingError("a stream that learns reads no covariates; leave learn out, or fit without them")
        if fitted.spread is not None:
            raise SettingError(f"a stream that learns has no loss={settings.loss!r}; fit with huber, mse or mae")
        super().__init__(fitted, settings, unique_id, learns=True)
        self._frozen = Stream(fitted, settings, unique_id)
        self._learners = [_Learner(self, member, settings, learning_rate) for member in range(len(self.bank.rows))]
        self._errors: deque[tuple[float, float]] = deque(maxlen=window)
        self._readings, self._window = 0, window

    def take(self, value: float | None) -> None:
        """Move on by one step, and learn from it."""
        if value is not None and value == value:
            self._errors.append((float(self.forecast()[0]) - value, float(self._frozen.forecast()[0]) - value))
            self._readings += 1
        states = [bank.snapshot() for bank in self.bank.saved_states]
        anew = value is not None and value == value and self.missed > self.bank.settings.max_gap
        super().take(value)
        self._frozen.take(value)
        window = self.bank.recent.window(0, self.at)
        for learner, state in zip(self._learners, states, strict=True):
            learner.learn(self.at, state, anew, window)

    def skip(self, steps: int) -> None:
        """Let so many readings be missed that the series begins anew with the next one."""
        super().skip(steps)
        self._frozen.skip(steps)

    def report(self) -> Report:
        """Compare the network that learns with the one that does not, on the last readings."""
        errors = np.array(self._errors).reshape(-1, 2)
        means = np.sqrt((errors**2).mean(axis=0)) if len(errors) else np.full(2, np.nan)
        held_back = sum(learner.held_back for learner in self._learners)
        return Report(self._readings, float(means[0]), float(means[1]), held_back, self._window)

    def weights(self) -> list[list[NDArray[np.float32]]]:
        """The weights of each network as they are now."""
        return [learner.weights() for learner in self._learners]

    def save(self, path: str | Path) -> None:
        """Write where the stream stands, with what it has learned since training; the model itself is not in it.

        Raises:
            FileError: it cannot be written.
        """
        from tsuzuki.storage import write

        facts = owner_of(self.bank) | {
            "readings": self._readings,
            "learners": [learner.facts() for learner in self._learners],
        }
        arrays = {f"bank {name}": array for name, array in arrays_of(self.settle()).items()}
        arrays |= {f"frozen {name}": array for name, array in arrays_of(self._frozen.settle()).items()}
        arrays["errors"] = np.array(self._errors, np.float64).reshape(-1, 2)
        for number, learner in enumerate(self._learners):
            arrays |= {f"learner {number} {name}": array for name, array in learner.arrays().items()}
        write(path, "learning stream", facts, arrays)

    def load(self, path: str | Path) -> "LearningStream":
        """Go to where `save` stood, bit for bit.

        Raises:
            FileError: the file is not whole, or holds the state of another model or series.
        """
        from tsuzuki.storage import read

        stored = read(path, "learning stream")
        check_owner(stored.facts, self.bank, path)

        def named(prefix: str) -> dict[str, NDArray[Any]]:
            return {name.removeprefix(prefix): one for name, one in stored.arrays.items() if name.startswith(prefix)}

        for number, learner in enumerate(self._learners):
            learner.adopt(stored.facts["learners"][number], named(f"learner {number} "))
        adopt(self.bank, named("bank "))
        self.resume()
        adopt(self._frozen.bank, named("frozen "))
        self._frozen.resume()
        self._readings = int(stored.facts["readings"])
        self._errors.clear()
        self._errors.extend((float(a), float(b)) for a, b in stored.arrays["errors"])
        return self


class _Learner:
    """One network's training: the last rows, the states before them, and the guard."""

    def __init__(self, stream: LearningStream, member: int, settings: "Settings", rate: float) -> None:
        from tsuzuki.engine.compiled_network import CompiledNetwork
        from tsuzuki.engine.data import Data, Objective, RowShape
        from tsuzuki.engine.memory import SavedStates
        from tsuzuki.network.losses import MSE, Pinball
        from tsuzuki.network.optimizers import Adam

        bank = stream.bank
        way, self._before = bank.fitted.ways[member], bank.before
        self._source = bank.rows[member][:, 0]
        # The lags' rows, then the window; what is not known yet comes behind it.
        self._rows = np.zeros((bank.before + settings.timesteps, self._source.shape[1]), np.float32)
        self._targets = np.full((len(self._rows) + settings.horizon, 1), np.nan, np.float32)
        rules, series = bank.fitted.rules, bank.fitted.ids.index(bank.ids[0])
        self._change_map = change_map(rules.history, settings.horizon, rules.bases[series])
        self._unit = np.full((len(self._rows), 1), rules.units[series], np.float32)
        # The base forecasts that each row is the first target of.
        self._bases = None if rules.alone else np.zeros((len(self._rows), settings.horizon), np.float32)
        self._newest = np.zeros(settings.horizon, np.float32)
        self._read = self._targets
        if self._bases is not None:
            # The last row's target, one row behind it, is not known either.
            self._read = np.full((len(self._rows) + 1, settings.horizon), np.nan, np.float32)
        # Snapshots of the state before each row of the window.
        self._states: deque[NDArray[np.float32]] = deque(maxlen=settings.timesteps)
        self._start = SavedStates(way.network)
        self._compiled = CompiledNetwork(
            way.network,
            RowShape(1, settings.timesteps),
            Data(self._rows, self._read, settings.horizon, residual=rules.alone, lags=way.lags),
            Objective(Pinball(tuple(settings.quantiles)) if settings.quantiles else MSE()),
            Adam(learning_rate=rate, global_clipnorm=1.0),
            parameters=bank.parameters[member],
            saved_states=self._start,
            threads=1,
        )
        self._block = Block(
            np.zeros((1, 1), np.int64),
            np.zeros((1, 1), np.int32),
            np.zeros((1, 1), np.int32),
            np.full((1, 1), NOWHERE, np.int32),
        )
        self._seen, self._usual, self._spread = 0, 0.0, 0.0
        self.held_back = 0

    def learn(self, at: int, state: NDArray[np.float32], anew: bool, window: NDArray[np.float32]) -> None:
        """One update over the rows that end with the one just run, `at`.

        Args:
            at: that row.
            state: a snapshot of the state before it.
            anew: whether the series begins anew with it.
            window: float32 [size], the last values at it.
        """
        if anew:
            self._states.clear()
        if not self._states:
            back = self._before
            self._rows[len(self._rows) - back - 1 :] = self._source[at - back : at + 1]
            state = np.zeros_like(state) if anew else state
        else:
            self._rows[:-1] = self._rows[1:]
            self._rows[-1] = self._source[at]
        self._states.append(state)
        size = len(self._states)
        start = len(self._rows) - size
        # A target lies behind the row that forecasts it; of the window's first row only later ones are forecast.
        self._targets[: start + 1, 0] = np.nan
        known = self._rows[start + 1 :, 0].copy()
        known[self._rows[start + 1 :, 1] != 0] = np.nan
        self._targets[start + 1 : len(self._rows), 0] = known
        if self._bases is not None:
            self._bases[:-1] = self._bases[1:]
            # The row's own forecasts have their first target one row behind it, where nothing is known yet.
            self._bases[-1] = self._newest
            self._newest = window[-1] + (window - window[-1]) @ self._change_map
            self._read[:-1] = changes_to(self._targets[: len(self._rows)], self._bases, self._unit)
        if np.isnan(known).all():
            return
        self._start.restore(self._states[0])
        self._block.starts[0, 0], self._block.valid[0, 0] = start, size
        self._compiled.save_point()
        loss = float(self._compiled.run(self._block)[-1, 0])
        if self._jumps(loss):
            self._compiled.roll_back()
            self.held_back += 1

    def _jumps(self, loss: float) -> bool:
        """Whether a loss is not finite or far above the usual ones; it then counts as the largest that would not be, so
        that what stays unusual becomes usual."""
        if not math.isfinite(loss):
            return True
        limit = self._usual + JUMP * self._spread
        jumps = self._seen >= FEWEST and loss > limit
        taken = limit if jumps else loss
        # Plain means at first, forgetting ones later.
        share = max(FORGOTTEN, 1 / (self._seen + 1))
        self._spread += share * (abs(taken - self._usual) - self._spread)
        self._usual += share * (taken - self._usual)
        self._seen += 1
        return jumps

    def weights(self) -> list[NDArray[np.float32]]:
        """The weights as they are now."""
        return self._compiled.weights()

    def facts(self) -> dict[str, Any]:
        """The guard's numbers and the optimiser's count."""
        return {
            "seen": self._seen,
            "usual": self._usual,
            "spread": self._spread,
            "held_back": self.held_back,
            "updates": self._compiled.updates_done,
        }

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Weights, the optimiser's slots, the window's rows and the states before them."""
        found = {f"weights {i}": array for i, array in enumerate(self.weights())}
        for slot in range(3):
            found |= {f"slot {slot} {i}": array for i, array in enumerate(self._compiled.slot(slot))}
        states = np.zeros((len(self._states), self._start.size), np.float32)
        for place, state in enumerate(self._states):
            self._start.restore(state)
            states[place] = self._start.states()[0]
        if self._bases is not None:
            found |= {"bases": np.concatenate([self._bases, self._newest[None]])}
        return found | {"rows": self._rows, "states": states}

    def adopt(self, facts: dict[str, Any], arrays: dict[str, NDArray[np.float32]]) -> None:
        """Go to where `facts` and `arrays` stood."""
        self._seen, self._usual, self._spread = facts["seen"], facts["usual"], facts["spread"]
        self.held_back, self._compiled.updates_done = facts["held_back"], facts["updates"]
        count = len(self._compiled.weights())
        self._compiled.set_weights([arrays[f"weights {i}"] for i in range(count)])
        for slot in range(3):
            self._compiled.set_slot(slot, [arrays[f"slot {slot} {i}"] for i in range(count)])
        self._rows[:] = arrays["rows"]
        if self._bases is not None:
            self._bases[:], self._newest = arrays["bases"][:-1], arrays["bases"][-1]
        self._states.clear()
        for state in arrays["states"]:
            self._start.set_states(state[None])
            self._states.append(self._start.snapshot())
