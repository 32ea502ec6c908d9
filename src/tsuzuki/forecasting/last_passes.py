"""Networks that have been judged where they were held out go through all data once more, those stretches too.

Until then each lacks an eighth of the data, one of them the latest. Who is trusted how far, and how wide intervals are,
is known from before.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tsuzuki.forecasting.held_out import HeldOut, held_out_of, training_layout
from tsuzuki.forecasting.member_training import (
    TRAINING_SHARE,
    Job,
    Member,
    all_make_passes,
    blind,
    inputs_of,
    targets_known,
    train_whole,
)
from tsuzuki.forecasting.stepwise import rows_kept, run_stepwise
from tsuzuki.training.side_by_side import run_side_by_side
from tsuzuki.training.workers import result_of

# As many passes as this share of those before, at this share of the learning rate.
PASSES, RATE = 0.5, 0.6
# A series of fewer readings is gone through so often that networks only learn its noise by heart; in one of more, an
# eighth says nothing that the others do not.
FEWEST_READINGS, MOST_READINGS = 10_000, 36_000
# Of the work of both.
WORK = PASSES / (1 + PASSES)


def foreseen(job: Job) -> bool:
    """Whether networks go on so where they are trusted: those of a committee that learn one series of some years.

    Those that learn several were not better for it.
    """
    settings = job.settings
    return bool(
        len(job.points) == 1
        and FEWEST_READINGS <= job.points[0] <= MOST_READINGS
        and not job.rules.alone
        and settings.committee
        and settings.validation_fraction
        and held_out_of(job.points, settings, 0)
        and all_make_passes(job)
    )


def over_all(job: Job, members: list[Member], on_progress: Callable[[float], object] | None) -> list[Member]:
    """Networks that go through all data once more, those held out from them too.

    Args:
        job: what they have in common.
        members: the networks, which whole passes have trained.
        on_progress: told each further share of this work done.
    """
    count, workers = len(members), job.workers
    job = replace(job, on_progress=None, workers=None)

    def go_on(member: int, check: Callable[[], None]) -> Member:
        return _go_on(job, member, members[member], report, check)

    def report(share: float) -> None:
        if on_progress is not None:
            on_progress(share / count)

    if workers is None:
        return run_side_by_side(go_on, count)

    def gone_on(member: int, check_cancelled: Callable[[], None]) -> Member:
        found: Member = result_of(workers.submit(_LastWork(job), (member, members[member])), check_cancelled)
        report(1)
        return found

    return run_side_by_side(gone_on, count, count)


@dataclass(frozen=True)
class _LastWork:
    """Trains a network of a job on all data, in a worker."""

    job: Job

    def __call__(self, unit: tuple[int, Member]) -> Member:
        return _go_on(self.job, *unit, lambda share: None, lambda: None)


def _go_on(
    job: Job, number: int, member: Member, report: Callable[[float], None], check_cancelled: Callable[[], None]
) -> Member:
    """Train a network on all data, and run it over them; what it said where it was held out stays."""
    settings, panel = job.settings.of_network(number), job.panel
    layout, _, _ = training_layout(panel, settings, HeldOut(job.points, job.points))
    path = None if job.checkpoint is None else f"{job.checkpoint}.{number}.last"

    def report_progress(share: float) -> None:
        check_cancelled()
        report(share)

    known = targets_known(job, np.zeros(len(panel.targets), bool))
    trained = train_whole(
        job,
        number,
        (member.training.weights, RATE * settings.learning_rate),
        (inputs_of(job, number), known, known),
        (layout, None),
        max(1, round(PASSES * len(member.training.history))),
        path,
        (report_progress, check_cancelled),
    )
    if trained.interrupted:
        raise KeyboardInterrupt
    trained = blind(job, number, trained)
    own = replace(panel, inputs=panel.inputs.copy())
    nowhere = np.zeros(len(panel.inputs), bool)
    _, state = run_stepwise(job.specs[number], trained.weights, own, nowhere, kept=rows_kept(settings))
    report_progress(1 - TRAINING_SHARE)
    return replace(member, training=replace(member.training, weights=trained.weights), state=state)
