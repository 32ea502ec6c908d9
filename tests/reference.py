"""Plain twins of the fast code: float64 NumPy, one step after another, no thought for speed."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tsuzuki.network.activation_layers import ELU, ActivityRegularization, LeakyReLU, PReLU, ReLU
from tsuzuki.network.embedding import Embedding
from tsuzuki.network.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    Average,
    Concatenate,
    Dense,
    Layer,
    Masking,
    Maximum,
    Minimum,
    Multiply,
    Recurrent,
    SimpleRNN,
    Subtract,
)
from tsuzuki.network.losses import (
    MAE,
    MAPE,
    MSE,
    MSLE,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    GaussianNLL,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    LogCounts,
    Loss,
    Pinball,
    Poisson,
    Rare,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from tsuzuki.network.network import Network
from tsuzuki.network.normalisation import (
    BatchNormalization,
    Normalization,
    OverValues,
    Rescaling,
    RMSNormalization,
    UnitNormalization,
)
from tsuzuki.network.shaping import FinalState, Flatten, LastSteps, Permute, RepeatVector, Reshape, Reverse
from tsuzuki.network.time_distributed import TimeDistributed
from tsuzuki.network.windows import (
    AveragePooling1D,
    Conv1D,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    MaxPooling1D,
    Pooling,
)

Array = NDArray[np.float64]
CARRY, ZERO = -2, -1

ACTIVATION = {
    "linear": lambda x: x,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "relu": lambda x: np.maximum(x, 0),
    "softmax": lambda x: np.exp(x - x.max(-1, keepdims=True)) / np.exp(x - x.max(-1, keepdims=True)).sum(-1)[..., None],
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "celu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "exponential": np.exp,
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "relu6": lambda x: np.clip(x, 0, 6),
    "log_sigmoid": lambda x: -np.logaddexp(-x, 0),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "gelu": lambda x: x * (1 + np.vectorize(math.erf)(x / 2**0.5)) / 2,
    "gelu_tanh": lambda x: x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))) / 2,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, 0)),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "log_softmax": lambda x: x - np.log(np.exp(x - x.max(-1, keepdims=True)).sum(-1)[..., None]) - x.max(-1)[..., None],
}

MERGED = {
    Add: lambda inputs: sum(inputs),
    Average: lambda inputs: sum(inputs) / len(inputs),
    Multiply: lambda inputs: np.prod(inputs, axis=0),
    Subtract: lambda inputs: inputs[0] - inputs[1],
    Maximum: lambda inputs: np.max(inputs, axis=0),
    Minimum: lambda inputs: np.min(inputs, axis=0),
    Concatenate: lambda inputs: np.concatenate(inputs, axis=-1),
}

ALONE = {
    ReLU: lambda layer, x: np.where(
        x >= layer.threshold, np.minimum(x, layer.max_value or np.inf), layer.negative_slope * (x - layer.threshold)
    ),
    ActivityRegularization: lambda layer, x: x,
    LeakyReLU: lambda layer, x: np.where(x > 0, x, layer.negative_slope * x),
    ELU: lambda layer, x: np.where(x > 0, x, layer.alpha * np.expm1(np.minimum(x, 0))),
    Rescaling: lambda layer, x: layer.scale * x + layer.offset,
    Normalization: lambda layer, x: by_constants(layer, x),
    Flatten: lambda layer, x: x.transpose(1, 0, 2).reshape(1, x.shape[1], -1),
    Permute: lambda layer, x: x.transpose(2, 1, 0),
    Reshape: lambda layer, x: x.transpose(1, 0, 2).reshape(-1, *layer.target_shape).transpose(1, 0, 2),
    MaxPooling1D: lambda layer, x: np.stack([some.max(axis=0) for some in windows_of(layer, x)]),
    AveragePooling1D: lambda layer, x: np.stack([some.mean(axis=0) for some in windows_of(layer, x)]),
    GlobalMaxPooling1D: lambda layer, x: x.max(axis=0, keepdims=True),
    GlobalAveragePooling1D: lambda layer, x: x.mean(axis=0, keepdims=True),
    RepeatVector: lambda layer, x: np.repeat(x[-1:], layer.n, axis=0),
    Reverse: lambda layer, x: x[::-1],
    LastSteps: lambda layer, x: x[-layer.n :],
}


def step(layer: Recurrent, weights: Sequence[Array], x: Array, state: list[Array]) -> list[Array]:
    """One step of a cell: x [lanes, inputs], state a list of [lanes, units]."""
    kernel, recurrent, *rest = weights
    bias = rest[0] if rest else np.zeros(kernel.shape[1])
    act = ACTIVATION[layer.activation]
    h = state[0]
    if isinstance(layer, SimpleRNN):
        return [act(x @ kernel + h @ recurrent + bias)]
    gate = ACTIVATION[layer.recurrent_activation]
    if isinstance(layer, LSTM):
        i, f, c, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
        cell = gate(f) * state[1] + gate(i) * act(c)
        return [gate(o) * act(cell), cell]
    assert isinstance(layer, GRU)
    first, second = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    xz, xr, xh = np.split(x @ kernel + first, 3, axis=1)
    vz, vr, vh = np.split(recurrent, 3, axis=1)
    bz, br, bh = np.split(second, 3)
    z, r = gate(xz + h @ vz + bz), gate(xr + h @ vr + br)
    candidate = act(xh + r * (h @ vh + bh)) if layer.reset_after else act(xh + (r * h) @ vh)
    return [z * h + (1 - z) * candidate]


def zero_states(network: Network, lanes: int) -> list[list[Array]]:
    """The states of all recurrent layers at the start, [lanes, units] each."""
    return [
        [np.zeros((lanes, layer.units)) for _ in range(2 if isinstance(layer, LSTM) else 1)]
        for layer in network.layers
        if isinstance(layer, Recurrent)
    ]


def split(network: Network, weights: Sequence[Array]) -> list[list[Array]]:
    """Weights layer by layer."""
    rest, found = list(weights), []
    for i, layer in enumerate(network.layers):
        found.append(found[network.owner(i)] if network.owner(i) != i else [rest.pop(0) for _ in layer.shapes(1)])
    return found


def run(
    network: Network,
    weights: Sequence[Array],
    x: Array,
    states: list[list[Array]],
    real: Array | None = None,
    every_step: bool = True,
) -> tuple[Array, list]:
    """Outputs [steps, lanes, outputs] from inputs [steps, lanes, features].

    Also, for each recurrent layer, its states after each of its steps. `real` [steps, lanes] says in training which
    steps hold data; None: no training.
    """
    looked_at = network.steps_seen(len(x), every_step)
    values, masks, seen, final = [], [], [], {}
    given = np.split(x, np.cumsum(network.input_sizes)[:-1], axis=-1)
    for i, (layer, own, read) in enumerate(zip(network.layers, split(network, weights), network.sources, strict=True)):
        begin, read = (read[1:], read[:1]) if isinstance(layer, Recurrent) else ((), read)
        inputs = last_steps([values[source] if source >= 0 else given[-1 - source] for source in read])
        found = [masks[source] if source >= 0 else None for source in read]
        mask = None if any(one is None for one in found) else np.any(found, axis=0)
        if isinstance(layer, Masking):
            mask = (inputs[0] != np.float32(layer.mask_value)).any(-1)
        if isinstance(layer, Recurrent):
            start = [values[source][-1] for source in begin] or states[len(seen)]
            outputs, after = over_time(layer, own, inputs[0], None if begin else mask, start)
            final[i] = after[-1]
            values.append(outputs[-1:] if layer.return_sequences is False else outputs)
            seen.append(after)
        elif isinstance(layer, TimeDistributed):
            values.append(in_parts(layer, own, inputs[0]))
        elif isinstance(layer, FinalState):
            values.append(final[read[0]][layer.number][None])
            mask = None
        elif isinstance(layer, BatchNormalization):
            last = inputs[0][-looked_at[i] :]
            counts = None
            if real is not None and layer.trainable:
                counts = np.broadcast_to(real if len(last) == len(real) else real.all(axis=0), last.shape[:2])
                counts = counts if mask is None else counts & mask[-looked_at[i] :]
            values.append(normalised_by_batch(layer, own, last, counts)[0])
        else:
            values.append(without_state(layer, own, inputs, mask))
        mask = mask[::-1] if isinstance(layer, Reverse) and mask is not None else mask
        mask = mask[-layer.n :] if isinstance(layer, LastSteps) and mask is not None else mask
        if isinstance(layer, Embedding):
            mask = inputs[0][..., 0] != 0 if layer.mask_zero else None
        masks.append(mask if layer.masks([mask is not None]) else None)
    return np.concatenate(last_steps([values[i] for i in network.last]), axis=-1), seen


def last_steps(inputs: Sequence[Array]) -> list[Array]:
    """The last steps of several arrays [steps, ...], as many as the shortest has."""
    return [values[len(values) - min(map(len, inputs)) :] for values in inputs]


def in_parts(layer: TimeDistributed, own: Sequence[Array], x: Array) -> Array:
    """A layer on each part by itself: step t of part p is step t * parts + p."""
    parts, inner, found = layer.parts(len(x)), layer.layer, []
    for part in range(parts):
        given = x[part::parts]
        if isinstance(inner, Recurrent):
            start = [np.zeros((x.shape[1], inner.units)) for _ in range(inner.states)]
            outputs, _ = over_time(inner, own, given, None, start)
            found.append(outputs[-1:] if inner.return_sequences is False else outputs)
        else:
            found.append(without_state(inner, own, [given], None))
    return np.stack(found, axis=1).reshape(-1, *found[0].shape[1:])


def over_time(
    layer: Recurrent, own: Sequence[Array], x: Array, mask: Array | None, state: list[Array]
) -> tuple[Array, list[list[Array]]]:
    """A cell's outputs and its states after each step; a masked step holds the states and the output before it."""
    outputs, seen, last = [], [], np.zeros_like(state[0])
    for t, now in enumerate(x):
        counts = np.ones(len(now), bool) if mask is None else mask[t]
        state = [np.where(counts[:, None], *both) for both in zip(step(layer, own, now, state), state, strict=True)]
        last = np.where(counts[:, None], state[0], 0 if layer.zero_output_for_mask else last)
        outputs.append(last)
        seen.append(state)
    return np.stack(outputs), seen


