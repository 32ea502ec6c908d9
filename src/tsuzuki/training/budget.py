"""How many updates data are worth: a number, a time, or as many as the loss on held-out stretches still falls for.

The learning rate rises, stays, and falls in the end, so that nobody needs to know beforehand when that is (warm-up,
stable, decay: Hu et al. 2024, "MiniCPM"; Hägele et al. 2024).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tsuzuki.errors import SettingError
from tsuzuki.training.checkpoints import seconds_of
from tsuzuki.training.records import EpochRecord

# Share of the updates in which the learning rate falls, in the end.
FALLING = 0.4
# The rate no longer stays when the best held-out loss has fallen by less than this share in the last `WAITING` share of
# the rounds, and not before so many rounds.
GAIN, WAITING, FEWEST = 0.01, 0.4, 40
# Updates of a network that are made at most where the loss decides.
MOST_UPDATES = 20_000


@dataclass(frozen=True)
class Budget:
    """What ends a training; with neither, the held-out loss does.

    Attributes:
        updates: so many updates.
        seconds: so much time.
    """

    updates: int | None = None
    seconds: float | None = None

    def fallen(self, history: Sequence[EpochRecord], updates: int, elapsed: float) -> float:
        """How far the learning rate has fallen before the next round: 0 where it stays, 1 where training is over.

        Args:
            history: the rounds so far.
            updates: of a round.
            elapsed: seconds so far.
        """
        return max(0.0, 1 - (1 - self.done(history, updates, elapsed)) / FALLING)

    def done(self, history: Sequence[EpochRecord], updates: int, elapsed: float) -> float:
        """The share of the training that is done, as far as is known; 1 when it is over."""
        if self.seconds is not None:
            return min(1.0, elapsed / self.seconds)
        if self.updates is not None:
            return min(1.0, len(history) / -(-self.updates // updates))
        staying = max(FEWEST, int((1 - FALLING) * MOST_UPDATES / updates))
        enough = _enough(history, staying)
        if enough is None:
            return (1 - FALLING) * len(history) / staying
        return min(1.0, len(history) * (1 - FALLING) / enough)


def _enough(history: Sequence[EpochRecord], last: int) -> int | None:
    """After how many rounds, at most `last`, the loss no longer fell at the highest rate; None where it still does."""
    losses = [record.loss if record.validation_loss is None else record.validation_loss for record in history[:last]]
    for done in range(FEWEST, len(losses) + 1):
        before = done - max(FEWEST // 2, int(WAITING * done))
        if min(losses[:done]) > (1 - GAIN) * min(losses[:before]):
            return done
    return last if len(losses) == last else None


def budget_of(given: str) -> Budget | None:
    """The budget that a setting means: "" (None: whole epochs), "auto", a whole number of updates, or a span of time.

    Raises:
        SettingError: anything else.
    """
    if given == "":
        return None
    if given == "auto":
        return Budget()
    if re.fullmatch(r"[1-9][0-9]*", given):
        return Budget(updates=int(given))
    try:
        seconds = seconds_of(given)
    except SettingError:
        seconds = 0.0
    if not seconds > 0:
        raise SettingError(
            f"budget is {given!r}; give auto, a number of updates such as 5000, or a time such as 90s, 5m or 1h"
        )
    return Budget(seconds=seconds)
