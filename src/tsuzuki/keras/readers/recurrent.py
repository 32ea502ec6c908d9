"""Recurrent layers: SimpleRNN, GRU and LSTM, RNN over their cells or stacks of these, either way through time."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tsuzuki.keras.readers.call import Call, Found, Reader
from tsuzuki.network.layers import (
    GRU,
    LSTM,
    Add,
    Average,
    Concatenate,
    Layer,
    Multiply,
    Recurrent,
    SimpleRNN,
)
from tsuzuki.network.shaping import FinalState, Reverse

# Keras's layers and cells, which have the same options.
CELLS: dict[type, type[SimpleRNN] | type[GRU] | type[LSTM]] = {
    keras.layers.SimpleRNN: SimpleRNN,
    keras.layers.GRU: GRU,
    keras.layers.LSTM: LSTM,
    keras.layers.SimpleRNNCell: SimpleRNN,
    keras.layers.GRUCell: GRU,
    keras.layers.LSTMCell: LSTM,
}
MERGES: dict[str, type[Layer]] = {"concat": Concatenate, "sum": Add, "mul": Multiply, "ave": Average}


def recurrent(call: Call) -> Found:
    """Read a recurrent layer; one that runs backwards reads its input reversed."""
    check_call(call)
    last, states = chained(call, call.layer, call.sources)
    return (last, *states) if call.layer.return_state else last


def bidirectional(call: Call) -> Found:
    """Read a Bidirectional: a layer each way, the second one's steps brought back into their order, and a merge."""
    check_call(call)
    one, other, mode = call.layer.forward_layer, call.layer.backward_layer, call.layer.merge_mode
    x, *begin = call.sources
    half = len(begin) // 2
    first, states = chained(call, one, (x, *begin[:half]))
    second, others = chained(call, other, (x, *begin[half:]))
    if other.return_sequences:
        second = call.add(Reverse(), second)
    ends = (first, second) if mode is None else (call.add(MERGES[mode](), first, second),)
    return (*ends, *states, *others) if call.layer.return_state else ends


def check_call(call: Call) -> None:
    """Refuse what no recurrent layer can be called with here."""
    for option in call.options:
        if option != "initial_state":
            call.refuse(f"is called with {option}, which is not supported; leave it out")
    given = keras.tree.flatten((call.arguments[1:], call.options.get("initial_state")))
    constants = [one for one in given if hasattr(one, "shape") and not isinstance(one, keras.KerasTensor)]
    if any(np.any(keras.ops.convert_to_numpy(one)) for one in constants):
        call.refuse("begins with states that are constants other than zero; make them an input of the model")


def chained(call: Call, layer: Any, sources: Sequence[int]) -> tuple[int, list[int]]:
    """Add what stands in a layer's place, reading its input and the states that it begins with; its output and states.

    The states after the last step are added only where the layer is asked for them.
    """
    source, *begin = sources
    if layer.go_backwards:
        source = call.add(Reverse(), source)
    found = cells(call, layer)
    if len(found) > 1 and (begin or call.layer.return_state):
        call.refuse("has states of a stack of cells, which are not supported; use one layer after another")
    for cell in found:
        source = call.add(cell, source, *begin)
    count = found[0].states if found and call.layer.return_state else 0
    return source, [call.add(FinalState(number), source) for number in range(count)]


def cells(call: Call, layer: Any) -> list[Recurrent]:
    """What stands in a recurrent layer's place: one layer, or several for a stack of cells."""
    if type(layer) in CELLS:
        return [described(call, layer, layer, layer.return_sequences)]
    if type(layer) is not keras.layers.RNN:
        call.refuse(f"holds a {type(layer).__name__}; use SimpleRNN, GRU or LSTM")
        return []
    stack = layer.cell.cells if type(layer.cell) is keras.layers.StackedRNNCells else [layer.cell]
    if others := [type(cell).__name__ for cell in stack if type(cell) not in CELLS]:
        call.refuse(f"holds a {others[0]}; use SimpleRNN, GRU or LSTM in place of cells of your own")
        return []
    returns = [True] * (len(stack) - 1) + [layer.return_sequences]
    return [described(call, layer, cell, all_steps) for cell, all_steps in zip(stack, returns, strict=True)]


def described(call: Call, layer: Any, cell: Any, return_sequences: bool) -> Recurrent:
    """Describe a cell, or a layer that is one, with what the layer around it says."""
    options: dict[str, Any] = {
        "activation": call.activation(layer=cell),
        "use_bias": cell.use_bias,
        "dropout": call.share("dropout", cell),
        "recurrent_dropout": call.share("recurrent_dropout", cell),
        "return_sequences": return_sequences,
        "zero_output_for_mask": layer.zero_output_for_mask,
        "stateful": bool(layer.stateful),
    }
    kind = CELLS[type(cell)]
    if kind is not SimpleRNN:
        options["recurrent_activation"] = call.activation("recurrent_activation", cell)
    if kind is GRU:
        options["reset_after"] = cell.reset_after
    if kind is LSTM:
        options["unit_forget_bias"] = cell.unit_forget_bias
    return kind(cell.units, **options)


def flipped(call: Call) -> Found:
    """Read `keras.ops.flip` of the steps."""
    if call.layer.axis not in (1, -2, (1,)):
        call.refuse(f"flips axis {call.layer.axis}; flip the steps, axis 1")
    call.refuse_masks("use go_backwards=True, or Bidirectional")
    return Reverse()


READERS: dict[type, Reader] = {
    **dict.fromkeys([keras.layers.SimpleRNN, keras.layers.GRU, keras.layers.LSTM, keras.layers.RNN], recurrent),
    keras.layers.Bidirectional: bidirectional,
}
OPERATIONS: dict[str, Reader] = {"Flip": flipped}