def windows_of(layer: Pooling, x: Array) -> list[Array]:
    """The steps in each window; those that are padding are left out."""
    size, stride, _, _ = layer.window(len(x))
    begins = np.arange(layer.steps([len(x)])) * stride - layer.padded_before(len(x))
    return [x[max(begin, 0) : begin + size] for begin in begins]


def convolved(layer: Conv1D, own: Sequence[Array], x: Array) -> Array:
    """A convolution, step by step and tap by tap."""
    found = []
    for step in range(layer.steps([len(x)])):
        total = np.zeros((x.shape[1], layer.filters)) + (own[1] if layer.use_bias else 0)
        for tap in range(layer.kernel_size):
            at = step * layer.strides + tap * layer.dilation_rate - layer.padded_before(len(x))
            if 0 <= at < len(x):
                total = total + x[at] @ own[0][tap]
        found.append(total)
    return ACTIVATION[layer.activation](np.stack(found))


def normalised(layer: OverValues, own: Sequence[Array], x: Array) -> Array:
    """The values of each step less their mean, over their deviation; over their mean square, or their length."""
    if isinstance(layer, UnitNormalization):
        return x / np.linalg.norm(x, axis=-1, keepdims=True)
    if isinstance(layer, RMSNormalization):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + layer.epsilon) * own[0]
    rest = list(own)
    result = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.epsilon)
    result = result * rest.pop(0) if layer.scale else result
    return result + rest.pop(0) if layer.center else result


