"""Networks of several recipes in one committee: their mean wherever they forecast, kept, resumed and spread."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tsuzuki import Forecaster, load
from tsuzuki.commands.info import facts
from tsuzuki.distributed.worker_pool import InProcess, WorkerPool
from tsuzuki.errors import SettingError
from tsuzuki.forecasting.fit import train
from tsuzuki.forecasting.held_out import by_stretch
from tsuzuki.forecasting.settings import Settings

SMALL = {"units": 4, "head": 0, "ensemble": 2, "epochs": 2, "timesteps": 6}
RECIPES = ({"loss": "mae"}, {"units": 9, "cell": "lstm", "timesteps": 4}, {"layers": 2, "head": 5})


def panel(points=260):
    steps, generator = np.arange(points), np.random.default_rng(3)
    made = [
        pd.DataFrame(
            {
                "unique_id": name,
                "ds": pd.date_range("2024-01-01", periods=points, freq="h"),
                "y": 20 + size * np.sin(2 * np.pi * steps / 24) + generator.normal(0, 0.5, points),
            }
        )
        for name, size in (("a", 5), ("b", 2))
    ]
    return pd.concat(made, ignore_index=True)


def until(frame, count):
    return frame[frame.groupby("unique_id").cumcount() < count]


@pytest.fixture(scope="module")
def mixed():
    """A committee whose networks all have a weight, so that a network that is left out shows."""
    model = Forecaster(3, recipes=RECIPES, **SMALL).fit(until(panel(), 240))
    committee = model.fitted.committee
    weights = np.full_like(committee.weights, 0.5 / (committee.weights.shape[1] - 1))
    weights[:, 0] = 0.5
    model.fitted = replace(model.fitted, committee=replace(committee, weights=weights))
    return model


def alone(model, number):
    """The forecaster with one of its networks."""
    one, fitted = Forecaster(3, **SMALL), model.fitted
    one.settings = replace(model.settings.of_network(number), ensemble=1)
    parts = (fitted.ways, fitted.members, fitted.states)
    ways, members, states = ([part[number]] for part in parts)
    one.fitted = replace(fitted, ways=ways, members=members, states=states)
    return one


def test_a_forecast_is_the_mean_of_what_each_network_forecasts(mixed):
    found = mixed.predict(levels=())["tsuzuki"].to_numpy()
    every = np.stack([alone(mixed, number).predict(levels=())["tsuzuki"] for number in range(6)])
    np.testing.assert_allclose(found, every.mean(axis=0), rtol=1e-5)
    assert (np.ptp(every, axis=0) > 1e-4).all()


def test_networks_are_what_their_recipes_say(mixed):
    settings = [mixed.settings.of_network(number) for number in range(mixed.settings.networks)]
    assert [one.units for one in settings] == [4, 4, 9, 9, 4, 4]
    kinds = [[type(layer).__name__ for layer in way.network.layers] for way in mixed.fitted.ways]
    assert kinds == 2 * [["GRU", "Dense"]] + 2 * [["LSTM", "Dense"]] + 2 * [["GRU", "GRU", "Dense", "Dense"]]
    passes = [len(own) for own in mixed.fitted.histories]
    # So short a series is gone through until there are enough updates, of which fewer steps make more.
    assert passes[2] == passes[3] < passes[0] == passes[1]
    # Each kind is trained as if it stood alone.
    for number, recipe in enumerate(RECIPES):
        plain = Forecaster(3, **SMALL | recipe).fit(until(panel(), 240))
        for own, other in zip(mixed.fitted.members[2 * number :], plain.fitted.members, strict=False):
            for array, expected in zip(own, other, strict=True):
                np.testing.assert_array_equal(array, expected)


def test_streams_banks_updates_and_backtests_forecast_the_same(mixed):
    frame = panel()
    stream, bank = mixed.stream("b"), mixed.bank()
    updated = alone(mixed, 0)
    updated.settings, updated.fitted = mixed.settings, mixed.fitted
    for count in (241, 250):
        updated.update(until(frame, count))
    values = frame.pivot(index="ds", columns="unique_id", values="y").to_numpy()
    for row in values[240:250]:
        stream.update(row[1])
        bank.update(row)
    expected = mixed.predict(until(frame, 250), levels=())["tsuzuki"].to_numpy().reshape(2, 3)
    np.testing.assert_allclose(stream.forecast(), expected[1], rtol=1e-5)
    np.testing.assert_allclose(bank.forecasts(), expected, rtol=1e-5)
    np.testing.assert_allclose(updated.predict(levels=())["tsuzuki"].to_numpy().reshape(2, 3), expected, rtol=1e-5)


def test_a_backtest_forecasts_as_its_networks_do():
    frame, settings = panel(), {"recipes": RECIPES, **SMALL}
    table = Forecaster(3, **settings).backtest(frame, windows=1, levels=())
    fitted = Forecaster(3, **settings).fit(until(frame, 257))
    assert fitted.fitted.committee.weights[:, 0].max() > 0
    np.testing.assert_allclose(table["tsuzuki"], fitted.predict(levels=())["tsuzuki"], rtol=1e-5)


def test_a_file_holds_networks_of_all_kinds(mixed, tmp_path):
    mixed.save(tmp_path / "m")
    kept = load(tmp_path / "m")
    assert kept.settings == mixed.settings
    assert kept.predict().equals(mixed.predict())
    assert kept.fitted.ways == mixed.fitted.ways


def test_what_is_told_of_a_model_names_all_kinds(mixed):
    told = facts(mixed.settings, mixed.fitted)
    assert told["network"] == "gru(4) x 1, lstm(9) x 1, gru(4) x 2"
    assert told["networks"] == 6
    assert told["weights"] == max(sum(array.size for array in one) for one in mixed.fitted.members)


def test_a_stream_that_learns_moves_the_networks_of_each_kind(mixed):
    stream = mixed.stream("a", learn=True, learning_rate=1e-3)
    for value in panel()["y"].to_numpy()[240:246]:
        stream.update(value)
    for learned, before in zip(stream.weights(), mixed.fitted.members, strict=True):
        assert [one.shape for one in learned] == [one.shape for one in before]
        assert any((one != other).any() for one, other in zip(learned, before, strict=True))


def test_a_fit_that_was_broken_off_ends_with_the_same_bits(mixed, tmp_path):
    count = 0

    def break_off(share):
        nonlocal count
        count += 1
        if count == 7:
            raise KeyboardInterrupt

    asked = {"checkpoint": tmp_path / "c", "every": "0.0001"}
    with pytest.raises(KeyboardInterrupt):
        Forecaster(3, recipes=RECIPES, **SMALL).fit(until(panel(), 240), on_progress=break_off, **asked)
    assert list(tmp_path.iterdir())
    assert same_bits(Forecaster(3, recipes=RECIPES, **SMALL).fit(until(panel(), 240), **asked).fitted, mixed.fitted)


def test_workers_train_the_same_networks(mixed):
    from tsuzuki.data.covariates import covariate_series

    settings = mixed.settings
    series = covariate_series(settings.long(until(panel(), 240)), settings.columns, settings.max_gap, merge=False)
    with WorkerPool(InProcess, 3) as pool:
        assert same_bits(train(series, settings, workers=pool), mixed.fitted)


def same_bits(found, expected):
    """Whether the networks of both have the same weights."""
    both = zip(found.members, expected.members, strict=True)
    return all(np.array_equal(one, other) for own, others in both for one, other in zip(own, others, strict=True))


@pytest.mark.parametrize("kinds", [1, 3])
def test_networks_that_lack_one_stretch_are_heard_together(kinds):
    generator = np.random.default_rng(kinds)
    every = [[generator.normal(size=(rows, 2)) for rows in (4, 1)] for _ in range(2 * kinds)]
    found = by_stretch(every, 2)
    assert len(found) == 2
    for stretch in range(2):
        for series in range(2):
            said = [every[2 * kind + stretch][series] for kind in range(kinds)]
            np.testing.assert_allclose(found[stretch][series], sum(said) / kinds)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"recipes": [{"base": "last"}]}, "recipes name 'base', in which networks of one committee cannot differ"),
        ({"recipes": [{"loss": "gaussian"}]}, "loss='gaussian' beside loss='huber'"),
        ({"recipes": [{"loss": "mae"}], "quantiles": (0.5,)}, "and no quantiles"),
        ({"recipes": [{}, {"units": 0}]}, "units is 0; give a whole number from 1"),
        ({"recipes": [7]}, "give settings by name"),
        ({"recipes": "units=3"}, "give settings by name"),
        ({"recipes": [{}], "search": 5}, "leave recipes or search out"),
    ],
)
def test_recipes_that_cannot_stand_side_by_side_are_refused(given, match):
    with pytest.raises(SettingError, match=match):
        Settings(3, **given)


def test_equal_recipes_are_equal_settings():
    assert Settings(3, recipes=[{"units": 3, "cell": "lstm"}]) == Settings(
        3, recipes=((("cell", "lstm"), ("units", 3)),)
    )
    assert Settings(3).networks == 4
    assert Settings(3, recipes=[{}, {"units": 3}]).networks == 8


def test_files_larger_than_memory_are_learned_by_networks_of_one_kind(tmp_path):
    panel().to_parquet(tmp_path / "p.parquet")
    with pytest.raises(SettingError, match="of one kind; leave recipes out, or give a frame"):
        Forecaster(3, recipes=RECIPES, **SMALL).fit(tmp_path / "p.parquet", cache=tmp_path / "cache")
