"""What a forecaster can be told: the one place for each setting's name, type, default and explanation.

`Forecaster` takes these as its arguments, and `tsuzuki fit` and `tsuzuki backtest` take those that a word can say as
options. A new setting is a field of `Settings` with a line in its docstring, and nothing else.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from tsuzuki.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd

    from tsuzuki.data.covariates import CovariateNames

P = ParamSpec("P")

# No count is so large.
MOST = 2**31
CYCLES = ("hour", "weekday", "day of year")
# The median and the ends of 80 % and 95 % intervals.
PINBALL_QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)
# What networks of one committee may differ in, and the losses among which: all say one value for each step ahead.
OF_NETWORKS = (
    "cell",
    "units",
    "layers",
    "head",
    "timesteps",
    "lanes",
    "epochs",
    "learning_rate",
    "weight_decay",
    "loss",
    "seed",
)
POINT_LOSSES = ("huber", "mse", "mae")
# Settings that are one of a few words.
CHOICES = {
    "base": ("auto", "last", "season"),
    "transform": ("auto", "none", "log", "asinh"),
    "loss": ("huber", "mse", "mae", "pinball", "gaussian", "poisson", "negative_binomial"),
}


@dataclass(frozen=True)
class Settings:
    """All settings of a forecaster; `Forecaster` takes the same arguments.

    Attributes:
        horizon: steps ahead.
        cell: kind of the recurrent layers: simple_rnn, gru or lstm.
        units: units of each recurrent layer.
        layers: recurrent layers.
        head: units of a relu layer before the output; 0 for none.
        timesteps: steps through which an update's gradient flows; the state itself is carried without end.
        lanes: stretches of the data that are read side by side; short data get fewer, long ones up to four times as
            many.
        epochs: passes over the data; short data get more, and data of over 75,000 readings fewer.
        budget: instead of passes: auto (as many updates as lower the held-out loss), a number of updates of each
            network such as 5000, or the time to train such as 90s, 5m, 1h. The updates are drawn over series and time.
        search: seconds in which `fit` looks for better settings of the networks, on held-out stretches of the training
            data, and trains those of the best side by side (`recipes`); 0 for none.
        learning_rate: highest learning rate; it rises for a twentieth of the updates and then falls along a cosine.
        weight_decay: weight decay of the optimiser, AdamW.
        ensemble: networks that are averaged, each trained from another seed and with another stretch held out.
        recipes: for networks of several kinds side by side, what each kind differs in from these settings, such as
            ({}, {"units": 32}, {"loss": "mae", "epochs": 40}); `ensemble` networks are trained of each, and all are
            averaged. It may be: cell, units, layers, head, timesteps, lanes, epochs, learning_rate, weight_decay, seed;
            loss among huber, mse and mae. A search finds them by itself.
        validation_fraction: share of the data held out from each network, by time, to choose its best epoch and to
            calibrate intervals.
        past: covariates known up to the present, such as another sensor: one column's name or several.
        known: covariates known ahead, such as a plan.
        static: covariates that are the same at all times of a series.
        holidays: country whose public holidays are known ahead by themselves: JP, with a region US-CA, and where times
            are in UTC with the zone of its dates JP@Asia/Tokyo; empty for none.
        with_calendar: whether hour, weekday and day of the year are inputs, as far as the grid's step shows them.
        cycles: of the calendar that are inputs: hour, weekday, day of year. None: those that the data hold three times
            (the day of the year from two years on that are alike), and the weekday only where half a year or more does
            not rule it out.
        lags: pairs (behind, over): means of `over` values that end `behind` steps back, given as differences from the
            present value. None: as the grid suggests (parts of a day, a day, a week where its days differ).
        quantiles: forecast these with the pinball loss instead of the mean with conformal intervals; with 0.5 among
            them.
        loss: of the networks: huber, mse, mae; pinball, which is that of quantiles, without any those of the median and
            of 80 % and 95 % intervals; gaussian, where networks also say how large their errors will be, and intervals
            widen where they do; poisson or negative_binomial for counts, the ends of whose intervals are whole numbers.
        committee: whether ridge, seasonal naive forecasts, smoothing, drift and means stand beside the networks, each
            trusted as far as held-out stretches say; not with quantiles.
        base: forecast that the networks add to: last, season, or auto (of several series with a committee, season
            where its error is below half of last's; else last).
        transform: scale of the errors: none, log, asinh, or auto (where a series' spread grows with its level).
        max_gap: longest gap in steps that the state is carried through, on the network's own forecasts.
        freq: grid that readings are put on first, for sensors without one: 30s, 15min, h, D, B (business days), W, MS,
            QS, YS; empty to take the readings' own.
        resample: what is taken of the readings in a step of `freq`: mean, sum, last or max.
        seed: same seed, same bits.

    Raises:
        SettingError: settings that cannot work.
    """

    horizon: int = 24
    _: KW_ONLY
    cell: str = "gru"
    units: int = 64
    layers: int = 1
    head: int = 64
    timesteps: int = 12
    lanes: int = 8
    epochs: int = 20
    budget: str | int = ""
    search: float = 0.0
    learning_rate: float = 5e-3
    weight_decay: float = 0.1
    ensemble: int = 4
    recipes: Sequence[Mapping[str, Any] | Sequence[tuple[str, Any]]] = ()
    validation_fraction: float = 0.125
    past: str | Sequence[str] = ()
    known: str | Sequence[str] = ()
    static: str | Sequence[str] = ()
    holidays: str = ""
    with_calendar: bool = True
    cycles: Sequence[str] | None = None
    lags: Sequence[tuple[int, int]] | None = None
    quantiles: Sequence[float] = ()
    loss: str = "huber"
    committee: bool = True
    base: str = "auto"
    transform: str = "auto"
    max_gap: int = 24
    freq: str = ""
    resample: str = "mean"
    seed: int = 0

    def __post_init__(self) -> None:
        from tsuzuki.data.public_holidays import check_holidays
        from tsuzuki.data.resampling import check_freq
        from tsuzuki.network.losses import Pinball
        from tsuzuki.training.budget import budget_of

        self._freeze()
        for name in ("horizon", "units", "layers", "timesteps", "lanes", "epochs", "ensemble"):
            value = getattr(self, name)
            if not (hasattr(value, "__index__") and 1 <= value < MOST):
                raise SettingError(f"{name} is {value}; give a whole number from 1")
        if not (self.learning_rate > 0 and self.weight_decay >= 0):
            raise SettingError(
                f"learning_rate is {self.learning_rate} and weight_decay {self.weight_decay}; give a rate above 0 and "
                "a decay from 0"
            )
        if not 0 <= self.search < MOST:
            raise SettingError(f"search is {self.search:g}; give seconds, 0 for none")
        if self.cell not in ("simple_rnn", "gru", "lstm"):
            raise SettingError(f"cell is {self.cell!r}; choose simple_rnn, gru or lstm")
        if not (0 <= self.head < MOST and 0 <= self.max_gap < MOST):
            raise SettingError(f"head is {self.head} and max_gap {self.max_gap}; give whole numbers, 0 for none")
        if not 0 <= self.validation_fraction < 0.5:
            raise SettingError(f"validation_fraction is {self.validation_fraction}; give a share from 0 to below 0.5")
        if self.ensemble * self.validation_fraction > 1:
            raise SettingError(
                f"{self.ensemble} networks with {self.validation_fraction:g} of the data held out from each need more "
                "than there is; lower one of the two"
            )
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise SettingError(f"{name} is {getattr(self, name)!r}; choose {', '.join(allowed)}")
        for cycle in self.cycles or ():
            if cycle not in CYCLES:
                raise SettingError(f"cycles hold {cycle!r}; choose among {', '.join(CYCLES)}")
        check_freq(self.freq, self.resample)
        if self.holidays:
            check_holidays(self.holidays)
        budget_of(str(self.budget))
        self.columns.check()
        self._check_loss()
        self._check_recipes()
        if self.quantiles:
            Pinball(tuple(self.quantiles))
            if 0.5 not in self.quantiles:
                raise SettingError("quantiles lack 0.5, the point forecast; add it")

    def _check_loss(self) -> None:
        """Raise SettingError for a loss whose forecasts the other settings have no use for."""
        if self.loss not in ("gaussian", "poisson", "negative_binomial"):
            return
        if self.quantiles or not self.committee or not self.validation_fraction:
            raise SettingError(
                f"loss={self.loss!r} needs a committee and held-out stretches, and gives no quantiles; leave quantiles "
                "and committee=False out, with a validation_fraction above 0"
            )
        if self.loss == "gaussian":
            return
        for name, fitting in (("transform", ("auto", "none")), ("base", ("auto", "last"))):
            if getattr(self, name) not in fitting:
                raise SettingError(
                    f"loss={self.loss!r} is of counts as they are, with {name}={' or '.join(map(repr, fitting))}, not "
                    f"{getattr(self, name)!r}; leave it out"
                )

    def _check_recipes(self) -> None:
        """Raise SettingError for networks of a committee that cannot stand side by side."""
        if self.recipes and self.search:
            raise SettingError("a search finds recipes by itself; leave recipes or search out")
        for number, recipe in enumerate(self.recipes):
            for name, value in dict(recipe).items():
                if name not in OF_NETWORKS:
                    raise SettingError(
                        f"recipes name {name!r}, in which networks of one committee cannot differ; choose among "
                        f"{', '.join(OF_NETWORKS)}"
                    )
                if name == "loss" and not (value in POINT_LOSSES and self.loss in POINT_LOSSES and not self.quantiles):
                    raise SettingError(
                        f"recipes name loss={value!r} beside loss={self.loss!r}; networks of one committee have losses "
                        f"of a single value, {', '.join(POINT_LOSSES)}, and no quantiles"
                    )
            self.of_network(number * self.ensemble)

    @property
    def networks(self) -> int:
        """All networks of the committee."""
        return self.ensemble * max(1, len(self.recipes))

    def of_network(self, number: int) -> "Settings":
        """The settings of one network, whose kind is not beside others then."""
        if not self.recipes:
            return self
        return replace(self, recipes=(), **dict(self.recipes[number // self.ensemble]))

    def place(self, number: int) -> int:
        """The number of a network among those of its kind: what it is trained by does not depend on other kinds."""
        return number % self.ensemble

    def _freeze(self) -> None:
        """Turn every sequence into a tuple, so that equal settings compare equal."""
        for name in ("past", "known", "static"):
            given = getattr(self, name)
            # A text is a sequence too, of letters; one name is meant.
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        object.__setattr__(self, "budget", str(self.budget))
        try:
            recipes = tuple(tuple(sorted(dict(one).items())) for one in self.recipes)
        except (TypeError, ValueError):
            raise SettingError(
                f'recipes are {self.recipes!r}; give settings by name, such as [{{"units": 32}}]'
            ) from None
        object.__setattr__(self, "recipes", recipes)
        given = tuple(self.quantiles) or (PINBALL_QUANTILES if self.loss == "pinball" else ())
        object.__setattr__(self, "quantiles", given)
        if self.cycles is not None:
            object.__setattr__(self, "cycles", (self.cycles,) if isinstance(self.cycles, str) else tuple(self.cycles))
        if self.lags is not None:
            object.__setattr__(self, "lags", tuple((behind, over) for behind, over in self.lags))

    @property
    def columns(self) -> "CovariateNames":
        """The covariates."""
        from tsuzuki.data.covariates import CovariateNames
        from tsuzuki.data.public_holidays import column_of

        computed = (column_of(self.holidays),) if self.holidays else ()
        return CovariateNames(tuple(self.past), (*self.known, *computed), tuple(self.static))

    def long(self, frame: Any, *, needs_y: bool = True) -> "pd.DataFrame":
        """A user's frame in long form with the covariates, on the grid that is asked for.

        Raises:
            DataError: as `frames.as_long` and `resampling.on_grid`.
        """
        from tsuzuki.data.resampling import long_frame

        return long_frame(
            frame,
            self.columns.given if needs_y else self.columns.given_ahead,
            self.freq,
            self.resample,
            needs_y=needs_y,
        )

    @property
    def levels(self) -> tuple[float, ...]:
        """Levels of the intervals that are shown where none are asked for, in per cent."""
        if not self.quantiles:
            return (80, 95)
        lower = [q for q in self.quantiles if q < 0.5 and any(abs(q + other - 1) < 1e-9 for other in self.quantiles)]
        return tuple(round(100 - 200 * q, 9) for q in sorted(lower, reverse=True))


def explanations(described: type) -> dict[str, str]:
    """What a class's docstring says of each attribute, in one line each; nothing where docstrings are stripped."""
    section = (inspect.getdoc(described) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def takes_arguments_of(
    described: Callable[P, object],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], None]]:
    """Declare that a method passes its arguments on to `described`.

    Type checkers and editors then show those arguments by their names and types, and so do `inspect.signature` and
    `help`.
    """

    def declare(method: Callable[..., None]) -> Callable[Concatenate[Any, P], None]:
        own = inspect.signature(method).parameters["self"]
        passed_on = inspect.signature(described)
        shown = passed_on.replace(parameters=[own, *passed_on.parameters.values()])
        method.__signature__ = shown  # type: ignore[attr-defined]
        method.__doc__ = described.__doc__
        return method

    return declare
