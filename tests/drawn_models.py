"""Keras models of two to seven layers, drawn at random from all that is supported, with data, loss and optimiser."""

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from keras_models import keras

L = keras.layers
CELLS = (L.SimpleRNN, L.GRU, L.LSTM)
MERGES = (L.Add, L.Average, L.Multiply, L.Maximum, L.Minimum, L.Subtract)
SMOOTH = ("tanh", "sigmoid", "elu", "softsign", "selu", "gelu", "silu", "softplus", "linear", "softmax")
IN_CELLS = ("tanh", "tanh", "tanh", "sigmoid", "softsign", "elu")
OPTIMIZERS = {
    "SGD": {"learning_rate": 0.02, "momentum": 0.8, "nesterov": True},
    "RMSprop": {"learning_rate": 0.001, "centered": True},
    "Adam": {"learning_rate": 0.002},
    "AdamW": {"learning_rate": 0.002, "clipnorm": 0.5},
    "Adagrad": {"learning_rate": 0.02},
    "Adadelta": {"learning_rate": 0.5},
    "Adamax": {"learning_rate": 0.002, "global_clipnorm": 1.0},
    "Nadam": {"learning_rate": 0.002, "clipvalue": 0.1},
}
# What a constant that is added goes through as a constant.
STRAIGHT = (L.Add, L.Average, L.Subtract, L.Concatenate, L.Rescaling, L.Normalization, L.Lambda, L.TimeDistributed)
STRAIGHT += (L.AveragePooling1D, L.GaussianNoise, L.Dropout, L.SpatialDropout1D)
UPDATES, EPOCHS, LETTERS = 25, 4, 7
# From this seed on what came later is drawn too; the models of the seeds before it stay what they were.
LATER = 200


@dataclass(frozen=True)
class Drawn:
    """A model and what it is trained on.

    Attributes:
        described: what was drawn, in words.
        model: the compiled model.
        x: an array, or a list of arrays where it has several inputs.
        y: the targets, or a list of those of two outputs.
        rows: samples of a batch.
    """

    described: str
    model: Any
    x: Any
    y: Any
    rows: int


