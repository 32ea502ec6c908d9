"""The four variants of a comparison: how each lays out its rows, how long it trains, and how it is scored."""

from dataclasses import dataclass

from tsuzuki.experiment.prepared_data import PreparedData
from tsuzuki.experiment.recipe import Recipe
from tsuzuki.layouts.layout import Layout
from tsuzuki.layouts.streams import Streams
from tsuzuki.layouts.windows import Windows
from tsuzuki.network.optimizers import Cosine, RMSprop

STATELESS, STATEFUL, STREAMS, DECAYED = "stateless", "stateful", "streams", "streams, decayed"
# A stream's update looks back over this many windows' worth of steps: 24 hours for windows of 6.
STREAM_WINDOWS = 4
# Windows scored at once where no state is carried.
SCORING_BATCH = 256


@dataclass(frozen=True)
class Variant:
    """One variant.

    Attributes:
        name: as in the tables.
        layout: the rows to train on.
        epochs: of that layout.
        optimizer: with its learning rate or schedule.
        scoring: the rows to forecast with finished weights, over whole segments.
    """

    name: str
    layout: Layout
    epochs: int
    optimizer: RMSprop
    scoring: Layout


def variants(data: PreparedData, recipe: Recipe) -> list[Variant]:
    """The variants of a comparison, each with the same number of recurrent steps in all."""
    steps, batch, rate = recipe.timesteps, recipe.batch_size, recipe.learning_rate
    stateless, stateful = Windows(steps, batch), Windows(steps, batch, stateful=True)
    streams = Streams(STREAM_WINDOWS * steps, batch).over(data.training)
    # A window costs `steps` recurrent steps and a stream visits each observation once, so that many more epochs make
    # the same number of steps in all.
    many = recipe.epochs * steps
    constant = RMSprop(learning_rate=rate)
    decayed = RMSprop(learning_rate=Cosine(rate, many * streams.updates))
    # The state runs on from the training part into the test part, through whole segments.
    uncut = Streams(STREAM_WINDOWS * steps, 1).over(data.segments)
    carried = Windows(steps, steps, stateful=True).over(data.segments)
    fresh = Windows(steps, SCORING_BATCH).over(data.segments)
    return [
        Variant(STATELESS, stateless.over(data.training), recipe.epochs, constant, fresh),
        Variant(STATEFUL, stateful.over(data.training), recipe.epochs, constant, carried),
        Variant(STREAMS, streams, many, constant, uncut),
        Variant(DECAYED, streams, many, decayed, uncut),
    ]
