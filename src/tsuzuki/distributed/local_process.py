"""A worker that is another process of this machine, and speaks through its input and output.

It is a fresh interpreter that imports tsuzuki alone, and never the script that asks for it: so scripts need no
`if __name__ == "__main__"`, and notebooks can use it.
"""

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Any

from tsuzuki.distributed import interrupts
from tsuzuki.distributed.worker_pool import WorkerLostError
from tsuzuki.errors import TsuzukiError

# One thread a worker, of ours and of the libraries below, so that those of one machine do not fight for its cores.
ONE_THREAD = dict.fromkeys(
    ("TSUZUKI_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
_SERVE = "from tsuzuki.distributed.local_process import serve; serve()"
# What reading from, or writing to, a process that is gone may raise.
_GONE = (EOFError, OSError, pickle.UnpicklingError, ValueError)


class LocalProcess:
    """See `Worker`."""

    def __init__(self) -> None:
        places = os.pathsep.join(os.path.abspath(place) for place in sys.path)
        with interrupts.held_back():
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SERVE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | ONE_THREAD | {"PYTHONPATH": places},
            )
        self._sent: set[int] = set()
        self._busy = False

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def wait_ready(self) -> None:
        """See `Worker`."""
        self._take()

    def do(self, key: int, work: Callable[[Any], Any], unit: Any) -> Any:
        """See `Worker`."""
        self._busy = True
        # What cannot be pickled is the caller's mistake, and no sign of a lost worker.
        handed = b"" if key in self._sent else pickle.dumps(work, pickle.HIGHEST_PROTOCOL)
        message = pickle.dumps((key, handed, unit), pickle.HIGHEST_PROTOCOL)
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(message)
            self._process.stdin.flush()
        except _GONE as error:
            raise WorkerLostError from error
        done, found = self._take()
        self._busy = False
        if not done:
            raise found
        self._sent.add(key)
        return found

    def _take(self) -> Any:
        assert self._process.stdout is not None
        try:
            return pickle.load(self._process.stdout)
        except _GONE as error:
            raise WorkerLostError from error

    def end(self) -> None:
        """See `Worker`."""
        assert self._process.stdin is not None
        if self._busy:
            self._process.kill()
        # One that waits ends when nobody is left to write to it.
        with contextlib.suppress(*_GONE):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve() -> None:
    """A worker: do units as they come, until the other end is closed."""
    interrupts.ignore()
    # Whatever is printed must not lie between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    works: dict[int, Callable[[Any], Any]] = {}
    with contextlib.suppress(EOFError, BrokenPipeError):
        _send(answers, None)
        while True:
            key, handed, unit = pickle.load(sys.stdin.buffer)
            try:
                if handed:
                    works[key] = pickle.loads(handed)
                answer = True, works[key](unit)
            except Exception as error:
                answer = False, _sendable(error)
            _send(answers, answer)


def _send(answers: IO[bytes], answer: object) -> None:
    pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


def _sendable(error: Exception) -> Exception:
    """An error, or what it says where it does not come through pickle whole."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return TsuzukiError(f"{type(error).__name__}: {error}")
    return error
