"""A committee's part of one reading of one series, in two calls of compiled code around the networks' own."""

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine import machine_code
from tsuzuki.forecasting import recent_errors
from tsuzuki.kernels import committee_step as table

if TYPE_CHECKING:
    from tsuzuki.streaming.recent_values import RecentValues

UNIT = "committee_step"


class CommitteeStep:
    """One series of a bank.

    Args:
        recent: the bank's last values.
        rows: float32 [rows, series, columns], which the networks read.
        number: the series.
        said: for each network float32 [1, horizon], what it says.
        latest: float32 [horizon], where forecasts are put.

    Attributes:
        finished: float64 [horizon], the forecasts with all their digits.
        bounded: float32 [horizon], within bounds.
    """

    def __init__(
        self,
        recent: "RecentValues",
        rows: NDArray[np.float32],
        number: int,
        said: Sequence[NDArray[np.float32]],
        latest: NDArray[np.float32],
    ) -> None:
        assert recent.committee is not None
        committee, inputs, horizon = recent.committee, recent.inputs, len(latest)
        self.finished, self.bounded = np.zeros(horizon), latest.copy()
        self._table = np.zeros(table.READING, np.int64)
        self._kept: list[Any] = [rows, latest, said, recent, inputs.product, committee.products]
        place = self._table
        place[[table.SERIES, table.COLUMNS, table.NUMBER]] = rows.shape[1], rows.shape[2], number
        place[[table.AHEAD, table.SIZE, table.HORIZON]] = recent.shift, recent.size, horizon
        place[table.VALUES], place[table.ROWS] = recent.values.ctypes.data, rows.ctypes.data
        place[table.INPUTS : table.INPUT_WIDE + 1] = inputs.product.addresses
        place[table.MEMBERS : table.MEMBER_WIDE + 1] = committee.products[committee.bases[number]].addresses
        _, _, per_unit, constants = inputs.parts(number)
        place[[table.PLAIN, table.MAPPED, table.CONSTANT_COUNT]] = inputs.plain, inputs.mapped, len(constants)
        place[table.NETWORKS] = len(said)
        width, first = recent.states.shape[1], recent_errors.LOSSES
        self._put(table.APART, np.zeros(recent.size, np.float32))
        self._put(table.PER_UNIT, np.array([per_unit], np.float32))
        self._put(table.CONSTANTS, constants)
        self._put(table.SAID, np.array([one.ctypes.data for one in said], np.int64))
        self._put(table.UNIT, committee.units[number : number + 1])
        kind = committee.bases[number]
        self._put(table.NETWORK_WEIGHTS, committee.network_weights[kind])
        self._put(table.LAST_WEIGHTS, committee.last_weights[kind])
        # Where a series has a profile, the row of what it adds is found by the time of each reading.
        self._profiles = committee.profiles if committee.profiles.there[number] else None
        if self._profiles is not None:
            self._offsets = np.ascontiguousarray(committee.offsets[committee.offset_rows[number]])
            self._first, self._wide = self._offsets.ctypes.data, self._offsets.strides[0]
        place[table.STATE] = recent.states.ctypes.data + 4 * number * width
        kept = recent_errors.OFFSET, recent_errors.COUNT, recent_errors.WIDTH, recent_errors.LOW, recent_errors.HIGH
        place[table.OFFSET : table.LOSSES + 1] = *kept, first
        self._put(table.SCALE, recent.scales[number])
        for where, array in ((table.FINISHED, self.finished), (table.LATEST, latest), (table.BOUNDED, self.bounded)):
            place[where] = array.ctypes.data
        if recent.follower is not None:
            self._follow(recent.follower)
        # Single items of a memory view are written sooner than an array's.
        self._flat: Any = memoryview(place.data).cast("B").cast("q")
        machine_code.load((UNIT,))
        self._read, self.forecast = self._call("read"), self._call("forecast")

    def _put(self, where: int, array: NDArray[Any]) -> None:
        """Let the table know an array, and keep it."""
        whole = np.ascontiguousarray(array)
        self._kept.append(whole)
        self._table[where] = whole.ctypes.data

    def _follow(self, follower: "recent_errors.Follower") -> None:
        """Let the table know what recent errors are measured by."""
        errors, place = follower.errors, self._table
        place[[table.LEADS, table.SLOTS, table.NAIVE]] = len(errors.leads), errors.slots, len(errors.naive)
        self._put(table.LEAD, errors.leads.astype(np.int64))
        self._put(table.PLACES, follower.places)
        self._put(table.NAIVE_MAPS, follower.maps.astype(np.int64))
        self._put(table.USUAL, errors.usual.astype(np.float64))
        self._put(table.LOW, errors.ends[0].astype(np.float64))
        self._put(table.HIGH, errors.ends[1].astype(np.float64))
        settings = np.zeros(table.SETTINGS)
        for name in ("NARROWEST", "CLEARLY", "STEEP"):
            settings[getattr(table, name)] = getattr(recent_errors, name)
        settings[[table.FORGOTTEN, table.WIDER, table.NARROWER]] = errors.forgotten, errors.wider, errors.narrower
        settings[table.WIDEST] = errors.widest
        self._put(table.FOLLOWING, settings)

    def _call(self, name: str) -> Callable[[], object]:
        """One of the two procedures with the table in place."""
        # The interpreter's lock is kept: letting go of it takes longer than what is done.
        native = ctypes.PYFUNCTYPE(None, ctypes.c_int64)(machine_code.address_of(UNIT, name))
        return functools.partial(native, ctypes.c_int64(self._table.ctypes.data))

    def read(self, at: int, now: int, *, missing: bool) -> None:
        """Follow recent errors, and write the row `at` that the networks read.

        Args:
            at: the bank's row.
            now: its time, in nanoseconds since 1970.
            missing: whether its reading is.
        """
        self._flat[table.AT], self._flat[table.MISSING] = at, missing
        if self._profiles is not None:
            self._flat[table.PROFILE] = self._first + self._wide * self._profiles.phase(now)
        self._read()
