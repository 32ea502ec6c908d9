"""A barrier for the few threads that work on one update: they meet several times in every one, microseconds apart.

A thread that arrives early spins, because waking a sleeping thread takes longer than the work between two meetings;
after a while it gives up its turn, so that more threads than cores still get on.
"""

from tsuzuki.kernels.language import add_atomically, give_way, kernel, read_atomically

# About 20 microseconds of spinning before the first offer of the turn.
PATIENCE = 20_000


@kernel
def wait_at_barrier(place, threads, meeting):
    """Wait until all threads have come to the meeting with this number, counted from 1."""
    if threads == 1:
        return
    add_atomically(place, 1)
    everybody = threads * meeting
    waited = 0
    while read_atomically(place) < everybody:
        waited += 1
        if waited > PATIENCE:
            give_way()
