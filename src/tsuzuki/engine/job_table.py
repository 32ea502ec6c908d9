"""The table that tells the compiled program what to run and where everything lies: written once, before the first run.

What changes from call to call (the rows, how many there are, what comes out) is written by `session`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine import weight_rules
from tsuzuki.engine.buffers import Buffers
from tsuzuki.engine.data import Data, Objective
from tsuzuki.engine.machine_code import address_of, load
from tsuzuki.engine.objectives import describe_objectives
from tsuzuki.engine.optimizing import RARE_MODULE, RARE_UNIT, is_rare, moves_all, settings_of, squares_gradients
from tsuzuki.engine.padding import aligned, touched_tables, variables
from tsuzuki.engine.plan import Plan
from tsuzuki.engine.together import point_at_together
from tsuzuki.kernels import table as p
from tsuzuki.kernels.rare_activations import NAMES
from tsuzuki.network.optimizers import Optimizer

# What a layer does that looks at all blocks of an update.
_OVER_BLOCKS = ((p.SHARE_FORWARD, "share_forward"), (p.SHARE_BACKWARD, "share_backward"), (p.SETTLE, "settle"))
_OF_RULES = ((p.PENALISE, "penalise"), (p.SHAPE_GRADIENTS, "shape_gradients"), (p.CONSTRAIN, "constrain"))


class JobTable:
    """The table of one job, and the arrays that it points at, which live as long.

    Args:
        plan: the network, lowered.
        data: the arrays that the rows read.
        objectives: what is scored.
        optimizer: None for one that only runs forward.
        buffers: that the program works in.
        threads: that work on an update.
        seed: of dropout's masks.

    Attributes:
        fields: int64, the header, the layers' rows, their links and the objectives.
        rows: int64 [layers, ROW], the part of it that describes the layers.
        address: of the first field.

    Raises:
        SettingError: the network's outputs are not what a loss needs for the targets.
    """

    def __init__(
        self,
        plan: Plan,
        data: Data,
        objectives: Sequence[Objective],
        optimizer: Optimizer | None,
        buffers: Buffers,
        *,
        threads: int,
        seed: int,
    ) -> None:
        self._plan, self._kept = plan, [data, buffers]
        table = plan.rows.size + plan.links.size
        self.fields = aligned(p.HEADER + table + p.OBJECTIVE * len(objectives), np.int64)
        # Asking an array for its address takes longer than a prepared call.
        self.address = self.fields.ctypes.data
        self.rows = self.fields[p.HEADER : p.HEADER + plan.rows.size].reshape(plan.rows.shape)
        self.rows[:] = plan.rows
        self.fields[p.HEADER + plan.rows.size : p.HEADER + table] = plan.links
        ends = self.fields[p.HEADER + table :].reshape(len(objectives), p.OBJECTIVE)
        self.fields[p.OBJECTIVES], self.fields[p.OBJECTIVE_COUNT] = p.HEADER + table, len(objectives)
        described = describe_objectives(plan, data, objectives, ends, self.rows)
        self._kept += described.kept
        rare = optimizer is not None and (is_rare(optimizer) or optimizer.use_ema)
        units = [*[RARE_UNIT] * rare, *["rare_activations"] * bool(plan.rare_activations)]
        units += [weight_rules.UNIT] * bool(plan.network.rules)
        load((*plan.kinds, *described.units, *units))
        for end, unit in zip(ends, described.units, strict=True):
            end[p.SCORE] = address_of(unit, "score")
        self._point_at_layers()
        self._point_at_activations()
        self._describe_data(data)
        self._describe_network(threads, seed)
        self.keep(p.COUNTS, np.zeros(threads * len(objectives), np.int64))
        self._point_at_buffers(buffers)
        self._describe_optimizer(optimizer)
        self._describe_variables(optimizer)

    def keep(self, field: int, array: NDArray[Any]) -> None:
        """Note an array's address in the table, and keep the array alive for as long."""
        self._kept.append(array)
        self.fields[field] = array.ctypes.data

    def keep_alive(self, *things: Any) -> None:
        """Keep what is pointed at alive for as long as the table."""
        self._kept += things

    def _point_at_layers(self) -> None:
        for row, kind in zip(self.rows, self._plan.kinds, strict=True):
            row[p.FORWARD], row[p.BACKWARD] = address_of(kind, "forward"), address_of(kind, "backward")
            if row[p.MEETS] == 1:
                self.fields[p.MEETINGS] += 1
                for field, name in _OVER_BLOCKS:
                    row[field] = address_of(kind, name)
        point_at_together(self.fields, self.rows, self._plan.kinds, self._plan.blocks)

    def _point_at_activations(self) -> None:
        """Put the addresses of rare activations' records in the place of their numbers."""
        for number, (name, settings) in enumerate(self._plan.rare_activations):
            record = np.zeros(p.RARE_RECORD, np.int64)
            record[p.RARE_ACTIVATE] = address_of("rare_activations", "activate_rarely")
            record[p.RARE_SLOPE] = address_of("rare_activations", "slope_rarely")
            record[p.RARE_NUMBER] = NAMES.index(name)
            record.view(np.float64)[p.RARE_SETTINGS : p.RARE_SETTINGS + len(settings)] = settings
            self._kept.append(record)
            for field in (p.ACTIVATION, p.RECURRENT_ACTIVATION):
                self.rows[self.rows[:, field] == p.RARE + number, field] = record.ctypes.data

    def _describe_data(self, data: Data) -> None:
        job, weights = self.fields, data.sample_weights
        job[p.INPUTS], job[p.FEATURES] = data.inputs.ctypes.data, data.inputs.shape[1]
        job[p.SPACING], job[p.RESIDUAL] = data.spacing, data.residual
        job[p.LAG_COUNT], job[p.IMPUTE_FROM] = len(data.lags), -1 if data.impute_from is None else data.impute_from
        self.keep(p.LAGS, np.array(data.lags, np.int64).reshape(-1, 2))
        if data.targets is not None:
            job[p.TARGETS], job[p.TARGET_STRIDE] = data.targets.ctypes.data, data.targets.shape[1]
        if weights is not None:
            job[p.SAMPLE_WEIGHTS] = weights.ctypes.data
            job[p.WEIGHT_STRIDE] = weights.shape[1] if weights.ndim > 1 else 1

    def _describe_network(self, threads: int, seed: int) -> None:
        job, plan = self.fields, self._plan
        job[p.LANES], job[p.TIMESTEPS], job[p.FORECAST_STRIDE] = plan.lanes, plan.timesteps, plan.network.outputs
        job[p.BLOCKS], job[p.BLOCK_LANES], job[p.WORK_SIZE] = plan.blocks, plan.block_lanes, plan.work_size
        job[p.GRADIENT_PARTS], job[p.SIZE], job[p.STATE_SIZE] = plan.gradient_parts, plan.size, plan.state_size
        job[p.LAYERS], job[p.SOME_FORGET] = len(plan.rows), (plan.rows[:, p.FORGETS] > 0).any()
        job[p.SOME_PENALISE] = (plan.rows[:, p.PENALTY] >= 0).any()
        for name, place in plan.shared.items():
            job[getattr(p, name)] = place
        job[p.SEED], job[p.THREADS] = seed, threads

    def _point_at_buffers(self, buffers: Buffers) -> None:
        for field, array in (
            (p.PARAMETERS, buffers.parameters),
            (p.SLOTS, buffers.slots),
            (p.GRADIENTS, buffers.gradients),
            (p.BANK, buffers.bank),
            (p.PACKED, buffers.packed),
            (p.WORK, buffers.work),
            (p.BLOCK_LOSSES, buffers.block_losses),
            (p.BARRIER, buffers.barrier),
        ):
            self.fields[field] = array.ctypes.data

    def _describe_optimizer(self, optimizer: Optimizer | None) -> None:
        job = self.fields
        settings = np.zeros(8)
        if optimizer is not None:
            job[p.OPTIMIZER], settings[:4] = settings_of(optimizer)
            if is_rare(optimizer):
                job[p.OPTIMISE] = address_of(RARE_MODULE, "optimise_rarely")
            if optimizer.use_ema:
                job[p.AVERAGE] = address_of(RARE_MODULE, "average_parameters")
                settings[p.AVERAGE_MOMENTUM] = optimizer.ema_momentum
                settings[p.AVERAGE_EVERY] = optimizer.ema_overwrite_frequency or 0
            for kind, name in enumerate(("clipvalue", "clipnorm", "global_clipnorm"), start=1):
                if limit := getattr(optimizer, name):
                    job[p.CLIP], settings[p.CLIP_LIMIT] = kind, limit
        self.keep(p.OPTIMIZER_SETTINGS, settings)

    def _describe_variables(self, optimizer: Optimizer | None) -> None:
        job, plan = self.fields, self._plan
        biases_too = optimizer is not None and optimizer.decay_biases
        table = variables(plan, [biases_too or parameter.name != "bias" for parameter, _, _ in plan.trained])
        self.keep(p.VARIABLES, table)
        squared = bool(plan.squares) and squares_gradients(optimizer)
        job[p.VARIABLE_COUNT], job[p.SOME_SQUARES] = len(table), squared
        if not (plan.network.rules or moves_all(optimizer)):
            self.keep(p.TOUCHED, touched := touched_tables(plan, squared))
            job[p.TOUCHED_COUNT] = len(touched)
        if plan.network.rules:
            weight_rules.check_rules(plan, optimizer)
            self.keep(p.RULES, weight_rules.describe_rules(plan, table))
            for field, name in _OF_RULES:
                job[field] = address_of(weight_rules.UNIT, name)