def normalised_by_batch(
    layer: BatchNormalization, own: Sequence[Array], x: Array, counts: Array | None
) -> tuple[Array, Array, Array]:
    """Each value less its mean, over its deviation, over all steps [steps, lanes] that count; or by moving averages.

    Also the two moving averages afterwards.
    """
    rest, moving = list(own[:-2]), list(own[-2:])
    mean, variance = moving
    if counts is not None:
        mean, variance = (x[counts].mean(axis=0), x[counts].var(axis=0)) if counts.any() else (0 * mean, 0 * variance)
        now = mean, variance
        moving = [layer.momentum * old + (1 - layer.momentum) * new for old, new in zip(moving, now, strict=True)]
    result = (x - mean) / np.sqrt(variance + layer.epsilon)
    result = result * rest.pop(0) if layer.scale else result
    return result + rest.pop(0) if layer.center else result, moving[0], moving[1]


def by_constants(layer: Normalization, x: Array) -> Array:
    """Each value less a mean, over a deviation, or the way back."""
    mean, deviation = np.array(layer.mean), np.sqrt(np.array(layer.variance))
    return x * deviation + mean if layer.invert else (x - mean) / np.maximum(deviation, 1e-7)


def without_state(layer: Layer, own: Sequence[Array], inputs: Sequence[Array], mask: Array | None) -> Array:
    """What a layer without state makes of its inputs [steps, lanes, values]."""
    if isinstance(layer, Dense):
        return ACTIVATION[layer.activation](inputs[0] @ own[0] + (own[1] if layer.use_bias else 0))
    if isinstance(layer, Activation):
        return ACTIVATION[layer.activation](inputs[0])
    if isinstance(layer, Embedding):
        return own[0][inputs[0][..., 0].astype(int)]
    if isinstance(layer, Conv1D):
        return convolved(layer, own, inputs[0])
    if isinstance(layer, PReLU):
        alpha = own[0][None] if layer.steps_apart is None else own[0]
        return np.where(inputs[0] > 0, inputs[0], inputs[0] * alpha[:, None])
    if isinstance(layer, OverValues):
        return normalised(layer, own, inputs[0])
    if isinstance(layer, Masking):
        return np.where(mask[..., None], inputs[0], 0)
    if isinstance(layer, GlobalAveragePooling1D) and mask is not None:
        return np.where(mask[..., None], inputs[0], 0).sum(axis=0, keepdims=True) / mask.sum(axis=0)[None, :, None]
    return MERGED[type(layer)](inputs) if layer.merges else ALONE[type(layer)](layer, inputs[0])


