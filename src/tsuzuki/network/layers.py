"""What a network is: frozen descriptions of layers, the shapes of their weights, and how these begin.

Names, defaults and the order of weights are Keras's, so that lists of weights pass between the two unchanged. How a
network is computed is none of this module's business: `kernels` lowers the description.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsuzuki.errors import SettingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ACTIVATIONS = ("linear", "tanh", "sigmoid", "hard_sigmoid", "relu")


@dataclass(frozen=True)
class SimpleRNN:
    """h[t] = activation(x[t] W + h[t-1] V + b), as in `keras.layers.SimpleRNN`.

    Attributes:
        units: size of the state, >= 1.
        activation: one of `ACTIVATIONS`.
        use_bias: whether b is there.
        dropout: share of the inputs that is dropped while training; one mask for all steps of an update.
        recurrent_dropout: likewise for the state where it enters the product with V.
        return_sequences: whether the next layer sees every step. None: as its place asks for (every step before
            another recurrent layer; after the last one, every step if every step is scored).
        go_backwards: refused: a state carried from past to future cannot run from future to past.
    """

    units: int
    activation: str = "tanh"
    use_bias: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool | None = None
    go_backwards: bool = False

    def __post_init__(self) -> None:
        _check_recurrent(self)


@dataclass(frozen=True)
class GRU:
    """Gated recurrent unit (Cho et al. 2014), gates z, r, h as in `keras.layers.GRU`.

    `reset_after=True` is the variant of cuDNN with two biases; False applies the reset gate before the product with
    the recurrent kernel. The other attributes are those of `SimpleRNN`.
    """

    units: int
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    use_bias: bool = True
    reset_after: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool | None = None
    go_backwards: bool = False

    def __post_init__(self) -> None:
        _check_recurrent(self)
        _check_activation(self, self.recurrent_activation)


@dataclass(frozen=True)
class LSTM:
    """Long short-term memory (Hochreiter and Schmidhuber 1997), gates i, f, c, o as in `keras.layers.LSTM`.

    `unit_forget_bias` starts the forget gate's bias at 1. The other attributes are those of `SimpleRNN`.
    """

    units: int
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    use_bias: bool = True
    unit_forget_bias: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool | None = None
    go_backwards: bool = False

    def __post_init__(self) -> None:
        _check_recurrent(self)
        _check_activation(self, self.recurrent_activation)


@dataclass(frozen=True)
class Dense:
    """y = activation(x W + b), at each step by itself, as in `keras.layers.Dense`."""

    units: int
    activation: str = "linear"
    use_bias: bool = True

    def __post_init__(self) -> None:
        _check_units(self)
        _check_activation(self, self.activation)


@dataclass(frozen=True)
class Activation:
    """An activation by itself, as `keras.layers.Activation`."""

    activation: str

    def __post_init__(self) -> None:
        _check_activation(self, self.activation)


@dataclass(frozen=True)
class Dropout:
    """Drop a share of the values while training, each step drawn anew, as `keras.layers.Dropout`.

    A recurrent layer's own `dropout` is another thing: it holds one mask over all steps of an update.
    """

    rate: float

    def __post_init__(self) -> None:
        _check_rate(self, "rate", self.rate)


Recurrent = SimpleRNN | GRU | LSTM
Elementwise = Activation | Dropout
Layer = SimpleRNN | GRU | LSTM | Dense | Activation | Dropout


@dataclass(frozen=True)
class Network:
    """Layers one after another, at least one of them recurrent.

    Attributes:
        inputs: features of a step, >= 1.
        layers: the layers, first to last; the last one's units are the outputs.
    """

    inputs: int
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if self.inputs < 1:
            raise SettingError(f"a network needs at least 1 input, not {self.inputs}; give the number of features")
        recurrent = [i for i, layer in enumerate(self.layers) if isinstance(layer, Recurrent)]
        if not recurrent:
            raise SettingError("no layer of the network is recurrent; put a SimpleRNN, GRU or LSTM among its layers")
        for i in recurrent[:-1]:
            if self.layers[i].return_sequences is False:  # type: ignore[union-attr]
                raise SettingError(
                    f"layer {i + 1} ({_name(self.layers[i])}) has return_sequences=False, but a recurrent layer "
                    "follows it; set it to True or leave it out"
                )

    @property
    def outputs(self) -> int:
        """Values the network gives for a step."""
        return widths(self)[-1]

    @property
    def last_recurrent(self) -> int:
        """Position of the recurrent layer after which the scored steps are picked."""
        return max(i for i, layer in enumerate(self.layers) if isinstance(layer, Recurrent))


@dataclass(frozen=True)
class Parameter:
    """One array of weights.

    Attributes:
        layer: position of its layer.
        name: Keras's name: kernel, recurrent_kernel or bias.
        shape: (rows, gates * units), or (gates * units,), or (2, gates * units) for the two biases of a GRU.
        gates: how many gates stand side by side in the last axis.
    """

    layer: int
    name: str
    shape: tuple[int, ...]
    gates: int


def gates(layer: Layer) -> int:
    """Count the gates that stand side by side in a layer's weights."""
    return {GRU: 3, LSTM: 4}.get(type(layer), 1)


