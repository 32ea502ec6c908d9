"""A Network and its weights as a PyTorch module, the way back from `from_torch`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tsuzuki.errors import SettingError
from tsuzuki.network.activation_layers import ELU, LeakyReLU
from tsuzuki.network.dropout import Dropout
from tsuzuki.network.embedding import Embedding
from tsuzuki.network.layers import GRU, LSTM, Activation, Concatenate, Dense, Layer, Recurrent, SimpleRNN
from tsuzuki.network.network import Network, check_weights, parameters
from tsuzuki.network.shaping import Reverse
from tsuzuki.torch.gates import CELLS, to_gates
from tsuzuki.torch.module_to_network import ACTIVATIONS
from tsuzuki.torch.recurrent_sequential import RecurrentSequential

Arrays = list[NDArray[np.float32]]


def to_torch(network: Network, weights: Sequence[NDArray[np.float32]]) -> RecurrentSequential:
    """Make a PyTorch module that computes what a network does, at every step.

    Args:
        network: a single path of recurrent layers in one direction or both, Dense, Embedding, Dropout and activations.
        weights: arrays as `network.parameters` lists them.

    Returns:
        An `nn.Sequential` of `batch_first` modules, which `from_torch` reads again. Its states begin at zero in every
        call. An `nn.RNN` or `nn.LSTM` has the bias as its first one.

    Raises:
        SettingError: weights that do not fit, or a layer that PyTorch has no module for.
    """
    check_weights(network, weights)
    if network.shared:
        raise SettingError(
            f"layer {network.shared[0][0] + 1} has the weights of another; only a single path has a module"
        )
    of_layer: dict[int, Arrays] = {}
    for parameter, array in zip(parameters(network), weights, strict=True):
        of_layer.setdefault(parameter.layer, []).append(array)
    modules: list[nn.Module] = []
    at = 0
    while at < len(network.layers):
        layer, taken = network.layers[at], 1
        if _both_ways(network, at):
            modules.append(_cell(network, at, [of_layer[at], of_layer[at + 2]]))
            taken = 5
        elif network.sources[at] != (at - 1,):
            raise SettingError(f"layer {at + 1} ({layer}) branches or merges; only a single path has a module")
        elif isinstance(layer, Recurrent):
            modules.append(_cell(network, at, [of_layer[at]]))
        else:
            modules += _modules(at, layer, _width(network, at), of_layer.get(at, []))
        at += taken
    return RecurrentSequential(*modules)


def _width(network: Network, at: int) -> int:
    """Values of a step that a layer reads."""
    return network.width_of(network.sources[at][0], network.widths)


def _both_ways(network: Network, at: int) -> bool:
    """Whether a bidirectional layer begins here, as `from_torch` and `from_keras` describe one."""
    layers, read = network.layers[at : at + 5], network.sources[at : at + 5]
    if len(layers) < 5 or not isinstance(layers[0], Recurrent) or layers[0] != layers[2]:
        return False
    if [type(one) for one in (layers[1], *layers[3:])] != [Reverse, Reverse, Concatenate]:
        return False
    return read == ((at - 1,), (at - 1,), (at + 1,), (at + 2,), (at, at + 3))


def _cell(network: Network, at: int, ways: list[Arrays]) -> nn.Module:
    layer = network.layers[at]
    assert isinstance(layer, SimpleRNN | GRU | LSTM)
    wrong = [
        f"{name}={getattr(layer, name)!r}"
        for name, wanted in _wanted(layer).items()
        if getattr(layer, name) not in wanted
    ]
    if wrong:
        raise SettingError(f"layer {at + 1} ({layer}) has {', '.join(wrong)}, which no module of PyTorch has")
    made = {kind: getattr(nn, name) for name, kind in CELLS.items()}[type(layer)]
    options = {"nonlinearity": layer.activation} if isinstance(layer, SimpleRNN) else {}
    module: nn.Module = made(
        _width(network, at), layer.units, bias=layer.use_bias, batch_first=True, bidirectional=len(ways) > 1, **options
    )
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    for suffix, arrays in zip(("l0", "l0_reverse"), ways, strict=False):
        for name, array in zip(names, to_gates(type(layer), arrays), strict=False):
            _fill(getattr(module, f"{name}_{suffix}"), array)
    return module


def _wanted(layer: SimpleRNN | GRU | LSTM) -> dict[str, tuple[Any, ...]]:
    """The options that a module of PyTorch leaves no choice of."""
    found: dict[str, tuple[Any, ...]] = {"dropout": (0.0,), "recurrent_dropout": (0.0,)}
    found["return_sequences"] = None, True
    if isinstance(layer, SimpleRNN):
        return found | {"activation": ("tanh", "relu")}
    found |= {"activation": ("tanh",), "recurrent_activation": ("sigmoid",)}
    return found | {"reset_after": (True,)} if isinstance(layer, GRU) else found


def _modules(at: int, layer: Layer, inputs: int, arrays: Arrays) -> list[nn.Module]:
    if isinstance(layer, Dense):
        linear = nn.Linear(inputs, layer.units, bias=layer.use_bias)
        _fill(linear.weight, arrays[0].T)
        if layer.use_bias:
            _fill(linear.bias, arrays[1])
        return [linear, *([] if layer.activation == "linear" else [_activation(at, layer, layer.activation)])]
    if isinstance(layer, Embedding) and not layer.mask_zero:
        table = nn.Embedding(layer.input_dim, layer.output_dim)
        _fill(table.weight, arrays[0])
        return [table]
    if type(layer) is Dropout:
        return [nn.Dropout(layer.rate)]
    if isinstance(layer, ELU):
        return [nn.ELU(layer.alpha)]
    if isinstance(layer, LeakyReLU):
        return [nn.LeakyReLU(layer.negative_slope)]
    if isinstance(layer, Activation):
        return [_activation(at, layer, layer.activation)]
    raise SettingError(f"layer {at + 1} ({layer}) has no module of PyTorch; leave it out")


def _activation(at: int, layer: Layer, name: str) -> nn.Module:
    if name == "softmax":
        return nn.Softmax(dim=-1)
    for kind, known in ACTIVATIONS.items():
        if known == name:
            made: nn.Module = kind()
            return made
    raise SettingError(f"layer {at + 1} ({layer}) has activation {name!r}, which no module of PyTorch is known for")


def _fill(parameter: Any, array: NDArray[np.float32]) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.array(array, np.float32)))
