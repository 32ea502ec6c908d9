"""The arguments of `tsuzuki.fit` for a Keras model, checked by themselves and against one another."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from tsuzuki.errors import SettingError, UnsupportedModel
from tsuzuki.keras.arrays import as_array
from tsuzuki.keras.epoch_data import Epoch
from tsuzuki.keras.epochs import Job
from tsuzuki.network.network import Network
from tsuzuki.network.optimizers import Adamax, Optimizer


def epochs_to_check(frequency: Any) -> Callable[[int], bool]:
    """Which epochs, counted from 0, are validated."""
    if isinstance(frequency, int | np.integer) and not isinstance(frequency, bool) and frequency > 0:
        return lambda epoch: (epoch + 1) % frequency == 0
    if isinstance(frequency, list | tuple | set):
        return lambda epoch: epoch + 1 in frequency
    raise SettingError(f"validation_freq is {frequency!r}; give a whole number from 1, or a list of epochs")


def check_numbers(**given: Any) -> None:
    """Raise where an argument is no whole number."""
    for name, value in given.items():
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        least = 0 if name == "epochs" else 1
        if value is not None and not (whole and value >= least):
            raise SettingError(f"{name} is {value!r}; give a whole number from {least}")


def class_weights(y: Any, weights: Any, others: Any) -> Any:
    """A weight for each sample, by its class: its value as a whole number, or the largest of several."""
    if others is not None:
        raise SettingError("class_weight and sample_weight are both given; multiply them into sample_weight")
    if not isinstance(weights, Mapping):
        raise SettingError(f"class_weight is a {type(weights).__name__}; give a dict from class to weight")
    y = as_array(y, "y")
    if y.ndim > 1:
        y = y.argmax(axis=-1) if y.shape[-1] > 1 else y[..., 0]
    if y.ndim != 1:
        raise SettingError(f"class_weight with targets for every step ({y.ndim} axes); give sample_weight")
    classes, places = np.unique(np.round(y).astype(np.int64), return_inverse=True)
    return np.array([float(weights.get(int(one), 1.0)) for one in classes], np.float32)[places]


def has_weights(validation_data: Any) -> bool:
    """Whether validation data come with weights."""
    return isinstance(validation_data, tuple | list) and len(validation_data) == 3


def split_off(x: Any, y: Any, weights: Any, split: float, validation_data: Any) -> tuple[tuple[Any, Any, Any], Any]:
    """Hold the last samples out, as Keras does."""
    if not split or validation_data is not None:
        return (x, y, weights), validation_data
    x, y = as_array(x, "x"), as_array(y, "y")
    weights = None if weights is None else as_array(weights, "sample_weight")
    at = int(np.floor(len(x) * (1.0 - split)))
    if at in (0, len(x)):
        raise SettingError(f"validation_split={split} of {len(x)} samples leaves one part empty; give more samples")
    first = (x[:at], y[:at], None if weights is None else weights[:at])
    return first, (x[at:], y[at:], None if weights is None else weights[at:])


def check_arguments(
    job: Job, x: Any, y: Any, series: Any, timesteps: Any, shuffle: Any, split: Any, as_keras: bool
) -> None:
    """Raise where arguments do not fit the model or one another."""
    if series is not None and (x is not None or y is not None):
        raise SettingError("series is given together with x or y; give one or the other")
    if series is None and timesteps is not None:
        raise SettingError("timesteps is given without series; leave it out: the shape of x says it")
    if shuffle not in (None, False, True):
        raise SettingError(f"shuffle is {shuffle!r}; give True or False")
    if shuffle and job.shape.stateful and not as_keras:
        raise SettingError(
            "shuffle=True with a stateful model: shuffled rows do not continue one another, so the carried state "
            "would be wrong; leave shuffle out, or build the layers with stateful=False"
        )
    if not 0 <= split < 1:
        raise SettingError(f"validation_split is {split}; give a share of at least 0 and below 1")


def check_tables(network: Network, optimizer: Optimizer) -> None:
    """Raise UnsupportedModel for Adamax, which adds sizes up where others add squares, with a norm that is clipped."""
    apart = any(getattr(layer, "by_occurrence", False) for layer in network.layers)
    if apart and isinstance(optimizer, Adamax) and (optimizer.clipnorm or optimizer.global_clipnorm):
        raise UnsupportedModel(
            "Adamax has clipnorm or global_clipnorm, which is not supported with an Embedding; use clipvalue"
        )


def check_as_keras(job: Job, epoch: Epoch) -> None:
    """Raise where Keras would do otherwise with the same samples."""
    shape, targets = job.shape, epoch.data.targets if epoch.unmasked is None else epoch.unmasked
    if shape.stateful and epoch.samples % shape.lanes:
        raise SettingError(f"{epoch.samples} samples are no multiple of the stateful model's batch of {shape.lanes}")
    if shape.stateful and keras.backend.backend() == "jax":
        raise SettingError("on the JAX backend Keras trains stateful layers as if they were stateless")
    if targets is not None and not np.isfinite(targets.sum()):
        for number, output in enumerate(shape.each):
            if output.scored.loss is not None and not np.isfinite(targets[:, shape.columns(number)[1]]).all():
                raise SettingError("y is not finite everywhere")
