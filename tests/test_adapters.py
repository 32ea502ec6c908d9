"""Networks in the forms of scikit-learn and ONNX say what they say here."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuzuki import (
    ELU,
    GRU,
    LSTM,
    Activation,
    Add,
    Average,
    Concatenate,
    Dense,
    Dropout,
    FinalState,
    Forecaster,
    LeakyReLU,
    Maximum,
    Minimum,
    Multiply,
    Network,
    ReLU,
    Segment,
    SimpleRNN,
    Streams,
    Subtract,
    graph,
    initialise,
    predict,
    to_onnx,
)
from tsuzuki.errors import SettingError, UnsupportedModel
from tsuzuki.forecasting.recent_errors import LOSSES

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")

STEPS = 12
CELL_ACTIVATIONS = ("tanh", "sigmoid", "hard_sigmoid", "relu", "softsign", "elu", "linear")
CELLS = st.one_of(
    st.builds(SimpleRNN, st.integers(1, 9), st.sampled_from(CELL_ACTIVATIONS), st.booleans()),
    st.builds(
        GRU,
        st.integers(1, 9),
        activation=st.sampled_from(CELL_ACTIVATIONS),
        recurrent_activation=st.sampled_from(("sigmoid", "hard_sigmoid")),
        use_bias=st.booleans(),
        reset_after=st.booleans(),
    ),
    st.builds(LSTM, st.integers(1, 9), activation=st.sampled_from(CELL_ACTIVATIONS), use_bias=st.booleans()),
)
ENDS = st.one_of(
    st.builds(Dense, st.integers(1, 5), st.sampled_from(("linear", "tanh", "softmax", "log_softmax", "selu", "celu"))),
    st.builds(Activation, st.sampled_from(("softplus", "exponential", "leaky_relu"))),
    st.sampled_from((ReLU(), LeakyReLU(0.1), ELU(0.7), Dropout(0.5))),
)


def weights_of(network, seed):
    """Weights of every size, biases too."""
    generator = np.random.default_rng(seed)
    return [array + generator.normal(0, 0.2, array.shape).astype(np.float32) for array in initialise(network, seed)]


def stepwise(path, inputs):
    """What ONNX Runtime gives for a series, a step after another, its states handed on."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    states = {one.name: np.zeros((1, one.shape[1]), np.float32) for one in session.get_inputs()[1:]}
    names, outputs = [one.name for one in session.get_outputs()], []
    for row in inputs:
        found = dict(zip(names, session.run(names, {"inputs": row[None], **states}), strict=True))
        outputs.append(found["outputs"][0])
        states = {name: found[f"new {name}"] for name in states}
    return np.array(outputs)


def check(network, seed, folder):
    weights = weights_of(network, seed)
    inputs = np.random.default_rng(seed + 1).normal(size=(STEPS + 1, network.inputs)).astype(np.float32)
    to_onnx(network, weights, folder / "step.onnx")
    ours = predict(network, weights, inputs, Streams(STEPS, 1).over([Segment(0, STEPS + 1)]))[1:]
    np.testing.assert_allclose(stepwise(folder / "step.onnx", inputs[:STEPS]), ours, rtol=2e-4, atol=2e-5)


@settings(max_examples=25)
@given(st.integers(1, 3), st.lists(CELLS, min_size=1, max_size=2), st.lists(ENDS, max_size=2), st.integers(0, 99))
def test_onnx_runtime_gives_the_same_step_by_step(tmp_path_factory, inputs, cells, ends, seed):
    check(Network(inputs, (*cells, *ends)), seed, tmp_path_factory.mktemp("onnx"))


@pytest.mark.parametrize("merge", [Add, Average, Multiply, Subtract, Maximum, Minimum, Concatenate])
def test_networks_that_branch_and_merge_are_written(merge, tmp_path):
    network = graph(
        {"a": 2, "b": 3},
        {"x": (GRU(4), "a"), "y": (LSTM(4), "b"), "both": (merge(), "x", "y"), "z": (Dense(2), "both")},
        ["z", "x"],
    )
    check(network, 0, tmp_path)
    described = onnx.load(tmp_path / "step.onnx")
    assert [one.name for one in described.graph.input] == ["inputs", "state 0", "state 1", "state 2"]
    assert [one.name for one in described.graph.output] == ["outputs", "new state 0", "new state 1", "new state 2"]


