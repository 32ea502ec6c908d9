"""PyTorch modules read as networks and made of them again: the same outputs at every step."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tsuzuki
from tsuzuki.errors import SettingError, UnsupportedModel

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn = torch.nn
STEPS = 7


def plain(module, x):
    """What PyTorch computes, a recurrent module's output sequence going on."""
    with torch.no_grad():
        value = torch.from_numpy(x)[None]
        for one in module if isinstance(module, nn.Sequential) else [module]:
            given = one.batch_first if isinstance(one, nn.RNNBase) else True
            value = one(value if given else value.transpose(0, 1))
            value = value[0] if isinstance(value, tuple) else value
            value = value if given else value.transpose(0, 1)
    return value[0].numpy()


def ours(network, weights, x):
    """What the network computes, [steps, outputs]; the last step alone where it looks at the steps from both ends."""
    inputs = np.concatenate([x.reshape(STEPS, -1), x.reshape(STEPS, -1)[:1]]).astype(np.float32)
    if network.looks_ahead:
        layout = tsuzuki.Windows(STEPS, 1).over([tsuzuki.Segment(0, STEPS + 1)])
        return tsuzuki.predict(network, weights, inputs, layout)[-1:]
    layout = tsuzuki.Streams(STEPS, 1).over([tsuzuki.Segment(0, STEPS + 1)])
    return tsuzuki.predict(network, weights, inputs, layout)[1:]


def recurrent(kind, inputs, units, layers, both, bias, batch_first):
    name, options = kind
    made = getattr(nn, name)
    return made(inputs, units, layers, bias=bias, bidirectional=both, batch_first=batch_first, dropout=0.0, **options)


KINDS = [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("GRU", {}), ("LSTM", {})]
drawn = st.tuples(
    st.sampled_from(KINDS), st.integers(1, 5), st.integers(1, 3), st.booleans(), st.booleans(), st.booleans()
)
ends = st.sampled_from(["", "linear", "no bias", "softmax"])


@settings(max_examples=25)
@given(drawn, st.integers(1, 3), ends, st.booleans(), st.integers(0, 2**31 - 1))
def test_a_drawn_module_gives_the_same_there_and_here_and_back(cell, inputs, end, embedded, seed):
    torch.manual_seed(seed)
    kind, units, layers, both, bias, batch_first = cell
    modules = [nn.Embedding(9, inputs)] if embedded else []
    modules.append(recurrent(kind, inputs, units, layers, both, bias, batch_first))
    if end:
        modules += [nn.Dropout(0.3), nn.Linear(units * (1 + both), 3, bias=end != "no bias")]
    if end == "softmax":
        modules += [nn.Tanh(), nn.Softmax(dim=-1)]
    module = nn.Sequential(*modules).eval()
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 9, STEPS) if embedded else generator.normal(size=(STEPS, inputs)).astype(np.float32)
    expected = plain(module, x)
    network, weights = tsuzuki.from_torch(module)
    found = ours(network, weights, x)
    np.testing.assert_allclose(found, expected[-len(found) :], atol=3e-6)
    back = tsuzuki.to_torch(network, weights).eval()
    np.testing.assert_allclose(plain(back, x), expected, atol=3e-6)
    with torch.no_grad():
        np.testing.assert_allclose(back(torch.from_numpy(x)[None])[0].numpy(), expected, atol=3e-6)
    again, same = tsuzuki.from_torch(back)
    assert again == network
    for array, other in zip(weights, same, strict=True):
        np.testing.assert_array_equal(array, other)


def test_dropout_between_layers_stands_between_them():
    network, _ = tsuzuki.from_torch(nn.GRU(1, 4, num_layers=3, dropout=0.25))
    assert [str(type(layer).__name__) for layer in network.layers] == ["GRU", "Dropout", "GRU", "Dropout", "GRU"]
    assert {layer.rate for layer in network.layers[1::2]} == {0.25}


def test_the_weights_are_copies():
    module = nn.LSTM(1, 3)
    _, weights = tsuzuki.from_torch(module)
    before = weights[0].copy()
    with torch.no_grad():
        module.weight_ih_l0.add_(1)
    np.testing.assert_array_equal(weights[0], before)


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(1, 2), nn.Linear(2, 1)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Own(), r"the module \(Own\) is not supported; give nn.Sequential\(module.gru, module.head\)"),
        (nn.Sequential(nn.GRU(1, 2), nn.Conv1d(2, 1, 1)), r"1 \(Conv1d\) is not supported; use one of RNN"),
        (nn.LSTM(1, 4, proj_size=2), "has proj_size=2"),
        (nn.Sequential(nn.Embedding(3, 2, padding_idx=0), nn.GRU(2, 1)), "has padding_idx=0; leave it out"),
        (nn.Sequential(nn.GRU(1, 2), nn.Softmax(dim=1)), "has dim=1; use dim=-1"),
        (nn.Sequential(), "without modules"),
        (nn.Sequential(nn.Bilinear(1, 1, 1), nn.GRU(1, 2, 1), nn.Flatten()), "2 things have no equal here"),
    ],
)
def test_what_has_no_equal_is_named(module, said):
    with pytest.raises(UnsupportedModel, match=said):
        tsuzuki.from_torch(module)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ((tsuzuki.GRU(2, reset_after=False),), r"layer 1 \(GRU\(2\)\) has reset_after=False"),
        ((tsuzuki.LSTM(2, activation="relu"),), "activation='relu'"),
        ((tsuzuki.LSTM(2, dropout=0.5),), "dropout=0.5"),
        ((tsuzuki.Masking(), tsuzuki.GRU(2)), "Masking.* has no module"),
        ((tsuzuki.GRU(2), tsuzuki.Dense(1, "exponential")), "activation 'exponential'"),
    ],
)
def test_what_pytorch_has_no_module_for_is_named(layers, said):
    network = tsuzuki.Network(1, layers)
    with pytest.raises(SettingError, match=said):
        tsuzuki.to_torch(network, tsuzuki.initialise(network, 0))


def test_pytorch_is_imported_by_its_own_package_alone():
    code = "import sys, tsuzuki; tsuzuki.fit; tsuzuki.keras; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
