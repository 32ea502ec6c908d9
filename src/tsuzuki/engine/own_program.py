"""When a small network gets a program of its own: made beside the training, once that has gone on for long enough.

The general program trains meanwhile. Both give the same bits, so it does not matter when the own one takes over.
"""

import atexit
import functools
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.machine_code import ALWAYS, Program, linked, name_of, own_file, program
from tsuzuki.engine.threads import threads_allowed
from tsuzuki.kernels import table as p

RUN = "tsuzuki_driver_run"
# Seconds of training: from the first on the cache is asked for a program, from the second on one is made. That takes
# two to three seconds of another core, and makes an update a tenth to a fifth shorter.
LOOK_FOR, MAKE = 0.1, 10.0
# What the table says of a job that trains, and does not change from call to call...
FIXED = (
    *(p.FEATURES, p.SPACING, p.TARGET_STRIDE, p.RESIDUAL, p.WEIGHT_STRIDE, p.LAG_COUNT, p.IMPUTE_FROM),
    *(
        p.LAST_FORECAST,
        p.LAST_FORECAST_STATE,
        p.LANES,
        p.TIMESTEPS,
        p.BLOCKS,
        p.GRADIENT_PARTS,
        p.BLOCK_LANES,
        p.WORK_SIZE,
        p.SIZE,
    ),
    *(
        p.VARIABLE_COUNT,
        p.SOME_SQUARES,
        p.STATE_SIZE,
        p.SOME_FORGET,
        p.TRAIN,
        p.PART,
        p.OBJECTIVES,
        p.OBJECTIVE_COUNT,
        p.FORECAST_STRIDE,
    ),
    *(p.BY_LANE, p.OPTIMIZER, p.CLIP, p.THREADS, p.LAYERS, p.SCRATCH, p.ZEROS, p.X_GATHERED, p.TOGETHER),
)
# ... and addresses that are constants only where there is nothing at them.
PERHAPS_ABSENT = (
    *(p.READINGS, p.SAMPLE_WEIGHTS, p.FORECASTS, p.SCALES, p.DECAYS, p.OPTIMISE, p.AVERAGE, p.RULES, p.FRESH),
)


class OwnProgram:
    """Runs a job that trains in one thread: by the general program, and by the network's own one when there is one.

    Args:
        job: the table, int64; what is at its FIXED places is not changed any more.
        kinds: the layer kind of each row.
        fields: how many integers the rows of the table have together.
    """

    def __init__(self, job: NDArray[np.int64], kinds: Sequence[str], fields: int) -> None:
        self._job, self._kinds, self._fields = job, kinds, fields
        self._spent = 0.0
        self._own: _Own | None = None
        self._native: Program | None = None

    def run(self, address: int) -> int:
        """Do the job at `address`; return how many updates were finite."""
        if self._native is not None and self._fits():
            return self._native(address, 0)
        began = perf_counter()
        done = program()(address, 0)
        self._spent += perf_counter() - began
        if self._spent > LOOK_FOR and self._native is None:
            self._look()
        return done

    def _fits(self) -> bool:
        return self._own is not None and bool((self._job[self._own.places] == self._own.values).all())

    def _look(self) -> None:
        """Take over a program that is there, or count what this one has missed by there being none."""
        if self._own is None:
            self._own = _own(self._request())
        self._own.spent += self._spent
        self._spent = 0.0
        self._native = self._own.program()

    def _request(self) -> str:
        """Which units the program consists of, and what is constant in its table."""
        job = self._job
        header = [*FIXED, *(cell for cell in PERHAPS_ABSENT if job[cell] == 0)]
        cells: dict[int, int | str] = {int(cell): int(job[cell]) for cell in header}
        for cell in range(p.HEADER, p.HEADER + self._fields):
            cells[cell] = name_of(int(job[cell])) or int(job[cell])
        return json.dumps({"units": [*dict.fromkeys((*ALWAYS, *self._kinds))], "cells": cells})


class _Own:
    """The one program of all jobs that ask for the same.

    Attributes:
        places: of the header's cells that are constant in it.
        values: what they are.
        spent: seconds for which such jobs have run the general program.
    """

    def __init__(self, request: str) -> None:
        self._request = json.loads(request)
        cells = {int(cell): value for cell, value in self._request["cells"].items() if int(cell) < p.HEADER}
        self.places = np.array(list(cells), np.int64)
        self.values = np.array(list(cells.values()), np.int64)
        self.spent = 0.0
        self._file = own_file(self._request["units"], hashlib.sha256(request.encode()).hexdigest())
        self._native: Program | None = None
        self._looked, self._given_up = False, False
        self._maker: subprocess.Popen[bytes] | None = None

    def program(self) -> Program | None:
        """The program if there is one by now; its making is begun once it is worth it."""
        if self._native is not None or self._given_up:
            return self._native
        if not self._looked or (self._maker is not None and self._maker.poll() is not None):
            self._looked = True
            self._native = linked(self._file, RUN)
            # A compiler that ended without one would do so again.
            self._given_up = self._native is None and self._maker is not None
        elif self._maker is None and self.spent > MAKE:
            self._begin()
        return self._native

    def _begin(self) -> None:
        if threads_allowed() < 2 or os.environ.get("TSUZUKI_OWN_PROGRAMS") == "0":
            self._given_up = True
            return
        environment = {**os.environ, "NUMBA_OPT": "0", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._maker = subprocess.Popen(
            [sys.executable, "-m", "tsuzuki.engine.specialising"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        atexit.register(self._maker.kill)
        assert self._maker.stdin is not None
        try:
            self._maker.stdin.write(json.dumps({**self._request, "file": str(self._file)}).encode())
            self._maker.stdin.close()
        except OSError:
            # It has ended already, which the next look will see.
            return


@functools.cache
def _own(request: str) -> _Own:
    return _Own(request)


def suits(job: NDArray[np.int64], rows: NDArray[np.int64]) -> bool:
    """Whether a job may get a program of its own: small, in one thread, without addresses of its own in the rows."""
    return bool(
        job[p.THREADS] == 1 and job[p.BLOCKS] == 1 and (rows[:, [p.ACTIVATION, p.RECURRENT_ACTIVATION]] < p.RARE).all()
    )
