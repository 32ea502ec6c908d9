"""A forecaster's settings: named once, shown by the class, by the forecaster and by the command line alike."""

import inspect
from dataclasses import fields

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tsuzuki.cli import app
from tsuzuki.commands.options import takes_settings
from tsuzuki.forecaster import Forecaster
from tsuzuki.forecasting.settings import CHOICES as WORDS
from tsuzuki.forecasting.settings import Settings, explanations
from tsuzuki.forecasting.stepwise import ModelSpec

# What one word on a command line can say.
PLAIN = {field.name: field for field in fields(Settings) if field.type in (int, float, str, bool, str | int)}
COLUMNS = ("past", "known", "static")


def options_of(command):
    return {option.name: option for option in typer.main.get_command(app).commands[command].params}


def test_a_forecaster_shows_the_arguments_of_the_settings():
    _, *shown = inspect.signature(Forecaster.__init__).parameters.values()
    assert shown == list(inspect.signature(Settings).parameters.values())
    assert list(inspect.signature(Forecaster).parameters.values()) == shown
    assert [parameter.name for parameter in shown] == [field.name for field in fields(Settings)]


def test_help_of_a_forecaster_explains_every_setting():
    shown = inspect.getdoc(Forecaster.__init__)
    for field in fields(Settings):
        assert f"    {field.name}: " in shown


@pytest.mark.parametrize("command", ["fit", "backtest"])
def test_a_command_has_every_plain_setting_as_an_option_with_its_default_and_explanation(command):
    options, explained = options_of(command), explanations(Settings)
    for name, field in PLAIN.items():
        assert options[name].default == field.default
        assert options[name].opts == [f"--{name.replace('_', '-')}"]
        assert options[name].help == explained[name][0].upper() + explained[name][1:]
    for name in COLUMNS:
        assert options[name].multiple
        assert options[name].opts == [f"--{name}"]
        assert options[name].help == explained[name][0].upper() + explained[name][1:]


def test_every_setting_is_explained_and_nothing_else():
    explained = explanations(Settings)
    assert list(explained) == [field.name for field in fields(Settings)]
    for text in explained.values():
        assert text.endswith(".")
        assert "\n" not in text


def test_a_class_whose_docstring_lists_nothing_explains_nothing():
    class Bare:
        pass

    assert explanations(Bare) == {}
    assert list(explanations(ModelSpec)) == [field.name for field in fields(ModelSpec)]


VALUES = {
    "horizon": st.integers(1, 999),
    "cell": st.sampled_from(["simple_rnn", "gru", "lstm"]),
    "learning_rate": st.floats(1e-9, 1e3),
    "weight_decay": st.floats(0, 1e3),
    "validation_fraction": st.floats(0, 0.1),
    "with_calendar": st.booleans(),
    "ensemble": st.integers(1, 8),
    "committee": st.booleans(),
    "budget": st.sampled_from(["", "auto", "90s"]) | st.integers(1, 9999),
    "holidays": st.sampled_from(["", "JP", "US-CA", "DE@Europe/Berlin"]),
    "freq": st.sampled_from(["", "15min", "h", "D", "B", "MS"]),
    "resample": st.sampled_from(["mean", "sum", "last", "max"]),
    **{name: st.sampled_from(words) for name, words in WORDS.items()},
}
# Losses that go with some of the other settings only.
PARTICULAR = {"gaussian", "poisson", "negative_binomial"}


def fitting(choices):
    """Choices without those that the loss has no use for."""
    apart = ("committee", "validation_fraction", "transform", "base") if choices.get("loss") in PARTICULAR else ()
    return {name: value for name, value in choices.items() if name not in apart}


EVERY = {name: VALUES.get(name, st.integers(1, 999)) for name in PLAIN}
CHOICES = st.fixed_dictionaries({}, optional=EVERY).map(fitting)


@given(CHOICES, st.lists(st.sampled_from("abcdef"), unique=True), st.integers(0, 6), st.integers(0, 6))
def test_options_and_arguments_make_the_same_settings(choices, names, first, second):
    choices |= {"past": names[:first], "known": names[first:second], "static": names[max(first, second) :]}
    seen, small = {}, typer.Typer()

    @small.command()
    @takes_settings
    def keep(*, settings: dict) -> None:
        seen.update(settings)

    words = []
    for name, value in choices.items():
        option = name.replace("_", "-")
        if isinstance(value, list):
            words += [word for one in value for word in (f"--{option}", one)]
        elif isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", str(value)]
    done = CliRunner().invoke(small, words)
    assert done.exit_code == 0, done.output
    assert set(seen) == {*PLAIN, *COLUMNS}
    assert Settings(**seen) == Settings(**choices) == Forecaster(**choices).settings


@given(st.lists(st.sampled_from("abc"), unique=True), st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9))))
def test_settings_given_as_lists_are_those_given_as_tuples(names, lags):
    one = Settings(3, past=names, lags=lags, quantiles=[0.1, 0.5])
    other = Settings(horizon=3, past=tuple(names), lags=tuple(lags), quantiles=(0.1, 0.5))
    assert one == other
    assert hash(one) == hash(other)
    assert one.columns.past == tuple(names)


@pytest.mark.parametrize(
    ("arguments", "named", "message"),
    [((), {"unit": 3}, "unexpected keyword argument 'unit'"), ((3, "gru"), {}, "positional argument")],
)
def test_an_argument_that_is_no_setting_is_refused_by_name(arguments, named, message):
    with pytest.raises(TypeError, match=message):
        Forecaster(*arguments, **named)


def test_a_type_checker_sees_the_arguments_of_a_forecaster(tmp_path):
    api = pytest.importorskip("mypy.api", reason='mypy is not installed: pip install "tsuzuki[lint]"')
    script = tmp_path / "script.py"
    script.write_text(
        "from tsuzuki.forecaster import Forecaster\n"
        "Forecaster(24, units=32, past='wind', known=['plan'], lags=[(1, 1)])\n"
        "Forecaster(24, units='many')\n"
        "Forecaster(24, unit=32)\n"
    )
    # With the project's own options, so that what `make lint` has kept is of use.
    shown, _, _ = api.run(["--no-error-summary", str(script)])
    errors = [line.partition(": error")[0] for line in shown.splitlines() if ": error" in line]
    assert [error.rpartition(":")[2] for error in errors] == ["3", "4"], shown


def test_the_pinball_loss_brings_the_quantiles_of_the_usual_intervals_unless_others_are_named():
    assert Settings(loss="pinball").quantiles == (0.025, 0.1, 0.5, 0.9, 0.975)
    assert Settings(loss="pinball").levels == (80, 95)
    assert Settings(loss="pinball", quantiles=(0.25, 0.5, 0.75)).quantiles == (0.25, 0.5, 0.75)
    assert Settings(loss="mae").quantiles == ()
