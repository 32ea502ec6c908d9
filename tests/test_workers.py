"""Workers that are processes of this machine: what they do, and what becomes of a unit when one of them dies."""

import os
import signal
import threading
import time

import pytest

import worker_units
from tsuzuki.distributed import worker_pool
from tsuzuki.distributed.local_process import LocalProcess
from tsuzuki.distributed.worker_pool import WorkerLostError, WorkerPool
from tsuzuki.distributed.workers import open_pool, run_units
from tsuzuki.errors import SettingError, TsuzukiError


@pytest.fixture(scope="module")
def pool():
    """Two processes."""
    with open_pool(2) as found:
        yield found


def test_a_worker_that_dies_is_replaced_and_its_unit_done_again(tmp_path):
    units = [(number, str(tmp_path)) for number in range(8)]
    assert sorted(run_units(worker_units.square_or_die, units, 2)) == [(number, number**2) for number in range(8)]


def test_an_error_in_a_worker_is_the_callers_and_the_worker_goes_on(pool):
    failures = [pool.submit(worker_units.fail, number) for number in range(5)]
    for number, failure in enumerate(failures):
        with pytest.raises(SettingError, match=f"unit {number} cannot be done; leave it out"):
            failure.result()
    with pytest.raises(TsuzukiError, match="OddError: what it says"):
        pool.submit(worker_units.fail_oddly, 0).result()
    with pytest.raises(Exception, match="pickle"):
        pool.submit(lambda unit: unit, 0).result()
    assert pool.submit(len, "four").result() == 4


def test_workers_of_this_machine_need_nothing_of_ray(pool):
    assert pool.submit(worker_units.has_ray, "four").result() == (4, False)


def test_a_worker_keeps_what_it_needs_from_unit_to_unit_and_computes_in_one_thread(pool):
    work = worker_units.Counter()
    found = [future.result() for future in [pool.submit(work, f"unit {number}") for number in range(6)]]
    assert {threads for threads, _, _ in found} == {"1"}
    for process in {process for _, process, _ in found} - {os.getpid()}:
        counts = [count for _, own, count in found if own == process]
        assert counts == list(range(1, len(counts) + 1))
    assert work.count == 0


def test_a_unit_of_which_workers_die_again_and_again_is_given_up_and_the_others_are_done(monkeypatch):
    monkeypatch.setattr(worker_pool, "TRIES", 2)
    with open_pool(2) as pool:
        lost, done = pool.submit(worker_units.die, 0), pool.submit(len, "four")
        with pytest.raises(TsuzukiError, match="a worker ended 2 times at the same piece of work"):
            lost.result()
        assert done.result() == 4


class _Stillborn:
    def wait_ready(self):
        raise WorkerLostError

    def do(self, key, work, unit):
        raise AssertionError

    def end(self):
        pass


def test_units_are_given_up_where_no_worker_lives_to_begin():
    with WorkerPool(_Stillborn, 2) as pool, pytest.raises(TsuzukiError, match="no worker could be started"):
        pool.submit(len, "four").result()


class _NoRoom(_Stillborn):
    """A worker of a cluster without room, which is waited for without end."""

    def __init__(self):
        self.ended = threading.Event()

    def wait_ready(self):
        self.ended.wait()
        raise WorkerLostError

    def end(self):
        self.ended.set()


def test_a_worker_that_waits_for_room_holds_up_no_unit_and_no_end():
    kinds = iter([_NoRoom, LocalProcess])
    with WorkerPool(lambda: next(kinds)(), 2) as pool:
        assert [pool.submit(len, "x" * size).result() for size in range(3)] == [0, 1, 2]


def test_ctrl_c_ends_no_worker_that_still_begins():
    worker = LocalProcess()
    os.kill(worker.pid, signal.SIGINT)
    try:
        worker.wait_ready()
        assert worker.do(1, len, "abc") == 3
    finally:
        worker.end()


def test_closing_ends_workers_in_the_middle_of_a_unit(tmp_path):
    with open_pool(2) as pool:
        begun = [pool.submit(worker_units.begin_and_sleep, str(tmp_path / name)) for name in "abc"]
        while not (tmp_path / "a").exists() or not (tmp_path / "b").exists():
            time.sleep(0.01)
    assert all(one.cancelled() for one in begun)
    assert not (tmp_path / "c").exists()


def test_closing_does_not_wait_for_a_unit_in_this_process(monkeypatch):
    monkeypatch.setattr(worker_pool, "ENDING_SECONDS", 0.01)
    begun, end = threading.Event(), threading.Event()

    def wait(unit):
        begun.set()
        return end.wait(60)

    with open_pool(1) as pool:
        found = pool.submit(wait, 0)
        begun.wait()
    assert not found.done()
    end.set()
    assert found.result()
