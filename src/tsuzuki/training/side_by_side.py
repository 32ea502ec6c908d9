"""Trainings, or other pieces of work, side by side, one a core; when one fails or Ctrl-C is pressed, all stop."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

from tsuzuki.engine.threads import threads_allowed
from tsuzuki.training.workers import WAKE_SECONDS

Result = TypeVar("Result")


class _CancelledError(Exception):
    """Raised in the thread of a piece of work when the others have stopped."""


def run_side_by_side(
    work: Callable[[int, Callable[[], None]], Result], count: int, threads: int | None = None
) -> list[Result]:
    """Run pieces of work in threads and wait for all.

    Args:
        work: called with the number of a piece and a function `check_cancelled`, to be called often: it raises once the
            work has to stop.
        count: how many there are.
        threads: how many run at once; as many as there are cores if None.

    Returns:
        What `work` returns, in the order of the numbers.

    Raises:
        KeyboardInterrupt: Ctrl-C; none goes on.
        BaseException: what the first one raised that failed; no other goes on.
    """
    submitted, cancelled = Event(), Event()

    def check_cancelled() -> None:
        if cancelled.is_set():
            raise _CancelledError

    def run(number: int) -> Result:
        # A thread that Ctrl-C interrupts while it is started would be forgotten by the pool.
        submitted.wait()
        check_cancelled()
        try:
            return work(number, check_cancelled)
        except BaseException:
            cancelled.set()
            raise

    with ThreadPoolExecutor(min(count, threads or threads_allowed())) as pool:
        try:
            runs = [pool.submit(run, number) for number in range(count)]
            submitted.set()
            while wait(runs, timeout=WAKE_SECONDS).not_done:
                pass
        except BaseException:
            # Ctrl-C reaches this thread alone, and leaving the pool waits for the others.
            cancelled.set()
            submitted.set()
            raise
    failures = [error for error in (one.exception() for one in runs) if error is not None]
    for failure in sorted(failures, key=lambda error: isinstance(error, _CancelledError)):
        raise failure
    return [one.result() for one in runs]
