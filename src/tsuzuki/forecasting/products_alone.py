"""NumPy's products in the thread that asks for them, whatever library computes them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
# The limit that all contexts share, and how many of them there are.
_limit: list[Any] = []
_contexts = [0]


@contextmanager
def products_alone() -> Iterator[None]:
    """Have NumPy compute products and solutions in the thread that asks for them, in this process, while this lasts.

    OpenBLAS spreads even small ones over all cores, and its threads spin while they wait for one another: where cores
    are busy, a fit of 40,000 points spent a fifth of its CPU so. Results do not depend on the number of cores either.
    """
    from threadpoolctl import threadpool_limits

    with _lock:
        if not _contexts[0]:
            _limit.append(threadpool_limits(1, user_api="blas"))
        _contexts[0] += 1
    try:
        yield
    finally:
        with _lock:
            _contexts[0] -= 1
            if not _contexts[0]:
                _limit.pop().restore_original_limits()
