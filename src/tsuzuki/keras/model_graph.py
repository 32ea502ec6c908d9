"""A Keras model walked from its inputs to its outputs: each layer in Keras's order, nested models as their own layers.

Sequential and functional models say by themselves what each layer reads. In the order of the walk, the layers' weights
are those of `model.get_weights()`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from tsuzuki.errors import SettingError, UnsupportedModel
from tsuzuki.keras.readers import DESCRIBED, NEAREST, reader_of, reads_parts, supported
from tsuzuki.keras.readers.call import Call, Draft, Shape
from tsuzuki.keras.readers.masks import is_handed_on
from tsuzuki.keras.readers.options import check_options, penalty
from tsuzuki.keras.tensorflow_calls import on_symbols
from tsuzuki.keras.tracing import trace

# The number of a layer of the network, or -1, -2, … for its inputs; None behind a layer that has no equal.
Number = int | None


def graph_of(model: Any, given: Sequence[Shape] = ()) -> Any:
    """The model as Keras's own description of its layers, which has `inputs`, `outputs` and `operations`.

    A Sequential model that is not built has none yet, and is given back itself.

    Args:
        model: a Keras model.
        given: the shapes of its inputs with the batch, needed for a class of the user's own that is not built.

    Raises:
        UnsupportedModel: a model of another kind, or of a class whose computation cannot be followed.
    """
    if not isinstance(model, keras.Model):
        raise UnsupportedModel(
            f"the model is a {type(model).__module__}.{type(model).__name__}, not a Keras 3 model; "
            "build it with keras.Sequential (`import keras`, not tf_keras)"
        )
    if type(model) is keras.Sequential:
        return model._functional or model
    return model if is_functional(model) else trace(model, given)


def is_functional(model: Any) -> bool:
    """Whether it was made by `keras.Model(inputs, outputs)`, and not by a class of the user's."""
    return type(model).__name__ == "Functional" and type(model).__module__.startswith("keras.")


def is_followed(model: Any) -> bool:
    """Whether it is of a class of the user's own, whose layers are seen where its `call` is followed on a shape."""
    return isinstance(model, keras.Model) and type(model) is not keras.Sequential and not is_functional(model)


def layers_of(model: Any) -> list[Any]:
    """All layers in the order of the walk, those of nested models in the place of these; no input layers."""
    return list(_layers(graph_of(model)))


def weights_of(model: Any) -> list[Any]:
    """A built model's variables that are weights of the network, in their order.

    What is part of the network's description instead is left out.
    """
    known = {
        id(weight)
        for layer in layers_of(model)
        for one in layer._flatten_layers()
        if type(one) in DESCRIBED
        for weight in one.weights
    }
    return [weight for weight in model.weights if id(weight) not in known]


def walk(
    model: Any, draft: Draft, numbers: Sequence[Number], shapes: Sequence[Shape | None]
) -> tuple[list[Number], list[Shape | None]]:
    """Read a model's layers into a draft.

    Args:
        model: a Keras model.
        draft: takes the layers and what has no equal.
        numbers: of the layers, or inputs, that stand for the model's inputs.
        shapes: of the model's inputs, with the batch.

    Returns:
        The numbers of the layers that the model's outputs come from, and the outputs' shapes where they are known.
    """
    walker = _Walker(draft)
    return walker.run(model, numbers, shapes)


