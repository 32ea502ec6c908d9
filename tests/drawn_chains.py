"""Networks of one layer after another that look across steps, drawn at random."""

from dataclasses import dataclass

from hypothesis import strategies as st

from tsuzuki.network.layers import GRU, LSTM, Dense, Layer, SimpleRNN
from tsuzuki.network.network import Network
from tsuzuki.network.shaping import RepeatVector

CELLS = (SimpleRNN, GRU, LSTM)


@dataclass(frozen=True)
class Chain:
    """A network and the steps of its rows."""

    network: Network
    timesteps: int


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


def chains() -> st.SearchStrategy[Chain]:
    """Any of the above."""
    return repeated()
