"""Models of a class of the user's own: `call` is followed once on Keras's symbolic tensors, which shows the layers.

That works where `call` does nothing but call layers, add and concatenate. Whatever else the class does by itself, as a
training step of its own, cannot be seen there and is refused.
"""

from collections.abc import Sequence
from inspect import signature
from typing import Any
from weakref import WeakKeyDictionary

import keras

from tsuzuki.errors import UnsupportedModel
from tsuzuki.keras.readers.call import Shape
from tsuzuki.keras.tensorflow_calls import on_symbols

# What the engine does in the place of a model's own methods.
OWN = ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics", "make_train_function")
_traced: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def trace(model: Any, given: Sequence[Shape] = ()) -> Any:
    """The layers of a model of the user's own class as a functional model; they are built, if they are not yet.

    Args:
        model: a `keras.Model` whose class has a `call`.
        given: the shapes of its inputs with the batch; those it was built for if ().

    Raises:
        UnsupportedModel: `call` cannot be followed, or the class does more.
    """
    kind = type(model).__name__
    own = [name for name in OWN if getattr(type(model), name) is not getattr(keras.Model, name)]
    if own:
        raise UnsupportedModel(f"the model's class {kind} has a {own[0]} of its own; leave it out")
    if model not in _traced:
        shapes = (_built_for(model) if model.built else []) or [*given]
        if not shapes:
            raise UnsupportedModel(
                f"the model is a {kind}, which is not built, so its layers cannot be seen; call it on a batch first"
            )
        _traced[model] = _follow(model, shapes)
    return _traced[model]


def _follow(model: Any, shapes: Sequence[Shape]) -> Any:
    kind = type(model).__name__
    inputs = [keras.Input(batch_shape=shape) for shape in shapes]
    takes = "training" in signature(model.call).parameters
    try:
        with on_symbols():
            ways = [
                keras.Model(
                    inputs,
                    model.call(inputs[0] if len(inputs) == 1 else inputs, **({"training": way} if takes else {})),
                )
                for way in ((True, False) if takes else (True,))
            ]
    except Exception as error:
        first = str(error).strip().splitlines()[:1]
        raise UnsupportedModel(
            f"the model is a {kind}, whose call cannot be followed ({type(error).__name__}: {' '.join(first)}); build "
            "it with keras.Sequential or keras.Model(inputs, outputs)"
        ) from None
    layers = [[layer for layer in way.layers if not isinstance(layer, keras.layers.InputLayer)] for way in ways]
    if any(one is not other for one, other in zip(layers[0], layers[-1], strict=False)) or len(layers[0]) != len(
        layers[-1]
    ):
        raise UnsupportedModel(
            f"the model is a {kind}, whose call uses other layers in training; leave that to the layers' own training="
        )
    graph = ways[0]
    if [id(one) for one in graph.trainable_variables] != [id(one) for one in model.trainable_variables]:
        raise UnsupportedModel(
            f"the model is a {kind} whose layers are not made in the order in which call uses them, or are not all "
            "used; make each an attribute in that order"
        )
    return graph


def _built_for(model: Any) -> list[Shape]:
    found = [tuple(shape) for shape in (model._build_shapes_dict or {}).values() if isinstance(shape, tuple | list)]
    return found if len(found) == 1 and all(size is None or isinstance(size, int) for size in found[0]) else []
