"""The forecaster: frames in, forecasts with intervals out, the state kept."""

import itertools
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from tsuzuki.errors import DataError, SettingError
from tsuzuki.forecaster import Forecaster
from tsuzuki.training import side_by_side

SMALL = {"units": 5, "layers": 1, "head": 0, "ensemble": 1, "epochs": 2}


def hourly(points, seed=0, name="a", start="2024-01-01", step="h"):
    generator = np.random.default_rng(seed)
    values = 10 + 5 * np.sin(np.arange(points) * 2 * np.pi / 24) + np.cumsum(generator.normal(0, 0.1, points))
    return pd.Series(values, pd.date_range(start, periods=points, freq=step), name=name)


def long_of(*series):
    return pd.concat(
        [pd.DataFrame({"unique_id": one.name, "ds": one.index, "y": one.to_numpy()}) for one in series],
        ignore_index=True,
    )


def values_of(table):
    return table.drop(columns=["unique_id", "ds"]).to_numpy()


def test_forecasts_go_on_where_the_data_end_and_lie_inside_their_intervals(daily, small_forecaster):
    table = small_forecaster.predict(levels=(80, 95))
    ends = [f"tsuzuki-{end}-{level}" for level in (80, 95) for end in ("lo", "hi")]
    assert table.columns.tolist() == ["unique_id", "ds", "tsuzuki", *ends]
    assert table["unique_id"].unique().tolist() == ["sensor"]
    assert table["ds"].tolist() == list(pd.date_range(daily.index[24 * 50 - 1], periods=5, freq="h")[1:])
    columns = ["tsuzuki-lo-95", "tsuzuki-lo-80", "tsuzuki-hi-80", "tsuzuki-hi-95"]
    assert (np.diff(table[columns].to_numpy(), axis=1) >= 0).all()
    assert np.isfinite(values_of(table)).all()


@settings(max_examples=12)
@given(st.lists(st.integers(24 * 50 + 1, 24 * 60), min_size=1, max_size=3, unique=True), st.booleans())
def test_newer_rows_give_the_same_forecast_however_they_are_split(daily, small_forecaster, cuts, overlap):
    last = max(cuts)
    # The end must be a reading: steps that are missing at the end are not known to have passed.
    while np.isnan(daily.iloc[last - 1]):
        last -= 1
    whole = small_forecaster.predict(daily[:last])
    moving = Forecaster(4)
    moving.settings, moving.fitted, at = small_forecaster.settings, small_forecaster.fitted, 24 * 50
    for cut in [*sorted(cut for cut in cuts if cut < last), last]:
        moving.update(daily[0 if overlap else min(at, cut) : cut])
        at = cut
    assert_frame_equal(moving.predict(), whole, rtol=1e-4, atol=1e-4)


def test_predict_leaves_the_forecaster_where_it_is(daily, small_forecaster):
    before = small_forecaster.predict()
    small_forecaster.predict(daily)
    assert_frame_equal(small_forecaster.predict(), before)


def test_a_seed_gives_the_same_bits_twice_and_another_seed_others(daily):
    one, other = (Forecaster(3, **SMALL, seed=1).fit(daily).predict() for _ in range(2))
    assert_frame_equal(one, other, check_exact=True)
    assert not np.array_equal(values_of(one), values_of(Forecaster(3, **SMALL, seed=2).fit(daily).predict()))


def test_the_bits_do_not_depend_on_the_number_of_threads(daily, monkeypatch):
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("TSUZUKI_NUM_THREADS", threads)
        found.append(Forecaster(3, **SMALL).fit(daily).predict())
    assert_frame_equal(*found, check_exact=True)


def test_an_ensemble_is_the_mean_of_its_networks(daily):
    both = Forecaster(3, **(SMALL | {"ensemble": 2})).fit(daily)
    fitted, means = both.fitted, []
    for member in range(2):
        alone = Forecaster(3, **SMALL)
        parts = {name: [getattr(fitted, name)[member]] for name in ("ways", "members", "states")}
        alone.fitted = type(fitted)(**(vars(fitted) | parts))
        means.append(alone.predict()["tsuzuki"].to_numpy())
    np.testing.assert_allclose(np.mean(means, axis=0), both.predict()["tsuzuki"], rtol=1e-6)


def test_frames_of_polars_give_the_same_forecasts(daily):
    pl = pytest.importorskip("polars", reason="Polars is not installed")
    frame = long_of(daily.rename("sensor"))
    one, other = (Forecaster(2, **SMALL).fit(some).predict() for some in (frame, pl.from_pandas(frame)))
    assert_frame_equal(one, other, check_exact=True)


