"""Units of work for tests of workers: processes of their own know this module, which imports nothing."""

import os
import signal
import time
from pathlib import Path


def square_or_die(unit):
    """The square of a number; the worker kills itself the first time it is given the number 3."""
    number, folder = unit
    seen = Path(folder) / str(number)
    if number == 3 and not seen.exists():
        seen.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def fail(unit):
    """An error of ours."""
    from tsuzuki.errors import SettingError

    raise SettingError(f"unit {unit} cannot be done; leave it out")


def fail_oddly(unit):
    """An error that pickle cannot take apart."""
    raise type("OddError", (Exception,), {})("what it says")


def die(unit):
    """Nothing comes of it."""
    os.kill(os.getpid(), signal.SIGKILL)


def begin_and_sleep(path):
    """A unit that does not come to an end."""
    Path(path).touch()
    time.sleep(600)


def has_ray(unit):
    """Whether Ray is imported where several workers of one machine are asked for."""
    import sys

    from tsuzuki.distributed.workers import open_pool

    with open_pool(2) as pool:
        return pool.submit(len, unit).result(), "ray" in sys.modules


class Counter:
    """Counts its units, in each worker by itself; what it is told is printed, which must not get between answers."""

    def __init__(self):
        self.count = 0

    def __call__(self, unit):
        print(unit)
        self.count += 1
        return os.environ["TSUZUKI_NUM_THREADS"], os.getpid(), self.count