class _Walker:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        # Of each operation its number, and its layers with weights where it was first called; those that are refused.
        self._numbers: dict[int, int] = {}
        self._refused: set[int] = set()
        self._followed: list[Any] = []
        self._first: dict[int, list[int]] = {}

    def run(
        self, model: Any, numbers: Sequence[Number], shapes: Sequence[Shape | None]
    ) -> tuple[list[Number], list[Shape | None]]:
        """The numbers and shapes of a model's outputs, from those of its inputs."""
        graph = graph_of(model)
        if graph is model and type(model) is keras.Sequential:
            return self._chain(model, list(numbers), list(shapes))
        known = {id(tensor): number for tensor, number in zip(graph.inputs, numbers, strict=True)}
        computed, waiting = _computed(graph), list[tuple[Any, Any]]()
        for operation in graph.operations:
            nodes = [node for node in _nodes(operation, graph) if id(node) in computed]
            waiting += [(operation, node) for node in nodes]
            # A layer that is called at several places may read what comes behind the first of them.
            while ready := [one for one in waiting if all(id(tensor) in known for tensor in _read(one[1]))]:
                for one in ready:
                    self._node(*one, known)
                waiting = [one for one in waiting if one not in ready]
        for one in waiting:
            self._node(*one, known)
        return [known.get(id(tensor)) for tensor in graph.outputs], [tensor.shape for tensor in graph.outputs]

    def _node(self, operation: Any, node: Any, known: dict[int, Number]) -> None:
        """Read one call of an operation; what it gives is known from then on."""
        tensors = _read(node)
        given = node.arguments.kwargs.items()
        options = {name: value for name, value in given if value is not None and name != "training"}
        if not any(option is tensor for option in keras.tree.flatten(options.get("mask")) for tensor in tensors):
            options.pop("mask", None)
        read, shapes = [known.get(id(tensor)) for tensor in tensors], [tensor.shape for tensor in tensors]
        found = self._one(operation, read, shapes, node.arguments.args, options)
        known |= {id(t): n for t, n in zip(node.outputs, found, strict=False)}

    def _chain(
        self, model: Any, numbers: list[Number], shapes: list[Shape | None]
    ) -> tuple[list[Number], list[Shape | None]]:
        for layer in model.layers:
            numbers = self._one(layer, numbers, shapes, (), {})
            shapes = [_shape_behind(layer, shapes[0])]
        return numbers, shapes

    def _one(
        self,
        operation: Any,
        numbers: list[Number],
        shapes: Sequence[Shape | None],
        arguments: Sequence[Any],
        options: dict[str, Any],
    ) -> list[Number]:
        """The numbers of an operation's outputs; all problems are noted."""
        if type(operation) is keras.Sequential or is_functional(operation):
            return self.run(operation, numbers, shapes)[0]
        name, draft = self._name(operation), self._draft
        if type(operation) is keras.layers.TimeDistributed and isinstance(operation.layer, keras.Model):
            with draft.parts():
                return self._one(operation.layer, numbers, [one and one[:1] + one[2:] for one in shapes], (), {})
        if type(operation) is keras.layers.Lambda and (inside := self._inside(operation, numbers, shapes)) is not None:
            return inside
        if id(operation) in self._refused:
            return [None]
        begin, before = len(draft.layers), len(draft.problems)
        found = self._read(operation, name, numbers, shapes, arguments, options)
        self._share(operation, name, range(begin, len(draft.layers)))
        if len(draft.problems) > before:
            self._refused.add(id(operation))
            return [None]
        return found

    def _read(
        self,
        operation: Any,
        name: str,
        numbers: list[Number],
        shapes: Sequence[Shape | None],
        arguments: Sequence[Any],
        options: dict[str, Any],
    ) -> list[Number]:
        """The numbers of a layer's outputs, as its reader describes it."""
        draft, reader = self._draft, reader_of(operation)
        if reader is None:
            nearest = NEAREST.get(type(operation).__name__, f"one of {supported()}")
            draft.problems.append(f"{name} is not supported; use {nearest}")
            return [None]
        # What stands behind something unread is read all the same, for its own problems.
        sources = tuple(-1 if number is None else number for number in numbers)
        call = Call(operation, name, sources, tuple(shapes), arguments, options, draft)
        before = len(draft.problems)
        check_options(call)
        if any(len(shape or ()) > 3 for shape in shapes) and not reads_parts(operation):
            call.refuse("reads parts of several steps (samples, parts, steps, values); put it in a TimeDistributed")
            return [None]
        try:
            found = reader(call)
        except SettingError as error:
            call.refuse(f"is not supported: {error}")
            found = None
        if len(draft.problems) > before or None in numbers or found is None:
            return [None]
        rule = getattr(operation, "activity_regularizer", None)
        try:
            ends = call.put(found)
            return [*ends] if rule is None else [draft.add(penalty(rule), (one,)) for one in ends]
        except SettingError as error:
            call.refuse(f"is not supported: {error}")
            return [None]

    def _inside(self, layer: Any, numbers: list[Number], shapes: Sequence[Shape | None]) -> list[Number] | None:
        """The numbers of a Lambda's outputs, where its function can be followed and does what is read; else None."""
        masked = any(number is not None and number >= 0 and self._draft.masked[number] for number in numbers)
        if masked or None in shapes or layer.mask is not None:
            return None
        inputs, problems = [keras.Input(batch_shape=shape) for shape in shapes], self._draft.problems
        try:
            with on_symbols():
                outputs = layer.function(inputs if len(inputs) > 1 else inputs[0], **layer.arguments)
            inside = keras.Model(inputs, outputs)
        except Exception:
            # Whatever a user's function does with what is no array.
            return None
        # As long as it lives, no other operation has the identity of one inside.
        self._followed.append(inside)
        before = len(problems)
        number, found = len(self._numbers), self.run(inside, numbers, shapes)[0]
        # What is named in messages are the user's layers.
        self._numbers = dict([*self._numbers.items()][:number])
        if len(problems) == before:
            return found
        del problems[before:]
        return None

    def _share(self, operation: Any, name: str, added: range) -> None:
        """Let the layers of an operation that was called before have the weights of those of its first place."""
        draft = self._draft
        weighted = [i for i in added if draft.layers[i].shapes(1)]
        first = self._first.setdefault(id(operation), weighted)
        if first is weighted:
            return
        if getattr(operation, "stateful", False):
            draft.problems.append(
                f"{name} is called at several places and carries its state from one to the other; give each place a "
                "layer of its own, or leave out stateful"
            )
        elif [draft.layers[i] for i in weighted] != [draft.layers[i] for i in first]:
            draft.problems.append(
                f"{name} is called at several places in different ways; call it alike, or give each a layer of its own"
            )
        draft.shared |= dict(zip(weighted, first, strict=False))

    def _name(self, operation: Any) -> str:
        number = self._numbers.setdefault(id(operation), len(self._numbers) + 1)
        return f"layer {number} ({operation.name!r}, {type(operation).__name__})"


