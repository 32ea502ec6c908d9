"""A run of the compiled program: the buffers it works in, and the table that tells it where they are.

Python calls it for a bounded number of updates at a time. Between two calls everything that training consists of lies
in these arrays, so progress, interruption and checkpoints need nothing from the compiled side.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine import weight_rules
from tsuzuki.engine.data import Data, Objective, check_columns, check_numbers
from tsuzuki.engine.machine_code import address_of, bind, load, program
from tsuzuki.engine.objectives import describe_objectives
from tsuzuki.engine.optimizing import (
    RARE_MODULE,
    RARE_UNIT,
    SLOTS,
    first_slot,
    is_rare,
    moves_all,
    rates_of,
    settings_of,
    squares_gradients,
)
from tsuzuki.engine.own_program import OwnProgram, suits
from tsuzuki.engine.padding import aligned, touched_tables, variables
from tsuzuki.engine.plan import Plan
from tsuzuki.engine.threads import run_threads, threads_for
from tsuzuki.engine.together import point_at_together
from tsuzuki.errors import SettingError
from tsuzuki.kernels import table as p
from tsuzuki.kernels.host import WIDTH
from tsuzuki.kernels.rare_activations import NAMES
from tsuzuki.layouts.layout import Block
from tsuzuki.network.losses import MSE
from tsuzuki.network.optimizers import Optimizer

# What a layer does that looks at all blocks of an update.
_OVER_BLOCKS = ((p.SHARE_FORWARD, "share_forward"), (p.SHARE_BACKWARD, "share_backward"), (p.SETTLE, "settle"))


class Session:
    """Buffers and job table for one plan.

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
        self.parameters = parameters if parameters is not None else aligned(plan.whole_size)
        if slots is None:
            averages = optimizer is not None and optimizer.use_ema
            slots = aligned((SLOTS + averages) * plan.size)
            slots[: plan.size] = first_slot(optimizer)
        self.slots = slots
        self.gradients = aligned(plan.gradient_parts * plan.size)
        self.bank = bank if bank is not None else aligned(plan.state_size)
        self._packed = aligned(plan.packed_size)
        self._work = aligned(plan.blocks * plan.work_size)
        if objectives is None or isinstance(objectives, Objective):
            objectives = (objectives or Objective(MSE()),)
        self.objectives: tuple[Objective, ...] = tuple(objectives)
        self._block_losses = aligned(plan.blocks * len(self.objectives), np.float64)
        self._barrier = aligned(8, np.int64)
        self._kept: list[Any] = []
        table = plan.rows.size + plan.links.size
        self._job = aligned(p.HEADER + table + p.OBJECTIVE * len(self.objectives), np.int64)
        # Asking an array for its address takes longer than a prepared call.
        self.address = self._job.ctypes.data
        rows = self._job[p.HEADER : p.HEADER + plan.rows.size].reshape(plan.rows.shape)
        rows[:] = plan.rows
        self._job[p.HEADER + plan.rows.size : p.HEADER + table] = plan.links
        ends = self._job[p.HEADER + table :].reshape(len(self.objectives), p.OBJECTIVE)
        self._job[p.OBJECTIVES], self._job[p.OBJECTIVE_COUNT] = p.HEADER + table, len(self.objectives)
        described = describe_objectives(plan, data, self.objectives, ends, rows)
        self._kept += described.kept
        rare = optimizer is not None and (is_rare(optimizer) or optimizer.use_ema)
        units = [*[RARE_UNIT] * rare, *["rare_activations"] * bool(plan.rare_activations)]
        units += [weight_rules.UNIT] * bool(plan.network.rules)
        load((*plan.kinds, *described.units, *units))
        self._point_at_activations(rows)
        for end, unit in zip(ends, described.units, strict=True):
            end[p.SCORE] = address_of(unit, "score")
        for row, kind in zip(rows, plan.kinds, strict=True):
            row[p.FORWARD], row[p.BACKWARD] = address_of(kind, "forward"), address_of(kind, "backward")
            if row[p.MEETS] == 1:
                self._job[p.MEETINGS] += 1
                for field, name in _OVER_BLOCKS:
                    row[field] = address_of(kind, name)
        point_at_together(self._job, rows, plan.kinds, plan.blocks)
        per_block = self._work.reshape(plan.blocks, plan.work_size)
        per_block[:, plan.shared["ONES"] : plan.shared["ONES"] + WIDTH] = 1
        for at, values in plan.constants:
            per_block[:, at : at + len(values)] = values
        self._describe(seed)
        trains_alone = optimizer is not None and suits(self._job, rows)
        self._own = OwnProgram(self._job, plan.kinds, plan.rows.size) if trains_alone else None

    def _point_at_activations(self, rows: NDArray[np.int64]) -> None:
        """Put the addresses of rare activations' records in the place of their numbers."""
        for number, (name, settings) in enumerate(self.plan.rare_activations):
            record = np.zeros(p.RARE_RECORD, np.int64)
            record[p.RARE_ACTIVATE] = address_of("rare_activations", "activate_rarely")
            record[p.RARE_SLOPE] = address_of("rare_activations", "slope_rarely")
            record[p.RARE_NUMBER] = NAMES.index(name)
            record.view(np.float64)[p.RARE_SETTINGS : p.RARE_SETTINGS + len(settings)] = settings
            self._kept.append(record)
            for field in (p.ACTIVATION, p.RECURRENT_ACTIVATION):
                rows[rows[:, field] == p.RARE + number, field] = record.ctypes.data

    def _describe(self, seed: int) -> None:
        job, plan, data = self._job, self.plan, self.data
        job[p.INPUTS], job[p.FEATURES] = data.inputs.ctypes.data, data.inputs.shape[1]
        job[p.SPACING] = data.spacing
        job[p.LAG_COUNT], job[p.IMPUTE_FROM] = len(data.lags), -1 if data.impute_from is None else data.impute_from
        self._keep(p.LAGS, np.array(data.lags, np.int64).reshape(-1, 2))
        if data.targets is not None:
            job[p.TARGETS], job[p.TARGET_STRIDE] = data.targets.ctypes.data, data.targets.shape[1]
        job[p.RESIDUAL], job[p.FORECAST_STRIDE] = data.residual, plan.network.outputs
        if data.sample_weights is not None:
            job[p.SAMPLE_WEIGHTS] = data.sample_weights.ctypes.data
            job[p.WEIGHT_STRIDE] = data.sample_weights.shape[1] if data.sample_weights.ndim > 1 else 1
        job[p.LANES], job[p.TIMESTEPS] = plan.lanes, plan.timesteps
        self._keep(p.COUNTS, np.zeros(self.threads * len(self.objectives), np.int64))
        job[p.BLOCKS], job[p.BLOCK_LANES], job[p.WORK_SIZE] = plan.blocks, plan.block_lanes, plan.work_size
        job[p.WORK], job[p.GRADIENTS] = self._work.ctypes.data, self.gradients.ctypes.data
        job[p.GRADIENT_PARTS] = plan.gradient_parts
        job[p.BLOCK_LOSSES], job[p.BARRIER] = self._block_losses.ctypes.data, self._barrier.ctypes.data
        job[p.PARAMETERS], job[p.SIZE] = self.parameters.ctypes.data, plan.size
        job[p.SLOTS], job[p.PACKED] = self.slots.ctypes.data, self._packed.ctypes.data
        job[p.BANK], job[p.STATE_SIZE] = self.bank.ctypes.data, plan.state_size
        job[p.LAYERS], job[p.SOME_FORGET] = len(plan.rows), (plan.rows[:, p.FORGETS] > 0).any()
        job[p.SOME_PENALISE] = (plan.rows[:, p.PENALTY] >= 0).any()
        for name, place in plan.shared.items():
            job[getattr(p, name)] = place
        job[p.SEED] = seed
        job[p.THREADS] = self.threads
        settings = np.zeros(8)
        if self.optimizer is not None:
            job[p.OPTIMIZER], settings[:4] = settings_of(self.optimizer)
            if is_rare(self.optimizer):
                job[p.OPTIMISE] = address_of(RARE_MODULE, "optimise_rarely")
            if self.optimizer.use_ema:
                job[p.AVERAGE] = address_of(RARE_MODULE, "average_parameters")
                settings[p.AVERAGE_MOMENTUM] = self.optimizer.ema_momentum
                settings[p.AVERAGE_EVERY] = self.optimizer.ema_overwrite_frequency or 0
            for kind, name in enumerate(("clipvalue", "clipnorm", "global_clipnorm"), start=1):
                if limit := getattr(self.optimizer, name):
                    job[p.CLIP], settings[p.CLIP_LIMIT] = kind, limit
        self._keep(p.OPTIMIZER_SETTINGS, settings)
        biases_too = self.optimizer is not None and self.optimizer.decay_biases
        table = variables(plan, [biases_too or parameter.name != "bias" for parameter, _, _ in plan.trained])
        self._keep(p.VARIABLES, table)
        squared = bool(plan.squares) and squares_gradients(self.optimizer)
        job[p.VARIABLE_COUNT], job[p.SOME_SQUARES] = len(table), squared
        if not (plan.network.rules or moves_all(self.optimizer)):
            self._keep(p.TOUCHED, touched := touched_tables(plan, squared))
            job[p.TOUCHED_COUNT] = len(touched)
        if plan.network.rules:
            weight_rules.check_rules(plan, self.optimizer)
            self._keep(p.RULES, weight_rules.describe_rules(plan, table))
            for field, name in (
                (p.PENALISE, "penalise"),
                (p.SHAPE_GRADIENTS, "shape_gradients"),
                (p.CONSTRAIN, "constrain"),
            ):
                job[field] = address_of(weight_rules.UNIT, name)

    def _keep(self, field: int, array: NDArray[Any]) -> None:
        """Note an array's address in the job, and keep the array alive for as long."""
        self._kept.append(array)
        self._job[field] = array.ctypes.data

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
        self._kept += [block, forecasts]
        job = self._job
        job[p.LOSSES], job[p.BY_LANE] = 0, 1
        if scales is not None:
            self._keep(p.SCALES, scales)
        if readings is not None:
            self._keep(p.READINGS, readings)
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
        return [[np.concatenate(parts) for parts in layer] for layer in self._carried_views()]

    def carry(self, states: Sequence[Sequence[NDArray[np.float32]]]) -> None:
        """Let the lanes carry these states, as `carried` gives them, into the next update."""
        for layer, given in zip(self._carried_views(), states, strict=True):
            for parts, state in zip(layer, given, strict=True):
                at = 0
                for part in parts:
                    part[:] = state[at : at + len(part)]
                    at += len(part)

    def _carried_views(self) -> list[list[list[NDArray[np.float32]]]]:
        """For each recurrent layer and each of its states the lanes' [lanes, units], block by block."""
        plan = self.plan
        work = self._work.reshape(plan.blocks, plan.work_size)
        lanes = [min(plan.block_lanes, plan.lanes - b * plan.block_lanes) for b in range(plan.blocks)]
        found = []
        for row in plan.rows:
            wide, units = int(row[p.WIDE]), int(row[p.UNITS])
            places = [int(row[p.STATE_OUT + 2 * n]) for n in range(row[p.STATES])]
            if places:
                found.append(
                    [
                        [work[b, at : at + n * wide].reshape(n, wide)[:, :units] for b, n in enumerate(lanes)]
                        for at in places
                    ]
                )
        return found

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
        return run_threads(run, self.address, self.threads, self._barrier)


def _check_whole(block: Block, timesteps: int) -> None:
    """Raise where a row ends before its last step, but for rows that hold nothing."""
    cut = (block.valid != timesteps) & (block.valid != 0)
    if cut.any():
        update, lane = np.argwhere(cut)[0]
        raise SettingError(
            f"row {lane} of update {update} has {block.valid[update, lane]} steps of {timesteps}, but a layer of the "
            "network looks across steps; use a layout of whole rows, such as Windows"
        )
