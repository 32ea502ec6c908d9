"""Workers as training sees them: whoever does units of its work elsewhere; see `distributed.worker_pool`."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, Protocol

# Whoever waits looks so often whether it has been told to stop. Ctrl-C does not wake a thread that is about to wait
# without end, nor any such thread on Windows: so it wakes itself.
WAKE_SECONDS = 0.1


class Workers(Protocol):
    """Whoever is given units.

    Attributes:
        workers: how many work at once.
    """

    workers: int

    def submit(self, work: Callable[[Any], Any], unit: Any) -> "Future[Any]":
        """Have a unit done: what comes of it depends on the work and the unit alone."""
        ...


def result_of(future: "Future[Any]", on_wait: Callable[[], object]) -> Any:
    """What came of a unit, or what it raised; what `on_wait` raises, called now and then, ends the waiting."""
    while wait([future], WAKE_SECONDS).not_done:
        on_wait()
    return future.result()
