"""The names of activations, which are Keras's."""

# Computed in place wherever an activation may stand.
USUAL = ("linear", "tanh", "sigmoid", "hard_sigmoid", "relu")
# Those that look at all values of a step together: not for the gates of a cell.
WHOLE_STEP = ("softmax", "log_softmax")
# Rarer ones whose slope is found from their value, in a unit that is compiled only where one is used.
FROM_VALUE = (
    "elu",
    "selu",
    "celu",
    "softplus",
    "softsign",
    "exponential",
    "leaky_relu",
    "relu6",
    "log_sigmoid",
    "hard_tanh",
)
# Those whose slope needs what went in, which is kept for that; gelu_tanh is Keras's gelu with approximate=True.
FROM_INPUT = ("gelu", "gelu_tanh", "silu", "mish", "hard_silu")
ACTIVATIONS = (*USUAL, *WHOLE_STEP, *FROM_VALUE, *FROM_INPUT)
# The settings that some have.
DEFAULTS = {"elu": (1.0,), "celu": (1.0,), "leaky_relu": (0.2,)}