def draw(seed: int) -> Drawn:
    """The model of a seed, the same each time, weights and all."""
    random, generator = Random(seed), np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    stateful, every_step = random.random() < 0.5, random.random() < 0.5
    rows, steps, features = random.randint(2, 6), random.randint(2, 5), random.randint(1, 3)
    masked = random.random() < 0.25
    sizes = [features] if masked or random.random() < 0.8 else [features, random.randint(1, 2)]
    inputs = [keras.Input(batch_shape=(rows if stateful else None, steps, size)) for size in sizes]
    words: list[str] = []

    def add(layer, tensor):
        words.append(type(layer).__name__)
        return layer(tensor)

    value = inputs[0] if len(inputs) == 1 else add(L.Concatenate(), inputs)
    if masked:
        value = add(L.Masking(0.0), value)
    if sizes == [features] and not masked and random.random() < 0.2:
        # Letters in the place of numbers.
        inputs = [keras.Input(batch_shape=(rows if stateful else None, steps))]
        value = add(L.Embedding(LETTERS, features + 1, mask_zero=False), inputs[0])
    kinds = ["cell", "cell", "dense", "distributed", "activation", "branch", "nested", "normal", "slopes", "noise"]
    kinds += [] if masked else ["window", "both ways"]
    later = seed >= LATER
    kinds += ["twice", "parts", "function"] * 3 if later and not masked else []
    for place in range(random.randint(1, 5)):
        kind = random.choice(kinds)
        if kind == "cell" or place == 0:
            value = add(_cell(random, stateful, True), value)
        elif kind == "dense":
            value = add(L.Dense(random.randint(1, 5), activation=random.choice(SMOOTH)), value)
        elif kind == "distributed":
            value = add(L.TimeDistributed(L.Dense(random.randint(1, 5), use_bias=False)), value)
        elif kind == "activation":
            # Keras's own Softmax layer fails on the mask of the steps.
            softmax = L.Activation("softmax") if masked else L.Softmax()
            value = add(random.choice([L.Activation("tanh"), L.LeakyReLU(0.3), L.ELU(0.5), softmax]), value)
        elif kind == "branch":
            other = L.Dense(value.shape[-1], activation="tanh")(value)
            merge = random.choice(MERGES)()
            value = add(random.choice([merge, L.Concatenate()]), [value, other])
        elif kind == "normal":
            layer = _normalisation(random)
            if isinstance(layer, L.BatchNormalization) and layer.trainable:
                _hold_biases(value)
            value = add(layer, value)
        elif kind == "slopes":
            slopes = L.PReLU(keras.initializers.Constant(0.2), shared_axes=random.choice([[1], None]))
            value = add(random.choice([slopes, L.ReLU(3.0, 0.1), L.ActivityRegularization(0.002, 0.01)]), value)
        elif kind == "twice":
            value = add(L.Concatenate(), _twice(random, value))
        elif kind == "parts":
            value = add(L.Dense(3, "tanh"), _in_parts(random, value))
        elif kind == "function":
            function = random.choice([lambda x: 0.5 * x - 0.1, lambda x: x + x, lambda x: 1.0 - x])
            value = add(L.Lambda(function), value)
        elif kind == "noise":
            # Of no noise at all, which is the same in both.
            value = add(random.choice([L.GaussianNoise(0.0), L.Dropout(0.0), L.SpatialDropout1D(0.0)]), value)
        elif kind == "window":
            window = L.Conv1D(random.randint(1, 5), 2, padding=random.choice(["same", "causal"]), activation="tanh")
            pool = random.choice([L.MaxPooling1D, L.AveragePooling1D])(2, strides=1, padding="same")
            value = add(random.choice([window, window, pool]), value)
        elif kind == "both ways":
            cell = random.choice(CELLS)(random.randint(2, 4), return_sequences=True)
            value = add(L.Bidirectional(cell, merge_mode=random.choice(["concat", "sum", "ave", "mul"])), value)
        else:
            inner = keras.Sequential([keras.Input(batch_shape=value.shape), L.Dense(3, "sigmoid"), L.Dense(4)])
            value = add(inner, value)
    # A mask would reach the loss if every step were scored.
    dot = later and not masked and not every_step and random.random() < 0.5
    if later and not masked and random.random() < 0.3:
        value = add(L.Lambda(lambda x: x[:, -2:]), value)
    value = add(_cell(random, stateful, every_step and not masked), value)
    if dot:
        # The angle between two views of the last step, beside these.
        pair = [L.Dense(3, "tanh")(value), L.Dense(3, "sigmoid")(value)]
        value = add(L.Concatenate(), [value, L.Dot(-1, normalize=random.random() < 0.5)(pair)])
    outputs = random.randint(1, 4)
    loss, activation, y = _target(random, generator, (UPDATES * rows, *value.shape[1:-1]), outputs)
    ends: Any = add(L.Dense(outputs, activation=activation, name="first"), value)
    name = random.choice(list(OPTIMIZERS))
    metrics = random.choice([None, ["mae"], ["mse", "mae"], ["accuracy"]])
    if isinstance(loss, keras.losses.SparseCategoricalCrossentropy):
        metrics = ["accuracy"]
    if random.random() < 0.2:
        words.append("two outputs")
        ends = [ends, L.Dense(2, name="second")(value)]
        loss, metrics = [loss, "mae"], None if metrics is None else [metrics, ["mse"]]
        y = [y, generator.normal(size=(UPDATES * rows, *value.shape[1:-1], 2)).astype(np.float32)]
        if later and random.random() < 0.7:
            words.append("a loss of its own")
            loss[1] = _own_loss
    model = keras.Model(inputs[0] if len(inputs) == 1 else inputs, ends)
    settings = dict(OPTIMIZERS[name])
    if name == "Adamax" and "Embedding" in words:
        # Keras clips by the norm of each occurrence, which nothing else asks for; this is refused.
        del settings["global_clipnorm"]
    model.compile(getattr(keras.optimizers, name)(**settings), loss, metrics=metrics, jit_compile=False)
    x = [generator.normal(size=(UPDATES * rows, steps, size)).astype(np.float32) for size in sizes]
    if len(inputs[0].shape) == 2:
        x = [generator.integers(0, LETTERS, (UPDATES * rows, steps))]
    if masked:
        x[0][generator.random(x[0].shape[:2]) < 0.3] = 0
    state = "stateful" if stateful else "stateless"
    described = (
        f"{state} {rows} x {steps} x {sizes}: {' '.join(words)}, {getattr(loss, 'name', loss)}, {name}, {metrics}"
    )
    return Drawn(described, model, x[0] if len(x) == 1 else x, y, rows)


