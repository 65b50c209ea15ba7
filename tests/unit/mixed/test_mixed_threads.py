"""Mixed models take one BLAS thread, and leave the number of threads as they found it."""

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from groove_utils.mixed import LmmError, bootstrap, fit_lmm, simulate_ratings
from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.stats.threads import one_thread

FORMULA = "rating ~ x + (1 | listener_id) + (1 | track_id)"


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def three_threads():
    with threadpool_limits(3, user_api="blas"):
        yield
        assert set(blas_threads()) == {3}


def test_a_fit_runs_on_one_thread_and_gives_the_others_back(monkeypatch):
    seen = []
    solve = CrossedDeviance.solve

    def watched(self, theta):
        seen.extend(blas_threads())
        return solve(self, theta)

    monkeypatch.setattr(CrossedDeviance, "solve", watched)
    data = simulate_ratings(15, 12, seed=1)
    result = fit_lmm(FORMULA, data)
    assert seen
    assert set(seen) == {1}
    bootstrap(result, 2)
    result.predict()
    with pytest.raises(LmmError):
        fit_lmm("rating ~ nothing + (1 | track_id)", data)
    assert set(blas_threads()) == {3}


def test_calls_may_be_nested():
    @one_thread
    def inner():
        return blas_threads()

    @one_thread
    def outer():
        return inner() + blas_threads()

    assert set(outer()) == {1}
