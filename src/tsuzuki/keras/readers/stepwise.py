"""Layers that compute each step by itself."""

import keras

from tsuzuki.keras.readers import activations
from tsuzuki.keras.readers.call import Call, Reader
from tsuzuki.network.dropout import Dropout, SpatialDropout1D
from tsuzuki.network.embedding import Embedding
from tsuzuki.network.layers import Dense, Layer, Masking
from tsuzuki.network.normalisation import LayerNormalization, Rescaling


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


def embedding(call: Call) -> Layer:
    """Read an Embedding."""
    layer = call.layer
    if layer.embeddings_constraint is not None or layer.embeddings_regularizer is not None:
        call.refuse("has a regularizer or constraint of its embeddings, which is not supported; leave it out")
    if getattr(layer, "lora_enabled", False):
        call.refuse("has LoRA enabled, which is not supported; use a plain Embedding")
    return Embedding(layer.input_dim, layer.output_dim, layer.mask_zero)


def layer_normalization(call: Call) -> Layer:
    """Read a LayerNormalization over the values of a step."""
    layer = call.layer
    rank = len(call.shapes[0] or (0, 0, 0))
    axis = layer.axis[0] if isinstance(layer.axis, list | tuple) and len(layer.axis) == 1 else layer.axis
    if axis not in (-1, rank - 1):
        call.refuse(f"has axis={layer.axis}; use the last axis, -1")
    for option in ("gamma", "beta"):
        if getattr(layer, f"{option}_regularizer") is not None or getattr(layer, f"{option}_constraint") is not None:
            call.refuse(f"has a regularizer or constraint of its {option}, which is not supported; leave it out")
    if getattr(layer, "rms_scaling", False):
        call.refuse("has rms_scaling=True, which is not supported; leave it out")
    return LayerNormalization(float(layer.epsilon), layer.center, layer.scale)


def rescaling(call: Call) -> Layer:
    """Read a Rescaling by one factor."""
    layer = call.layer
    if not isinstance(layer.scale, int | float) or not isinstance(layer.offset, int | float):
        call.refuse("has a scale or offset for each value, which is not supported; give numbers")
        return Rescaling(1.0)
    return Rescaling(float(layer.scale), float(layer.offset))


READERS: dict[type, Reader] = activations.READERS | {
    keras.layers.Dense: dense,
    keras.layers.Dropout: dropout,
    keras.layers.SpatialDropout1D: spatial_dropout,
    keras.layers.Embedding: embedding,
    keras.layers.LayerNormalization: layer_normalization,
    keras.layers.Rescaling: rescaling,
    keras.layers.Masking: masking,
}
