"""Layers that compute each step by itself."""

import keras

from tsuzuki.keras.readers import activations, normalisation
from tsuzuki.keras.readers.call import Call, Found, Reader
from tsuzuki.network.dropout import AlphaDropout, Dropout, GaussianDropout, GaussianNoise, SpatialDropout1D
from tsuzuki.network.embedding import Embedding
from tsuzuki.network.layers import Dense, Layer, Masking
from tsuzuki.network.shaping import LastSteps, Reshape


def dense(call: Call) -> Layer:
    """Read a Dense."""
    layer = call.layer
    if getattr(layer, "lora_enabled", False):
        call.refuse("has LoRA enabled, which is not supported; use a plain Dense")
    return Dense(layer.units, call.activation(), layer.use_bias)


def dropout(call: Call) -> Layer:
    """Read a Dropout."""
    if call.layer.noise_shape is not None:
        call.refuse(
            f"has noise_shape={call.layer.noise_shape}; leave it out, or use the next recurrent layer's own "
            "dropout=, which holds one mask over the steps"
        )
    return Dropout(call.share("rate"))


def masking(call: Call) -> Layer:
    """Read a Masking."""
    return Masking(float(call.layer.mask_value))


def spatial_dropout(call: Call) -> Layer:
    """Read a SpatialDropout1D."""
    return SpatialDropout1D(call.share("rate"))


def gaussian_noise(call: Call) -> Layer:
    """Read a GaussianNoise."""
    return GaussianNoise(float(call.layer.stddev))


def gaussian_dropout(call: Call) -> Layer:
    """Read a GaussianDropout."""
    return GaussianDropout(call.share("rate"))


def alpha_dropout(call: Call) -> Layer:
    """Read an AlphaDropout."""
    if call.layer.noise_shape is not None:
        call.refuse(f"has noise_shape={call.layer.noise_shape}; leave it out")
    return AlphaDropout(call.share("rate"))


def embedding(call: Call) -> Found:
    """Read an Embedding; of an input with fewer steps than others it gives as few."""
    layer = call.layer
    if getattr(layer, "lora_enabled", False):
        call.refuse("has LoRA enabled, which is not supported; use a plain Embedding")
    found = Embedding(layer.input_dim, layer.output_dim, layer.mask_zero)
    shape = call.shapes[0]
    if call.draft.in_parts and shape is not None and len(shape) == 2 and call.sources[0] not in call.draft.part_steps:
        # The numbers of a part are the values of a step.
        return [Reshape((int(shape[1] or 1), 1), 1), found]
    steps = call.draft.shorter.get(call.sources[0])
    return found if steps is None else [found, LastSteps(steps)]


READERS: dict[type, Reader] = (
    activations.READERS
    | normalisation.READERS
    | {
        keras.layers.Dense: dense,
        keras.layers.Dropout: dropout,
        keras.layers.SpatialDropout1D: spatial_dropout,
        keras.layers.GaussianNoise: gaussian_noise,
        keras.layers.GaussianDropout: gaussian_dropout,
        keras.layers.AlphaDropout: alpha_dropout,
        keras.layers.Embedding: embedding,
        keras.layers.Masking: masking,
    }
)