def test_one_network_learns_many_series_of_unequal_length_short_ones_and_constant_ones():
    series = [hourly(600, 0, "long"), 100 * hourly(130, 1, "short").rename("short"), hourly(9, 2, "tiny")]
    series.append(pd.Series(7.0, pd.date_range("2024-01-01", periods=90, freq="h"), name="constant"))
    table = Forecaster(6, **SMALL).fit(long_of(*series)).predict()
    assert table.groupby("unique_id").size().to_dict() == {"long": 6, "short": 6, "tiny": 6, "constant": 6}
    assert np.isfinite(values_of(table)).all()
    by = table.set_index("unique_id")["tsuzuki"]
    assert (by["short"] > 500).all()
    assert (np.abs(by["constant"] - 7) < 3).all()


@pytest.mark.parametrize(("step", "points"), [("15min", 900), ("D", 400), ("W", 120), ("MS", 90), ("YS", 40)])
def test_grids_of_other_steps_are_forecast_on_their_own_times(step, points):
    series = pd.Series(np.sin(np.arange(points)) + 3, pd.date_range("1970-01-01", periods=points, freq=step), name="a")
    table = Forecaster(5, **SMALL).fit(series).predict()
    assert table["ds"].tolist() == list(pd.date_range(series.index[-1], periods=6, freq=step)[1:])
    assert np.isfinite(values_of(table)).all()


def test_a_missing_reading_is_no_target_and_no_invention():
    series = hourly(500)
    gone = series.drop(series.index[200:210])
    spoiled = series.copy()
    spoiled.iloc[200:210] = np.nan
    one, other = (Forecaster(2, **SMALL).fit(some).predict() for some in (gone, spoiled))
    assert_frame_equal(one, other, check_exact=True)


def test_behind_a_gap_longer_than_max_gap_the_state_begins_anew():
    series, later = hourly(400), hourly(60, 5, start="2024-03-01")
    fitted = Forecaster(2, **SMALL, max_gap=24).fit(series)
    other = Forecaster(2, **SMALL, max_gap=24).fit(series)
    # What came before the gap does not matter any more.
    other.update(hourly(5, 9, start="2024-01-17 16:00") + 20)
    np.testing.assert_allclose(values_of(fitted.predict(later)), values_of(other.predict(later)), rtol=1e-5)


def test_a_column_known_ahead_that_decides_the_value_is_learnt():
    generator = np.random.default_rng(0)
    plan = generator.integers(0, 2, 3000).astype(float)
    times = pd.date_range("2024-01-01", periods=3000, freq="h")
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": 10 * plan + generator.normal(0, 0.1, 3000), "plan": plan})
    knows = Forecaster(3, units=16, layers=1, head=16, ensemble=1, epochs=15, known=["plan"]).fit(frame[:2900])
    future = frame[["unique_id", "ds", "plan"]][2900:2903]
    found = knows.predict(future=future)["tsuzuki"].to_numpy()
    assert np.abs(found - frame["y"].to_numpy()[2900:2903]).max() < 2
    with pytest.raises(DataError, match=r"reads columns known ahead .plan.; give them"):
        knows.predict()
    with pytest.raises(DataError, match="future has no plan for series 'a' at 2024-04-30 22:00:00; give every"):
        knows.predict(future=future[:2])


def test_past_and_static_columns_are_read():
    frame = long_of(hourly(400, 0, "a"), hourly(300, 1, "b"))
    frame["wind"] = np.random.default_rng(0).normal(size=len(frame))
    frame.loc[50:60, "wind"] = np.nan
    frame["altitude"] = np.where(frame["unique_id"] == "a", 5.0, 900.0)
    fitted = Forecaster(2, **SMALL, past=["wind"], static=["altitude"]).fit(frame)
    usual = values_of(fitted.predict())
    more = frame.groupby("unique_id").tail(1).assign(ds=lambda rows: rows["ds"] + pd.Timedelta(hours=1))
    calm, windy = (values_of(fitted.predict(more.assign(wind=wind))) for wind in (0.0, 50.0))
    assert np.isfinite(usual).all()
    assert not np.allclose(calm, windy)
    with pytest.raises(DataError, match="no column 'wind'"):
        fitted.predict(more.drop(columns="wind"))


def test_one_column_may_be_named_as_a_text():
    assert Forecaster(2, past="wind").settings == Forecaster(2, past=["wind"]).settings


