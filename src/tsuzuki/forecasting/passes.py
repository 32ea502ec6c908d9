"""How many passes over the data networks need, from their size, and from how held-out losses went the first time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tsuzuki.training.records import EpochRecord

# An epoch of few updates teaches little: short series are gone through more often, up to this many updates in all.
FEWEST_UPDATES, MOST_EPOCHS = 1200, 200
# Long data are gone through less often, until a network has read so many rows, but so often at least.
MOST_ROWS, FEWEST_EPOCHS = 1_500_000, 4
# Several series show the same times so many times over. On seven of one transformer, before their test part, 5, 9, 14
# and 20 passes (3,000 to 11,000 updates) left a squared error of .665, .656, .654 and .658 96 hours ahead, of .349,
# .344, .341 and .338 24 hours ahead, in units of the series' variance.
MOST_UPDATES_OF_SEVERAL = 8000
# Held-out losses that end so much above their least, reached before this share of the passes, say that fewer do better.
WORSE, EARLY = 1.05, 0.6
# Losses that still fall by so much over the last passes say that twice as many do better, up to so many updates.
FALLING, MOST_UPDATES = 1.15, 4000
# A first training of fewer passes says nothing.
FEWEST = 6


def first_passes(asked: int, rows: int, updates: int, series: int) -> int:
    """How often a network goes through its data.

    Args:
        asked: the passes that the settings say.
        rows: that a pass reads.
        updates: of a pass.
        series: that the data hold.
    """
    passes = min(asked, max(FEWEST_EPOCHS, MOST_ROWS // rows))
    if series > 1:
        passes = min(passes, max(FEWEST_EPOCHS, MOST_UPDATES_OF_SEVERAL // updates))
    return max(passes, min(MOST_EPOCHS, -(-FEWEST_UPDATES // updates)))


def passes_again(histories: "Sequence[Sequence[EpochRecord]]") -> float | None:
    """How many times as many passes a second training has, or None where the first one stays.

    Args:
        histories: the records of each network's passes, about equally many.
    """
    count = min(map(len, histories))
    losses = [np.array([record.validation_loss for record in own], np.float64) for own in histories]
    if count < FEWEST or not all(np.isfinite(own).all() and (own > 0).all() for own in losses):
        return None
    # By the share of the passes done, each in units of its own end, so that no stretch outweighs the others.
    shares = np.arange(1, count + 1) / count
    curves = [np.interp(shares, np.arange(1, len(own) + 1) / len(own), own / own[-1]) for own in losses]
    curve = np.mean(curves, axis=0)
    # The middle of three neighbours: a single pass is often better by chance.
    smooth = np.median(np.stack([curve[:-2], curve[1:-1], curve[2:]]), axis=0)
    best = int(smooth.argmin())
    if smooth[best] * WORSE < 1 and shares[best + 1] <= EARLY:
        # While the rate falls a network learns what it learned at a high rate in about twice the passes.
        return float(min(2 * shares[best + 1], EARLY))
    updates = max(sum(record.updates for record in own) for own in histories)
    if smooth[int(EARLY * count) - 1] > FALLING and 2 * updates <= MOST_UPDATES:
        return 2.0
    return None
