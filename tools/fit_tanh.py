"""The coefficients of the kernels' tanh (`kernels/activations.py`): the rational function nearest to tanh.

    python tools/fit_tanh.py

x P(x^2) / Q(x^2), with the degrees below, has the smallest largest relative error on |x| <= LIMIT, found by weighted
least squares whose weights grow where the error is large (Lawson 1961).
"""

import numpy as np

LIMIT, DEGREE_P, DEGREE_Q = 7.9, 3, 4
POINTS, ROUNDS = 4000, 400


def fit() -> tuple[np.ndarray, np.ndarray, float]:
    """The coefficients of P and of Q, constants first, and the largest relative error."""
    x = LIMIT * np.sin((np.arange(POINTS) + 0.5) * np.pi / (2 * POINTS))
    share, target = (x / LIMIT) ** 2, np.tanh(x) / x
    powers_p = share[:, None] ** np.arange(DEGREE_P + 1)
    powers_q = share[:, None] ** np.arange(1, DEGREE_Q + 1)
    weights, below = np.ones(POINTS), np.ones(POINTS)
    for _ in range(ROUNDS):
        # P - target Q is as small as P / Q - target where it is divided by the last round's Q.
        scale = np.sqrt(weights) / (target * below)
        system = np.hstack([powers_p, -target[:, None] * powers_q]) * scale[:, None]
        sizes = np.linalg.norm(system, axis=0)
        found = np.linalg.lstsq(system / sizes, target * scale, rcond=None)[0] / sizes
        p, q = found[: DEGREE_P + 1], found[DEGREE_P + 1 :]
        below = 1 + powers_q @ q
        error = np.abs(powers_p @ p / below / target - 1)
        weights *= error / error.mean()
        weights /= weights.sum()
    # The powers were those of a share of the limit.
    unit = LIMIT ** (2.0 * np.arange(max(DEGREE_P, DEGREE_Q) + 1))
    return p / unit[: DEGREE_P + 1], np.append(1, q) / unit[: DEGREE_Q + 1], float(error.max())


if __name__ == "__main__":
    *both, error = fit()
    for name, coefficients in zip("PQ", both, strict=True):
        print(name, *(f"{value:.10e}" for value in coefficients))
    print(f"largest relative error {error:.2e}")
