"""Datasets of `timeseries_dataset_from_array` taken back to their series: the windows that the dataset itself gives."""

import numpy as np
import pytest

import tsuzuki
from keras_models import keras
from tsuzuki.keras.window_datasets import window_dataset

SERIES = np.arange(60, dtype=np.float64).reshape(30, 2)


@pytest.mark.parametrize(
    "options",
    [
        {"targets": SERIES[6:, 0]},
        {"targets": None, "sequence_stride": 3},
        {"targets": SERIES[:, 0], "sampling_rate": 2, "sequence_stride": 2},
        {"targets": SERIES, "start_index": 4, "end_index": 23},
        {"targets": SERIES[:9, 1], "sampling_rate": 3},
    ],
)
@pytest.mark.parametrize("data", [SERIES, SERIES[:, 0]], ids=["two columns", "one axis"])
def test_the_view_of_a_series_holds_what_its_dataset_gives(data, options):
    data = data.copy()
    dataset = keras.utils.timeseries_dataset_from_array(data, sequence_length=5, batch_size=4, **options)
    # What the script does with its array afterwards is none of the dataset's business.
    data += 1
    found = window_dataset(dataset)
    batches = [batch if isinstance(batch, tuple) else (batch,) for batch in dataset]
    for mine, given in zip([found.x, found.y], zip(*batches, strict=True), strict=False):
        np.testing.assert_array_equal(mine, np.concatenate([part.numpy() for part in given]))
    assert (found.y is None) == (options["targets"] is None)
    assert (found.rows, found.batches) == (4, len(batches))
    assert not found.x.flags.owndata


def test_a_dataset_made_of_such_a_one_is_not_known():
    make = keras.utils.timeseries_dataset_from_array
    dataset = make(SERIES, SERIES, 5, shuffle=True, batch_size=4)
    assert window_dataset(dataset).shuffles
    np.testing.assert_array_equal(window_dataset(dataset.prefetch(2)).x[3], SERIES[3:8])
    assert window_dataset(dataset.take(1)) is None
    assert window_dataset(dataset.map(lambda x, y: (x, y))) is None
    assert window_dataset(SERIES) is None
    assert window_dataset(make(SERIES, SERIES, 5, batch_size=None)) is None
    assert window_dataset(make(SERIES, SERIES, 5, batch_size=None).batch(4, drop_remainder=True)) is None


def test_fit_reads_the_series_under_such_a_dataset_by_itself():
    series = np.sin(np.arange(60, dtype=np.float32))[:, None]
    x, y = np.stack([series[i : i + 5] for i in range(55)]), series[5:]
    losses = []
    for given in ({"x": keras.utils.timeseries_dataset_from_array(series, y, 5, batch_size=8)}, {"x": x, "y": y}):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((5, 1)), keras.layers.GRU(3), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        rows = {} if "y" not in given else {"batch_size": 8}
        losses.append(tsuzuki.fit(model, **given, **rows, epochs=2, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == losses[1]
