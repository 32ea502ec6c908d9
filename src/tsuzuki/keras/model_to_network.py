"""A Keras model as a Network and a list of weights, or an error that names all that has no equal here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import keras

from tsuzuki.errors import SettingError, UnsupportedModel
from tsuzuki.keras.input_kinds import is_read_as_numbers, lengths_of, without_steps
from tsuzuki.keras.model_graph import graph_of, layers_of, walk, weights_of
from tsuzuki.keras.output_mask import is_known
from tsuzuki.keras.readers.call import Draft, Shape
from tsuzuki.keras.weight_rules import rules_of
from tsuzuki.network.layers import Layer, Recurrent
from tsuzuki.network.network import Network, check_weights
from tsuzuki.network.shaping import LastSteps, Reshape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Reading:
    """What a Keras model was read as.

    Attributes:
        network: its layers.
        every_step: whether its outputs have a value for each step.
    """

    network: Network
    every_step: bool


def from_keras(model: Any) -> "tuple[Network, list[NDArray[np.float32]]]":
    """Read a built Keras model as a description and its weights; it need not be compiled.

    Args:
        model: a `keras.Sequential` or functional model.

    Returns:
        The network and its weights in the order of `network.parameters`, which is Keras's; copies.

    Raises:
        UnsupportedModel: layers or options of them have no equal; the message names each and the nearest thing.
    """
    import numpy as np

    network = reading_of(model).network
    if not model.built:
        raise UnsupportedModel(
            "the model is not built, so it has no weights yet; begin it with keras.Input, or call it on a batch first"
        )
    weights = [np.array(keras.ops.convert_to_numpy(one), np.float32) for one in weights_of(model)]
    check_weights(network, weights)
    return replace(network, rules=rules_of(model, network)), weights


def reading_of(model: Any, given: Sequence[Shape] = (), one_step: bool = False) -> Reading:
    """Describe a model's layers.

    Args:
        model: as in `from_keras`, or not yet built.
        given: the shapes of its inputs with the batch, needed where the model is not built.
        one_step: samples have a single step, so that a value for each step and one alone are alike.

    Raises:
        UnsupportedModel: as in `from_keras`.
    """
    graph = graph_of(model, given)
    shapes: list[Shape | None] = [tensor.shape for tensor in graph.inputs] if hasattr(graph, "operations") else [*given]
    draft = Draft()
    if not shapes:
        draft.problems.append("the model's input has shape None; begin it with keras.Input((timesteps, features))")
        shapes = [None]
    ends, ended = walk(model, draft, _inputs(model, draft, shapes), shapes)
    numbers = [is_read_as_numbers(model, i) for i in range(len(shapes))]
    sizes = [_features(shape, alone, draft) for shape, alone in zip(shapes, numbers, strict=True) if shape is not None]
    ranks = {len(shape) for shape in ended if shape is not None}
    if len(ranks) > 1 and not (one_step and ranks == {2, 3}):
        draft.problems.append("some outputs have a value for each step and others one; give all of them alike")
    if 4 in ranks:
        draft.problems.append("an output has values for each step of several parts; give such for each part")
    if not draft.problems and any(end is None or end < 0 for end in ends):
        draft.problems.append("an output of the model is one of its inputs; leave it out")
    if draft.problems:
        raise unsupported(draft.problems)
    ends = _leave_out_unread(draft, ends)
    # A plain chain is described without its wiring.
    wiring = tuple(draft.wiring)
    if len(sizes) == 1 and wiring == tuple((i - 1,) for i in range(len(wiring))):
        wiring = ()
    last = len(draft.layers) - 1
    try:
        network = Network(
            sum(sizes),
            _described(draft.layers),
            wiring,
            tuple(sizes) if len(sizes) > 1 else (),
            () if ends == [last] else tuple(end for end in ends if end is not None),
            shared=tuple(draft.shared.items()),
        )
    except SettingError as error:
        raise UnsupportedModel(str(error)) from error
    _check_reversed_masks(network)
    if any(network.masked[end] for end in network.last) and not is_known(network):
        raise UnsupportedModel(
            "the model's output has a mask that a Masking layer makes of computed values; put it right behind the input"
        )
    if ranks:
        return Reading(network, ranks == {3})
    final = network.layers[network.last_recurrent]
    assert isinstance(final, Recurrent)
    return Reading(network, bool(final.return_sequences))


def _check_reversed_masks(network: Network) -> None:
    """Refuse steps of a cell that runs backwards where a mask goes with them: Keras leaves it in its old order."""
    for i, read in enumerate(network.sources):
        for source in read:
            backwards = source >= 0 and isinstance(network.layers[source], Recurrent) and network.masked[source]
            first = network.sources[source][0] if backwards else -1
            if first >= 0 and network.layers[first].looks_ahead and not network.layers[i].looks_ahead:
                raise UnsupportedModel(
                    f"{network.layers[source]} runs backwards over masked steps and returns all of them, and Keras "
                    "hands the mask on in the old order; use Bidirectional, or leave out return_sequences"
                )


def stateful_batch(model: Any) -> int | None:
    """The batch size that a stateful model was built with, or None where its layers are not stateful."""
    for layer in layers_of(model):
        if getattr(layer, "stateful", False):
            return int(layer.states[0].shape[0]) if layer.states else 0
    return None


def unsupported(problems: Sequence[str]) -> UnsupportedModel:
    """The error that names all that stands in the way, a line for each where there are several."""
    lines = [problems[0]] if len(problems) == 1 else [f"{len(problems)} things have no equal here:", *problems]
    return UnsupportedModel("\n- ".join(lines), tuple(problems))


def read_all(*readers: Callable[[], Any]) -> list[Any]:
    """What some readers of a model find, or one error for all that they refuse."""
    found, problems = [], list[str]()
    for read in readers:
        try:
            found.append(read())
        except UnsupportedModel as error:
            problems += error.problems
    if problems:
        raise unsupported(problems)
    return found


def _leave_out_unread(draft: Draft, ends: Sequence[int | None]) -> list[int | None]:
    """Take out of a draft what nobody reads and has no weights, as final states and merges; the ends' new numbers."""
    read, left = set[int](), [end for end in ends if end is not None]
    while left:
        one = left.pop()
        if one >= 0 and one not in read:
            read.add(one)
            left += draft.wiring[one]
    kept = [i for i, layer in enumerate(draft.layers) if i in read or (layer.shapes(1) and i not in draft.shared)]
    number = {old: new for new, old in enumerate(kept)}
    draft.wiring[:] = [tuple(number.get(source, source) for source in draft.wiring[i]) for i in kept]
    draft.layers[:] = [draft.layers[i] for i in kept]
    draft.shared = {number[i]: number[first] for i, first in draft.shared.items() if i in number}
    return [end if end is None else number.get(end, end) for end in ends]