def loss_of(loss: Loss, outputs: Array, targets: Array) -> Array:
    """The loss of each target value: outputs [..., horizon * heads], targets [..., horizon]."""
    heads = outputs.reshape(*targets.shape, -1)
    error = heads - targets[..., None]
    if isinstance(loss, MSE):
        return (error**2).mean(-1)
    if isinstance(loss, MAE):
        return np.abs(error).mean(-1)
    if isinstance(loss, Huber):
        small = np.abs(error) <= loss.delta
        return np.where(small, error**2 / 2, loss.delta * (np.abs(error) - loss.delta / 2)).mean(-1)
    if isinstance(loss, Pinball):
        level = np.array(loss.quantiles)
        return np.maximum(-level * error, (1 - level) * error).mean(-1)
    assert isinstance(loss, GaussianNLL)
    mean, log_variance = heads[..., 0], heads[..., 1]
    return (log_variance + (targets - mean) ** 2 / np.exp(log_variance)) / 2


# Where probabilities are clipped, as float32 has it.
CLIP = 1e-7, float(np.float32(1 - 1e-7))


def class_loss(loss: Loss, outputs: Array, target: Array, straight: bool) -> list[float]:
    """The cross-entropies of one row, none where it is not scored.

    Args:
        loss: of classes.
        outputs: [outputs], probabilities or logits.
        target: [horizon].
        straight: the probabilities come straight from softmax or sigmoid, so that nothing is clipped.
    """

    if not straight and not loss.from_logits:
        outputs = np.clip(outputs / (outputs.sum() if isinstance(loss, CategoricalCrossentropy) else 1), *CLIP)

    if isinstance(loss, BinaryCrossentropy):
        y = target * (1 - loss.label_smoothing) + loss.label_smoothing / 2
        p = ACTIVATION["sigmoid"](outputs) if loss.from_logits and not straight else outputs
        values = -(y * np.log(p) + (1 - y) * np.log(1 - p))
        return list(values[~np.isnan(target)])
    if np.isnan(target).any() or target[0] == getattr(loss, "ignore_class", None):
        return []
    if loss.from_logits and not straight:
        logs = ACTIVATION["log_softmax"](outputs)
    elif isinstance(loss, SparseCategoricalCrossentropy):
        logs = np.log(outputs / outputs.sum())
    else:
        logs = np.log(outputs)
    if isinstance(loss, SparseCategoricalCrossentropy):
        return [-logs[int(target[0])]]
    assert isinstance(loss, CategoricalCrossentropy)
    y = target * (1 - loss.label_smoothing) + loss.label_smoothing / len(outputs)
    return [-(y * logs).sum()]


def count_log_likelihood(counts: Array, means: Array, dispersion: float) -> Array:
    """Of Poisson's or the negative binomial distribution, without what does not depend on the mean."""
    if dispersion == 0:
        return counts * np.log(means) - means
    size = 1 / dispersion
    success = size / (size + means)
    return size * np.log(success) + counts * np.log(1 - success) + counts * np.log(size)


