"""The ordinal check compared with statsmodels' cumulative logit model."""

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import simulate_ratings
from expect import raises
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.stats.sandwich_covariance import S_crosssection

from groove_utils.mixed import LmmError, cumulative_link_check

CROSSED = "(1 | listener_id) + (1 | track_id)"


def test_ordinal_check_recovers_log_odds_and_agrees_with_statsmodels():
    rng = np.random.default_rng(5)
    data = simulate_ratings(80, 60, 30, sd_listener=0.0, sd_song=0.0, effect=0.0, seed=5)
    latent = 0.8 * data["x"] + rng.logistic(size=len(data))
    data["rating"] = np.digitize(latent, [-2, -1, 0, 1, 2]) + 1
    own = cumulative_link_check(f"rating ~ x + style + {CROSSED}", data).set_index("term")
    assert own.loc["x", "ordinal"] == pytest.approx(0.8, abs=3 * own.loc["x", "ordinal_se"])
    assert own.loc["x", "ordinal_p"] < 1e-6
    assert own["agree"].all()
    X = pd.get_dummies(data["style"], dtype=float)[["pop", "rock"]].assign(x=data["x"])
    reference = OrderedModel(data["rating"], X, distr="logit").fit(method="bfgs", disp=False)
    for term, name in (("x", "x"), ("style[pop]", "pop"), ("style[rock]", "rock")):
        assert own.loc[term, "ordinal"] == pytest.approx(reference.params[name], abs=2e-3)
        # no listener or song effects here, so clustering changes little
        assert own.loc[term, "ordinal_se"] == pytest.approx(reference.bse[name], rel=0.4)


def test_ordinal_check_bins_fine_scales_and_clusters_by_song():
    data = simulate_ratings(30, 30, 15, seed=2)
    table = cumulative_link_check(f"rating ~ x + {CROSSED}", data)
    bins = pd.qcut(data["rating"], 7, labels=False)
    reference = OrderedModel(bins, data[["x"]], distr="logit").fit(method="bfgs", disp=False)
    assert table["ordinal"].item() == pytest.approx(reference.params["x"], abs=1e-2)
    assert table["ordinal_se"].item() > 1.3 * reference.bse["x"]
    assert table["agree"].item()
    with raises(LmmError, "no_predictor"):
        cumulative_link_check(f"rating ~ 1 + {CROSSED}", data)


def test_clusters_are_artists_where_songs_are_nested_in_them():
    """Combine statsmodels' sandwich estimators: listeners plus artists minus intersections."""
    data = simulate_ratings(30, 30, 15, seed=2)
    data["artist"] = data["track_id"].str[1:].astype(int) // 5
    bins = pd.qcut(data["rating"], 7, labels=False)
    model = OrderedModel(bins, data[["x"]], distr="logit")
    params = model.fit(method="bfgs", disp=False, gtol=1e-8).params.to_numpy()
    bread, scores = np.linalg.inv(-model.hessian(params)), model.score_obs(params)

    def spread(keys):
        codes = pd.factorize(keys)[0]
        m = codes.max() + 1
        return S_crosssection(scores, codes) * m / (m - 1)

    both = data["listener_id"] + data["artist"].astype(str)
    meat = spread(data["listener_id"]) + spread(data["artist"]) - spread(both)
    expected = np.sqrt((bread @ meat @ bread)[0, 0])
    formulas = [f"rating ~ x + {CROSSED} + (1 | artist)", f"rating ~ x + (1 | artist) + {CROSSED}"]
    for formula in formulas:
        own = cumulative_link_check(formula, data.astype({"artist": str}))
        assert own["ordinal_se"].item() == pytest.approx(expected, rel=1e-2)
    songs = cumulative_link_check(f"rating ~ x + {CROSSED}", data)
    assert songs["ordinal_se"].item() != pytest.approx(expected, rel=1e-2)
