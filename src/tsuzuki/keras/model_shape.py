"""What a model takes and gives, read before anything is computed."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from tsuzuki.errors import SettingError
from tsuzuki.keras.input_kinds import fixed_steps, is_read_as_numbers
from tsuzuki.keras.model_graph import is_followed
from tsuzuki.keras.model_to_network import reading_of, stateful_batch
from tsuzuki.keras.output_mask import masks_of
from tsuzuki.keras.shape import Output, Shape
from tsuzuki.keras.weight_rules import rules_of
from tsuzuki.network.network import Network


def shape_of(
    model: Any,
    batch_size: int | None,
    given: tuple[int, ...],
    timesteps: int | None = None,
    builds: bool = True,
    only_predicts: bool = False,
) -> tuple[Network, Shape]:
    """Read a model as a network and what it takes and gives; the model is not changed, except that it may be built.

    Args:
        model: a Keras model.
        batch_size: rows of a batch; None: what a stateful model was built with, or 32.
        given: the shape of x, or of a series where `timesteps` is given.
        timesteps: steps of a row of a series.
        builds: whether a model that is not built yet is built, as Keras would do first.
        only_predicts: whether neither targets nor weights of each output come; its outputs may then be of one step.

    Raises:
        UnsupportedModel: the model has no equal.
        SettingError: a batch size that does not fit it.
    """
    at = 2 if timesteps is None else 1
    features = given[at] if len(given) > at else 1
    steps = timesteps or (given[1] if len(given) > 1 else None)
    # A class of the user's own may tell numbers (samples, steps) from values by their axes.
    sample = given[1:] if timesteps is None and is_followed(model) else (steps, features)
    reading = reading_of(model, [(batch_size, *sample)], one_step=only_predicts and steps == 1)
    network = reading.network
    fixed = stateful_batch(model)
    lanes = batch_size if batch_size is not None else fixed or 32
    if isinstance(lanes, bool) or not isinstance(lanes, int | np.integer) or lanes < 1:
        raise SettingError(f"batch_size is {batch_size}; give a whole number from 1")
    if fixed and lanes != fixed:
        raise SettingError(
            f"batch_size is {batch_size}, but the stateful model was built for batches of {fixed}; "
            f"give batch_size={fixed}, or rebuild the model with keras.Input(batch_shape=({lanes}, …))"
        )
    if builds and not model.built:
        rows = None if fixed is None else int(lanes)
        model.build((rows, steps) if is_read_as_numbers(model, 0) else (rows, steps, features))
    if model.built:
        network = _moved_as_here(replace(network, rules=rules_of(model, network)))
    masks = masks_of(network) if reading.every_step else [None] * len(network.last)
    shape = Shape(
        inputs=network.inputs,
        each=tuple(Output(network.widths[end], mask=mask) for end, mask in zip(network.last, masks, strict=True)),
        every_step=reading.every_step,
        stateful=fixed is not None,
        lanes=int(lanes),
        timesteps=fixed_steps(model),
        steps_given=lambda steps: network.steps(steps)[network.last[0]],
    )
    return network, shape


def _moved_as_here(network: Network) -> Network:
    """The network with tables of vectors moved as Keras moves them on its backend.

    On TensorFlow an optimiser is handed the gradient of each occurrence of a number by itself (`tf.IndexedSlices`),
    where no penalty is added to it. What squares or clips gradients then comes to another thing than with their sum.
    """
    penalised = {rule.layer for rule in network.rules if rule.l1 or rule.l2}
    tables = [i for i, layer in enumerate(network.layers) if layer.table_rows()]
    apart = [i for i in tables if network.owner(i) not in penalised]
    if not apart or keras.backend.backend() != "tensorflow":
        return network
    layers: list[Any] = list(network.layers)
    for i in apart:
        layers[i] = replace(layers[i], by_occurrence=True)
    return replace(network, layers=tuple(layers))
