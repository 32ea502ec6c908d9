"""Runs of the compiled program, for a bounded number of updates at a time.

Between two calls everything that training consists of lies in the buffers, so progress, interruption and checkpoints
need nothing from the compiled side.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.buffers import Buffers
from tsuzuki.engine.data import Data, Objective, check_columns, check_numbers
from tsuzuki.engine.job_table import JobTable
from tsuzuki.engine.machine_code import bind, program
from tsuzuki.engine.optimizing import rates_of
from tsuzuki.engine.own_program import OwnProgram, suits
from tsuzuki.engine.plan import Plan
from tsuzuki.engine.threads import run_threads, threads_for
from tsuzuki.errors import SettingError
from tsuzuki.kernels import table as p
from tsuzuki.layouts.layout import Block
from tsuzuki.network.losses import MSE
from tsuzuki.network.optimizers import Optimizer


class Session:
    """Runs of one plan.

    Args:
        plan: the network, lowered for rows of so many lanes and steps.
        data: the arrays that the rows read.
        objectives: what is minimised, of each end where the plan has them apart; the mean squared error if None.
        optimizer: None for one that only runs forward.
        bank: float32, saved states; room for one if None.
        parameters: float32 [plan.whole_size]; zeros if None.
        slots: float32, the optimiser's; new ones if None.
        seed: of dropout's masks.
        threads: as many as are allowed if None; never more than there are blocks of lanes.

    Raises:
        SettingError: the network's outputs are not what a loss needs for the targets.
    """

    def __init__(
        self,
        plan: Plan,
        data: Data,
        objectives: Objective | Sequence[Objective] | None = None,
        optimizer: Optimizer | None = None,
        *,
        bank: NDArray[np.float32] | None = None,
        parameters: NDArray[np.float32] | None = None,
        slots: NDArray[np.float32] | None = None,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        check_columns(plan.network, data.inputs, data.lags)
        check_numbers(plan.network, data)
        self.plan, self.data, self.optimizer = plan, data, optimizer
        self.threads = threads_for(plan.blocks, threads)
        self.updates_done = 0
        self.rate_factor = 1.0
        if objectives is None or isinstance(objectives, Objective):
            objectives = (objectives or Objective(MSE()),)
        self.objectives: tuple[Objective, ...] = tuple(objectives)
        self._buffers = Buffers.reserved(
            plan, optimizer, len(self.objectives), parameters=parameters, slots=slots, bank=bank
        )
        buffers = self._buffers
        self.parameters, self.slots, self.bank = buffers.parameters, buffers.slots, buffers.bank
        self.gradients = buffers.gradients
        self._table = JobTable(plan, data, self.objectives, optimizer, buffers, threads=self.threads, seed=seed)
        self._job, self.address = self._table.fields, self._table.address
        trains_alone = optimizer is not None and suits(self._job, self._table.rows)
        self._own = OwnProgram(self._job, plan.kinds, plan.rows.size) if trains_alone else None

    def run(self, block: Block, forecasts: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
        """Train on a block of consecutive updates.

        Returns:
            As from `CompiledNetwork.run`.
        """
        count, objectives = len(block.starts), len(self.objectives)
        losses, scored = np.zeros((count, objectives)), np.zeros((count, objectives), np.int64)
        first = self.updates_done
        assert self.optimizer is not None
        rate = rates_of(self.optimizer, first, count, self.rate_factor)
        penalties = np.zeros(count)
        job = self._job
        job[p.PENALTIES] = penalties.ctypes.data
        job[p.LOSSES], job[p.SCORED], job[p.RATES] = losses.ctypes.data, scored.ctypes.data, rate.rate.ctypes.data
        job[p.DECAYS] = 0 if rate.decays is None else rate.decays.ctypes.data
        job[p.MORE_RATES] = 0 if rate.more is None else rate.more.ctypes.data
        done = self._call(block, forecasts, training=True)
        self.updates_done += done
        shown = min(done + 1, count)
        return self._result(losses[:shown], scored[:shown], penalties[:shown])

    def begin(self, block: Block, forecasts: NDArray[np.float32]) -> None:
        """Do the forward pass of a single update, which `finish` takes up."""
        job = self._job
        job[p.LOSSES] = job[p.PENALTIES] = 0
        job[p.PART] = p.UP_TO_OUTPUTS
        self._call(block, forecasts, training=True)
        job[p.PART] = p.WHOLE_UPDATE

    def finish(self, block: Block) -> NDArray[np.float64]:
        """Do the rest of the update that `begin` began with the same block, from slopes that stand in the targets."""
        job = self._job
        job[p.PART], job[p.FRESH] = p.FROM_SLOPES, 1
        result = self.run(block)
        job[p.PART] = job[p.FRESH] = 0
        return result

    def forward(self, block: Block, forecasts: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
        """Run forward over a block of rows, without training.

        Args:
            block: the rows.
            forecasts: float32 [points, outputs], written at each target's position; or None.

        Returns:
            [updates, 2]: each update's loss and how many target values it scored; empty with several threads or
            without targets.
        """
        shape = len(block.starts), len(self.objectives)
        losses, scored, penalties = np.zeros(shape), np.zeros(shape, np.int64), np.zeros(len(block.starts))
        scores = self.threads == 1 and self.data.targets is not None
        job = self._job
        job[p.LOSSES], job[p.SCORED] = losses.ctypes.data if scores else 0, scored.ctypes.data
        job[p.PENALTIES] = penalties.ctypes.data
        self._call(block, forecasts, training=False)
        return self._result(losses, scored, penalties) if scores else np.zeros((0, 2))

    def _result(
        self, losses: NDArray[np.float64], scored: NDArray[np.int64], penalties: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Each update's loss, scored values, and the losses of several ends by themselves."""
        total, count = penalties.copy(), np.zeros(len(losses))
        for number, objective in enumerate(self.objectives):
            total += losses[:, number] * objective.weight
            count += scored[:, number]
        alone = np.zeros((len(losses), 0)) if len(self.objectives) == 1 else losses
        return np.concatenate([np.stack([total, count], axis=1), alone], axis=1)

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

        Args:
            block: the rows; whoever calls changes its arrays in place between two runs.
            forecasts: float32 [updates * lanes, outputs], written for each row that is valid.
            scales: float64 [saved states, 2], mean and deviation of the series that each state belongs to: forecasts
                are then in its unit.
            readings: float64 [updates, lanes], in the same unit, NaN where one is missing: each is written into its row
                first, scaled, with a 1 behind it if it is missing. Or None where the rows hold all; whoever calls
                changes them in place, too. They need scales.
            learns: whether the parameters may still change.

        Returns:
            A function that runs the rows.
        """
        self._table.keep_alive(block, forecasts)
        job = self._job
        job[p.LOSSES], job[p.BY_LANE] = 0, 1
        if scales is not None:
            self._table.keep(p.SCALES, scales)
        if readings is not None:
            self._table.keep(p.READINGS, readings)
        self._point_at(block, forecasts, training=False)
        # No update at all brings the packed copies up to the parameters.
        job[p.UPDATES] = 0
        self._launch()
        job[p.UPDATES], job[p.FRESH] = len(block.starts), not learns
        if self.threads > 1:
            return self._launch
        call = bind(self.address, briefly=self.plan.lanes == 1)
        # The buffers live as long as the function.
        call.session = self  # type: ignore[attr-defined]
        return call

    def carried(self) -> list[list[NDArray[np.float32]]]:
        """The states that the lanes carry into the next update.

        Returns:
            For each recurrent layer [state], for an LSTM [state, cell]: copies, [lanes, units] each. A lane whose
            rows have run out keeps its last state only where its empty rows are entered with CARRY.
        """
        return [[np.concatenate(parts) for parts in layer] for layer in self._buffers.carried(self.plan)]

    def carry(self, states: Sequence[Sequence[NDArray[np.float32]]]) -> None:
        """Let the lanes carry these states, as `carried` gives them, into the next update."""
        for layer, given in zip(self._buffers.carried(self.plan), states, strict=True):
            for parts, state in zip(layer, given, strict=True):
                at = 0
                for part in parts:
                    part[:] = state[at : at + len(part)]
                    at += len(part)

    def _point_at(self, block: Block, forecasts: NDArray[np.float32] | None, *, training: bool) -> None:
        if self.plan.network.whole_rows:
            _check_whole(block, self.plan.timesteps)
        if training:
            self._check_targets(block)
        job = self._job
        job[p.STARTS], job[p.VALID] = block.starts.ctypes.data, block.valid.ctypes.data
        job[p.ENTRIES], job[p.EXITS] = block.entries.ctypes.data, block.exits.ctypes.data
        job[p.UPDATES], job[p.TRAIN] = len(block.starts), training
        job[p.FORECASTS] = 0 if forecasts is None else forecasts.ctypes.data
        job[p.FIRST_UPDATE] = self.updates_done

    def _check_targets(self, block: Block) -> None:
        """Raise where a row would be scored by what lies behind the targets; 5 us a call."""
        targets = self.data.targets
        if targets is None or not len(block.starts):
            return
        beyond = max(0, max(end.steps for end in self.plan.ends) - self.plan.timesteps)
        last = int((block.starts + block.valid).max()) + beyond
        if last * targets.shape[1] + self.data.horizon > targets.size:
            raise SettingError(
                f"a row is scored by {self.data.horizon} values from position {last} on, but there are {len(targets)} "
                "rows of targets; give some behind each step"
            )

    def _call(self, block: Block, forecasts: NDArray[np.float32] | None, *, training: bool) -> int:
        self._point_at(block, forecasts, training=training)
        return self._launch()

    def _launch(self) -> int:
        if self._own is not None and self._job[p.TRAIN]:
            return self._own.run(self.address)
        run = program()
        if self.threads == 1:
            return run(self.address, 0)
        return run_threads(run, self.address, self.threads, self._buffers.barrier)


def _check_whole(block: Block, timesteps: int) -> None:
    """Raise where a row ends before its last step, but for rows that hold nothing."""
    cut = (block.valid != timesteps) & (block.valid != 0)
    if cut.any():
        update, lane = np.argwhere(cut)[0]
        raise SettingError(
            f"row {lane} of update {update} has {block.valid[update, lane]} steps of {timesteps}, but a layer of the "
            "network looks across steps; use a layout of whole rows, such as Windows"
        )
