"""What one small slip in banks, streams and lines would change: wherever rows run out, the same bits."""

import hashlib
import io
import os
import struct
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tsuzuki.commands import streaming
from tsuzuki.data.newer_rows import newer_rows
from tsuzuki.errors import DataError, SettingError
from tsuzuki.forecaster import Forecaster
from tsuzuki.streaming import bank as bank_module
from tsuzuki.streaming import state_store
from tsuzuki.streaming.cursor import Cursor, as_number
from tsuzuki.streaming.lines import LineFormat
from tsuzuki.streaming.upcoming_calendar import ahead

POINTS, ROUNDS = 90, 9
SMALL = {"units": 2, "layers": 1, "head": 0, "ensemble": 1, "epochs": 1, "max_gap": 2}
KINDS = {
    "alone with lags": {"committee": False, "lags": [(3, 1), (8, 2)], "transform": "none", "ensemble": 2},
    "committee, logarithms": {"transform": "log", "ensemble": 2},
    "months": {"freq": "MS"},
    "quantiles": {"quantiles": (0.1, 0.5, 0.9)},
    "sizes of errors": {"loss": "gaussian"},
    "covariates": {"past": "wind", "known": "promo"},
    "covariates, alone": {"past": "wind", "known": "promo", "committee": False},
}


def frame_of(freq):
    generator = np.random.default_rng(3)
    times = pd.date_range("2010-01-01", periods=POINTS, freq=freq)
    parts = []
    for name, unit in (("a", 1.0), ("b", 30.0)):
        promo = (generator.random(POINTS) < 0.3).astype(float)
        y = unit * (4 + np.sin(np.arange(POINTS)) + promo + generator.normal(0, 0.2, POINTS))
        columns = {"y": y, "promo": promo, "wind": generator.normal(size=POINTS)}
        parts.append(pd.DataFrame({"unique_id": name, "ds": times} | columns))
    return pd.concat(parts)


@pytest.fixture(scope="module", params=KINDS)
def forecaster(request):
    options = KINDS[request.param]
    frame = frame_of(options.get("freq", "D"))
    return Forecaster(2, **SMALL | options).fit(frame if "past" in options else frame[["unique_id", "ds", "y"]])


def everything(bank):
    """All that a bank says and where it stands."""
    which = np.arange(len(bank.ids))
    ends = bank.interval(80)
    return [bank.forecasts(), *ends, bank.stamps.copy(), bank.missing.copy(), bank.state_of(which)]


def readings_of(bank):
    """Readings [rounds, series]: missing ones, and as many that the series begins anew."""
    found = np.random.default_rng(7).uniform(2, 6, (ROUNDS, len(bank.ids))) * np.where(np.array(bank.ids) == "b", 30, 1)
    found[2:5, 0] = found[3, 1] = found[6, 2] = np.nan
    return found


def told(forecaster, at, which):
    """What comes beside the readings of a round."""
    if not forecaster.settings.columns.all:
        return {}
    generator = np.random.default_rng(at)
    promo, wind = generator.integers(0, 2, (3, 3)), generator.normal(size=3)
    return {"known": {"promo": promo[which]}, "past": {"wind": wind[which]}}


@pytest.mark.parametrize("room", [1, 3])
def test_a_bank_says_the_same_wherever_its_rows_run_out(forecaster, room, monkeypatch):
    ids, every = ["a", "b", "new"], np.arange(3)
    whole = forecaster.bank(ids)
    monkeypatch.setattr(bank_module, "FEWEST_ROWS", room)
    monkeypatch.setattr(bank_module, "MOST_ROWS", room)
    short, parted = forecaster.bank(ids), forecaster.bank(ids)
    assert short.cap == short.before + 1 + room
    for at, row in enumerate(readings_of(whole)):
        for bank in (whole, short):
            bank.update(row, **told(forecaster, at, every))
        # Some at a time, in another order, and from states that were kept.
        for some in ([2], [1, 0]):
            parted.update(row[some], [ids[i] for i in some], **told(forecaster, at, np.array(some)))
        again = forecaster.bank(ids)
        again.restore(every, parted.state_of(every), parted.stamps, parted.missing)
        if again.covariates is not None:
            again.covariates.take_plans(parted.covariates)
        again.latest[:], parted = parted.latest, again
        for found in (short, parted):
            for one, other in zip(everything(found), everything(whole), strict=True):
                np.testing.assert_array_equal(one, other)


