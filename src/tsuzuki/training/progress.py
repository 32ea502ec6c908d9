"""Progress: a bar on standard error where that is a terminal, else lines of the logger "tsuzuki"."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tsuzuki.training.records import Progress

LOG = logging.getLogger("tsuzuki")
# Of the work done between two lines of the log.
TENTH = 0.1

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn


@contextmanager
def _shown(*middle: "str | ProgressColumn") -> "Iterator[RichProgress | None]":
    """A rich progress display with the given columns before the time left; None where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), *middle, TimeRemainingColumn())
    with RichProgress(*columns, console=console, transient=True) as display:
        yield display


@contextmanager
def share_bar(what: str) -> Iterator[Callable[[float], object]]:
    """Show how much of a whole is done.

    Yields:
        A function to call with each further share, the shares adding up to 1.
    """
    from rich.progress import TaskProgressColumn

    with _shown(TaskProgressColumn()) as display:
        if display is None:
            yield _logged_shares(what)
            return
        task = display.add_task(what, total=1.0)
        yield lambda share: display.advance(task, share)


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], object]]:
    """Show a training run: epoch, loss, updates a second and the time left.

    Example:
        with progress_bar() as show:
            fit(..., on_progress=show)

    Yields:
        What `fit` takes as `on_progress`.
    """
    with _shown("{task.fields[words]}") as display:
        if display is None:
            yield _logged_epochs()
            return
        task = display.add_task("", total=None, words="")
        yield lambda now: display.update(task, **_state(now, display.tasks[task].elapsed or 0.0))


def _logged_shares(what: str) -> Callable[[float], object]:
    """Log each tenth of a whole that is done."""
    begun, lock = time.perf_counter(), threading.Lock()
    done = told = 0.0

    def advance(share: float) -> None:
        nonlocal done, told
        with lock:
            done += share
            if done + 1e-9 >= told + TENTH:
                told = int(done / TENTH + 1e-9) * TENTH
                LOG.info("%s: %.0f %% done after %.1f s", what, 100 * told, time.perf_counter() - begun)

    return advance


def _logged_epochs() -> Callable[[Progress], object]:
    """Log the end of each epoch of a training run."""
    begun = time.perf_counter()

    def show(now: Progress) -> None:
        if now.update == now.updates:
            took = time.perf_counter() - begun
            LOG.info("epoch %d of %d: loss %.5f after %.1f s", now.epoch, now.epochs, now.loss, took)

    return show


def _state(now: Progress, elapsed: float) -> dict[str, Any]:
    """What the bar shows of a run after so many seconds."""
    done = (now.epoch - 1) * now.updates + now.update
    speed = f"{done / elapsed:,.0f} updates/s" if elapsed > 0 else ""
    return {
        "description": f"epoch {now.epoch}/{now.epochs}",
        "total": now.epochs * now.updates,
        "completed": done,
        "words": f"loss {now.loss:.5f}  {speed}",
    }
