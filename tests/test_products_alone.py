"""While a forecaster is fitted NumPy computes in the thread that asks."""

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from tsuzuki.forecasting.products_alone import products_alone


def threads():
    """How many threads each library of products has."""
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_products_are_computed_alone_until_the_last_context_that_asks_for_it_ends():
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        first, second = products_alone(), products_alone()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert threads() == {1}
        with pytest.raises(ZeroDivisionError), products_alone():
            raise ZeroDivisionError
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == before
