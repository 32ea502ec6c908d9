"""How segments become batches: index arithmetic without copies. This package keeps carried states correct.

A *lane* is one row of the batch, followed through time. A carried state is correct if the row of a lane in
update k + 1 begins where its row in update k ended. The tests check this rule as a property.

Windows, many to one. A window is `timesteps` inputs and the value after them; window w begins at position w. A lane
that carries its state must step by `timesteps`, so each lane sees only every `timesteps`-th window: one *phase*. With
3 steps and batches of 3, the classic case:

    update      0          1          2
    lane 0   0 1 2 |    3 4 5 |    6 7 8 |     phase 0: windows 0, 3, 6 ...
    lane 1   1 2 3 |    4 5 6 |    7 8 9 |     phase 1: windows 1, 4, 7 ...
    lane 2   2 3 4 |    5 6 7 |    8 9 10 |    phase 2: windows 2, 5, 8 ...

For other batch sizes the windows are cut into S = batch / gcd(batch, timesteps) *stretches*; the timesteps * S rows
(stretch by stretch, phase by phase) are distributed over the lanes in timesteps / gcd(batch, timesteps) *passes*, each
of which starts from a zero state. So every window is trained on exactly once per epoch, for any sizes.

Streams, many to many. Every step is scored, so each lane reads its own stretch once from start to end:

    update      0          1                   2
    lane 0   0 1 2      3 4 5      ...
    lane 1   40 41 42   43 44 45   ...
    lane 2   80 81 82   83 84 85   ...

Nothing is cut off at the end: lanes that have run out are masked. Where a stretch crosses from one segment into
another, it starts again from a zero state.
"""