def rare_loss(loss: Loss, outputs: Array, target: Array) -> list[float]:
    """The losses of one row, one for each known target, or one for all of them together."""
    z, y = outputs, target
    gap = np.maximum(1 - np.where(y == 0, -1, y) * z, 0)
    error = np.abs(z - y)
    values = {
        MAPE: lambda: 100 * error / np.maximum(np.abs(y), 1e-7),
        MSLE: lambda: (np.log(np.maximum(z, 1e-7) + 1) - np.log(np.maximum(y, 1e-7) + 1)) ** 2,
        LogCosh: lambda: error + np.log1p(np.exp(-2 * error)) - np.log(2),
        Poisson: lambda: z - y * np.log(z + 1e-7),
        LogCounts: lambda: -count_log_likelihood(y, np.exp(z), getattr(loss, "dispersion", 0.0)),
        Hinge: lambda: gap,
        SquaredHinge: lambda: gap**2,
    }
    if type(loss) in values:
        return list(values[type(loss)]()[~np.isnan(y)])
    if np.isnan(y).any():
        return []
    if isinstance(loss, KLDivergence):
        y, p = np.clip(y, 1e-7, 1), np.clip(z, 1e-7, 1)
        return [(y * np.log(y / p)).sum()]
    if isinstance(loss, CategoricalHinge):
        return [max(((1 - y) * z).max() - (y * z).sum() + 1, 0.0)]
    return [-(y * z).sum() / np.sqrt((y * y).sum() * (z * z).sum())]


def update_loss(
    network: Network,
    weights: Sequence[Array],
    inputs: Array,
    targets: Array,
    block,
    k: int,
    loss: Loss,
    every_step: bool,
    states: list[list[Array]],
    horizon: int,
    columns: slice = slice(None),
    training: bool = True,
) -> tuple[float, list[list[Array]]]:
    """The mean loss of update k and the states carried out of it, row by row and value by value.

    `columns` are the outputs that are scored; without `training` the update only scores.
    """
    starts, valid, entries = block.starts[k], block.valid[k], block.entries[k]
    steps = int(valid.max())
    states = [[np.where((entries == CARRY)[:, None], part, 0) for part in layer] for layer in states]
    x = np.zeros((steps, len(starts), inputs.shape[1]))
    for lane, (start, real) in enumerate(zip(starts, valid, strict=True)):
        x[:real, lane] = inputs[start : start + real]
    real = np.arange(steps)[:, None] < valid
    outputs, seen = run(network, weights, x, states, real if training else None, every_step)
    outputs = outputs[..., columns]
    values = []
    for lane, (start, real) in enumerate(zip(starts, valid, strict=True)):
        given = outputs if every_step else outputs[-1:]
        first = max(0, steps - len(given))
        for t, output in enumerate(given, start=first):
            if t < real if every_step and not network.whole_rows else real == steps:
                target = targets.ravel()[(start + t + 1) * targets.shape[1] :][:horizon]
                if isinstance(loss, Rare):
                    values.extend(rare_loss(loss, output[lane], target))
                    continue
                if not isinstance(loss, MSE | MAE | Huber | Pinball | GaussianNLL):
                    straight = getattr(network.layers[-1], "activation", "") in ("softmax", "sigmoid")
                    straight = straight and getattr(loss, "ignore_class", None) is None
                    values.extend(class_loss(loss, output[lane], target, straight))
                    continue
                known = ~np.isnan(target)
                values.extend(loss_of(loss, output[lane], np.nan_to_num(target))[known])
    carried = [
        [
            np.stack(
                [
                    seen[layer][-1 if real == steps else real - 1][part][lane] if real else states[layer][part][lane]
                    for lane, real in enumerate(valid)
                ]
            )
            for part in range(len(states[layer]))
        ]
        for layer in range(len(states))
    ]
    return float(np.mean(values)) if values else 0.0, carried


def follow(
    network: Network,
    weights: Sequence[Array],
    lags: Sequence[tuple[int, int]],
    feed: int,
    values: Array,
    beside: Array,
) -> Array:
    """A forecaster's network read step by step over one unbroken stretch: [points, outputs], changes already added.

    A missing value (NaN) is replaced by the forecast before it; the values before the first are the first.
    """
    seen, states, found, last = [], zero_states(network, 1), [], 0.0
    weights = [np.asarray(weight, np.float64) for weight in weights]
    for value, others in zip(values, beside, strict=True):
        missing = np.isnan(value)
        seen.append(last if missing else value)
        means = []
        for behind, over in lags:
            places = range(len(seen) - 1 - behind - over + 1, len(seen) - behind)
            means.append(np.mean([seen[max(place, 0)] for place in places]) - seen[-1])
        row = np.array([seen[-1], float(missing), *others, *means])
        outputs, later = run(network, weights, row[None, None], states)
        states = [after[0] for after in later]
        found.append(outputs[0, 0] + seen[-1])
        last = found[-1][feed]
    return np.array(found)
