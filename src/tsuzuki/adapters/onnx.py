"""One step of a network as an ONNX file: the inputs and the states in, the outputs and the new states out.

Whoever runs it keeps the states: zeros at the beginning, then what the last step gave. ONNX's own recurrent operators
would do whole rows at once and know neither Keras's GRU with `reset_after` nor all activations, so the cells are
written out in products and activations.
"""

import importlib.util
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import MissingExtraError, UnsupportedModel
from tsuzuki.network.activation_layers import Rectifier
from tsuzuki.network.dropout import Dropout
from tsuzuki.network.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    Average,
    Concatenate,
    Dense,
    Layer,
    Maximum,
    Minimum,
    Multiply,
    Recurrent,
    SimpleRNN,
    Subtract,
)
from tsuzuki.network.network import Network, check_weights, parameters

OPSET, IR_VERSION = 17, 8
# ONNX's operators and their settings, by Keras's names.
OPERATORS: dict[str, tuple[str, dict[str, float]]] = {
    "linear": ("Identity", {}),
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "relu": ("Relu", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {}),
    "celu": ("Celu", {"alpha": 1.0}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "exponential": ("Exp", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
}
MERGES: dict[type[Layer], str] = {
    Add: "Sum",
    Average: "Mean",
    Multiply: "Mul",
    Subtract: "Sub",
    Maximum: "Max",
    Minimum: "Min",
}


def to_onnx(network: Network, weights: Sequence[NDArray[np.float32]], path: str | Path) -> None:
    """Write one step of a network as an ONNX file (opset 17).

    Its inputs are "inputs" [rows, features] and, for each recurrent layer, "state 0", "state 1" ... [rows, units], an
    LSTM's output and cell being two; its outputs are "outputs" [rows, outputs] and "new state 0" ... in the same
    order. Run it on a step after another and hand the states on; zeros begin a series.

    Args:
        network: cells, Dense, Activation, ReLU, LeakyReLU, ELU, Dropout (which does nothing here) and merges.
        weights: arrays as `network.parameters` lists them.
        path: the file.

    Raises:
        SettingError: weights that do not fit the network.
        UnsupportedModel: a layer or an activation that a single step cannot have, or that ONNX does not know.
        FileError: the file cannot be written.
        MissingExtraError: the package onnx is not installed.
    """
    check_weights(network, weights)
    check_onnx("to_onnx")
    graph = StepGraph()
    graph.take("inputs", network.inputs)
    graph.give("outputs", network.outputs, graph.network(network, weights, "inputs"))
    graph.write(path, "step")


def check_onnx(what: str) -> None:
    """Raise where no ONNX file could be written.

    Raises:
        MissingExtraError: the package onnx is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        raise MissingExtraError(
            f'{what} needs the package onnx, which is not installed; install it with: pip install "tsuzuki[onnx]"'
        )


class StepGraph:
    """The nodes of one step, added one after another.

    Attributes:
        nodes: in the order of the computation.
        constants: the weights, and the values that inputs have unless they are given.
        inputs: what is read at each step, then the states.
        outputs: what comes out, then the new states.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self._begun: list[tuple[str, int]] = []
        self._states: list[Any] = []
        self._weights: dict[str, NDArray[np.float32]] = {}
        self._prefix, self._handed = "", 0
        self._defaults: list[NDArray[np.float32]] = []

    def take(self, name: str, size: int, default: NDArray[np.float32] | None = None) -> str:
        """An input [rows, size]; with a default it need not be given."""
        from onnx import numpy_helper

        self.inputs.append(_value(name, size))
        if default is not None:
            self.constants.append(numpy_helper.from_array(np.asarray(default, np.float32).reshape(1, size), name))
        return name

    def give(self, name: str, size: int, value: str) -> None:
        """An output [rows, size]."""
        self.outputs.append(_value(name, size))
        self.node("Identity", [value], name=name)

    def network(
        self,
        network: Network,
        weights: Sequence[NDArray[np.float32]],
        source: str,
        prefix: str = "",
        states: Sequence[NDArray[np.float32]] = (),
    ) -> str:
        """Add a network.

        Args:
            network: the description.
            weights: its arrays.
            source: the value that it reads.
            prefix: before the names of its states.
            states: what they are unless they are given; nothing where they must be.

        Returns:
            The name of its outputs.
        """
        arrays: list[dict[str, str]] = [{} for _ in network.layers]
        self._weights, self._prefix, self._begun, self._defaults = {}, prefix, [], list(states)
        self._handed = 0
        for parameter, array in zip(parameters(network), weights, strict=True):
            name = f"{parameter.layer} {parameter.name}"
            arrays[parameter.layer][parameter.name] = name
            self._weights[name] = np.asarray(array, np.float32)
        given = self._split(network, source)
        found: list[str] = []
        handed_on = len(self._states)
        for i, (layer, read) in enumerate(zip(network.layers, network.sources, strict=True)):
            sources = [found[place] if place >= 0 else given[-1 - place] for place in read]
            found.append(self._layer(i, layer, sources, arrays[network.owner(i)]))
        assert len(self._states) - handed_on == len(self._begun)
        return self.node("Concat", [found[i] for i in network.last], axis=-1)

    def write(self, path: str | Path, name: str, notes: dict[str, str] | None = None) -> None:
        """Write the file.

        Args:
            path: where.
            name: of the graph.
            notes: metadata.

        Raises:
            FileError: it cannot be written.
        """
        import onnx
        from onnx import helper

        from tsuzuki import __version__
        from tsuzuki.storage import write_bytes

        graph = helper.make_graph(self.nodes, name, self.inputs, [*self.outputs, *self._states], self.constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="tsuzuki",
            producer_version=__version__,
        )
        helper.set_model_props(model, notes or {})
        onnx.checker.check_model(model, full_check=True)
        write_bytes(Path(path), model.SerializeToString())

    def _split(self, network: Network, source: str) -> list[str]:
        """The names of the network's inputs, which lie side by side."""
        if len(network.input_sizes) < 2:
            return [source]
        ends = np.cumsum([0, *network.input_sizes])
        return [self.part(source, int(a), int(b)) for a, b in pairwise(ends)]

    def _layer(self, i: int, layer: Layer, sources: list[str], arrays: dict[str, str]) -> str:
        if isinstance(layer, Recurrent):
            if len(sources) > 1 or layer.zero_output_for_mask:
                raise UnsupportedModel(
                    f"layer {i + 1} ({layer}) begins with states of others or is masked; leave it out"
                )
            return self._cell(i, layer, sources[0], arrays)
        if isinstance(layer, Dense):
            return self._activated(layer.activation, self._affine(sources[0], arrays["kernel"], arrays.get("bias")))
        if isinstance(layer, Activation):
            return self._activated(layer.activation, sources[0])
        if isinstance(layer, Rectifier):
            name, settings = layer.function
            return self._activated(name, sources[0], settings)
        if isinstance(layer, Dropout):
            return sources[0]
        if isinstance(layer, Concatenate):
            return self.node("Concat", sources, axis=-1)
        if type(layer) in MERGES:
            return self.node(MERGES[type(layer)], sources)
        raise UnsupportedModel(
            f"layer {i + 1} ({layer}) is nothing that one step can be written with in ONNX; export a network of cells, "
            "Dense, Activation and merges"
        )

    def _cell(self, i: int, layer: Recurrent, x: str, arrays: dict[str, str]) -> str:
        units, activation = layer.units, layer.activation
        h = self._state(units)
        inner, u = getattr(layer, "recurrent_activation", activation), arrays["recurrent_kernel"]
        gates = self._affine(x, arrays["kernel"], None if isinstance(layer, GRU) else arrays.get("bias"))
        if isinstance(layer, SimpleRNN):
            return self._hand_on(self._activated(activation, self.node("Add", [gates, self._product(h, u)])))
        if isinstance(layer, LSTM):
            c = self._state(units)
            both = self.node("Add", [gates, self._product(h, u)])
            into, forget, new, out = (self.part(both, k * units, (k + 1) * units) for k in range(4))
            kept = self.node("Mul", [self._activated(inner, forget), c])
            added = self.node("Mul", [self._activated(inner, into), self._activated(activation, new)])
            cell = self.node("Add", [kept, added])
            output = self.node("Mul", [self._activated(inner, out), self._activated(activation, cell)])
            self._hand_on(output)
            self._hand_on(cell)
            return output
        if isinstance(layer, GRU):
            return self._hand_on(self._gru(layer, gates, h, u, arrays.get("bias")))
        raise UnsupportedModel(f"layer {i + 1} ({layer}) is no cell that can be written in ONNX; use another")

    def _gru(self, layer: GRU, gates: str, h: str, u: str, bias: str | None) -> str:
        units = layer.units
        kernel, own = self._weights[u], None if bias is None else self._weights[bias]
        if own is not None:
            gates = self.node("Add", [gates, self.constant(own[0] if layer.reset_after else own)])
        z, r, new = (self.part(gates, k * units, (k + 1) * units) for k in range(3))
        if layer.reset_after:
            product = self._product(h, u)
            if own is not None:
                product = self.node("Add", [product, self.constant(own[1])])
            z_inner, r_inner, inner = (self.part(product, k * units, (k + 1) * units) for k in range(3))
        else:
            z_inner, r_inner = (
                self.node("MatMul", [h, self.constant(kernel[:, k * units : (k + 1) * units])]) for k in range(2)
            )
        z = self._activated(layer.recurrent_activation, self.node("Add", [z, z_inner]))
        r = self._activated(layer.recurrent_activation, self.node("Add", [r, r_inner]))
        if layer.reset_after:
            inner = self.node("Mul", [r, inner])
        else:
            inner = self.node("MatMul", [self.node("Mul", [r, h]), self.constant(kernel[:, 2 * units :])])
        candidate = self._activated(layer.activation, self.node("Add", [new, inner]))
        # z h + (1 - z) c, as Keras has it.
        kept = self.node("Mul", [z, h])
        rest = self.node("Sub", [self.constant(np.ones(1, np.float32)), z])
        return self.node("Add", [kept, self.node("Mul", [rest, candidate])])

    def _state(self, units: int) -> str:
        number = len(self._begun)
        name = f"{self._prefix}state {number}"
        self._begun.append((name, units))
        return self.take(name, units, self._defaults[number] if self._defaults else None)

    def _hand_on(self, value: str) -> str:
        """Make a value the next of the new states."""
        name, units = self._begun[self._handed]
        self._handed += 1
        self.hand_on(name, units, value)
        return value

    def hand_on(self, name: str, size: int, value: str) -> None:
        """What an input that is a state is at the next step."""
        self._states.append(_value(f"new {name}", size))
        self.node("Identity", [value], name=f"new {name}")

    def _affine(self, x: str, kernel: str, bias: str | None) -> str:
        product = self._product(x, kernel)
        return product if bias is None else self.node("Add", [product, self.constant(self._weights[bias])])

    def _product(self, x: str, kernel: str) -> str:
        return self.node("MatMul", [x, self.constant(self._weights[kernel])])

    def _activated(self, name: str, x: str, settings: tuple[float, ...] = ()) -> str:
        if name not in OPERATORS or len(settings) > 1:
            raise UnsupportedModel(f"activation {name!r} has no operator in ONNX; choose among {', '.join(OPERATORS)}")
        operator, options = OPERATORS[name]
        options = options | ({"alpha": settings[0]} if settings else {})
        return self.node(operator, [x], None, **options)

    def part(self, x: str, start: int, stop: int) -> str:
        """Columns start to stop of a value."""
        ends = [self.constant(np.array([place], np.int64)) for place in (start, stop, 1)]
        return self.node("Slice", [x, *ends])

    def constant(self, array: NDArray[Any]) -> str:
        """An array of numbers."""
        from onnx import numpy_helper

        name = f"constant {len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, operator: str, read: list[str], name: str | None = None, **options: Any) -> str:
        """One of ONNX's operators on values; the name of what it gives."""
        from onnx import helper

        made = name or f"value {len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, read, [made], **options))
        return made


def _value(name: str, size: int) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size])
