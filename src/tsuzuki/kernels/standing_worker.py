"""A thread that waits for work between two calls: it spins for a moment, since waking it takes longer than much work.

What is posted is a list of jobs (see `driver.run`). Counts only grow, so that no signal can be lost: who posts counts
up and then sees whether the worker sleeps; who goes to sleep says so and then sees whether something has been posted.
"""

from tsuzuki.kernels.driver import run
from tsuzuki.kernels.language import add_atomically, give_way, ints_at, kernel, procedure, read_atomically, shift
from tsuzuki.kernels.last_write import write_at

# What stands where in the table: how often work was posted, taken and done; whether the worker sleeps; the address of
# the jobs' addresses, and how many they are. Those that both sides write lie a cache line apart.
POSTED, TAKEN, DONE, ASLEEP, JOBS, COUNT, FIELDS = 0, 8, 16, 24, 32, 33, 40
# About a third of a millisecond of spinning before sleep, as long as Python may take between two calls; about 20
# microseconds before whoever waits for the work offers its turn.
SLEEPLESS, PATIENCE = 300_000, 20_000


@kernel
def work(table):
    """Run the jobs that have been posted."""
    write_at(table, TAKEN, table[TAKEN] + 1)
    jobs = ints_at(table[JOBS])
    for number in range(table[COUNT]):
        run(jobs[number], 0)
    add_atomically(shift(table, DONE), 1)


@procedure("t")
def serve(table):
    """Work as it is posted, until there has been none for a while."""
    waited = 0
    while True:
        if read_atomically(shift(table, POSTED)) > table[TAKEN]:
            work(table)
            waited = 0
            continue
        waited += 1
        if waited > SLEEPLESS:
            add_atomically(shift(table, ASLEEP), 1)
            if read_atomically(shift(table, POSTED)) == table[TAKEN]:
                return
            add_atomically(shift(table, ASLEEP), -1)


@procedure("t", "i")
def post(table):
    """Have the jobs run; 1 where the worker sleeps and must be woken."""
    add_atomically(shift(table, POSTED), 1)
    return read_atomically(shift(table, ASLEEP))


@procedure("t")
def wait(table):
    """Wait until all that was posted is done."""
    waited = 0
    while read_atomically(shift(table, DONE)) < table[POSTED]:
        waited += 1
        if waited > PATIENCE:
            give_way()
