"""The arrays given for a model's inputs and outputs, one for each, side by side as one: what the engine reads."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import SettingError
from tsuzuki.keras.arrays import as_array
from tsuzuki.keras.batches import single
from tsuzuki.keras.compiled_loss import losses_of
from tsuzuki.keras.inputs import rank_of, ranks_of, side_by_side
from tsuzuki.keras.outputs import keys_of, tensors_of
from tsuzuki.keras.shape import Columns, Output, OutputLoss


class Together:
    """Makes one array each of what is given for a model's inputs and for its outputs: x, y and sample weights.

    Args:
        model: a compiled Keras model. An output that no loss scores takes no targets.

    Attributes:
        several: whether the model has several outputs.
        ranks: how many axes the arrays had that were given last, of each input and of each output.
        columns: of each of several outputs the target values of a step that were given last, and whether they came
            without a last axis.
    """

    def __init__(self, model: Any) -> None:
        self._model, self._tensors = model, tensors_of(model)
        self.several = len(self._tensors) > 1
        self._keys = keys_of(model) if self.several else [""]
        self.ranks: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self.columns: Columns = ()

    @cached_property
    def _losses(self) -> tuple[OutputLoss, ...]:
        return losses_of(self._model)

    @cached_property
    def _own(self) -> bool:
        """Whether the losses are none of the kernels', and may want any targets."""
        return any(loss.own is not None for loss in self._losses)

    def x(self, given: Any, name: str) -> Any:
        """Inputs side by side."""
        self.ranks = ranks_of(self._model, given), self.ranks[1]
        return side_by_side(self._model, given, name)

    def y(self, given: Any, name: str) -> Any:
        """Targets [samples, (steps,) those of all outputs]; what a model with one output takes as it is."""
        if not self.several or given is None:
            self.ranks = self.ranks[0], (rank_of(single(given, name)),)
            return single(given, name)
        scored = [number for number, loss in enumerate(self._losses) if loss.loss is not None]
        parts = self._parts(given, name, scored)
        self.ranks = self.ranks[0], tuple(map(rank_of, parts))
        arrays = [None if part is None else self._aims(i, part, name) for i, part in enumerate(parts)]
        first = next(array for array in arrays if array is not None)
        for number, array in enumerate(arrays):
            if array is not None and array.shape[:-1] != first.shape[:-1]:
                raise SettingError(
                    f"{name} of output {self._keys[number]!r} has shape {array.shape}, another {first.shape}; give as "
                    "many samples and steps of each"
                )
        flat = [
            part is not None and rank_of(part) < len(one.shape) for part, one in zip(parts, self._tensors, strict=True)
        ]
        counts = [0 if array is None else array.shape[-1] for array in arrays]
        self.columns = tuple(zip(counts, flat, strict=True))
        # A loss of the user's own is given nothing for an output that is not scored.
        missing = [
            np.full((*first.shape[:-1], 0 if self._own else tensor.shape[-1]), np.nan) for tensor in self._tensors
        ]
        return np.concatenate(
            [gap if array is None else array for gap, array in zip(missing, arrays, strict=True)],
            axis=-1,
            dtype=np.float32,
        )

    def weights(self, given: Any, name: str) -> Any:
        """Sample weights with a last axis of the outputs, or as they are where all outputs share them."""
        if given is None or not self.several:
            return single(given, name) if isinstance(given, Mapping | list) else given
        if not isinstance(given, Mapping | list | tuple):
            return given
        parts = self._parts(given, name, list(range(len(self._losses))))
        arrays = [
            None if part is None else as_array(part, f"{name} of {self._keys[i]!r}") for i, part in enumerate(parts)
        ]
        known = [array for array in arrays if array is not None]
        if not known:
            return None
        shape = known[0].shape[: len(self._tensors[0].shape) - 1]
        for array in known:
            if array.shape not in (shape, (*shape, 1)):
                raise SettingError(f"{name} has shapes {shape} and {array.shape}; give as many weights for each output")
        return np.stack([np.ones(shape) if array is None else array.reshape(shape) for array in arrays], axis=-1)

    def _parts(self, given: Any, name: str, wanted: list[int]) -> list[Any]:
        """One thing for each output, None where it is not given and not wanted."""
        count, found = len(self._losses), list[Any]([None] * len(self._losses))
        keys = [self._keys[number] for number in wanted]
        if isinstance(given, Mapping):
            missing, odd = set(keys) - set(given), set(given) - set(self._keys)
            if missing or odd:
                raise SettingError(
                    f"{name} has {', '.join(map(str, given))}, but the model's outputs are {', '.join(self._keys)}; "
                    "give those"
                )
            given = [given.get(key) for key in self._keys]
        elif not isinstance(given, Sequence) or isinstance(given, str):
            given = [given]
        if len(given) not in (count, len(wanted)):
            raise SettingError(f"{name} is not one array for each output ({', '.join(keys)}); give a list or a dict")
        for number, one in zip(wanted if len(given) == len(wanted) else range(count), given, strict=True):
            found[number] = one
        return [one if number in wanted else None for number, one in enumerate(found)]

    def _aims(self, number: int, given: Any, name: str) -> NDArray[Any]:
        name, tensor = f"{name} of output {self._keys[number]!r}", self._tensors[number]
        array, output = as_array(given, name), Output(tensor.shape[-1], self._losses[number])
        if array.ndim == len(tensor.shape) - 1 and (self._own or output.targets == 1):
            array = array[..., None]
        if self._own and array.ndim == len(tensor.shape):
            return array
        if array.ndim != len(tensor.shape) or array.shape[-1] != output.targets:
            shown = (*tensor.shape[1:-1], output.targets)
            raise SettingError(f"{name} has shape {array.shape}; the output and its loss want {('samples', *shown)}")
        return array