def test_a_static_column_that_changes_is_refused():
    frame = long_of(hourly(300)).assign(altitude=lambda rows: np.arange(len(rows)) // 200)
    with pytest.raises(DataError, match="static column 'altitude' changes within series 'a'; name it in past= instead"):
        Forecaster(2, **SMALL, static="altitude").fit(frame)


def test_quantile_heads_do_not_cross():
    series = hourly(700)
    fitted = Forecaster(3, **SMALL, quantiles=(0.025, 0.1, 0.5, 0.9, 0.975)).fit(series)
    table = fitted.predict(levels=(80, 95))
    columns = ["tsuzuki-lo-95", "tsuzuki-lo-80", "tsuzuki", "tsuzuki-hi-80", "tsuzuki-hi-95"]
    assert (np.diff(table[columns].to_numpy(), axis=1) >= 0).all()
    with pytest.raises(SettingError, match=r"level 60 needs the quantile 0\.2, but the network forecasts 0\.025"):
        fitted.predict(levels=(60,))


def test_levels_that_are_not_asked_for_are_those_of_the_quantiles():
    fitted = Forecaster(2, **SMALL, quantiles=(0.1, 0.5, 0.9)).fit(hourly(300))
    assert [name for name in fitted.predict().columns if "lo" in name] == ["tsuzuki-lo-80"]
    assert "tsuzuki-hi-80" in fitted.backtest(hourly(300), windows=2)
    with pytest.raises(SettingError, match=r"level 95 needs the quantile 0\.025"):
        fitted.backtest(hourly(300), windows=2, levels=(95,))


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system sends signals otherwise")
def test_ctrl_c_stops_all_networks_at_once(monkeypatch):
    # A shell that starts a job in the background has it ignore Ctrl-C.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    running, leave = set(threading.enumerate()), ThreadPoolExecutor.shutdown
    stopping, numbers, reports = threading.Event(), itertools.count(), Counter()

    def shutdown(pool, *arguments, **options):
        stopping.set()
        leave(pool, *arguments, **options)

    def press(share):
        reports[threading.get_ident()] += 1
        if next(numbers) == 0:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        # No network goes on before the caller's thread has got the signal and waits for the networks to end.
        assert stopping.wait(60)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shutdown)
    try:
        with pytest.raises(KeyboardInterrupt):
            Forecaster(2, units=8, epochs=50, ensemble=4).fit(hourly(2000), on_progress=press)
    finally:
        signal.signal(signal.SIGINT, handler)
    # A thread that went on, with its network or with one that had not begun, would have reported again.
    assert set(reports.values()) == {1}
    assert set(threading.enumerate()) <= running


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("networks", [1, 3])
def test_what_on_progress_raises_ends_the_training(error, networks):
    reports = Counter()

    def refuse(share):
        reports[threading.get_ident()] += 1
        raise error

    forecaster = Forecaster(2, **(SMALL | {"ensemble": networks}))
    with pytest.raises(error):
        forecaster.fit(hourly(300), on_progress=refuse)
    assert set(reports.values()) == {1}
    assert forecaster.fitted is None


@settings(max_examples=20)
@given(st.integers(1, 6), st.data())
def test_when_a_network_fails_the_others_stop_and_its_error_is_raised(count, data):
    failing, begun = data.draw(st.integers(0, count - 1)), threading.Barrier(count)

    def work(member, check_cancelled):
        begun.wait(60)
        if member == failing:
            raise ValueError(f"network {member}")
        for _ in range(60_000):
            check_cancelled()
            time.sleep(0.001)
        return member

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side_by_side, "threads_allowed", lambda: count)
        with pytest.raises(ValueError, match=f"network {failing}"):
            side_by_side.run_side_by_side(work, count)


@given(st.integers(1, 9))
def test_the_results_of_an_ensemble_stand_in_the_order_of_its_networks(count):
    assert side_by_side.run_side_by_side(lambda member, check_cancelled: member, count) == list(range(count))