def test_a_series_alone_says_what_it_says_among_others(forecaster, monkeypatch):
    ids, every = ["a", "b", "new"], np.arange(3)
    whole = forecaster.bank(ids)
    monkeypatch.setattr(bank_module, "FEWEST_ROWS", 2)
    monkeypatch.setattr(bank_module, "MOST_ROWS", 2)
    moved = forecaster.bank(ids)
    cursors = [Cursor(moved, number) for number in range(3)]
    for at, row in enumerate(readings_of(whole)):
        whole.update(row, **told(forecaster, at, every))
        for number, (cursor, value) in enumerate(zip(cursors, row, strict=True)):
            own = np.array([number])
            beside = told(forecaster, at, own)
            moved.tell(own, beside.get("known"))
            cursor.past = beside.get("past")
            cursor.take(None if np.isnan(value) else float(value))
            np.testing.assert_array_equal(cursor.forecast(), whole.forecasts(own)[0])
            assert (cursor.missed, cursor.time) == (whole.missing[number], whole.stamps[number])
            cursor.settle()
        for one, other in zip(everything(moved), everything(whole), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_bank_begins_with_what_predict_says(forecaster):
    bank = forecaster.bank(["a", "b"])
    if forecaster.settings.columns.known:
        # Forecasts wait for what is known ahead.
        with pytest.raises(DataError, match="has read nothing since training; give it a reading with known= first"):
            bank.forecasts()
        return
    table = forecaster.predict(levels=() if forecaster.settings.quantiles else (50, 80))
    np.testing.assert_allclose(bank.forecasts().ravel(), table["tsuzuki"], rtol=1e-5)
    for level in () if forecaster.settings.quantiles else (50, 80):
        low, high = bank.interval(level)
        np.testing.assert_allclose(low.ravel(), table[f"tsuzuki-lo-{level}"], rtol=1e-5)
        np.testing.assert_allclose(high.ravel(), table[f"tsuzuki-hi-{level}"], rtol=1e-5)


def test_a_series_that_jumps_stands_as_many_steps_later_and_begins_anew(forecaster):
    bank = forecaster.bank(["a", "b"])
    before = bank.stamps.copy()
    bank.jump(1, 5)
    freq = "MS" if forecaster.settings.freq else "D"
    expected = pd.date_range(before[1], periods=6, freq=freq)[5]
    assert (pd.Timestamp(bank.stamps[1]), bank.stamps[0]) == (expected, before[0])
    assert bank.missing.tolist() == [0, forecaster.settings.max_gap + 1]
    assert pd.Timestamp(bank.next_stamps(np.array([1]))[0]) == pd.date_range(expected, periods=2, freq=freq)[1]


def test_the_last_values_of_one_series_are_those_of_it_among_others(forecaster):
    bank = forecaster.bank(["a", "b", "new"])
    recent, count = bank.recent, bank.recent.size
    recent.values[:] = np.arange(recent.values.size).reshape(recent.values.shape)
    at = np.array([bank.before, bank.before + 3, bank.before + 1])
    for rows in (at, np.full(3, bank.before + 2)):
        found = recent.windows(np.arange(3), rows)
        assert found.shape == (3, count)
        for number, row in enumerate(rows.tolist()):
            # The newest one stands at the row itself, where windows begin with the first row a bank has.
            expected = recent.values[row - bank.before : row - bank.before + count, number]
            np.testing.assert_array_equal(found[number], expected)
            np.testing.assert_array_equal(recent.window(number, row), expected)


def test_a_reading_is_any_finite_number():
    assert [as_number(one) for one in (1, True, np.float32(2.5), np.array(3))] == [1, 1, 2.5, 3]
    for value in ("1", None, [1.0], 1j, b"1", 10**400):
        with pytest.raises((DataError, TypeError), match="is no number; give a float, or None"):
            as_number(value)
    for value in (np.inf, -np.inf, np.nan):
        with pytest.raises(DataError, match="is infinite; give None where it is missing"):
            as_number(value)


def test_what_lines_begin_with_and_which_name_the_same_series():
    text = LineFormat("csv", 3, ";")
    assert text.header() == "line,unique_id,ds,tsuzuki-1,tsuzuki-2,tsuzuki-3\n"
    assert LineFormat("ndjson", 3).header() == ""
    lines = [b"a;2024;1", b'"a";2024;1', b"b", b""]
    assert text.name_cells(lines) == [b"a", b'"a";2024;1', b"b", b""]
    for other in (LineFormat("csv", 3, ";", places=SimpleNamespace(name=1)), LineFormat("ndjson", 3)):
        assert other.name_cells(lines) == lines


class Said:
    """What a stream writes, and behind which line."""

    def __init__(self):
        self.found = []

    def write(self, text, line):
        self.found.append((text, line))


@pytest.mark.parametrize("series", [1, 2])
@pytest.mark.parametrize("new_series", ["auto", "allow", "refuse"])
def test_a_stream_takes_up_where_its_states_stand(series, new_series, tmp_path, monkeypatch):
    frame = frame_of("D")[["unique_id", "ds", "y"]]
    made = Forecaster(2, **SMALL, committee=False).fit(frame[frame["unique_id"].isin(["a", "b"][:series])])
    made.save(tmp_path / "m")
    header, lines = b"\xef\xbb\xbfunique_id,ds,y\n", []
    for at, day in enumerate(pd.date_range(frame["ds"].max(), periods=5)[1:]):
        lines += [f"{name},{day:%Y-%m-%d},{at}.5\n".encode() for name in ("a", "z")]

    def follow(pieces, replay):
        said = Said()
        monkeypatch.setattr(streaming, "Output", lambda: said)
        monkeypatch.setattr(streaming, "_chunks", lambda handle: iter(pieces))
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.FileIO(os.open(os.devnull, os.O_RDONLY))))
        left_out = streaming._follow(
            str(tmp_path / "m"), str(tmp_path / "s"), "auto", new_series, (), "", replay, 1, True
        )
        texts = "".join(text for text, _ in said.found).splitlines()
        assert texts[0] == "line,unique_id,ds,tsuzuki-1,tsuzuki-2"
        return left_out, [int(one.partition(",")[0]) for one in texts[1:] if one], [line for _, line in said.found]

    takes_new = new_series == "allow" or (new_series == "auto" and series == 1)
    taken = [n for n in range(1, 9) if takes_new or n % 2]
    # Three lines, the rest of a log that goes on, and at last the log from its beginning.
    assert follow([header + lines[0] + lines[1][:4], lines[1][4:] + lines[2]], False) == (
        0 if takes_new else 1, [n for n in taken if n <= 3], [0, 1, 3],
    )  # fmt: skip
    left_out, numbers, behind = follow([header, *lines[3:5]], False)
    assert (left_out, numbers, behind) == (0 if takes_new else 1, [n for n in taken if n in (4, 5)], [3, 3, 4, 5])
    left_out, numbers, behind = follow([header + b"".join(lines[:2]), *lines[2:]], True)
    assert (left_out, numbers) == (0 if takes_new else 2, [n for n in taken if n > 5])
    assert behind == [5, 5, 5, 5, 5, 6, 7, 8]


