"""Streams and banks of forecasters with covariates say what `predict` says after the same rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import Forecaster, load
from tsuzuki.errors import DataError, SettingError

HORIZON, END, MORE = 3, 300, 14
SMALL = {"units": 5, "layers": 1, "head": 0, "ensemble": 2, "epochs": 2, "max_gap": 4}


def frame_of(seed, name, factor):
    generator = np.random.default_rng(seed)
    points = END + MORE + HORIZON
    promo, price = (generator.random(points) < 0.2).astype(float), generator.normal(size=points)
    wind = generator.normal(size=points)
    values = 20 + 3 * np.sin(np.arange(points) * 2 * np.pi / 7) + 6 * promo + generator.normal(0, 0.3, points)
    values = values * (1 + promo) if factor else values
    wind[generator.random(points) < 0.1] = np.nan
    times = pd.date_range("2022-11-01", periods=points, freq="D")
    columns = {"y": values, "promo": promo, "price": price, "wind": wind, "size": 1.0 + seed}
    return pd.DataFrame({"unique_id": name, "ds": times} | columns)


@pytest.fixture(scope="module", params=["committee", "factor", "quantiles"])
def fitted(request):
    frame = pd.concat([frame_of(number, name, request.param == "factor") for number, name in enumerate("ab")])
    columns = {"known": ["promo", "price"], "past": ["wind"], "static": ["size"], "holidays": "JP"}
    more = {"quantiles": (0.1, 0.5, 0.9)} if request.param == "quantiles" else {}
    model = Forecaster(HORIZON, **SMALL, **columns, **more).fit(frame[frame["ds"] < frame["ds"].iloc[END]])
    assert bool(model.fitted.effects)
    return frame, model


def told(own, at):
    return {name: own[name][at : at + 1 + HORIZON].to_numpy() for name in ("promo", "price")}


def expected(model, frame, stop, level=80):
    read = frame[frame["ds"] < frame["ds"].iloc[stop]]
    return model.predict(read, future=frame[["unique_id", "ds", "promo", "price"]], levels=(level,))


@settings(max_examples=6)
@given(st.lists(st.integers(END, END + MORE - 2), max_size=3, unique=True), st.integers(END, END + MORE - 2))
def test_a_stream_with_covariates_says_what_predict_says_over_missing_readings_and_a_save(
    tmp_path_factory, fitted, gaps, cut
):
    frame, model = fitted
    frame = frame.copy()
    frame.loc[frame["ds"].isin(frame["ds"].iloc[gaps]) & (frame["unique_id"] == "a"), "y"] = np.nan
    own = frame[frame["unique_id"] == "a"].reset_index(drop=True)
    stream = model.stream("a")
    for at in range(END, END + MORE):
        found = stream.update(own["y"][at], own["ds"][at], known=told(own, at), past={"wind": own["wind"][at]})
        if at == cut:
            path = tmp_path_factory.mktemp("s") / "s.state"
            stream.save(path)
            stream = model.stream("a").load(path)
    then = expected(model, frame, END + MORE)
    then = then[then["unique_id"] == "a"]
    np.testing.assert_allclose(found, then["tsuzuki"], rtol=2e-4)
    np.testing.assert_allclose(stream.interval(80)[0], then["tsuzuki-lo-80"], rtol=2e-4)
    np.testing.assert_allclose(stream.predict(levels=())["tsuzuki"], then["tsuzuki"], rtol=2e-4)


def test_a_bank_takes_covariates_of_many_series_as_arrays_or_as_a_frame(fitted, tmp_path):
    frame, model = fitted
    model.save(tmp_path / "m")
    rows = [frame[frame["unique_id"] == name].reset_index(drop=True) for name in "ab"]
    one, other = model.bank(), load(tmp_path / "m").bank(["b", "a", "new"])
    with pytest.raises(DataError, match="series 'a' has read nothing since training"):
        one.forecasts()
    future = pd.concat([frame, rows[0].assign(unique_id="new")])
    for at in range(END, END + 6):
        known = {name: np.stack([own[name][at : at + 1 + HORIZON] for own in rows]) for name in ("promo", "price")}
        past = {"wind": [own["wind"][at] for own in rows]}
        found = one.update([own["y"][at] for own in rows], known=known, past=past)
        values = [rows[1]["y"][at], rows[0]["y"][at], rows[0]["y"][at]]
        past = {"wind": [rows[1]["wind"][at], rows[0]["wind"][at], np.nan]}
        again = other.update(values, known=future if at == END else None, past=past)
    np.testing.assert_array_equal(again[[1, 0]], found)
    then = expected(model, frame, END + 6)["tsuzuki"].to_numpy().reshape(2, HORIZON)
    np.testing.assert_allclose(found, then, rtol=2e-4)
    assert np.isfinite(again[2]).all()


def test_what_is_missing_is_named_and_moves_nothing(fitted):
    frame, model = fitted
    own = frame[frame["unique_id"] == "a"].reset_index(drop=True)
    stream = model.stream("a")
    before = stream.now
    for error, message, known, past in (
        (DataError, "nothing is known of promo of series 'a' at 2023-08-28.*with the reading", None, None),
        (DataError, "known lacks the column 'price'", {"promo": [0] * 4}, None),
        (DataError, "known has no 4 numbers of 'promo'", {"promo": [0] * 3, "price": [0] * 4}, None),
        (DataError, "a value of known is missing or infinite", {"promo": [0, 0, 0, np.nan], "price": [0] * 4}, None),
        (DataError, "past has a column 'rain' that the forecaster does not read", told(own, END), {"rain": 1.0}),
        (DataError, "past has not one number of 'wind'", told(own, END), {"wind": "much"}),
    ):
        with pytest.raises(error, match=message):
            stream.update(20.0, known=known, past=past)
        assert stream.now == before
    np.testing.assert_array_equal(
        stream.update(20.0, known=told(own, END)), model.stream("a").update(20.0, known=told(own, END))
    )
    with pytest.raises(SettingError, match="a stream that learns reads no covariates"):
        model.stream("a", learn=True)


def test_holidays_need_not_be_told(daily):
    model = Forecaster(HORIZON, holidays="JP", **SMALL).fit(daily)
    stream = model.stream()
    np.testing.assert_allclose(stream.forecast(), model.predict()["tsuzuki"], rtol=1e-4)
    newer = pd.Series([3.0, 4.0, 5.0], pd.date_range(daily.index[-1], periods=4, freq="h")[1:], name=daily.name)
    for value in newer:
        found = stream.update(value)
    np.testing.assert_allclose(found, model.predict(newer)["tsuzuki"], rtol=1e-4)
    with pytest.raises(SettingError, match="the forecaster reads no columns that are given ahead"):
        stream.update(3.0, known={"x": [1] * 4})


def test_the_command_reads_a_plan_from_a_file_and_other_columns_from_the_lines(tmp_path):
    from test_commands_streaming import stream

    columns = {"known": ["promo", "price"], "past": ["wind"], "holidays": "JP"}
    frame = frame_of(0, "a", False)
    model = Forecaster(HORIZON, **SMALL, **columns).fit(frame[:END])
    model.save(tmp_path / "m")
    frame[["ds", "promo", "price"]][END : END + 5 + HORIZON].to_csv(tmp_path / "plan.csv", index=False)
    lines, follower, expected = ["ds,y,wind"], model.stream(), []
    for at in range(END, END + 8):
        value, wind = frame["y"][at], frame["wind"][at]
        lines.append(f"{frame['ds'][at]},{value},{'' if wind != wind else wind}")
        if at < END + 5:
            expected.append(follower.update(value, known=told(frame, at), past={"wind": wind}))
    lines.insert(3, f"{frame['ds'][END + 2]},5,much")
    code, out, said = stream(tmp_path / "m", tmp_path / "s", lines, "--future", str(tmp_path / "plan.csv"))
    assert code == 2
    assert "line 3: 'much' is no number of the column 'wind'; left out" in said
    assert "nothing is known of promo of series 'a' at" in said
    assert said.endswith("4 lines were left out\n")
    found = np.array([[float(cell) for cell in line.split(",")[3:]] for line in out[1:]])
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    code, _, said = stream(tmp_path / "m", tmp_path / "t", lines)
    assert code == 2
    assert "reads columns known ahead: promo, price; give them in a file: --future FILE" in said
