"""Threads that stay between rounds: the same bits awake and woken, at two rounds at once, and in a forked child."""

import os
import threading
import time

import numpy as np
import pandas as pd
import pytest

from tsuzuki.forecaster import Forecaster
from tsuzuki.kernels import standing_worker
from tsuzuki.streaming.standing_workers import StandingWorker, standing_workers

SERIES, ROUNDS = 2000, 6


@pytest.fixture(scope="module")
def alone():
    """One network without a committee."""
    series = pd.Series(np.sin(np.arange(150) / 3), pd.date_range("2024-01-01", periods=150, freq="h"))
    return Forecaster(2, committee=False, units=5, layers=1, head=0, ensemble=1, epochs=1).fit(series)


def rounds(forecaster, pause=0.0):
    """What a bank of many series forecasts, round by round."""
    bank = forecaster.bank([f"s{number}" for number in range(SERIES)])
    found = []
    for values in np.random.default_rng(0).normal(size=(ROUNDS, SERIES)):
        found.append(bank.update(values).tobytes())
        time.sleep(pause)
    return found


@pytest.fixture
def expected(alone, monkeypatch):
    """The forecasts of one thread; two threads from then on."""
    monkeypatch.setenv("TSUZUKI_NUM_THREADS", "1")
    found = rounds(alone)
    monkeypatch.setenv("TSUZUKI_NUM_THREADS", "2")
    return found


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_workers_that_are_awake_and_workers_that_sleep_do_the_same(alone, expected, pause):
    assert rounds(alone, pause) == expected


def test_banks_of_several_threads_do_not_get_into_each_others_way(alone, expected):
    found = {}
    threads = [
        threading.Thread(target=lambda number=number: found.update({number: rounds(alone)})) for number in (0, 1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(found.values()) == [expected] * 3


def test_a_round_that_finds_the_workers_busy_is_left_to_its_own_thread():
    workers = standing_workers(1)
    found = []
    none = [np.zeros(0, np.int64)]
    assert workers.run(lambda: found.append(workers.run(lambda: found.append("inner"), none)), none)
    assert found == [False]


def test_what_goes_wrong_beside_the_workers_leaves_them_ready():
    workers, none = standing_workers(1), [np.zeros(0, np.int64)]
    with pytest.raises(ZeroDivisionError):
        workers.run(lambda: 1 // 0, none)
    assert workers.run(lambda: None, none)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_workers_of_its_own(alone, expected):
    rounds(alone)
    child = os.fork()
    if child == 0:
        os._exit(0 if rounds(alone) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_an_interrupt_before_the_bell_leaves_nobody_waiting():
    worker, none = StandingWorker(), np.zeros(0, np.int64)
    for _ in range(300):
        if worker._fields[standing_worker.ASLEEP]:
            break
        time.sleep(0.01)
    assert worker._fields[standing_worker.ASLEEP]
    # Posted without a bell, as if Ctrl-C had come in between.
    worker._fields[[standing_worker.JOBS, standing_worker.COUNT]] = none.ctypes.data, 0
    assert worker._post(worker._address) == 1
    worker.end()
    assert worker._fields[standing_worker.DONE] == 1