def _layers(graph: Any) -> Iterator[Any]:
    for operation in graph.layers:
        if type(operation) is keras.Sequential or is_functional(operation):
            yield from _layers(graph_of(operation))
        elif not isinstance(operation, keras.layers.InputLayer):
            yield operation


def _nodes(operation: Any, graph: Any) -> list[Any]:
    """The calls of an operation that belong to a graph; it may have been called elsewhere too."""
    return [node for i, node in enumerate(operation._inbound_nodes) if f"{id(operation)}_ib-{i}" in graph._nodes]


def _read(node: Any) -> list[Any]:
    """The tensors that a call reads, without the masks that Keras hands from layer to layer by itself."""
    masks = {id(getattr(tensor, "_keras_mask", None)) for tensor in node.input_tensors}
    given = node.arguments.kwargs.get("mask")
    if hasattr(given, "_keras_history") and is_handed_on(given, node.input_tensors[0]):
        masks.add(id(given))
    return [tensor for tensor in node.input_tensors if id(tensor) not in masks]


def _computed(graph: Any) -> set[int]:
    """The calls that a graph's outputs come from; those that make the masks are not among them."""
    inside = {id(node): node for operation in graph.operations for node in _nodes(operation, graph)}
    found, left = set[int](), [*graph.outputs]
    while left:
        operation, index, _ = left.pop()._keras_history
        node = operation._inbound_nodes[index]
        if id(node) in inside and id(node) not in found and not node.is_input:
            found.add(id(node))
            left += _read(node)
    return found


def _shape_behind(layer: Any, shape: Shape | None) -> Shape | None:
    """The shape of a layer's output where it can be told without building the layer."""
    if shape is None:
        return None
    try:
        found = layer.compute_output_shape(shape)
    except Exception:
        # A layer that cannot say so before it is built, as one of the user's own.
        return None
    return tuple(found) if isinstance(found, tuple) and all(not isinstance(one, tuple) for one in found) else None
