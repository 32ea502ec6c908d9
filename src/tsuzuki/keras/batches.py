"""Samples that come in batches: tf.data datasets, PyDatasets, DataLoaders and generators, an epoch of them as arrays.

The engine reads arrays, so the batches of an epoch are laid one after another before it begins. What is read anew each
epoch is read in the order in which Keras reads it: without `steps` from the first batch on, with `steps` from where the
epoch before ended. How long a dataset is that does not say so shows when it has been read.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.keras.arrays import as_array

Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]


class Joiner(Protocol):
    """Makes one array each of what is given as x, y and sample weights, which it calls by a name in messages."""

    def x(self, given: Any, name: str) -> Any: ...

    def y(self, given: Any, name: str) -> Any: ...

    def weights(self, given: Any, name: str) -> Any: ...


class Batches:
    """The batches of a dataset or generator, each of whose parts `joiner` makes one array of.

    Attributes:
        steps: batches of an epoch.
        rows: samples of a batch; the last one may have fewer.
    """

    def __init__(
        self,
        given: Any,
        steps: int | None,
        epochs: int,
        joiner: Joiner,
        what: str = "x",
    ) -> None:
        self._given, self._what, self._joiner = given, what, joiner
        self._once = isinstance(given, Iterator)
        length = None if self._once else length_of(given)
        if steps is None and self._once and epochs > 1:
            raise SettingError(
                f"{what} is a {type(given).__name__} that does not say how many batches an epoch has; "
                "give steps_per_epoch (validation_steps for validation data)"
            )
        if steps is not None and length is not None and length != math.inf and length % steps and epochs > 1:
            raise SettingError(
                f"{what} has {length} batches, which {steps} steps an epoch do not divide; "
                "give a number of steps that does, or repeat the dataset"
            )
        if steps is None and length == math.inf:
            raise SettingError(f"{what} is a dataset without an end; give steps_per_epoch")
        self._wanted, self._continues = steps, steps is not None and length != steps
        self.steps = steps or (int(length) if length is not None else 0)
        self._running: Iterator[Any] | None = None
        self.rows = 0

    def epoch(self, generator: np.random.Generator | None = None) -> Arrays:
        """Read the batches of the next epoch: x, y and sample weights or None.

        Args:
            generator: to read a PyDataset's batches in a random order, as Keras does with `shuffle=True`.
        """
        batches = [_parts(batch, self._what, self._joiner) for batch in self._read(generator)]
        sizes = [len(x) for x, _, _ in batches]
        self.rows = self.rows or sizes[0]
        odd = [i for i, size in enumerate(sizes) if size != self.rows]
        if (odd and odd != [len(sizes) - 1]) or max(sizes) > self.rows:
            raise SettingError(
                f"batch {odd[0]} of {self._what} has {sizes[odd[0]]} samples, batch 0 {self.rows}; "
                "make all of one size (only the last may be smaller)"
            )
        weights = None
        if all(weight is not None for _, _, weight in batches):
            weights = np.concatenate([weight for _, _, weight in batches if weight is not None])
        shapes = {(x.shape[1:], y.shape[1:]) for x, y, _ in batches}
        if len(shapes) > 1:
            raise SettingError(f"the batches of {self._what} differ in shape ({sorted(shapes)[:2]}); make them alike")
        return np.concatenate([x for x, _, _ in batches]), np.concatenate([y for _, y, _ in batches]), weights

    def inputs(self, of_one_size: bool) -> NDArray[Any]:
        """Read the batches of an epoch for a forecast: x alone, whatever else they hold."""
        name = f"a batch of {self._what}"
        found = [as_array(self._joiner.x(_input_of(batch, self._once), name), name) for batch in self._read()]
        sizes = [len(x) for x in found]
        self.rows = max(sizes)
        if of_one_size and set(sizes) != {self.rows}:
            raise SettingError(f"{self._what} has batches of {min(sizes)} and of {self.rows} samples; give one size")
        if len({x.shape[1:] for x in found}) > 1:
            raise SettingError(f"the batches of {self._what} differ in shape; make them alike")
        return np.concatenate(found)

    def _read(self, generator: np.random.Generator | None = None) -> list[Any]:
        """The batches of the next epoch as they are given."""
        if isinstance(self._given, keras.utils.PyDataset) and not self._continues:
            self._given.on_epoch_begin()
            order = np.arange(self.steps) if generator is None else generator.permutation(self.steps)
            found = [self._given[int(i)] for i in order]
            self._given.on_epoch_end()
        else:
            found = list(self._take())
        if not found:
            raise SettingError(f"{self._what} is a {type(self._given).__name__} that gave no batch")
        self.steps = len(found)
        return found

    def _take(self) -> Iterator[Any]:
        if self._running is None or not self._continues:
            self._running = iter(self._given)
        missing = self._wanted
        while missing is None or missing > 0:
            try:
                batch = next(self._running)
            except StopIteration:
                if missing is None:
                    return
                if missing == self._wanted and not self._once:
                    # The epoch before ended with the last batch.
                    self._running = iter(self._given)
                    batch = next(self._running)
                else:
                    raise SettingError(
                        f"{self._what} ran out of batches {missing} short of an epoch's {self._wanted}; give fewer "
                        "steps or epochs, or more data"
                    ) from None
            yield batch
            missing = None if missing is None else missing - 1


def comes_in_batches(given: Any) -> bool:
    """Whether samples are given as a dataset, a generator, a PyDataset or a DataLoader."""
    return (
        isinstance(given, Iterator | keras.utils.PyDataset)
        or _is_tf_dataset(given)
        or (hasattr(given, "batch_sampler") and hasattr(given, "dataset"))
    )


def length_of(given: Any) -> int | float | None:
    """Batches of a dataset: a number, infinity where it has no end, None where it does not say."""
    if _is_tf_dataset(given):
        count = int(given.cardinality())
        return count if count >= 0 else math.inf if count == -1 else None
    if isinstance(given, keras.utils.PyDataset):
        count = given.num_batches
        return math.inf if count is None else int(count)
    return len(given) if hasattr(given, "__len__") else None


def single(given: Any, name: str) -> Any:
    """The one array of a list, tuple or dict of inputs; anything else as it is."""
    if isinstance(given, Mapping):
        if len(given) != 1:
            raise SettingError(f"{name} is a dict of {len(given)} arrays, but the model has one; give that one")
        return next(iter(given.values()))
    if isinstance(given, list | tuple) and len(given) == 1 and hasattr(given[0], "shape") and len(given[0].shape) > 1:
        return given[0]
    return given


def _is_tf_dataset(given: Any) -> bool:
    return hasattr(given, "element_spec") and hasattr(given, "cardinality")


def _input_of(batch: Any, from_iterator: bool) -> Any:
    """The x of a batch, which may stand alone where it does not come from a generator."""
    if isinstance(batch, tuple | list):
        return batch[0]
    if from_iterator:
        raise SettingError(f"a batch of x is a {type(batch).__name__}; Keras wants (x,) of a generator")
    return batch


def _parts(batch: Any, what: str, joiner: Joiner) -> Arrays:
    if not isinstance(batch, tuple | list) or not 2 <= len(batch) <= 3:
        kind = f"{len(batch)} parts" if isinstance(batch, tuple | list) else f"a {type(batch).__name__}"
        raise SettingError(f"a batch of {what} is {kind}; it must be (x, y) or (x, y, sample_weight)")
    x, y = (
        as_array(join(part, what), f"a batch of {what}")
        for part, join in zip(batch, (joiner.x, joiner.y), strict=False)
    )
    weights = joiner.weights(batch[2], "sample_weight") if len(batch) == 3 else None
    return x, y, None if weights is None else as_array(weights, "sample_weight")
