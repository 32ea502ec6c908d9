"""What is known of series before any network is trained: rules, scales, what networks read, and what they learn.

Networks that differ in no more than `settings.OF_NETWORKS` read and learn the same, so they share it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tsuzuki.data.grid import step_of
from tsuzuki.forecasting.architecture import model_spec
from tsuzuki.forecasting.base import base_forecasts, changes_to, row_units, shares_of
from tsuzuki.forecasting.held_out import HeldOut, held_out_of, origin_rows
from tsuzuki.forecasting.history import History
from tsuzuki.forecasting.known_effects import KnownEffects, known_effects, series_without_effects
from tsuzuki.forecasting.level_shift import compared_over, histories_with_outages
from tsuzuki.forecasting.member_training import Job
from tsuzuki.forecasting.outages import hide_outages_ahead, inputs_without_outages, outages_in
from tsuzuki.forecasting.panel import Panel, SeriesInputs, build_panel
from tsuzuki.forecasting.rules import Rules, rules_for
from tsuzuki.forecasting.scaling import covariate_scales, series_inputs, series_scales
from tsuzuki.forecasting.spread import COUNTS, check_counts, count_units
from tsuzuki.forecasting.transforms import Transform, transform_of
from tsuzuki.forecasting.window_inputs import with_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsuzuki.data.covariates import CovariateSeries
    from tsuzuki.forecasting.drawn_training import DrawnSource
    from tsuzuki.forecasting.settings import Settings
    from tsuzuki.training.workers import Workers


@dataclass(frozen=True)
class Prepared:
    """Series made ready.

    Attributes:
        read: the series as they were given.
        series: without the effects of what is known ahead.
        step: the grid's step in nanoseconds.
        settings: of the forecaster.
        rules: what was chosen from the data.
        transform: between the series' units and the scale of errors.
        scales: float64 [series, 2], mean and deviation, transformed.
        covariate_scales: float64 [covariates, 2].
        effects: of what is known ahead.
        inputs: what is read of each series.
        steady: the same with outages missing; the same objects where a series has none.
        far: float32 [series], how far from the value a season before an outage lies.
        out: for how many steps each series has lain off at its end.
        last_covariates: float64 [series, covariates], scaled, the last ones known.
        histories: the last values of each series.
        panel: what networks read.
        changes: float32 [points, horizon], what they learn; None where they stand alone, or learn what is drawn.
        drawn: what they are trained on, where that is not the panel.
    """

    read: "Sequence[CovariateSeries]"
    series: "Sequence[CovariateSeries]"
    step: int
    settings: "Settings"
    rules: Rules
    transform: Transform
    scales: "NDArray[np.float64]"
    covariate_scales: "NDArray[np.float64]"
    effects: KnownEffects
    inputs: list[SeriesInputs]
    steady: list[SeriesInputs]
    far: "NDArray[np.float32]"
    out: list[float]
    last_covariates: "NDArray[np.float64]"
    histories: list[History]
    panel: Panel
    changes: "NDArray[np.float32] | None"
    drawn: "DrawnSource | None"

    @property
    def points(self) -> tuple[int, ...]:
        """Readings of each series."""
        return tuple(len(one.values) for one in self.read)

    @property
    def checked(self) -> bool:
        """Whether networks lack what is held out; so little of short series that nothing is."""
        return bool(held_out_of(self.points, self.settings, 0))

    @property
    def held_out(self) -> list[HeldOut]:
        """Each stretch that is held out; all data where nothing is."""
        points, count = self.points, self.settings.ensemble
        if not self.checked:
            return [HeldOut((0,) * len(points), points)] * count
        return [held_out_of(points, self.settings, member) for member in range(count)]

    def by_networks_of(self, settings: "Settings") -> "Prepared":
        """The same for networks of other settings, which differ in what networks may differ in and in their number."""
        return replace(self, settings=settings)

    def job(
        self,
        on_progress: Callable[[float], object] | None = None,
        checkpoint: str | Path | None = None,
        every: str | float = 30.0,
        workers: "Workers | None" = None,
    ) -> Job:
        """The training of the networks; for the arguments see `Job`."""
        settings = self.settings
        # Every network forecasts wherever one is held out: how far they differ says what their mean gains.
        wanted = origin_rows(self.panel, self.held_out[-1].first, self.points)
        specs = [model_spec(settings.of_network(member), self.rules) for member in range(settings.networks)]
        told = (on_progress, checkpoint, every, self.drawn, workers)
        data = (self.panel, self.changes, self.histories, self.rules, wanted, specs)
        return Job(*data, settings, self.scales, self.points, *told)


def prepared(series: "Sequence[CovariateSeries]", settings: "Settings", drawn: "DrawnSource | None" = None) -> Prepared:
    """Make series ready; for `drawn` see `fit.train`."""
    check_counts(series, settings)
    step, read = step_of(series[0].times), series
    rules = rules_for(series, step, settings)
    if drawn is not None:
        drawn.prepare(rules)
    transform, scales_of_covariates = (
        transform_of(rules.transform, [one.values for one in series]),
        covariate_scales(series),
    )
    effects = known_effects(series, transform, settings.columns, rules.seasons, scales_of_covariates)
    if effects:
        series = series_without_effects(series, transform, effects, scales_of_covariates)
        rules = rules_for(series, step, replace(settings, transform=rules.transform))
    # Networks that stand alone or forecast quantiles have no windows that an outage could be taken out of.
    season = 0 if rules.alone or settings.quantiles or drawn is not None else compared_over(rules)[0]
    limits, usual = outages_in(series, transform, rules, season)
    if any(own is not one for own, one in zip(usual, series, strict=True)):
        rules = rules_for(usual, step, replace(settings, transform=rules.transform))
    scales = series_scales(usual, transform)
    inputs, last_covariates = series_inputs(
        series, settings, step, rules.cycles, transform, scales, scales_of_covariates
    )
    far = np.asarray(limits / scales[:, 1], np.float32)
    histories, out = histories_with_outages(inputs, far, rules)
    steady = inputs_without_outages(inputs, far, rules, season)
    first = model_spec(settings.of_network(0), rules)
    panel = build_panel(with_windows(inputs, histories, rules), first.before, settings.horizon)
    changes = None
    if settings.loss in COUNTS:
        changes = shares_of(panel, scales, count_units(scales), settings.horizon)
    elif not rules.alone and drawn is None:
        changes = changes_to(panel.targets, base_forecasts(panel, histories, rules), row_units(panel, rules))
    if changes is not None:
        hide_outages_ahead(changes, panel, inputs, steady)
    plain = (read, series, step, settings, rules, transform, scales, scales_of_covariates, effects)
    return Prepared(*plain, inputs, steady, far, out, last_covariates, histories, panel, changes, drawn)
