"""Networks of one layer after another that look across steps, drawn at random."""

from dataclasses import dataclass

from hypothesis import strategies as st

from tsuzuki.network.activation_layers import ELU, LeakyReLU, PReLU, ReLU
from tsuzuki.network.activations import ACTIVATIONS, WHOLE_STEP
from tsuzuki.network.embedding import Embedding
from tsuzuki.network.layers import GRU, LSTM, Activation, Add, Average, Concatenate, Dense, Layer, Multiply, SimpleRNN
from tsuzuki.network.network import Network, graph
from tsuzuki.network.normalisation import (
    BatchNormalization,
    LayerNormalization,
    Normalization,
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
)

CELLS = (SimpleRNN, GRU, LSTM)


@dataclass(frozen=True)
class Chain:
    """A network, the steps of its rows, and how many whole numbers its inputs are drawn from, if they are such."""

    network: Network
    timesteps: int
    numbers: int = 0


@st.composite
def cells(draw) -> Layer:
    """A recurrent layer of a few units."""
    return draw(st.sampled_from(CELLS))(draw(st.integers(1, 6)))


@st.composite
def repeated(draw) -> Chain:
    """An encoder, and a decoder that goes on from its last step."""
    layers = [draw(cells()) for _ in range(draw(st.integers(1, 2)))]
    layers += [Dense(draw(st.integers(1, 5)), "tanh")] * draw(st.booleans())
    layers += [RepeatVector(draw(st.integers(1, 6))), *(draw(cells()) for _ in range(draw(st.integers(0, 2))))]
    return Chain(Network(draw(st.integers(1, 4)), (*layers, Dense(2))), draw(st.integers(1, 6)))


@st.composite
def activated(draw) -> Chain:
    """Rarer activations in a cell, in Dense and as layers."""
    name = st.sampled_from([name for name in ACTIVATIONS if name not in WHOLE_STEP])
    inside = st.sampled_from([name for name in ACTIVATIONS if name not in WHOLE_STEP and name != "exponential"])
    kind = draw(st.sampled_from(CELLS))
    gate = {} if kind is SimpleRNN else {"recurrent_activation": draw(inside)}
    alone = [
        Activation(draw(name)),
        ReLU(
            draw(st.sampled_from([None, 0.5, 6.0])), draw(st.sampled_from([0.0, 0.1])), draw(st.sampled_from([0, 0.2]))
        ),
        LeakyReLU(draw(st.floats(0, 0.5))),
        ELU(draw(st.floats(0, 2))),
    ]
    units = draw(st.integers(1, 20))
    layers = [
        Dense(units, draw(name)),
        kind(draw(st.integers(1, 6)), draw(inside), **gate),
        draw(st.sampled_from(alone)),
    ]
    return Chain(Network(draw(st.integers(1, 4)), (*layers, Dense(2, draw(name)))), draw(st.integers(1, 4)))


@st.composite
def backwards(draw) -> Chain:
    """Cells of which some run from the last step to the first."""
    layers = [draw(cells())] * draw(st.booleans())
    layers += [Dense(draw(st.integers(1, 5)), "tanh")] * draw(st.booleans()) + [Reverse(), draw(cells())]
    layers += [Reverse()] * draw(st.booleans()) + [draw(cells())] * draw(st.booleans())
    timesteps = draw(st.integers(1, 6))
    layers.insert(draw(st.integers(0, len(layers))), LastSteps(draw(st.integers(1, timesteps))))
    return Chain(Network(draw(st.integers(1, 4)), (*layers, Dense(2))), timesteps)


@st.composite
def both_ways(draw) -> Chain:
    """A cell each way, merged, and sometimes a cell behind them."""
    one, inputs = draw(cells()), draw(st.integers(1, 3))
    layers = {
        "forward": (one, "inputs"),
        "reversed": (Reverse(), "inputs"),
        "backward": (draw(st.sampled_from(CELLS))(one.units), "reversed"),
        "in order": (Reverse(), "backward"),
        "both": (draw(st.sampled_from([Concatenate, Add, Multiply, Average]))(), "forward", "in order"),
    }
    if draw(st.booleans()):
        layers["behind"] = (draw(cells()), "both")
    return Chain(graph(inputs, layers | {"y": (Dense(2), [*layers][-1])}, "y"), draw(st.integers(1, 6)))


@st.composite
def decoded(draw) -> Chain:
    """A cell, and another that begins with its states and reads the inputs, or what a cell gave."""
    kind, units, inputs = draw(st.sampled_from(CELLS)), draw(st.integers(1, 20)), draw(st.integers(1, 3))
    layers = {"encoder": (kind(units), "inputs")}
    states = [f"state {n}" for n in range(kind.states)]
    layers |= {name: (FinalState(n), "encoder") for n, name in enumerate(states)}
    read = draw(st.sampled_from(["inputs", "encoder", "other"]))
    if read == "other":
        layers["other"] = (draw(cells()), "inputs")
    layers["decoder"] = (kind(units), read, *states)
    end = ("decoder",)
    if draw(st.booleans()):
        layers["all"] = (Concatenate(), "decoder", states[-1])
        end = ("all",)
    return Chain(graph(inputs, layers | {"y": (Dense(2), *end)}, "y"), draw(st.integers(1, 6)))