def series_of(kind, count=420):
    """A frame of two hourly series that lead to this transformation."""
    generator, hours = np.random.default_rng(0), np.arange(count)
    times = pd.date_range("2024-01-01", periods=count, freq="h")
    frames = []
    for name, level in (("a", 5.0), ("b", 40.0)):
        y = level + np.sin(2 * np.pi * hours / 24) * level / 2 + generator.normal(0, level / 20, count)
        frames.append(pd.DataFrame({"unique_id": name, "ds": times, "y": y if kind == "none" else np.abs(y) + 0.1}))
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize(
    ("transform", "ensemble", "recipes", "states"),
    [
        ("none", 1, [{"cell": "gru"}, {"cell": "lstm", "units": 3}], 3),
        ("log", 2, [{"cell": "lstm", "layers": 2}], 8),
        ("asinh", 2, [], 2),
    ],
)
def test_a_forecaster_in_onnx_runtime_forecasts_as_its_stream(transform, ensemble, recipes, states, tmp_path):
    settings_ = {"units": 5, "head": 4, "ensemble": ensemble, "epochs": 2, "transform": transform}
    model = Forecaster(6, recipes=recipes, **settings_).fit(series_of(transform))
    path = tmp_path / "b.onnx"
    # Weights and intervals of a file do not follow recent errors.
    fitted = model.fitted
    model.fitted = replace(fitted, recent=None, recent_states=fitted.recent_states[:, :LOSSES].copy())
    model.to_onnx(path, "b", levels=[80])
    stream, session = model.stream("b"), onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names, notes = [one.name for one in session.get_outputs()], session.get_modelmeta().custom_metadata_map
    assert notes["unique_id"] == "b"
    given_, columns = {}, json.loads(notes["calendar"])
    assert columns[:2] == ["sine of hour", "cosine of hour"]
    for step, value in enumerate([50.0, 42.0, None, 39.0, None, None, 61.0]):
        ds = pd.Timestamp(notes["last time"]) + pd.Timedelta(hours=step + 1)
        shares = {"hour": ds.hour / 24, "weekday": ds.day_of_week / 7}
        turns = [2 * np.pi * shares[one.split(" of ")[1]] for one in columns]
        calendar = [(np.sin, np.cos)[i % 2](turn) for i, turn in enumerate(turns)]
        inputs = {"y": value or 0.0, "missing": float(value is None), "calendar": calendar}
        arrays = {name: np.array(one, np.float32).reshape(1, -1) for name, one in inputs.items()}
        found = dict(zip(names, session.run(names, arrays | given_), strict=True))
        wanted = stream.update(value)
        tolerance = {"rtol": 2e-4, "atol": 2e-4}
        np.testing.assert_allclose(found["forecast"][0], wanted, **tolerance)
        for end, own in zip(("lo-80", "hi-80"), stream.interval(80), strict=True):
            np.testing.assert_allclose(found[end][0], own, **tolerance)
        given_ = {name.removeprefix("new "): found[name] for name in names if name.startswith("new ")}
    assert len(given_) == 1 + fitted.committee.profiles.there[1] + states


def test_forecasters_that_onnx_cannot_hold_are_refused(tmp_path):
    frame = series_of("none").assign(w=1.0)
    small = {"units": 3, "ensemble": 1, "epochs": 1}
    for model, message in (
        (Forecaster(2, past="w", **small), "reads covariates or holidays; fit one without"),
        (Forecaster(2, committee=False, **small), "fit with committee=True and without quantiles"),
    ):
        with pytest.raises(UnsupportedModel, match=message):
            model.fit(frame).to_onnx(tmp_path / "a.onnx", "a")
    with pytest.raises(SettingError, match=r"the forecaster knows 2 series; name one: unique_id='a'"):
        Forecaster(2, **small).fit(frame).to_onnx(tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((GRU(3), Dense(2, "gelu")), "activation 'gelu' has no operator in ONNX; choose among linear"),
        ((GRU(3), ReLU(6.0)), "activation 'rectifier' has no operator in ONNX"),
        ((GRU(3, return_sequences=True), FinalState(), Dense(1)), "layer 2 (FinalState"),
        ((GRU(3, zero_output_for_mask=True),), "layer 1 (GRU(3)) begins with states of others or is masked"),
    ],
)
def test_what_one_step_cannot_have_is_named(layers, message, tmp_path):
    network = Network(1, layers)
    with pytest.raises(UnsupportedModel) as refused:
        to_onnx(network, initialise(network, 0), tmp_path / "a.onnx")
    assert message in str(refused.value)
    assert not (tmp_path / "a.onnx").exists()


def test_weights_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(SettingError, match=r"arrays of weights, not 0; give one for each"):
        to_onnx(Network(1, (GRU(3), Dense(1))), [], tmp_path / "a.onnx")


def test_the_regressor_passes_scikit_learns_own_checks():
    from sklearn.utils.estimator_checks import check_estimator

    from tsuzuki.adapters.scikit_learn import TsuzukiRegressor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = check_estimator(TsuzukiRegressor(), on_fail=None, on_skip=None)
    left = {one["check_name"]: one["status"] for one in done if one["status"] != "passed"}
    # Asked only where another array library is set up.
    assert left in ({}, {"check_array_api_input": "skipped"})
    assert len(done) > 40


def test_the_regressor_learns_windows_that_a_line_cannot_and_fits_into_a_search():
    from sklearn.model_selection import GridSearchCV

    from tsuzuki.adapters.scikit_learn import TsuzukiRegressor

    generator = np.random.default_rng(0)
    X = generator.normal(size=(400, 8))
    y = np.stack([np.abs(X[:, -1]) + X[:, -2], X[:, -1] * X[:, -3]], axis=1)
    model = TsuzukiRegressor(units=12, inputs=2, random_state=0).fit(X[:300], y[:300])
    assert model.predict(X[300:]).shape == (100, 2)
    assert model.score(X[300:], y[300:]) > 0.7
    search = GridSearchCV(TsuzukiRegressor(updates=20, random_state=0), {"cell": ["gru", "lstm"]}, cv=2).fit(X, y)
    assert search.best_params_["cell"] in ("gru", "lstm")
    with pytest.raises(SettingError, match=r"X has 8 columns, which are no steps of 3 inputs; give a multiple of 3"):
        TsuzukiRegressor(inputs=3).fit(X, y)
    with pytest.raises(SettingError, match=r"cell is 'rnn'; choose simple_rnn, gru, lstm"):
        TsuzukiRegressor("rnn").fit(X, y)