def test_what_a_bank_cannot_hold_is_refused(forecaster):
    for ids in ([], ["a", "a"]):
        with pytest.raises(SettingError, match="the ids of a bank are none, or one of them stands there twice"):
            forecaster.bank(ids)


def test_a_series_that_training_has_not_seen_has_the_first_ones_intervals_in_its_own_scale(forecaster, monkeypatch):
    seen, bounds = [], bank_module.interval_bounds
    monkeypatch.setattr(bank_module, "interval_bounds", lambda *given: (seen.append(given), bounds(*given))[1])
    bank = forecaster.bank(["new", "b", "a"], scales={"new": (5.0, 2.0)})
    if bank.covariates is not None:
        bank.update([4.0, 120.0, 4.0], **told(forecaster, 0, np.arange(3)))
    bank.interval(80)
    assert [given[3] for given in seen] == [0, 1, 0]
    assert [given[5] for given in seen] == bank.scales[:, 1].tolist()


def test_the_checksum_of_a_state_stays_what_it_was():
    """Whatever a later version computes, it reads the stores of this one."""

    def written_out(*parts):
        whole = b""
        for part in parts:
            piece = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
            whole += struct.pack("<Q", len(piece)) + piece
        return hashlib.blake2b(whole, digest_size=8).digest()

    for parts in (("a", 1, 2, b"\0\1"), ("", -5, b""), ("東京\ud800", 2**62, b"x" * 300)):
        assert state_store._checksum(*parts) == written_out(*parts)
    assert state_store._checksum("a", "b") != state_store._checksum("ab", "")


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_next_times_of_an_even_grid_are_its_steps(count):
    now = pd.Timestamp("2024-03-30 23:00")
    found = ahead(SimpleNamespace(step=3600 * 10**9), "a", now.value, count)
    np.testing.assert_array_equal(found, pd.date_range(now, periods=count + 1, freq="h")[1:].to_numpy())


def test_a_row_that_is_implausibly_far_ahead_is_named(monkeypatch):
    monkeypatch.setattr("tsuzuki.data.newer_rows.MOST_STEPS", 12)
    times = pd.date_range("2024-01-01", periods=4, freq="h").to_numpy("datetime64[ns]")

    def ahead_by(steps):
        frame = pd.DataFrame({"unique_id": "a", "ds": [times[-1] + np.timedelta64(steps, "h")], "y": [1.0]})
        return newer_rows(frame, times, ["y"], merge=False)

    assert len(ahead_by(10)[0]) == 10
    with pytest.raises(DataError, match=r"is 13 steps after the last known time .*; check its time"):
        ahead_by(11)
