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
# Those whose slope needs what went in, which cells do not keep.
FROM_INPUT = ("gelu", "silu", "mish", "hard_silu")
ACTIVATIONS = (*USUAL, *WHOLE_STEP, *FROM_VALUE, *FROM_INPUT)
NOT_IN_CELLS = (*WHOLE_STEP, *FROM_INPUT)
# The settings that some have.
DEFAULTS = {"elu": (1.0,), "celu": (1.0,), "leaky_relu": (0.2,)}
