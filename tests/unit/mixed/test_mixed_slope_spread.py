"""Share of positive slopes, compared with the slopes of a simulated population."""

import numpy as np
import pandas as pd
import pytest
from expect import raises
from scipy import stats

from groove_utils.mixed import LmmError, bootstrap, fit_lmm, positive_share


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(4)
    n, songs = 150, 12
    slope = rng.normal(1.0, 1.0, n)
    listener = np.repeat(np.arange(n), songs)
    x = rng.standard_normal(len(listener))
    y = slope[listener] * x + rng.normal(0, 1, n)[listener] + rng.normal(0, 3, len(x))
    rows = pd.DataFrame({"y": y, "x": x, "listener": listener.astype(str)})
    return fit_lmm("y ~ x + (1 + x | listener)", rows), slope


def test_the_share_is_that_of_the_population_and_not_of_shrunk_slopes(fitted):
    result, slope = fitted
    share = positive_share(result, "x", bootstrap(result, 60, seed=1))
    truth = stats.norm.cdf(1.0)
    assert share["estimate"] == pytest.approx(truth, abs=0.07)
    assert share["low"] < truth < share["high"]
    modes = result.random_effects("listener").query("term == 'x'")["value"]
    shrunk = (modes + result.effect("x")["estimate"] > 0).mean()
    assert shrunk > (slope > 0).mean() + 0.05
    assert abs(share["estimate"] - (slope > 0).mean()) < shrunk - (slope > 0).mean()


def test_without_a_random_slope_there_is_no_share(fitted):
    result, _ = fitted
    plain = fit_lmm("y ~ x + (1 | listener)", result.frame.data)
    with raises(LmmError, "unknown", value="x"):
        positive_share(plain, "x")
    assert np.isnan(positive_share(result, "x")["low"])
