"""Large tables of which only the rows named in an update are looked at: the same bits as all rows."""

from unittest.mock import patch

import numpy as np
import pytest

from test_chains import in_thirds
from tsuzuki.engine import plan
from tsuzuki.engine.compiled_network import CompiledNetwork
from tsuzuki.engine.data import Data, RowShape
from tsuzuki.engine.memory import plan_for
from tsuzuki.engine.optimizing import moves_all
from tsuzuki.kernels import memory
from tsuzuki.kernels import table as p
from tsuzuki.layouts.layout import NOWHERE, ZERO, Block
from tsuzuki.network.embedding import Embedding
from tsuzuki.network.initialisers import initialise
from tsuzuki.network.layers import Concatenate, Dense, SimpleRNN
from tsuzuki.network.network import graph
from tsuzuki.network.optimizers import SGD, Adagrad, Adam, RMSprop

WORDS, LANES, STEPS, UPDATES = 4500, 6, 5, 12


def trained(optimizer, by_occurrence, worth):
    """The weights after some updates with two places that read one table, on blocks of a third of the lanes."""
    generator, words = np.random.default_rng(0), Embedding(WORDS, 16, by_occurrence=by_occurrence)
    layers = {"one": (words, "a"), "other": (words, "b"), "both": (Concatenate(), "one", "other")}
    layers |= {"cell": (SimpleRNN(3), "both"), "y": (Dense(1), "cell")}
    network = graph({"a": 1, "b": 1}, layers, "y", {"other": "one"})
    inputs = generator.integers(0, WORDS, (LANES * STEPS * UPDATES + 1, 2)).astype(np.float32)
    # Some numbers come often, some once, most never.
    inputs[::3] = generator.integers(0, 7, inputs[::3].shape)
    targets = generator.normal(size=(len(inputs), 1)).astype(np.float32)
    plan_for.cache_clear()
    with patch.object(plan, "split_lanes", in_thirds), patch.object(memory, "WORTH_FLAGS", worth):
        shape = RowShape(LANES, STEPS)
        compiled = CompiledNetwork(network, shape, Data(inputs, targets, 1), optimizer=optimizer, threads=2)
    plan_for.cache_clear()
    compiled.set_weights(initialise(network, 0))
    starts = np.arange(UPDATES * LANES).reshape(UPDATES, LANES) * STEPS
    rest = (np.full(starts.shape, value, np.int32) for value in (STEPS, ZERO, NOWHERE))
    losses = compiled.run(Block(starts, *rest))
    return int(compiled._session._job[p.TOUCHED_COUNT]), losses, compiled.weights()


@pytest.mark.parametrize("by_occurrence", [False, True])
@pytest.mark.parametrize("optimizer", [SGD(0.1), Adagrad(0.1)], ids=["sgd", "adagrad"])
def test_rows_that_no_number_names_are_skipped_with_the_same_bits(optimizer, by_occurrence):
    whole, losses, weights = trained(optimizer, by_occurrence, 1 << 30)
    some, same_losses, same_weights = trained(optimizer, by_occurrence, 1 << 16)
    assert (whole, some) == (0, 1 + (by_occurrence and isinstance(optimizer, Adagrad)))
    assert np.array_equal(losses, same_losses)
    assert all(map(np.array_equal, weights, same_weights))


def test_optimisers_that_move_weights_without_a_gradient_look_at_all_rows():
    alone = [SGD(0.1), Adagrad(0.1)]
    moving = [SGD(0.1, momentum=0.5), SGD(0.1, weight_decay=0.1), SGD(0.1, clipnorm=1.0), SGD(0.1, use_ema=True)]
    moving += [Adagrad(0.1, global_clipnorm=1.0), Adam(), RMSprop()]
    assert [moves_all(one) for one in alone + moving] == [False] * 2 + [True] * 7
    assert trained(Adam(), False, 1 << 16)[0] == 0
