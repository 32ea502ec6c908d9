"""Keras variables whose newest values lie in the engine: written when somebody looks, read when somebody has assigned.

Writing twenty small variables takes TensorFlow a millisecond, a thousand times an update. So between two calls the
values stay where they are computed. A kept variable is an object of a subclass of its own class in which the one
attribute that everything goes through, the backend's value, is a property: whoever reads it makes the newest value be
written first, and may have changed it afterwards, so it is read again before the engine goes on. A traced function of
TensorFlow reaches its variables without Python; before one is called, everything is written.

On PyTorch the module's own parameters are these values and are held by whoever asked for them, so there everything is
written after each call and read before the next.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any
from weakref import WeakSet

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.keras.private_names import DIRECT_ASSIGN, VALUE, assign_directly, traced_calls

_LINK = "_tsuzuki_keeper"


@dataclass(frozen=True)
class Place:
    """A variable and where its value lies in the engine.

    Attributes:
        variable: of Keras.
        fetch: gives the engine's value.
        take: puts a value into the engine.
    """

    variable: Any
    fetch: Callable[[], NDArray[Any]]
    take: Callable[[NDArray[Any]], object]


class KeptVariables:
    """Variables that are kept.

    Attributes:
        places: of each.
        ahead: the numbers of those whose newest value is the engine's.
        looked: the numbers of those whose newest value may be the variable's.
        released: whether the variables are Keras's alone again; then this is of no more use.
    """

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.ahead, self.looked = set[int](), set[int]()
        self.released = False
        self._lazy = keras.backend.backend() in ("tensorflow", "jax")
        if keras.backend.backend() == "tensorflow":
            _watch_traced_functions()
        _watch_resets()
        _all.add(self)

    def add(self, places: Iterable[Place]) -> range:
        """Keep more variables; whoever kept one of them before releases all of his. Returns their numbers."""
        first = len(self.places)
        for place in places:
            variable = place.variable
            if (link := vars(variable).get(_LINK)) is not None:
                link[0].release()
            vars(variable)[_LINK] = self, len(self.places)
            kind: Any = type(variable)
            variable.__class__ = _watched(kind)
            self.looked.add(len(self.places))
            self.places.append(place)
        return range(first, len(self.places))

    def bring(self) -> None:
        """Let the engine have the newest values, before it computes."""
        if not self._lazy:
            self.looked = set(range(len(self.places))) - self.ahead
        for number in sorted(self.looked):
            place = self.places[number]
            value = vars(place.variable)[VALUE]
            place.take(np.asarray(keras.ops.convert_to_numpy(value)))
        self.looked.clear()

    def computed(self, numbers: Iterable[int]) -> None:
        """Note that the engine has computed new values."""
        self.ahead.update(numbers)
        self.looked.difference_update(self.ahead)
        if not self._lazy:
            self.hand_over()

    def hand_over(self) -> None:
        """Write all newest values into the variables, and expect others to be there."""
        for number in sorted(self.ahead):
            self._write(number)
        self.looked.update(range(len(self.places)))

    def release(self) -> None:
        """Write the newest values and leave the variables alone from now on."""
        self.hand_over()
        for place in self.places:
            vars(place.variable).pop(_LINK, None)
            place.variable.__class__ = type(place.variable).__mro__[1]
        self.released = True
        self.places = []
        self.looked.clear()

    def see(self, number: int) -> None:
        """Somebody asks for a variable's value, and can change it afterwards."""
        if number in self.ahead:
            self._write(number)
        self.looked.add(number)

    def replaced(self, number: int) -> None:
        """Somebody gives a variable another value."""
        self.ahead.discard(number)
        self.looked.add(number)

    def put(self, number: int, value: NDArray[Any]) -> None:
        """Give a variable another value in the engine."""
        self.places[number].take(value)
        self.computed((number,))

    def _write(self, number: int) -> None:
        self.ahead.discard(number)
        place = self.places[number]
        if keras.backend.backend() != "tensorflow":
            assign_directly(place.variable, place.fetch())
            return
        import tensorflow as tf

        # Whoever looks may be tracing a function.
        with tf.init_scope():
            assign_directly(place.variable, place.fetch())


_all: "WeakSet[KeptVariables]" = WeakSet()


@cache
def _watched(kind: type) -> type:
    """The subclass of a class of variables whose objects are kept."""

    def look(self: Any) -> Any:
        held = vars(self)
        if (link := held.get(_LINK)) is not None:
            link[0].see(link[1])
        return held[VALUE]

    def replace(self: Any, value: Any) -> None:
        if (link := vars(self).get(_LINK)) is not None:
            link[0].replaced(link[1])
        vars(self)[VALUE] = value

    def assign(self: Any, value: Any) -> None:
        if (link := vars(self).get(_LINK)) is not None:
            link[0].replaced(link[1])
        getattr(kind, DIRECT_ASSIGN)(self, value)

    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), {**names, VALUE: property(look, replace), DIRECT_ASSIGN: assign})


@cache
def _watch_traced_functions() -> None:
    """Let everything be written before a traced function is called."""
    for kind in traced_calls():
        plain = kind.__call__

        @wraps(plain)
        def call(self: Any, *arguments: Any, _plain: Any = plain, **options: Any) -> Any:
            for kept in list(_all):
                if not kept.released:
                    kept.hand_over()
            return _plain(self, *arguments, **options)

        kind.__call__ = call  # type: ignore[method-assign]


@cache
def _watch_resets() -> None:
    """Let the states of kept layers be reset where they lie; Keras reads each and assigns it, 0.2 ms for two."""
    plain = keras.layers.RNN.reset_state

    @wraps(plain)
    def reset_state(self: Any) -> None:
        variables = keras.tree.flatten(self.states) if self.states is not None else []
        links = [vars(variable).get(_LINK) for variable in variables if isinstance(variable, keras.Variable)]
        if not links or len(links) < len(variables) or None in links:
            plain(self)
            return
        for kept, number in [link for link in links if link is not None]:
            kept.put(number, np.zeros((), np.float32))

    keras.layers.RNN.reset_state = reset_state