def _described(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers of a network; where none is stateful, whether states are carried is the layout's business."""
    if any(isinstance(layer, Recurrent) and layer.stateful for layer in layers):
        return tuple(layers)
    # Every cell is a dataclass, which its base cannot say.
    return tuple(replace(cast(Any, one), stateful=True) if isinstance(one, Recurrent) else one for one in layers)


def _inputs(model: Any, draft: Draft, shapes: "Sequence[Shape | None]") -> list[int]:
    """What stands for each input of a model: itself, or its last steps where others have more."""
    found, lengths = [-1 - i for i in range(len(shapes))], lengths_of(model)
    longest = max((length or 0 for length in lengths), default=0)
    for i, (length, without) in enumerate(zip(lengths, without_steps(model), strict=True)):
        if length is not None and length != longest and (None not in lengths or without):
            if is_read_as_numbers(model, i):
                draft.shorter[-1 - i] = length
            else:
                found[i] = draft.add(LastSteps(length), (-1 - i,))
        if len(shape := shapes[i] or ()) == 4 and None not in shape[2:]:
            # A part is the values of a step.
            with draft.parts():
                found[i] = draft.add(Reshape((int(shape[2] or 1), int(shape[3] or 1)), 1), (found[i],))
    return found


def _features(shape: Shape, as_numbers: bool, draft: Draft) -> int:
    if len(shape) == 2 and as_numbers:
        return 1
    if len(shape) == 4 and None not in shape[2:]:
        return int(shape[2] or 1) * int(shape[3] or 1)
    if len(shape) not in (2, 3) or shape[-1] is None:
        draft.problems.append(f"the model's input has shape {shape}; begin it with keras.Input((timesteps, features))")
        return 1
    return int(shape[-1])
