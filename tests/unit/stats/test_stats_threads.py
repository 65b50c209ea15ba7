"""One BLAS thread inside the function, and the previous number of threads afterwards."""

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from groove_utils.stats import one_thread


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@one_thread
def inner(fails=False):
    if fails:
        return 1 / 0
    return blas_threads()


@one_thread
def outer():
    return inner() | blas_threads()


def test_threads_are_given_back_after_nested_calls_and_errors():
    with threadpool_limits(3, user_api="blas"):
        assert outer() == {1}
        with pytest.raises(ZeroDivisionError):
            inner(fails=True)
        assert blas_threads() == {3}
