"""A network made ready to compute: laid out in memory, with its weights, states and the compiled call.

Training, forecasting, streams and the Keras door all work on a `CompiledNetwork` and on nothing below it. Weights,
optimiser slots and states go in and come out in their usual shapes; how they are padded for the kernels stays inside.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.data import Data, Objective, RowShape
from tsuzuki.engine.memory import Parameters, SavedStates, Slots, plan_for
from tsuzuki.engine.padding import pad, unpad
from tsuzuki.engine.session import Session
from tsuzuki.kernels.table import AVERAGE_SLOT
from tsuzuki.layouts.layout import Block
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import Optimizer


class CompiledNetwork:
    """A network ready to run on rows of one shape over one set of arrays.

    Several may work on the same `parameters`, `slots` and `saved_states`: what one of them trains or saves, the others
    read at their next call. Carried states are each one's own.

    Args:
        network: the description.
        shape: of the rows.
        data: the arrays that the rows read; they are not copied.
        objectives: what is minimised and scored: of all outputs together, or one for each end of the network; the mean
            squared error if None.
        optimizer: None for one that only runs forward.
        parameters: to share; new ones, all zero, if None.
        slots: of the optimiser, to share; new ones if None.
        saved_states: to share, with a slot for each that a row enters from or saves to; a single one if None.
        seed: of dropout's masks.
        threads: as many as there is work for if None; the bits do not depend on it.

    Attributes:
        network: the description.
        data: the arrays that the rows read.
        parameters: the weights' memory.
        saved_states: the states that rows save and take up again.
        updates_per_call: updates that whoever trains should give `run` at once.

    Raises:
        SettingError: the network's outputs are not what a loss needs for the targets.

    Example:
        layout = Streams(24, 8).over([Segment(0, 1000)])
        data = Data(inputs, targets, horizon=1)
        compiled = CompiledNetwork(network, RowShape.of(layout), data, optimizer=Adam())
        compiled.set_weights(initialise(network, 0))
        losses = compiled.run(layout.block(0, layout.updates))
    """

    def __init__(
        self,
        network: Network,
        shape: RowShape,
        data: Data,
        objectives: Objective | Sequence[Objective] | None = None,
        optimizer: Optimizer | None = None,
        *,
        parameters: Parameters | None = None,
        slots: Slots | None = None,
        saved_states: SavedStates | None = None,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.network, self.data = network, data
        self.parameters = Parameters(network) if parameters is None else parameters
        self.saved_states = SavedStates(network) if saved_states is None else saved_states
        self.updates_per_call = 64
        apart = objectives is not None and not isinstance(objectives, Objective)
        self._session = Session(
            plan_for(network, *shape, apart),
            data,
            objectives,
            optimizer,
            bank=self.saved_states.padded,
            parameters=self.parameters.padded,
            slots=None if slots is None else slots.padded,
            seed=seed,
            threads=threads,
        )
        self._objectives = objectives
        self._saved: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def sharing(self, shape: RowShape, data: Data) -> "CompiledNetwork":
        """Make the same network ready for other rows: one that runs forward, in one thread, on this one's weights and
        saved states, and scores with the same loss.

        Args:
            shape: of its rows.
            data: the arrays that they read.
        """
        return CompiledNetwork(
            self.network,
            shape,
            data,
            self._objectives,
            parameters=self.parameters,
            saved_states=self.saved_states,
            threads=1,
        )

    def run(self, block: Block, forecasts: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
        """Train on a block of consecutive updates.

        Args:
            block: the rows, [updates, lanes].
            forecasts: float32 [points, outputs], written at each target's position before its update moves the
                weights; or None.

        Returns:
            [updates, 2]: each update's loss and how many target values it scored, and behind these, where there is an
            objective for each of several ends, the loss of each without its weight. It ends early, after the first
            update whose loss is not finite; that update has not moved the parameters.
        """
        return self._session.run(block, forecasts)

    def begin_update(self, block: Block, forecasts: NDArray[np.float32]) -> None:
        """Do the forward pass of one update of a network that is trained by `GivenSlopes`.

        Whoever calls then computes the loss from the forecasts, writes its slope at each of them, [points, outputs], to
        the same place in `data.targets`, and calls `finish_update`.

        Args:
            block: the rows, [1, lanes].
            forecasts: float32 [points, outputs], written at each target's position; dropout's masks are applied.
        """
        self._session.begin(block, forecasts)

    def finish_update(self, block: Block) -> NDArray[np.float64]:
        """Do the rest of the update that `begin_update` began: the backward pass and the optimiser's step.

        Args:
            block: the same rows.

        Returns:
            As from `run`; the loss is only what penalties add to it.
        """
        return self._session.finish(block)

    def forward(self, block: Block, forecasts: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
        """Run forward over a block of rows, without training.

        Args:
            block: the rows, [updates, lanes].
            forecasts: float32 [points, outputs], written at each target's position; or None.

        Returns:
            As from `run`; empty with several threads or without targets.
        """
        return self._session.forward(block, forecasts)

    def prepare(
        self,
        block: Block,
        forecasts: NDArray[np.float32],
        *,
        scales: NDArray[np.float64] | None = None,
        readings: NDArray[np.float64] | None = None,
        learns: bool = False,
    ) -> Callable[[], object]:
        """Make ready to run the same arrays of rows forward again and again, as fast as a call can be.

        Nothing else may be run on this object afterwards.

        Args:
            block: the rows, [updates, lanes]; the caller changes its arrays in place between two runs.
            forecasts: float32 [updates * lanes, outputs], written for each row that is valid.
            scales: float64 [saved states, 2], mean and deviation of the series that each state belongs to: forecasts
                are then in its unit.
            readings: float64 [updates, lanes], in the same unit, NaN where one is missing: each is written into its row
                first, scaled, with a 1 behind it if it is missing. None where the rows hold all. They need scales, and
                the caller changes them in place, too.
            learns: whether the parameters may still change.

        Returns:
            A function that runs the rows.
        """
        return self._session.prepare(block, forecasts, scales=scales, readings=readings, learns=learns)

    @property
    def address(self) -> int:
        """The address of the table that the program is called with; it moves as little as this object's memory."""
        return self._session.address

    def weights(self) -> list[NDArray[np.float32]]:
        """Copies of the weights, in the order and shapes of `network.parameters`, which is Keras's."""
        return self.parameters.weights()

    def set_weights(self, weights: Sequence[NDArray[np.float32]]) -> None:
        """Put weights in, as `weights` gives them.

        Raises:
            ValueError: not as many arrays, or not of these shapes.
        """
        self.parameters.set_weights(weights)

    def slot(self, number: int) -> list[NDArray[np.float32]]:
        """Copies of what the optimiser keeps for each weight, in their order and shapes.

        Args:
            number: 0 to 2: SGD's and Lion's momentum; RMSprop's mean square, momentum, mean gradient; Adam's (Nadam's,
                Adamax's) first and second moment and AMSGrad's maximum; Adagrad's and FTRL's sum of squares, FTRL's
                linear term; Adadelta's mean squares of gradient and steps. One that the optimiser does not use is zero.
                3: the weights' moving average, where it keeps one.
        """
        return unpad(self._session.plan, self._slot(number))

    def set_slot(self, number: int, arrays: Sequence[NDArray[np.float32]]) -> None:
        """Put what the optimiser keeps for each weight in, as `slot` gives it.

        Raises:
            ValueError: not as many arrays, or not of the weights' shapes.
        """
        pad(self._session.plan, arrays, self._slot(number))

    def adopt_averages(self) -> None:
        """Put the weights' moving average in their place, if the optimiser keeps one and has begun it."""
        if self.optimizer is not None and self.optimizer.use_ema and self.updates_done > 0:
            averages = self._slot(AVERAGE_SLOT)
            self.parameters.padded[: len(averages)] = averages

    def _slot(self, number: int) -> NDArray[np.float32]:
        size = self._session.plan.size
        return self._session.slots[number * size : (number + 1) * size]

    @property
    def optimizer(self) -> Optimizer | None:
        """What moves the weights; None where nothing does."""
        return self._session.optimizer

    def set_learning_rate(self, rate: float) -> None:
        """Train with another constant learning rate from the next update on."""
        assert self._session.optimizer is not None
        self._session.optimizer = replace(self._session.optimizer, learning_rate=rate)

    @property
    def updates_done(self) -> int:
        """Updates so far: what schedules, Adam's bias correction and dropout's masks count."""
        return self._session.updates_done

    @updates_done.setter
    def updates_done(self, count: int) -> None:
        self._session.updates_done = count

    @property
    def rate_factor(self) -> float:
        """A factor for the learning rate, 1 unless something has lowered it."""
        return self._session.rate_factor

    @rate_factor.setter
    def rate_factor(self, factor: float) -> None:
        self._session.rate_factor = factor

    def carried_states(self) -> list[list[NDArray[np.float32]]]:
        """The states that the lanes carry into the next update.

        Returns:
            For each recurrent layer [state], for an LSTM [state, cell]: copies, [lanes, units] each. A lane whose
            rows have run out keeps its last state only where its empty rows are entered with CARRY.
        """
        return self._session.carried()

    def set_carried_states(self, states: Sequence[Sequence[NDArray[np.float32]]]) -> None:
        """Let the lanes carry other states, as `carried_states` gives them, into the next update.

        Raises:
            ValueError: not as many layers or states, or not of these shapes.
        """
        self._session.carry(states)

    def save_point(self) -> None:
        """Keep the parameters and the optimiser's slots as they are now, for `roll_back`."""
        if self._saved is None:
            self._saved = np.empty_like(self.parameters.padded), np.empty_like(self._session.slots)
        self._saved[0][:], self._saved[1][:] = self.parameters.padded, self._session.slots

    def roll_back(self) -> None:
        """Put the parameters and slots of the last `save_point` back; the updates since stay counted."""
        assert self._saved is not None, "there is no save_point to roll back to"
        self.parameters.padded[:], self._session.slots[:] = self._saved

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """All arrays that training has changed, as they lie in memory, for `load_state_dict` to take back.

        With them, `updates_done` and `rate_factor`, an equal network on this machine goes on to the same bits.
        """
        carried = {
            f"carried {layer} {number}": state
            for layer, states in enumerate(self.carried_states())
            for number, state in enumerate(states)
        }
        memory = {
            "parameters": self.parameters.padded,
            "slots": self._session.slots,
            "bank": self.saved_states.padded,
        }
        return memory | carried

    def load_state_dict(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go to where `state_dict` was taken; other arrays among these are left alone."""
        self.parameters.padded[:], self._session.slots[:] = arrays["parameters"], arrays["slots"]
        self.saved_states.padded[:] = arrays["bank"]
        self.set_carried_states(
            [
                [arrays[f"carried {layer} {number}"] for number in range(len(states))]
                for layer, states in enumerate(self.carried_states())
            ]
        )
