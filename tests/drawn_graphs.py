"""Networks that branch and merge, drawn at random."""

from hypothesis import strategies as st

from tsuzuki.network.layers import (
    GRU,
    LSTM,
    Add,
    Average,
    Concatenate,
    Dense,
    Maximum,
    Minimum,
    Multiply,
    SimpleRNN,
    Subtract,
)
from tsuzuki.network.network import Network, graph

MERGES = (Add, Average, Multiply, Subtract, Maximum, Minimum)
WIDTH = 5


@st.composite
def graphs(draw) -> Network:
    """One to three inputs, two to six layers of cells, Dense and merges, one or two outputs."""
    inputs = {f"input {i}": draw(st.integers(1, 3)) for i in range(draw(st.integers(1, 3)))}
    shared: dict[str, str] = {}
    layers, unread = {"first": (draw(st.sampled_from([SimpleRNN, GRU, LSTM]))(WIDTH), "input 0")}, {"first"}
    unread |= set(list(inputs)[1:])

    def add(name, layer, *read):
        layers[name] = (layer, *read)
        unread.difference_update(read)
        unread.add(name)

    def width(name):
        if name in inputs:
            return inputs[name]
        layer, *read = layers[name]
        return sum(map(width, read)) if isinstance(layer, Concatenate) else WIDTH

    for i in range(draw(st.integers(1, 5))):
        kind, name = draw(st.sampled_from(["cell", "dense", "merge", "concatenate", "again"])), f"layer {i}"
        if kind == "cell":
            cell = draw(st.sampled_from([SimpleRNN, GRU, LSTM]))
            add(name, cell(WIDTH), draw(st.sampled_from([*inputs, *layers])))
        elif kind == "dense":
            add(
                name,
                Dense(WIDTH, draw(st.sampled_from(["tanh", "sigmoid"]))),
                draw(st.sampled_from([*inputs, *layers])),
            )
        elif kind == "again":
            # The weights of an earlier layer once more, on what has as many values as that reads.
            first = draw(st.sampled_from([of for of, (layer, *_) in layers.items() if layer.shapes(1)]))
            layer, read = layers[first]
            alike = [one for one in [*inputs, *layers] if width(one) == width(read)]
            add(name, layer, draw(st.sampled_from(alike)))
            shared[name] = shared.get(first, first)
        elif kind == "merge":
            same = [of for of, (layer, *_) in layers.items() if not isinstance(layer, Concatenate)]
            merge = draw(st.sampled_from(MERGES))
            count = 2 if merge is Subtract else draw(st.integers(2, 3))
            add(name, merge(), *(draw(st.sampled_from(same)) for _ in range(count)))
        else:
            add(name, Concatenate(), *draw(st.lists(st.sampled_from([*inputs, *layers]), min_size=2, max_size=3)))
    add("all", Concatenate(), *sorted(unread)) if len(unread) > 1 else None
    end = next(iter(unread))
    add("mean", Dense(1), end)
    if not draw(st.booleans()):
        return graph(inputs, layers, "mean", shared)
    layers["other"] = (Dense(draw(st.integers(1, 2))), end)
    return graph(inputs, layers, draw(st.sampled_from([("mean", "other"), ("other", "mean")])), shared)
