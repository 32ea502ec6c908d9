"""Ctrl-C reaches every process of a terminal; among workers, the process that asks for them decides what it means.

A worker that imports its modules could not ignore it yet, so it is begun with the signal held back, and lets it go once
it ignores it.
"""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Processes begun in here are not interrupted before they call `ignore`; this one is, at the end."""
    if not hasattr(signal, "pthread_sigmask"):
        # Windows has no masks.
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore() -> None:
    """Ignore Ctrl-C in this process, those of its start included."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
