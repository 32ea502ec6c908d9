"""The data of a comparison: split by time, standardised by the training part, targets marked."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsuzuki.data.scaling import Standardizer
from tsuzuki.data.segments import Segment
from tsuzuki.data.series import Collection
from tsuzuki.errors import DataError
from tsuzuki.experiment.recipe import Recipe
from tsuzuki.layouts.layout import check_length

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PreparedData:
    """A collection, standardised by its training part, concatenated and split.

    Attributes:
        collection: the original series.
        scaled: float32 [points, 1], each series standardised by its training part.
        deviations: float64 [points], the standard deviation that undoes the scaling.
        training: the segments trained on.
        segments: all segments, training and test part together.
        train_targets: bool [points], the training targets, the same for every variant.
        test_targets: bool [points], the held-out targets, likewise.
    """

    collection: Collection
    scaled: "NDArray[np.float32]"
    deviations: "NDArray[np.float64]"
    training: tuple[Segment, ...]
    segments: tuple[Segment, ...]
    train_targets: "NDArray[np.bool_]"
    test_targets: "NDArray[np.bool_]"


def prepare_data(collection: Collection, recipe: Recipe) -> PreparedData:
    """Split by time, standardise by the training part, and mark the targets that every variant is scored on.

    Raises:
        TooShortError: no unbroken stretch of the training part holds timesteps + 2 points.
        DataError: a series is constant in its training part, or the test part holds no target.
    """
    import numpy as np

    values, offsets = collection.values, collection.offsets
    cuts, training = collection.split(recipe.test_fraction), collection.training_segments(recipe.test_fraction)
    check_length(training, recipe.timesteps + 2, f"training on windows of {recipe.timesteps} steps")
    scaled, deviations = np.empty_like(values), np.empty_like(values)
    test = np.zeros(len(values), bool)
    for start, cut, stop in zip(offsets, cuts, offsets[1:], strict=False):
        scaler = Standardizer().fit(values[start:cut, None])
        scaled[start:stop] = scaler.transform(values[start:stop, None])[:, 0]
        deviations[start:stop] = scaler.scale[0]
        test[cut:stop] = True
    targets = np.zeros(len(values), bool)
    for segment in collection.segments:
        targets[segment.start + recipe.timesteps : segment.stop] = True
    if recipe.test_fraction > 0 and not (targets & test).any():
        raise DataError(
            f"the test part of {collection.name} holds no value with {recipe.timesteps} steps before it; "
            "raise --test-fraction or give a longer series"
        )
    return PreparedData(
        collection=collection,
        scaled=np.ascontiguousarray(scaled[:, None], np.float32),
        deviations=deviations,
        training=training,
        segments=collection.segments,
        train_targets=targets & ~test,
        test_targets=targets & test,
    )
