"""What networks of a committee read of the last values beside lags: a level, and changes over seasons.

All of it follows from the window of last values that the committee looks back on anyway, so that nothing more is kept
from step to step, and a stream comes to the same bits as a fit. The level is an exponential mean; changes over a
season are in units of the series' usual error and squashed, as a few large ones would drown the others.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tsuzuki.engine.row_product import RowProduct
    from tsuzuki.forecasting.history import History
    from tsuzuki.forecasting.panel import SeriesInputs
    from tsuzuki.forecasting.rules import Rules

# Columns of a row: the value, and the level behind whether it is missing. Of the two each network reads one.
VALUE, LEVEL = 0, 2
# Seasons whose changes are inputs, the shortest first.
SEASONS = 2
# Windows that are multiplied at once.
CHUNK = 8192


def hidden_column(member: int) -> int:
    """The column that a network of a committee does not read, of those before its calendar.

    A mean of all data says most in steady times, one of the last days after a shift; networks of both kinds err at
    other times. A column of zeros teaches no weight, so that all may read the same rows afterwards.
    """
    return VALUE if member % 2 else LEVEL


def input_count(rules: "Rules") -> int:
    """Columns that `WindowInputs.of` gives."""
    return WindowInputs(rules).count


class WindowInputs:
    """Maps from windows to inputs.

    Args:
        rules: what was chosen from the data.
        learned: of the series that the networks have learned from, where those of `rules` are others.

    Attributes:
        count: inputs of a row.
        plain: the first of those that are mapped, read as they are.
        mapped: those that follow from a window; behind them are constants.
    """

    def __init__(self, rules: "Rules", learned: "Rules | None" = None) -> None:
        plain = [level_map(rules), *(-_change(rules.history, behind, over, 1) for behind, over in rules.lags)]
        self._maps, self.plain = np.stack([*plain, *change_maps(rules)], axis=1), len(plain)
        self.mapped: int = self._maps.shape[1]
        self._constants = _constants(rules, learned or rules)
        self._per_unit = np.asarray(1 / np.array(rules.units), np.float32)
        self.count: int = self.mapped + self._constants.shape[1]

    @functools.cached_property
    def product(self) -> "RowProduct":
        """The maps, made ready."""
        from tsuzuki.engine.row_product import RowProduct

        return RowProduct(self._maps)

    def of(self, windows: NDArray[np.float32], series: NDArray[np.int64]) -> NDArray[np.float32]:
        """The inputs of rows, float32 [rows, count].

        Args:
            windows: float32 [rows, size], the last values at each.
            series: int64 [rows], to which each belongs.
        """
        found = np.empty((len(windows), self.count), np.float32)
        last, maps = windows[:, -1], self._maps.shape[1]
        mapped = self.product(windows - last[:, None])
        plain = self.plain
        found[:, :plain] = mapped[:, :plain]
        found[:, plain:maps] = squashed(mapped[:, plain:] * self._per_unit[series][:, None])
        found[:, maps:] = self._constants[series]
        return found

    def parts(self, series: int) -> tuple[NDArray[np.float32], NDArray[np.float32], float, NDArray[np.float32]]:
        """What the inputs of a series are made of: the maps of windows less their last value to those read as they are
        and to those squashed after multiplying by a number, this number, and the inputs that are constant."""
        plain, changes = self._maps[:, : self.plain], self._maps[:, self.plain :]
        constants = self._constants[series] if self._constants.shape[1] else np.zeros(0, np.float32)
        return plain, changes, float(self._per_unit[series]), constants

    def over(self, history: "History", series: int) -> NDArray[np.float32]:
        """The inputs at each position of a series, [points, count]; 0 outside its stretches."""
        found = np.zeros((len(history.ends), self.count), np.float32)
        places = np.flatnonzero(history.ends >= 0)
        for first in range(0, len(places), CHUNK):
            some = places[first : first + CHUNK]
            found[some] = self.of(history.windows(some), np.full(len(some), series))
        return found

    def read(self, one: "SeriesInputs", history: "History", series: int) -> "SeriesInputs":
        """A series with these inputs before its others, and without gaps."""
        columns = np.concatenate([self.over(history, series), one.covariates], axis=1)
        filled = np.where(history.ends >= 0, history.values[history.ends], one.values)
        return replace(one, covariates=columns, filled=filled)


def squashed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values drawn together, those of 100 to 10; from operations that round the same in every lane."""
    return np.asarray(values / np.sqrt(np.float32(1) + np.abs(values)))


def level_map(rules: "Rules") -> NDArray[np.float32]:
    """[size]: windows less their last value to the last value less an exponential mean.

    Its half-life is the longest season held twice, or a quarter of the window.
    """
    size = rules.history
    half = max((season for season in rules.seasons if 2 * season <= size), default=max(1, size // 4))
    shares = 0.5 ** (np.arange(size)[::-1] / half)
    return np.asarray(-shares / shares.sum(), np.float32)


def change_maps(rules: "Rules") -> list[NDArray[np.float32]]:
    """[size] each: the change from one step before; that from a season before, of the value and of a season's mean."""
    size = rules.history
    found = [_change(size, 1, 1)]
    for season in rules.seasons[: SEASONS if rules.weekly else 1]:
        if season < size:
            found.append(_change(size, season, 1))
        over = rules.seasons[0]
        if season + over <= size:
            found.append(_change(size, season, over))
    return found


def _change(size: int, behind: int, over: int, recent: int = 0) -> NDArray[np.float32]:
    """[size]: the mean of the last `recent` (as many if 0) values less that of `over` so many steps before."""
    found = np.zeros(size, np.float32)
    recent = recent or over
    found[size - recent :] += 1 / recent
    found[size - over - behind : size - behind] -= 1 / over
    return found


def _constants(rules: "Rules", learned: "Rules") -> NDArray[np.float32]:
    """What tells series apart, [series, columns]: the logarithm of the unit and the base, where learned ones differ."""
    columns: list[NDArray[np.floating[Any] | np.bool_]] = []
    if len(set(learned.units)) > 1:
        columns.append(np.log(np.array(rules.units)))
    kinds = sorted(set(learned.bases))
    if len(kinds) > 1:
        columns += [np.array(rules.bases) == kind for kind in kinds]
    return np.array(columns, np.float32).reshape(len(columns), len(rules.bases)).T.copy()


def with_windows(
    inputs: Sequence["SeriesInputs"], histories: Sequence["History"], rules: "Rules", learned: "Rules | None" = None
) -> list["SeriesInputs"]:
    """Series with what networks read of their windows before their other inputs, where these do not stand alone; for
    `learned` see `WindowInputs`."""
    if rules.alone:
        return list(inputs)
    of_windows, found = WindowInputs(rules, learned), []
    for number, (one, history) in enumerate(zip(inputs, histories, strict=True)):
        found.append(of_windows.read(one, history, number))
    return found
