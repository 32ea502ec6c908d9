"""The weights a network starts with, by Keras's initialisers: its defaults, or others by name."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tsuzuki.errors import SettingError
from tsuzuki.network.network import Network, Parameter, parameters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # Of a shape and a generator: the values.
    Initialiser = Callable[[tuple[int, ...], np.random.Generator], NDArray[np.float64]]

# The standard deviation of a standard normal that is cut off at two.
CUT_OFF = 0.87962566103423978


def initialise(
    network: Network, seed: int, initialisers: "Mapping[str | tuple[int, str], str | Initialiser] | None" = None
) -> "list[NDArray[np.float32]]":
    """Draw the weights a network starts with.

    Kernels are Glorot uniform (Glorot and Bengio 2010), recurrent kernels orthogonal (Saxe et al. 2014), biases zero
    but for the forget gate's, embeddings uniform within 0.05, gammas, scales and moving variances one
    (keras/src/initializers/random_initializers.py).

    Example:
        initialise(network, 0, {"kernel": "he_normal", (1, "recurrent_kernel"): "glorot_uniform"})

    Args:
        network: the description.
        seed: same seed, same bits.
        initialisers: for arrays by their name (kernel, recurrent_kernel, bias, embeddings, ...), or by the position of
            the layer and the name, what they start with instead: the name of a Keras initialiser with its default
            settings (`INITIALISERS`), or a function of the shape and a `numpy.random.Generator`.

    Returns:
        Arrays in the order and with the shapes of `parameters(network)`.

    Raises:
        SettingError: an initialiser that there is not, for an array that there is not, or of another shape.
    """
    import numpy as np

    generator, wanted = np.random.default_rng(seed), dict(initialisers or {})
    weights, known = [], set[str | tuple[int, str]]()
    for parameter in parameters(network):
        place = parameter.layer, parameter.name
        known |= {place, parameter.name}
        given = wanted.get(place, wanted.get(parameter.name))
        if given is None:
            values = _default(network, parameter, generator)
        else:
            values = np.asarray(_named(given)(parameter.shape, generator))
            if values.shape != parameter.shape:
                raise SettingError(
                    f"the initialiser of {parameter.name} of layer {parameter.layer + 1} gives {values.shape}; "
                    f"give values of shape {parameter.shape}"
                )
        weights.append(np.ascontiguousarray(values, np.float32))
    for one in wanted:
        if one not in known:
            raise SettingError(f"the network has no weights {one!r} to initialise; name kernel, bias or the like")
    return weights


def _default(network: Network, parameter: Parameter, generator: "np.random.Generator") -> "NDArray[np.float64]":
    import numpy as np

    if parameter.name == "kernel":
        return glorot_uniform(parameter.shape, generator)
    if parameter.name == "embeddings":
        return random_uniform(parameter.shape, generator)
    if parameter.name in ("gamma", "scale", "moving_variance"):
        return np.ones(parameter.shape)
    if parameter.name == "recurrent_kernel":
        return orthogonal(parameter.shape, generator)
    return network.layers[parameter.layer].initial_bias(parameter.shape)


def _named(given: "str | Initialiser") -> "Initialiser":
    if not isinstance(given, str):
        return given
    if given not in INITIALISERS:
        raise SettingError(f"there is no initialiser {given!r}; choose one of {', '.join(INITIALISERS)}, or a function")
    return INITIALISERS[given]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many values come into and go out of a unit of an array, as Keras counts them."""
    if len(shape) < 2:
        return (shape[0] if shape else 1,) * 2
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def glorot_uniform(shape: tuple[int, ...], generator: "np.random.Generator") -> "NDArray[np.float64]":
    """Uniform, with a variance of 2 by the sum of both fans."""
    limit = math.sqrt(6 / sum(fans(shape)))
    return generator.uniform(-limit, limit, shape)


def random_uniform(shape: tuple[int, ...], generator: "np.random.Generator") -> "NDArray[np.float64]":
    """Uniform within 0.05."""
    return generator.uniform(-0.05, 0.05, shape)


def truncated(shape: tuple[int, ...], generator: "np.random.Generator", deviation: float) -> "NDArray[np.float64]":
    """Normal values, drawn anew where they lie beyond two deviations."""
    values = generator.normal(size=shape)
    while (far := abs(values) > 2).any():
        values[far] = generator.normal(size=int(far.sum()))
    return deviation * values


def orthogonal(shape: tuple[int, ...], generator: "np.random.Generator") -> "NDArray[np.float64]":
    """Rows or columns at right angles, of length 1 (Saxe et al. 2014)."""
    import numpy as np

    if len(shape) < 2:
        raise SettingError(f"orthogonal weights have two axes or more, not {len(shape)}; choose another initialiser")
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(generator.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    # Square ones are turned too: a seed keeps the weights that it has always given.
    return (q.T if rows <= columns else q).reshape(shape)


def identity(shape: tuple[int, ...], generator: "np.random.Generator") -> "NDArray[np.float64]":
    """Ones where row and column are the same, else zeros."""
    import numpy as np

    if len(shape) != 2:
        raise SettingError(f"the identity has two axes, not {len(shape)}; choose another initialiser")
    return np.eye(*shape)


def _scaled(scale: float, fan: int, uniform: bool) -> "Initialiser":
    """Values whose variance is `scale` by one of the fans, 0 or 1, or by their mean, 2."""

    def values(shape: tuple[int, ...], generator: "np.random.Generator") -> "NDArray[np.float64]":
        both = fans(shape)
        variance = scale / max(1.0, (*both, sum(both) / 2)[fan])
        if uniform:
            limit = math.sqrt(3 * variance)
            return generator.uniform(-limit, limit, shape)
        return truncated(shape, generator, math.sqrt(variance) / CUT_OFF)

    return values


def _constant(value: float) -> "Initialiser":
    def values(shape: tuple[int, ...], generator: "np.random.Generator") -> "NDArray[np.float64]":
        import numpy as np

        return np.full(shape, value)

    return values


# Keras's built-in initialisers by name, with their default settings.
INITIALISERS: "dict[str, Initialiser]" = {
    "zeros": _constant(0.0),
    "ones": _constant(1.0),
    "constant": _constant(0.0),
    "random_normal": lambda shape, generator: 0.05 * generator.normal(size=shape),
    "random_uniform": random_uniform,
    "truncated_normal": lambda shape, generator: truncated(shape, generator, 0.05),
    "glorot_uniform": glorot_uniform,
    "glorot_normal": _scaled(1.0, 2, False),
    "he_uniform": _scaled(2.0, 0, True),
    "he_normal": _scaled(2.0, 0, False),
    "lecun_uniform": _scaled(1.0, 0, True),
    "lecun_normal": _scaled(1.0, 0, False),
    "variance_scaling": _scaled(1.0, 0, False),
    "orthogonal": orthogonal,
    "identity": identity,
}
