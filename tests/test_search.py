"""The search over recipes: halving, what stays, what is looked at, and how it goes on after a crash."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_examples
from hypothesis import strategies as st
from typer.testing import CliRunner

from tsuzuki import Forecaster, load
from tsuzuki.cli import app
from tsuzuki.distributed.worker_pool import InProcess, WorkerPool
from tsuzuki.errors import SettingError
from tsuzuki.forecasting import search as module
from tsuzuki.forecasting.selection import HeldOutValues, chosen_together
from tsuzuki.forecasting.settings import Settings
from tsuzuki.forecasting.trial import Trial, TrialWork, Tried
from tsuzuki.forecasting.trust import Trust

SMALL = {"units": 4, "head": 0, "ensemble": 2, "epochs": 4}


def wave(points):
    steps = np.arange(points)
    values = 20 + 5 * np.sin(2 * np.pi * steps / 24) + np.random.default_rng(0).normal(0, 0.5, points)
    return pd.Series(values, pd.date_range("2024-01-01", periods=points, freq="h"), name="a")


def series_of(frame, settings):
    from tsuzuki.data.covariates import covariate_series

    return covariate_series(settings.long(frame), settings.columns, settings.max_gap, merge=False)


@pytest.fixture
def trained(monkeypatch):
    """Trials that were asked for; the error of each is that of its units, 8 being the best."""
    asked = []

    def tried(self, unit):
        recipe, share = unit
        settings = replace(self.settings, **recipe)
        asked.append((recipe, share, max(one.times[-1] for one in self.series)))
        error = 1 + abs(settings.units - 8) / 100
        networks = tuple(f"{settings.units}.{number}" for number in range(settings.ensemble)) if share >= 1 else ()
        return Tried(Trial(recipe, share, error, 0.01), networks, Trust(committee="one", error=error))

    monkeypatch.setattr(TrialWork, "__call__", tried)
    monkeypatch.setattr(module, "RECIPES", tuple({"units": units} for units in (2, 4, 6, 8, 9, 30)))
    monkeypatch.setattr(module, "held_out_values", lambda *given: SimpleNamespace(said=None))
    monkeypatch.setattr(module, "chosen_together", lambda own, others, most: [*range(min(most - 1, len(others)))])
    return asked


def test_the_better_half_goes_on_for_twice_the_passes_and_what_time_is_left_goes_to_the_next(trained):
    settings = Settings(3, units=5, epochs=16, ensemble=4, search=60)
    frame = wave(300)
    found = module.search(series_of(frame, settings), settings)
    assert [one.share for one in found.trials] == [0.25] * 7 + [0.5] * 4 + [1.0] * 7
    assert [one.recipe.get("units", 5) for one in found.trials if one.share == 1] == [5, 8, 9, 6, 4, 2, 30]
    # The best three that are near enough, beside what was given, each with the networks of its trial.
    assert [dict(one).get("units", 5) for one in found.settings.recipes] == [5, 8, 9, 6]
    assert [dict(one).get("seed", 0) for one in found.settings.recipes] == [0, 4, 5, 3]
    assert found.networks == tuple(f"{units}.{number}" for units in (5, 8, 9, 6) for number in range(4))
    assert (found.settings.units, found.settings.search, found.settings.ensemble) == (5, 0, 4)
    assert max(last for _, _, last in trained) == frame.index[-1]


def test_workers_try_several_recipes_at_once_and_come_to_the_same(trained):
    settings = Settings(3, units=5, epochs=16, ensemble=4, search=60)
    series = series_of(wave(300), settings)
    alone = module.search(series, settings)
    with WorkerPool(InProcess, 3) as pool:
        spread = module.search(series, settings, workers=pool)
    assert [replace(one, seconds=0) for one in spread.trials] == [replace(one, seconds=0) for one in alone.trials]
    assert spread.settings == alone.settings
    with WorkerPool(InProcess, 3) as pool:
        hurried = module.search(series, replace(settings, search=1e-9), workers=pool)
    assert [one.recipe for one in hurried.trials] == [{}]


def test_no_more_recipes_are_begun_with_than_there_is_time_for(monkeypatch):
    monkeypatch.setattr(module, "RECIPES", tuple({"units": units} for units in range(10, 30)))

    def tried(self, unit):
        recipe, share = unit
        return Tried(Trial(recipe, share, 1.0, 1.5 if share < 1 else 9), (), Trust(error=1.0))

    monkeypatch.setattr(TrialWork, "__call__", tried)
    settings = Settings(3, units=5, search=60)
    found = module.search(series_of(wave(300), settings), settings)
    # All rounds of eight take as long as 34 trials of the first one, 51 of the 60 seconds.
    assert [one.share for one in found.trials].count(module.FIRST_SHARE) == 8
    hurried = module.search(series_of(wave(300), settings), replace(settings, search=10))
    assert [one.share for one in hurried.trials].count(module.FIRST_SHARE) == module.FEWEST


def made(error, seconds=1.0, **recipe):
    return Tried(Trial(recipe, 1.0, error, seconds), (), Trust(committee="one", error=error))


@pytest.mark.parametrize(
    ("trials", "seconds", "expected"),
    [
        # The settings themselves stay, and beside them what is nearly as good.
        ([made(0.5, units=8), made(1.0), made(1.04, loss="mae"), made(1.06, units=9)], 9, [{}, 8, "mae"]),
        ([made(1.0), made(1.06, units=8)], 9, {}),
        # As many as there is time for.
        ([made(1.0, units=8), made(1.001)], 1.5, {}),
        ([made(1.0, 3.0, units=8), made(1.001, units=9), made(1.002)], 2.0, [{}, 9]),
        ([made(1.0), *(made(1.0, units=units) for units in range(5, 12))], 99, [{}, 5, 6, 7]),
        # What all networks share stands alone, where it is better by far, or not at all.
        ([made(1.0, base="season"), made(1.005, units=8), made(1.03)], 9, "season"),
        ([made(1.0, base="season"), made(1.005, units=8), made(1.01)], 9, [{}, 8]),
        ([], 9, {}),
    ],
)
def test_the_committee_is_built_beside_the_settings_given(trained, trials, seconds, expected):
    named = {8: {"units": 8}, "mae": {"loss": "mae"}, "season": {"base": "season"}}

    def said(one):
        return one if one == {} else named.get(one, {"units": one})

    stay = module.built_from(
        trials, Settings(3, search=60), TrialWork(series_of(wave(50), Settings(3)), Settings(3)), seconds
    )
    found = module.settings_of(stay)
    if isinstance(expected, list):
        assert [dict(one) for one in found["recipes"]] == [said(one) for one in expected]
        assert set(found) == {"recipes"}
    else:
        assert found == said(expected)
    Settings(3, **found)


def test_networks_of_quantiles_are_not_mixed_with_losses_of_single_values(trained):
    trials, work = (
        [made(1.0, loss="mae"), made(1.001, units=8), made(1.002)],
        TrialWork(series_of(wave(50), Settings(3)), Settings(3)),
    )
    stay = module.built_from(trials, Settings(3, quantiles=(0.1, 0.5, 0.9)), work, 9)
    assert [one.trial.recipe for one in stay] == [{}, {"units": 8}]


def written_out(own, others, most):
    """`chosen_together` in loops."""
    inside = []

    def errors(some):
        said = np.mean([own.said, *(others[one] for one in some)], axis=0)
        wrong = np.abs(own.errors + own.said - said)
        return sum(np.nanmean(wrong[own.stretches == one]) for one in np.unique(own.stretches))

    while len(inside) + 1 < most:
        after = {one: errors([*inside, one]) for one in range(len(others)) if one not in inside}
        best = min(after, key=after.get, default=None)
        if best is None or after[best] > 1.002 * errors(inside):
            break
        inside.append(best)
    return inside


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(0, 5), st.integers(1, 4))
@settings_of_examples(max_examples=20, deadline=None)
def test_recipes_are_let_in_one_after_the_other_while_they_do_no_harm(seed, stretches, count, most):
    generator = np.random.default_rng(seed)
    rows = 30 * stretches
    signal, said = generator.normal(size=rows), generator.normal(size=(count + 1, rows))
    errors = (signal - said[0]).astype(np.float32)
    errors[generator.random(rows) < 0.1] = np.nan
    own = HeldOutValues(said[0].astype(np.float32), np.arange(rows) // 30, errors)
    others = [one.astype(np.float32) for one in said[1:]]
    assert chosen_together(own, others, most) == written_out(own, others, most)


def test_noise_is_not_let_in_nor_anything_where_networks_have_no_weight():
    generator = np.random.default_rng(0)
    signal = generator.normal(size=400)
    said = (signal + generator.normal(size=400)).astype(np.float32)
    own = HeldOutValues(said, np.arange(400) // 100, (signal - said).astype(np.float32))
    independent = (signal + generator.normal(size=400)).astype(np.float32)
    worse = (signal + 9 * generator.normal(size=400)).astype(np.float32)
    assert chosen_together(own, [worse, independent], 4) == [1]
    # A little noise costs less than a mean of more networks is worth.
    near = said + 0.05 * generator.normal(size=400).astype(np.float32)
    assert chosen_together(own, [near, worse], 4) == [0]
    assert chosen_together(own, [said, said], 4) == []


def test_a_base_that_is_hardly_better_does_not_take_over(monkeypatch):
    monkeypatch.setattr(module, "RECIPES", ({"base": "season"},))
    settings = Settings(3, search=60)
    for error, base in ((1.01, "auto"), (1.03, "season")):
        errors = {"season": 1.0, "auto": error}

        def tried(self, unit, errors=errors):
            one = made(errors[replace(self.settings, **unit[0]).base], **unit[0])
            return replace(one, trial=replace(one.trial, share=unit[1]))

        monkeypatch.setattr(TrialWork, "__call__", tried)
        found = module.search(series_of(wave(300), settings), settings).settings
        assert (found.base, found.recipes) == (base, ())


def test_a_search_without_time_keeps_the_settings(trained):
    settings = Settings(3, units=5, search=1e-9)
    found = module.search(series_of(wave(300), settings), settings)
    assert found.settings.units == 5
    assert len(trained) == len(found.trials) == 1
    assert found.networks is None


def test_trials_that_were_made_are_not_made_again_unless_the_data_are_others(trained, tmp_path):
    settings = Settings(3, units=5, search=60)
    series = series_of(wave(300), settings)
    first = module.search(series, settings, tmp_path / "c")
    count = len(trained)
    # Its networks are trained in the same way, where they are not at hand.
    assert module.search(series, settings, tmp_path / "c") == replace(first, networks=None)
    assert len(trained) == count
    # Where the search had not come to its end, the trials that were made are not made again.
    kept = json.loads((tmp_path / "c.trials").read_text())
    (tmp_path / "c.trials").write_text(json.dumps(kept | {"trials": kept["trials"][:13], "chosen": None}))
    again = module.search(series, settings, tmp_path / "c")
    assert again.settings == first.settings
    assert [one.recipe for one in again.trials] == [one.recipe for one in first.trials]
    # Only networks that had made all passes are run once more, from their own checkpoints.
    assert again.networks == first.networks
    assert [share for _, share, _ in trained[count:]] == [1.0] * 7
    trained.clear()
    module.search(series_of(wave(301), settings), settings, tmp_path / "c")
    assert len(trained) == count


@pytest.mark.parametrize("content", ["", "[]", '{"of": 1}', '{"trials": [1]}'])
def test_a_spoiled_file_of_trials_is_begun_anew(trained, tmp_path, content):
    (tmp_path / "c.trials").write_text(content)
    settings = Settings(3, units=5, search=60)
    assert len(module.search(series_of(wave(300), settings), settings, tmp_path / "c").trials) == len(trained) > 0


def test_a_large_panel_is_searched_on_some_series_and_a_long_one_on_its_end(trained, monkeypatch):
    monkeypatch.setattr(module, "POINTS", 100)
    settings = Settings(3, units=5, search=60)
    series = series_of(wave(300), settings)
    assert [len(one.values) for one in module._sample(series, settings)] == [100]
    assert len(module._sample(series * 8, settings)) == 1


def test_a_forecaster_is_trained_with_what_the_search_found(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "RECIPES", ({"units": 6}, {"learning_rate": 1e-2}))
    forecaster = Forecaster(3, search=30.0, **SMALL).fit(wave(300))
    trials = forecaster.trials_
    assert trials["recipe"].isin(["as given", "units=6, seed=1", "learning_rate=0.01, seed=2"]).all()
    assert (trials["error"] > 0).all()
    assert len(forecaster.fitted.members) == forecaster.settings.networks
    forecaster.save(tmp_path / "m")
    assert load(tmp_path / "m").predict().equals(forecaster.predict())


@pytest.mark.parametrize("late", [False, True])
def test_a_search_that_was_broken_off_ends_as_a_fit_of_the_recipes_that_it_found(monkeypatch, tmp_path, late):
    monkeypatch.setattr(module, "RECIPES", ({"units": 6}, {"learning_rate": 1e-2}))
    monkeypatch.setattr(module, "chosen_together", lambda own, others, most: [0])
    monkeypatch.setattr(module, "CLOSE", 10.0)
    monkeypatch.setattr(module, "BETTER", 0.0)
    made = []

    def broken(work, unit, whole=TrialWork.__call__):
        if unit[1] >= 1:
            made.append(unit)
        if len(made) == 2 and not late:
            raise KeyboardInterrupt
        return whole(work, unit)

    def break_off(share):
        raise KeyboardInterrupt

    monkeypatch.setattr(TrialWork, "__call__", broken)
    with pytest.raises(KeyboardInterrupt):
        Forecaster(3, search=60, **SMALL).fit(wave(200), on_progress=break_off, checkpoint=tmp_path / "c")
    assert len(list(tmp_path.glob("c.trial-*"))) == (0 if late else SMALL["ensemble"])
    made[:] = [None] * 9
    found = Forecaster(3, search=60, **SMALL).fit(wave(200), checkpoint=tmp_path / "c")
    assert len(made) == (9 if late else 12)
    assert not list(tmp_path.glob("c.trial-*"))
    assert len(found.settings.recipes) == 2
    assert found.settings.recipes[0] == ()
    expected = Forecaster(3, recipes=found.settings.recipes, **SMALL).fit(wave(200))
    assert expected.predict().equals(found.predict())
    assert expected.settings == found.settings


def test_what_was_not_searched_says_so():
    with pytest.raises(SettingError, match="has searched nothing; give seconds, search=60"):
        _ = Forecaster(3, **SMALL).fit(wave(100)).trials_
    with pytest.raises(SettingError, match="search is -1; give seconds"):
        Forecaster(3, search=-1)


@pytest.mark.parametrize("seconds", ["0", "-1"])
def test_the_command_is_given_time_to_search_in(seconds, tmp_path):
    found = CliRunner().invoke(app, ["search", "beijing", "--seconds", seconds, "-o", str(tmp_path / "model")])
    assert found.exit_code == 2
    assert f"--seconds is {seconds}; give a time above 0" in found.output
    assert not list(tmp_path.iterdir())
