"""The weights a network starts with, by Keras's default initialisers."""

import math
from typing import TYPE_CHECKING

from tsuzuki.network.network import Network, parameters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def initialise(network: Network, seed: int) -> "list[NDArray[np.float32]]":
    """Draw the weights a network starts with.

    Kernels are Glorot uniform (Glorot and Bengio 2010), recurrent kernels orthogonal (Saxe et al. 2014), biases zero
    but for the forget gate's, embeddings uniform within 0.05, gammas, scales and moving variances one
    (keras/src/initializers/random_initializers.py).

    Args:
        network: the description.
        seed: same seed, same bits.

    Returns:
        Arrays in the order and with the shapes of `parameters(network)`.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    weights = []
    for parameter in parameters(network):
        if parameter.name == "kernel":
            limit = np.sqrt(6 / (math.prod(parameter.shape[:-2]) * sum(parameter.shape[-2:])))
            values = generator.uniform(-limit, limit, parameter.shape)
        elif parameter.name == "embeddings":
            values = generator.uniform(-0.05, 0.05, parameter.shape)
        elif parameter.name in ("gamma", "scale", "moving_variance"):
            values = np.ones(parameter.shape)
        elif parameter.name == "recurrent_kernel":
            rows, columns = parameter.shape
            q, r = np.linalg.qr(generator.normal(size=(columns, rows)))
            values = (q * np.sign(np.diag(r))).T
        else:
            values = network.layers[parameter.layer].initial_bias(parameter.shape)
        weights.append(np.ascontiguousarray(values, np.float32))
    return weights