def widths(network: Network) -> tuple[int, ...]:
    """How many values each layer gives for a step."""
    found = [network.inputs]
    for layer in network.layers:
        found.append(found[-1] if isinstance(layer, Elementwise) else layer.units)
    return tuple(found[1:])


def parameters(network: Network) -> tuple[Parameter, ...]:
    """List the weights of a network in Keras's order."""
    found = []
    inputs = network.inputs
    for i, layer in enumerate(network.layers):
        if isinstance(layer, Elementwise):
            continue
        count = gates(layer)
        wide = count * layer.units
        found.append(Parameter(i, "kernel", (inputs, wide), count))
        if isinstance(layer, Recurrent):
            found.append(Parameter(i, "recurrent_kernel", (layer.units, wide), count))
        if layer.use_bias:
            two = isinstance(layer, GRU) and layer.reset_after
            found.append(Parameter(i, "bias", (2, wide) if two else (wide,), count))
        inputs = layer.units
    return tuple(found)


def initialise(network: Network, seed: int) -> "list[NDArray[np.float32]]":
    """Draw the weights a network starts with, by Keras's default initialisers.

    Kernels are Glorot uniform (Glorot and Bengio 2010), recurrent kernels orthogonal (Saxe et al. 2014), biases zero
    but for the forget gate's.

    Args:
        network: the description.
        seed: same seed, same bits.

    Returns:
        Arrays in the order and with the shapes of `parameters(network)`.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    weights = []
    for parameter in parameters(network):
        layer = network.layers[parameter.layer]
        if parameter.name == "kernel":
            limit = np.sqrt(6 / sum(parameter.shape))
            values = generator.uniform(-limit, limit, parameter.shape)
        elif parameter.name == "recurrent_kernel":
            rows, columns = parameter.shape
            q, r = np.linalg.qr(generator.normal(size=(columns, rows)))
            values = (q * np.sign(np.diag(r))).T
        else:
            values = np.zeros(parameter.shape)
            if isinstance(layer, LSTM) and layer.unit_forget_bias:
                values[layer.units : 2 * layer.units] = 1
        weights.append(np.ascontiguousarray(values, np.float32))
    return weights


def check_weights(network: Network, weights: "Sequence[NDArray[np.float32]]") -> None:
    """Raise SettingError where weights do not fit a network, naming the first that does not."""
    expected = parameters(network)
    if len(weights) != len(expected):
        raise SettingError(f"the network has {len(expected)} arrays of weights, not {len(weights)}; give one for each")
    for i, (parameter, array) in enumerate(zip(expected, weights, strict=True)):
        if array.shape != parameter.shape:
            raise SettingError(
                f"weights {i} ({parameter.name} of layer {parameter.layer + 1}) have shape {array.shape}; "
                f"give them as {parameter.shape}"
            )


def _name(layer: Layer) -> str:
    return repr(layer) if isinstance(layer, Elementwise) else f"{type(layer).__name__}({layer.units})"


def _check_rate(layer: Layer, name: str, rate: float) -> None:
    if not 0 <= rate < 1:
        raise SettingError(f"{_name(layer)} has {name} {rate}; give a share of at least 0 and below 1")


def _check_units(layer: Recurrent | Dense) -> None:
    if layer.units < 1:
        raise SettingError(f"{_name(layer)} has no units; give at least 1")


def _check_activation(layer: Layer, activation: str) -> None:
    if activation not in ACTIVATIONS:
        raise SettingError(f"{_name(layer)} has activation {activation!r}; choose one of {', '.join(ACTIVATIONS)}")


def _check_recurrent(layer: Recurrent) -> None:
    _check_units(layer)
    _check_activation(layer, layer.activation)
    for name in ("dropout", "recurrent_dropout"):
        _check_rate(layer, name, getattr(layer, name))
    if layer.go_backwards:
        raise SettingError(
            f"{_name(layer)} has go_backwards=True, but a state carried from the past into the future cannot run "
            "backwards; leave it out, or reverse the series yourself"
        )
