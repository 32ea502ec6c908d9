"""A Keras model made ready once and kept so: its weights, optimiser slots and states in the engine's memory.

`fit`, `evaluate`, `predict` and the calls for single batches all work on the same memory, which lives as long as the
model. It is laid out anew where the model is compiled again or given other layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np
from numpy.typing import NDArray

from tsuzuki.engine.memory import Parameters, SavedStates, Slots
from tsuzuki.keras.kept_variables import KeptVariables, Place
from tsuzuki.keras.model_graph import graph_of, weights_of
from tsuzuki.keras.model_to_network import stateful_batch
from tsuzuki.keras.model_variables import slots_of, state_variables
from tsuzuki.keras.private_names import built_graph, compiled_with
from tsuzuki.network.network import Network, check_weights
from tsuzuki.network.optimizers import Nadam, Optimizer, Schedule, momentum_shares

# What is read of an optimiser besides its kind; whoever changes one of them afterwards trains with another one.
SETTINGS = (
    *("weight_decay", "clipvalue", "clipnorm", "global_clipnorm", "use_ema", "ema_momentum"),
    *("ema_overwrite_frequency", "gradient_accumulation_steps", "loss_scale_factor", "momentum", "nesterov", "rho"),
    *("beta_1", "beta_2", "epsilon", "amsgrad", "centered"),
)


# Shapes of rows that something is kept ready for.
SHAPES = 16


def settings_of(optimizer: Any) -> tuple[Any, ...]:
    """The settings of a Keras optimiser, to be compared."""
    held = vars(optimizer)
    return *[held.get(name) for name in SETTINGS], id(held.get("_learning_rate"))


@dataclass
class Trained:
    """What training adds to a model.

    Attributes:
        optimizer: the description.
        slots: its memory.
        updates_done: Keras's `iterations`.
        rate: the learning rate as the variable has it; None with a schedule.
        numbers: of the variables that training computes.
    """

    optimizer: Optimizer
    slots: Slots
    updates_done: int = 0
    rate: float | None = None
    numbers: list[int] = field(default_factory=list)


class KeptModel:
    """The memory of one model.

    Args:
        model: a built Keras model.
        network: what it is read as.
        optimizer: what its optimiser is read as, if it is to be trained; the optimiser's variables are built.

    Attributes:
        network: what it was read as.
        parameters: the weights.
        states: of stateful layers, a slot for each row of a batch; a single unused one of a stateless model.
        trained: what training needs; None where that has not been asked for.
        variables: Keras's, and where their newest values are.
    """

    def __init__(self, model: Any, network: Network, optimizer: Optimizer | None = None) -> None:
        self.network, self._graph = network, built_graph(model)
        self.parameters = Parameters(network)
        self.states = SavedStates(network, stateful_batch(model) or 1)
        self._prepared: dict[Any, Any] = {}
        self.trained: Trained | None = None
        weights = weights_of(model)
        check_weights(network, weights)
        self.variables = KeptVariables()
        self._weights = self.variables.add(map(_place, weights, self.parameters.views()))
        pairs = zip(state_variables(model, network), self.states.views(), strict=True)
        self._states = self.variables.add(_place(one, view) for one, view in pairs if one is not None)
        self._optimized = model.optimizer if optimizer is not None else None
        if optimizer is not None:
            self._train(model, optimizer)

    def fits(self, model: Any) -> bool:
        """Whether the model still has the layers that it had."""
        return not self.variables.released and built_graph(model) is self._graph

    def trains(self, model: Any, optimizer: Optimizer) -> bool:
        """Whether it is ready to be trained so; another learning rate does not count."""
        trained = self.trained
        if trained is None or self._optimized is not model.optimizer:
            return False
        same = trained.optimizer is optimizer or _without_rate(trained.optimizer) == _without_rate(optimizer)
        if same:
            trained.optimizer = optimizer
        return same

    def _train(self, model: Any, optimizer: Optimizer) -> None:
        trained = self.trained = Trained(optimizer, Slots(self.network, optimizer))
        places = []
        for number, variables in slots_of(model).items():
            views = trained.slots.views(number)
            pairs = zip(variables, views, strict=True)
            places += [_place(one, view) for one, view in pairs if one is not None and view is not None]

        def count() -> NDArray[Any]:
            return np.array(trained.updates_done)

        def set_count(value: NDArray[Any]) -> None:
            trained.updates_done = int(value)

        places.append(Place(model.optimizer.iterations, count, set_count))
        if isinstance(optimizer, Nadam):

            def product() -> NDArray[Any]:
                return np.array(np.prod(momentum_shares(optimizer, trained.updates_done)), np.float32)

            places.append(Place(model.optimizer._u_product, product, lambda value: None))
        trained.numbers = [*self._weights, *self._states, *self.variables.add(places)]
        if not isinstance(optimizer.learning_rate, Schedule):

            def rate() -> NDArray[Any]:
                return np.array(trained.rate, np.float32)

            def set_rate(value: NDArray[Any]) -> None:
                trained.rate = float(value)

            self.variables.add([Place(model.optimizer._learning_rate, rate, set_rate)])

    def prepared(self, key: Any) -> Any:
        """What a caller has made ready for rows of one shape; None where there is nothing under its key."""
        return self._prepared.get(key)

    def prepare(self, key: Any, made: Any) -> None:
        """Note what a caller has made ready."""
        if len(self._prepared) >= SHAPES:
            del self._prepared[next(iter(self._prepared))]
        self._prepared[key] = made

    def carried(self) -> None:
        """Note that the states have been computed anew, by a call that does not train."""
        self.variables.computed(self._states)

    def moved(self, updates_done: int) -> None:
        """Note that weights, slots and states have been computed anew.

        Args:
            updates_done: all together.
        """
        assert self.trained is not None
        self.trained.updates_done = updates_done
        self.variables.computed(self.trained.numbers)

    def set_states(self, states: Sequence[Sequence[NDArray[np.float32]]]) -> None:
        """Put in the states that a network's lanes carry; short data use fewer lanes than the model has rows."""
        for view, state in zip(self.states.views(), [one for layer in states for one in layer], strict=True):
            view[:] = 0
            view[: len(state)] = state[: len(view)]


