"""Compilation in processes of its own, a unit at a time on every core; this process never imports Numba.

python -m tsuzuki.engine.compiling     reads a unit's name a line, writes its machine code
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tsuzuki.engine.threads import threads_allowed
from tsuzuki.errors import MissingExtraError, TsuzukiError
from tsuzuki.kernels.build import UNITS, modules_of


def compile_units(units: Sequence[str]) -> dict[str, bytes]:
    """Compile units to machine code for this CPU, side by side.

    Raises:
        MissingExtraError: Numba is not installed.
        TsuzukiError: a compilation failed.
    """
    if importlib.util.find_spec("numba") is None:
        raise MissingExtraError(
            f"kernels ({', '.join(units)}) are to be compiled here, but Numba is not installed; "
            "pip install 'tsuzuki[compile]'"
        )
    # The longest first, so that the cores end at about the same time.
    waiting = sorted(units, key=_size)
    workers = [_start() for _ in range(min(threads_allowed(), len(units)))]
    found: dict[str, bytes] = {}

    def feed(worker: "subprocess.Popen[bytes]") -> None:
        while waiting:
            try:
                unit = waiting.pop()
            except IndexError:
                return
            found[unit] = _ask(worker, unit)

    try:
        with ThreadPoolExecutor(len(workers)) as pool:
            list(pool.map(feed, workers))
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    return found


def _size(unit: str) -> int:
    return sum(len(open(module.__file__).read()) for module in modules_of(unit))


def _start() -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "NUMBA_OPT": "0", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-m", "tsuzuki.engine.compiling"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def _ask(worker: "subprocess.Popen[bytes]", unit: str) -> bytes:
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert worker.stderr is not None
    try:
        worker.stdin.write(f"{unit}\n".encode())
        worker.stdin.flush()
    except OSError:
        pass
    head = worker.stdout.readline()
    if not head:
        last = worker.stderr.read().decode(errors="replace").strip().splitlines()[-1:]
        raise TsuzukiError(f"the kernel {unit} could not be compiled: {' '.join(last) or 'the compiler was stopped'}")
    return worker.stdout.read(int(head))


def main() -> None:
    """Compile what standard input names."""
    from tsuzuki.engine.machine_code import emit
    from tsuzuki.kernels.build import bitcode

    # Whatever a library prints must not come between the machine code.
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    for line in sys.stdin:
        if line.strip() in UNITS:
            code = emit(bitcode(line.strip()))
            out.write(b"%d\n" % len(code) + code)
            out.flush()


if __name__ == "__main__":
    main()