def _twice(random, value):
    """A layer called at two places: on values, and on those turned over."""
    shared = random.choice([L.Dense(3, "tanh"), L.SimpleRNN(3, return_sequences=True), L.GRU(2, return_sequences=True)])
    return [shared(value), shared(L.Rescaling(-1.0)(value))]


def _in_parts(random, value):
    """Each step cut into a part of two steps, which a convolution or a cell goes through by itself."""
    parts = L.TimeDistributed(L.Reshape((2, 3)))(L.Dense(6)(value))
    inner = random.choice([L.Conv1D(3, 2, activation="tanh"), L.GRU(2, return_sequences=True), L.AveragePooling1D(2)])
    return L.TimeDistributed(random.choice([L.Flatten(), L.GlobalAveragePooling1D()]))(L.TimeDistributed(inner)(parts))


def _own_loss(y, z):
    return keras.ops.mean(keras.ops.log(1 + keras.ops.square(y - z)), axis=-1)


def _normalisation(random):
    """A layer that brings values to one size."""
    kinds = [
        L.BatchNormalization(momentum=0.9, epsilon=0.1),
        L.BatchNormalization(epsilon=0.1, trainable=False),
        L.LayerNormalization(epsilon=0.1),
        L.RMSNormalization(epsilon=0.1),
        L.Rescaling(0.7, 0.1),
        L.Normalization(mean=0.1, variance=2.0),
    ]
    return random.choice(kinds)


def _hold_biases(value):
    """Keep at zero the biases that a BatchNormalization of a value takes off again.

    Their slopes are rounding, which optimisers that divide a slope by its size make steps of.
    """
    layer = value._keras_history.operation
    if len(layer._outbound_nodes) > 1:
        return
    if isinstance(layer, keras.Sequential):
        _hold_biases(layer.outputs[0])
    if isinstance(layer, L.Dense) and layer.activation is keras.activations.linear:
        layer.bias_constraint = layer.bias.constraint = keras.constraints.MaxNorm(0.0)
    elif not isinstance(layer, STRAIGHT):
        return
    for before in keras.tree.flatten(layer.input):
        _hold_biases(before)


def _cell(random, stateful, sequences):
    kind, options = random.choice(CELLS), {}
    if kind is L.GRU:
        options["reset_after"] = random.random() < 0.5
    if kind is not L.SimpleRNN and random.random() < 0.2:
        options["recurrent_activation"] = "hard_sigmoid"
    if random.random() < 0.2:
        options["kernel_regularizer"] = keras.regularizers.L1L2(0.001, 0.01)
        options["recurrent_constraint"] = random.choice([keras.constraints.MaxNorm(0.8), None])
    return kind(
        random.randint(2, 6),
        activation=random.choice((*IN_CELLS, "silu", "gelu")),
        use_bias=random.random() < 0.8,
        return_sequences=sequences,
        stateful=stateful,
        **options,
    )


def _target(random, generator, shape, outputs):
    """A loss, what its last layer ends with, and targets."""
    losses = keras.losses
    kind = random.choice(["mse", "mse", "huber", "categorical", "sparse", "binary", "logcosh", "poisson", "kld"])
    if kind == "poisson":
        y = generator.poisson(1.5, (*shape, outputs)).astype(np.float32)
        return losses.Poisson(), "softplus", y
    if kind == "kld":
        y = generator.dirichlet(np.ones(outputs), shape).astype(np.float32)
        return losses.KLDivergence(), "softmax", y
    if kind == "logcosh":
        return losses.LogCosh(), None, generator.normal(size=(*shape, outputs)).astype(np.float32)
    if kind == "sparse":
        logits = random.random() < 0.5
        y = generator.integers(0, outputs, (*shape, 1))
        return losses.SparseCategoricalCrossentropy(from_logits=logits), None if logits else "softmax", y
    if kind == "categorical":
        y = np.eye(outputs, dtype=np.float32)[generator.integers(0, outputs, shape)]
        return losses.CategoricalCrossentropy(label_smoothing=random.choice([0.0, 0.1])), "softmax", y
    if kind == "binary":
        y = generator.integers(0, 2, (*shape, outputs)).astype(np.float32)
        return losses.BinaryCrossentropy(from_logits=True), None, y
    y = generator.normal(size=(*shape, outputs)).astype(np.float32)
    return (losses.Huber(0.7) if kind == "huber" else "mse"), random.choice([None, "tanh"]), y