def test_the_defaults_that_are_shown_are_those_that_are_used():
    import inspect

    from tsuzuki.forecasting.settings import Settings

    shown = inspect.signature(Forecaster).parameters
    assert list(shown) == list(Settings.__dataclass_fields__)
    assert Forecaster(horizon=24).settings == Settings(24)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 0}, "horizon is 0; give a whole number from 1"),
        ({"horizon": 2.5}, "horizon is 2.5; give a whole number from 1"),
        ({"units": 0}, "units is 0"),
        ({"cell": "transformer"}, "cell is 'transformer'; choose simple_rnn, gru or lstm"),
        ({"quantiles": (0.1, 0.9)}, r"quantiles lack 0\.5, the point forecast; add it"),
        ({"ensemble": 9}, "9 networks with 0.125 of the data held out from each need more than there is"),
        ({"validation_fraction": 0.7}, "validation_fraction is 0.7; give a share"),
        ({"max_gap": -1}, "head is 64 and max_gap -1; give whole numbers, 0 for none"),
        ({"max_gap": 2**63}, "max_gap 9223372036854775808; give whole numbers, 0 for none"),
        ({"units": 2**40}, "units is 1099511627776; give a whole number from 1"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"past": "w", "known": "w"}, "column 'w' is named twice among past, known and static; name it once"),
        ({"past": "y"}, "column 'y' cannot be a covariate; leave it out"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_words(settings, message):
    with pytest.raises(SettingError, match=message):
        Forecaster(**({"horizon": 2} | settings))


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (hourly(1), DataError, "has 1 different times; at least 3 are needed"),
        (hourly(50) * np.nan, DataError, "has no values: all 50 are missing"),
        (hourly(50).replace(hourly(50).iloc[7], np.inf), DataError, "infinite"),
        (hourly(0), DataError, "has no rows; give it readings"),
        (hourly(50) * 0, DataError, "is constant .0 throughout.; there is nothing to learn"),
    ],
    ids=["one reading", "nothing", "infinite", "empty", "constant"],
)
def test_data_that_cannot_be_learned_from_are_named(frame, error, message):
    with pytest.raises(error, match=message):
        Forecaster(2, **SMALL).fit(frame)


def test_what_cannot_be_predicted_is_named(daily, small_forecaster):
    with pytest.raises(SettingError, match=r"has not been fitted; call fit\(frame\) first"):
        Forecaster(2).predict()
    with pytest.raises(
        DataError, match=r"series .other. was not in the data the forecaster was fitted to .sensor.; fit it"
    ):
        small_forecaster.update(daily.rename("other"))
    with pytest.raises(SettingError, match="level 100 is not a percentage"):
        small_forecaster.predict(levels=(100,))


@pytest.mark.parametrize("committee", [False, True])
def test_validation_holds_a_stretch_of_time_out_and_networks_alone_keep_the_best_epoch(daily, committee):
    fitted = Forecaster(2, **(SMALL | {"epochs": 6, "committee": committee})).fit(daily).fitted
    losses = [record.validation_loss for record in fitted.histories[0]]
    # What is held out serves the committee's weights, so that it cannot choose an epoch as well.
    assert fitted.best_epochs[0] == (len(losses) if committee else int(np.argmin(losses)) + 1)
    assert fitted.checked
    assert not Forecaster(2, **SMALL, validation_fraction=0).fit(daily).fitted.checked


def test_the_threads_that_are_allowed_bound_the_networks_that_train_side_by_side(monkeypatch):
    from tsuzuki.training.side_by_side import run_side_by_side

    for allowed in (1, 2):
        monkeypatch.setenv("TSUZUKI_NUM_THREADS", str(allowed))
        together, most, lock = [0], [0], threading.Lock()
        meeting = threading.Barrier(allowed, timeout=60)

        def work(number, check, together=together, most=most, lock=lock, meeting=meeting):
            with lock:
                together[0] += 1
                most[0] = max(most[0], together[0])
            meeting.wait()
            with lock:
                together[0] -= 1
            return number

        assert run_side_by_side(work, 4) == [0, 1, 2, 3]
        assert most[0] == allowed


@pytest.mark.parametrize("trailing", [0, 3, 30])
def test_a_reading_is_as_missing_where_it_is_not_a_number_as_where_its_row_is_absent(trailing):
    series = hourly(400)
    series.iloc[[0, 50, 51, 200]] = np.nan
    series.iloc[100:130] = np.nan
    series.iloc[330 - trailing : 330] = np.nan
    settings_ = SMALL | {"epochs": 1}
    with_rows, without = (Forecaster(2, **settings_).fit(one[:330]) for one in (series, series[:330].dropna()))
    assert with_rows.predict().equals(without.predict())
    assert with_rows.predict(series[330:]).equals(with_rows.predict(series[330:].dropna()))
    told, untold = with_rows.stream(), with_rows.stream()
    for moment, value in series[330:].items():
        told.update(value, moment)
        if value == value:
            untold.update(value, moment)
    np.testing.assert_array_equal(told.forecast(), untold.forecast())