@st.composite
def windowed(draw) -> Chain:
    """Convolutions and pools, before and behind a cell, flattened or not."""
    timesteps, layers = draw(st.integers(1, 9)), []
    count = draw(st.integers(1, 4))
    cell_at = draw(st.integers(0, count - 1))
    network = Network(draw(st.integers(1, 4)), (SimpleRNN(1),))
    inputs, width, steps = network.inputs, network.inputs, timesteps
    for i in range(count):
        padding = draw(st.sampled_from(["valid", "same", "causal"]))
        size, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        dilation = draw(st.integers(1, 3)) if stride == 1 else 1
        if padding == "valid" and steps <= (size - 1) * dilation:
            padding = "same"
        kind = draw(st.sampled_from(["conv", "max", "mean", "reshape", "normalise", "rescale", "slopes", "turn"]))
        if kind == "conv":
            name = draw(st.sampled_from(["relu", "tanh", "linear"]))
            layers.append(Conv1D(draw(st.integers(1, 9)), size, stride, padding, dilation, name, draw(st.booleans())))
        elif kind == "normalise":
            alike = [RMSNormalization(0.1), Normalization(0.3, 2.0, draw(st.booleans())), UnitNormalization()]
            # A single value has the length 1 throughout, and its gradient is a difference of equal numbers.
            alike = alike[: 3 if (width or inputs) > 1 else 2]
            layers.append(
                draw(st.sampled_from([LayerNormalization(0.1, draw(st.booleans()), draw(st.booleans())), *alike]))
            )
        elif kind == "slopes":
            layers.append(PReLU(draw(st.sampled_from([1, steps]))))
        elif kind == "turn":
            layers.append(Permute(steps, width))
        elif kind == "rescale":
            layers.append(Rescaling(0.5, draw(st.sampled_from([0.0, -0.3]))))
        elif kind == "reshape":
            divisors = [n for n in range(1, steps * width + 1) if steps * width % n == 0]
            into = draw(st.sampled_from(divisors))
            layers.append(Reshape((into, steps * width // into), steps))
        else:
            pool = MaxPooling1D if kind == "max" else AveragePooling1D
            padding = "same" if padding == "causal" or steps < size else padding
            layers.append(pool(size, draw(st.sampled_from([None, stride])), padding))
        if i == cell_at:
            layers.append(draw(cells()))
        width, steps = 0, 0
        for layer in layers:
            width = layer.outputs([width or inputs])
            steps = layer.steps([steps or timesteps])
    ends = [Flatten(steps), GlobalMaxPooling1D(), GlobalAveragePooling1D()]
    layers += draw(st.sampled_from([[], *([end] for end in ends)]))
    return Chain(Network(inputs, (*layers, Dense(2))), timesteps)


@st.composite
def in_parts(draw) -> Chain:
    """Convolutions, pools and cells that go through each of several parts by themselves, before a cell."""
    parts, steps, values = draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.integers(1, 3))
    layers: list[Layer] = [SimpleRNN(steps * values), Activation("linear")] if draw(st.booleans()) else []
    inputs = draw(st.integers(1, 3)) if layers else steps * values
    layers.append(TimeDistributed(Reshape((steps, values), 1), 1))
    for _ in range(draw(st.integers(0, 3))):
        size = draw(st.integers(1, min(3, steps)))
        kinds = [
            Conv1D(draw(st.integers(1, 9)), size, draw(st.integers(1, 2)), activation="tanh"),
            MaxPooling1D(size, 1, "same"),
            AveragePooling1D(size),
            draw(st.sampled_from(CELLS))(draw(st.integers(1, 5)), return_sequences=True, stateful=False),
            Dense(draw(st.integers(1, 4)), "tanh"),
        ]
        kind = draw(st.sampled_from(kinds))
        layers.append(kind if isinstance(kind, Dense) else TimeDistributed(kind, steps))
        steps = kind.steps([steps])
    cell = draw(st.sampled_from(CELLS))(draw(st.integers(1, 5)), return_sequences=False, stateful=False)
    end = draw(st.sampled_from([Flatten(steps), GlobalMaxPooling1D(), GlobalAveragePooling1D(), cell]))
    layers += [TimeDistributed(end, steps), draw(cells()), Dense(2)]
    return Chain(Network(inputs, tuple(layers)), parts)


@st.composite
def batch_normalised(draw) -> Chain:
    """Moments over the batch before, between and behind cells."""

    def norm():
        return BatchNormalization(0.8, 0.1, draw(st.booleans()), draw(st.booleans()), draw(st.integers(0, 3)) > 0)

    inputs, timesteps = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    layers = [norm()] * draw(st.booleans()) + [Conv1D(draw(st.integers(1, 20)), 2, 1, "same")] * draw(st.booleans())
    layers += [norm()] * draw(st.booleans()) + [draw(cells())]
    layers += [norm(), draw(cells())] * draw(st.booleans()) + [norm()] * draw(st.booleans())
    means = tuple(0.1 * i for i in range(inputs))
    variances = tuple(1.0 + i for i in range(inputs))
    layers = [Normalization(means, variances)] * draw(st.booleans()) + layers
    return Chain(Network(inputs, (*layers, Dense(2))), timesteps)


@st.composite
def embedded(draw) -> Chain:
    """Numbers looked up in a table, steps with the number 0 masked or not."""
    numbers = draw(st.integers(1, 30))
    layers = [Embedding(numbers, draw(st.integers(1, 20)), draw(st.booleans())), draw(cells())]
    layers += [SimpleRNN(2)] * draw(st.booleans())
    return Chain(Network(1, (*layers, Dense(2))), draw(st.integers(1, 6)), numbers)


def chains() -> st.SearchStrategy[Chain]:
    """Any of the above."""
    drawn = [
        repeated(),
        activated(),
        backwards(),
        both_ways(),
        decoded(),
        windowed(),
        windowed(),
        embedded(),
        batch_normalised(),
        in_parts(),
    ]
    return st.one_of(drawn)
