"""The arrays that a run of the compiled program works in: everything that training consists of lies here."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.optimizing import SLOTS, first_slot
from tsuzuki.engine.padding import aligned
from tsuzuki.engine.plan import Plan
from tsuzuki.kernels import table as p
from tsuzuki.network.optimizers import Optimizer


@dataclass(frozen=True)
class Buffers:
    """Memory for one plan, as the compiled program lays it out.

    Attributes:
        parameters: float32 [plan.whole_size].
        slots: float32, what the optimiser keeps, [slots, plan.size] one behind the other.
        gradients: float32, of each block of lanes.
        bank: float32, the saved states.
        packed: float32, copies of weights as products read them.
        work: float32 [blocks, plan.work_size], what a block of lanes computes.
        block_losses: float64 [blocks, objectives].
        barrier: int64, where threads wait for each other.
    """

    parameters: NDArray[np.float32]
    slots: NDArray[np.float32]
    gradients: NDArray[np.float32]
    bank: NDArray[np.float32]
    packed: NDArray[np.float32]
    work: NDArray[np.float32]
    block_losses: NDArray[np.float64]
    barrier: NDArray[np.int64]

    @staticmethod
    def reserved(
        plan: Plan,
        optimizer: Optimizer | None,
        objectives: int,
        *,
        parameters: NDArray[np.float32] | None,
        slots: NDArray[np.float32] | None,
        bank: NDArray[np.float32] | None,
    ) -> "Buffers":
        """Reserve memory.

        Args:
            plan: that is run.
            optimizer: None where nothing is trained.
            objectives: how many there are.
            parameters: those that others share; new ones, zero, if None.
            slots: likewise; as the optimiser begins if None.
            bank: likewise, with room for one state if None.
        """
        if slots is None:
            averages = optimizer is not None and optimizer.use_ema
            slots = aligned((SLOTS + averages) * plan.size)
            slots[: plan.size] = first_slot(optimizer)
        work = aligned(plan.blocks * plan.work_size).reshape(plan.blocks, plan.work_size)
        for at, values in plan.constants:
            work[:, at : at + len(values)] = values
        return Buffers(
            parameters=aligned(plan.whole_size) if parameters is None else parameters,
            slots=slots,
            gradients=aligned(plan.gradient_parts * plan.size),
            bank=aligned(plan.state_size) if bank is None else bank,
            packed=aligned(plan.packed_size),
            work=work,
            block_losses=aligned(plan.blocks * objectives, np.float64),
            barrier=aligned(8, np.int64),
        )

    def carried(self, plan: Plan) -> list[list[list[NDArray[np.float32]]]]:
        """For each recurrent layer and each of its states views of the lanes' [lanes, units], block by block."""
        lanes = [min(plan.block_lanes, plan.lanes - b * plan.block_lanes) for b in range(plan.blocks)]
        found = []
        for row in plan.rows:
            wide, units = int(row[p.WIDE]), int(row[p.UNITS])
            places = [int(row[p.STATE_OUT + 2 * n]) for n in range(row[p.STATES])]
            if places:
                found.append(
                    [
                        [self.work[b, at : at + n * wide].reshape(n, wide)[:, :units] for b, n in enumerate(lanes)]
                        for at in places
                    ]
                )
        return found
