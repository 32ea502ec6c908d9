"""How segments become batches: index arithmetic, no copies. The heart of statefulness.

A *lane* is one row of the batch, followed through time. What a carried state needs is that the row a lane holds in
update k + 1 begins where its row in update k ended; everything here serves that rule, and it is checked as a property.

Windows, many to one. A window is `timesteps` inputs and the value after them; window w begins at position w. A lane
that carries its state must step by `timesteps`, so each lane sees only every `timesteps`-th window: one *phase*. With
3 steps and batches of 3, the classic case:

    update      0          1          2
    lane 0   0 1 2 |    3 4 5 |    6 7 8 |     phase 0: windows 0, 3, 6 ...
    lane 1   1 2 3 |    4 5 6 |    7 8 9 |     phase 1: windows 1, 4, 7 ...
    lane 2   2 3 4 |    5 6 7 |    8 9 10 |    phase 2: windows 2, 5, 8 ...

For other batch sizes the windows are cut into S = batch / gcd(batch, timesteps) *stretches*; the timesteps * S rows
(stretch by stretch, phase by phase) are dealt out to the lanes in timesteps / gcd(batch, timesteps) *passes*, each row
starting from a zero state. So every window is trained on exactly once an epoch, whatever the sizes.

Streams, many to many. Every step is scored, so each lane reads a stretch of its own from end to end, once:

    update      0          1                   2
    lane 0   0 1 2      3 4 5      ...
    lane 1   40 41 42   43 44 45   ...
    lane 2   80 81 82   83 84 85   ...

Nothing is cut off at the end: rows that have run out are masked. A stretch that crosses from one segment into another
goes on from a zero state there.
"""