_kept: "WeakKeyDictionary[Any, KeptModel]" = WeakKeyDictionary()


def kept_model(model: Any, network: Network, optimizer: Optimizer | None = None) -> KeptModel:
    """The model's memory; a new one where it has none that still fits. The arguments are those of `KeptModel`.

    Raises:
        SettingError: the model's weights are not what the network has.
    """
    found = known(model)
    same = found is not None and (found.network is network or found.network == network)
    if found is not None and same and (optimizer is None or found.trains(model, optimizer)):
        return found
    if (before := _kept.get(model)) is not None:
        before.variables.release()
    _kept[model] = found = KeptModel(model, network, optimizer)
    return found


def known(model: Any) -> KeptModel | None:
    """The model's memory where it has one that still fits.

    Raises:
        UnsupportedModel: it is no model of Keras 3.
    """
    if not isinstance(model, keras.Model):
        graph_of(model)
    found = _kept.get(model)
    return found if found is not None and found.fits(model) else None


def made_of(model: Any) -> tuple[Any, ...]:
    """What a compiled model's prepared calls depend on besides the layers, to be compared."""
    optimizer, *others = compiled_with(model)
    return optimizer, *others, *(settings_of(optimizer) if optimizer is not None else ())


def _without_rate(optimizer: Optimizer) -> Optimizer:
    return optimizer if isinstance(optimizer.learning_rate, Schedule) else replace(optimizer, learning_rate=0.0)


def _place(variable: Any, view: NDArray[np.float32]) -> Place:
    """A variable whose value is a view of the engine's memory."""
    shape = tuple(variable.shape)

    def take(value: NDArray[Any]) -> None:
        view[:] = value if value.ndim == 0 else value.reshape(view.shape)

    return Place(variable, lambda: np.array(view).reshape(shape), take)
