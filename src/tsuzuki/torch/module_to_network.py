"""A PyTorch module as a Network and a list of weights, or an error that names all that has no equal here."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from tsuzuki.errors import SettingError, UnsupportedModel
from tsuzuki.network.activation_layers import ELU, LeakyReLU
from tsuzuki.network.dropout import Dropout
from tsuzuki.network.embedding import Embedding
from tsuzuki.network.layers import Activation, Concatenate, Dense, Layer
from tsuzuki.network.network import Network
from tsuzuki.network.shaping import Reverse
from tsuzuki.torch.gates import CELLS, from_gates
from tsuzuki.torch.recurrent_sequential import RecurrentSequential

ACTIVATIONS: dict[type, str] = {
    nn.Tanh: "tanh",
    nn.ReLU: "relu",
    nn.Sigmoid: "sigmoid",
    nn.Softsign: "softsign",
    nn.SiLU: "silu",
    nn.LogSigmoid: "log_sigmoid",
}
KNOWN = "RNN, GRU, LSTM, Linear, Embedding, Dropout, Sequential, Tanh, ReLU, Sigmoid, Softmax, SiLU, ELU, LeakyReLU"


def from_torch(module: nn.Module) -> tuple[Network, list[NDArray[np.float32]]]:
    """Read a PyTorch module as a description and its weights, to be trained, streamed and saved here.

    Behind a recurrent module its output sequence goes on, not its final state: `nn.Sequential(nn.GRU(1, 8),
    nn.Linear(8, 1))` is read so, although PyTorch itself cannot call it. Of a class of your own give its modules in the
    order in which `forward` calls them: `nn.Sequential(module.gru, module.head)`.

    Args:
        module: `nn.RNN`, `nn.GRU` or `nn.LSTM` with any number of layers, in one direction or both; alone or in an
            `nn.Sequential` with `nn.Linear`, `nn.Embedding`, `nn.Dropout` and activations.

    Returns:
        The network and its weights in the order of `network.parameters`; copies. The two biases of an `nn.RNN` or
        `nn.LSTM`, which PyTorch only ever adds, become one.

    Raises:
        UnsupportedModel: modules or options of them have no equal; the message names each.
    """
    draft = _Draft()
    for name, one in _single(module):
        draft.read(f"{name} ({type(one).__name__})".strip(), one)
    if not draft.layers and not draft.problems:
        draft.problems.append(f"the module is a {type(module).__name__} without modules; give a recurrent one")
    if draft.problems:
        shown = draft.problems
        lines = shown if len(shown) == 1 else [f"{len(shown)} things have no equal here:", *shown]
        raise UnsupportedModel("\n- ".join(lines), tuple(shown))
    chain = tuple((i - 1,) for i in range(len(draft.layers)))
    wiring = tuple(draft.wiring)
    try:
        network = Network(draft.inputs, tuple(draft.layers), () if wiring == chain else wiring)
    except SettingError as error:
        raise UnsupportedModel(str(error)) from error
    return network, draft.weights


def _single(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    if type(module) not in (nn.Sequential, RecurrentSequential):
        yield name or "the module", module
        return
    for inner, one in module.named_children():
        yield from _single(one, f"{name}.{inner}" if name else inner)


class _Draft:
    """The layers so far, one reading the last."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.wiring: list[tuple[int, ...]] = []
        self.weights: list[NDArray[np.float32]] = []
        self.problems: list[str] = []
        self.inputs, self.last = 0, -1

    def add(self, layer: Layer, *sources: int) -> int:
        self.layers.append(layer)
        self.wiring.append(sources or (self.last,))
        self.last = len(self.layers) - 1
        return self.last

    def read(self, name: str, module: nn.Module) -> None:
        kind = type(module)
        if isinstance(module, nn.RNN | nn.GRU | nn.LSTM):
            self._recurrent(name, module)
        elif isinstance(module, nn.Linear):
            self._begin(module.in_features)
            self.add(Dense(module.out_features, use_bias=module.bias is not None))
            self._take(module.weight.T, module.bias)
        elif isinstance(module, nn.Embedding):
            self._embedding(name, module)
        elif isinstance(module, nn.Dropout):
            if module.p > 0:
                self.add(Dropout(module.p))
        elif isinstance(module, nn.Softmax):
            if module.dim not in (-1, 2):
                self.problems.append(f"{name} has dim={module.dim}; use dim=-1")
            self.add(Activation("softmax"))
        elif isinstance(module, nn.ELU):
            self.add(ELU(module.alpha))
        elif isinstance(module, nn.LeakyReLU):
            self.add(LeakyReLU(module.negative_slope))
        elif kind in ACTIVATIONS:
            self.add(Activation(ACTIVATIONS[kind]))
        elif kind is not nn.Identity:
            inner = [f"module.{one}" for one, _ in module.named_children()]
            instead = f"give nn.Sequential({', '.join(inner)})" if inner else f"use one of {KNOWN}"
            self.problems.append(f"{name} is not supported; {instead}")

    def _begin(self, size: int) -> None:
        if not self.layers:
            self.inputs = size

    def _take(self, *weights: Any) -> None:
        found = [weight for weight in weights if weight is not None]
        self.weights += [np.array(weight.detach().cpu().numpy(), np.float32) for weight in found]

    def _embedding(self, name: str, module: nn.Embedding) -> None:
        self._begin(1)
        for option in ("padding_idx", "max_norm"):
            if getattr(module, option) is not None:
                self.problems.append(f"{name} has {option}={getattr(module, option)}; leave it out")
        self.add(Embedding(module.num_embeddings, module.embedding_dim))
        self._take(module.weight)

    def _recurrent(self, name: str, module: Any) -> None:
        self._begin(module.input_size)
        if getattr(module, "proj_size", 0):
            self.problems.append(f"{name} has proj_size={module.proj_size}; leave it out, or use a Linear behind it")
            return
        kind = CELLS[module.mode.split("_")[0]]
        options: dict[str, Any] = {"use_bias": module.bias}
        if module.mode == "RNN_RELU":
            options["activation"] = "relu"
        cell = kind(module.hidden_size, **options)
        for number in range(module.num_layers):
            if number and module.dropout:
                self.add(Dropout(module.dropout))
            source = self.last
            first = self.add(cell, source)
            self._take_cell(module, f"l{number}")
            if module.bidirectional:
                self.add(Reverse(), source)
                self.add(cell)
                self._take_cell(module, f"l{number}_reverse")
                self.add(Concatenate(), first, self.add(Reverse()))

    def _take_cell(self, module: Any, suffix: str) -> None:
        names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if module.bias else [])]
        arrays = [getattr(module, f"{name}_{suffix}").detach().cpu().numpy() for name in names]
        self.weights += from_gates(CELLS[module.mode.split("_")[0]], arrays)
