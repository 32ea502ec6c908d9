"""The guard of streams that learn: which losses are jumps, and what the usual ones are, written out."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tsuzuki.streaming.online_learning import FEWEST, FORGOTTEN, JUMP, _Learner

LOSSES = st.lists(
    st.sampled_from([0.1, 0.11, 0.09, 0.5, 5.0, 100.0, float("nan"), float("inf")]), min_size=FEWEST + 5, max_size=120
)


@given(LOSSES)
def test_what_is_usual_forgets_and_a_jump_counts_as_the_largest_loss_that_would_be_none(losses):
    guard = _Learner.__new__(_Learner)
    guard._seen, guard._usual, guard._spread = 0, 0.0, 0.0
    seen, usual, spread = 0, 0.0, 0.0
    for loss in losses:
        jumps = guard._jumps(loss)
        if not math.isfinite(loss):
            assert jumps
        else:
            limit = usual + JUMP * spread
            assert jumps == (seen >= FEWEST and loss > limit)
            taken = min(loss, limit) if jumps else loss
            share = FORGOTTEN if seen + 1 > 1 / FORGOTTEN else 1 / (seen + 1)
            spread = (1 - share) * spread + share * abs(taken - usual)
            usual = (1 - share) * usual + share * taken
            seen += 1
        assert guard._seen == seen
        assert math.isclose(guard._usual, usual, rel_tol=1e-9, abs_tol=1e-12)
        assert math.isclose(guard._spread, spread, rel_tol=1e-9, abs_tol=1e-12)
