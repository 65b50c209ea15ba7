"""Error models that ignore or respect sampled factors, compared with statsmodels."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from crossed_ratings import quiet_fit
from expect import raises

from groove_utils.mixed import (
    LmmError,
    LmmWarning,
    add_random_intercepts,
    compare_error_models,
    fit_lmm,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "lmm"
SMALL = pd.read_csv(GOLDEN / "small.csv.gz")
CROSSED = "(1 | listener) + (1 | stimulus)"


def test_error_models_are_those_of_statsmodels():
    table = compare_error_models(f"rating ~ genre * x + {CROSSED}", SMALL)
    by_model = dict(iter(table.groupby("model")))
    assert set(by_model) == {
        "OLS",
        "OLS, clustered by listener",
        "OLS, clustered by stimulus",
        "OLS, clustered by listener and stimulus",
        "listener only",
        "stimulus only",
        "crossed",
    }
    ols = smf.ols("rating ~ genre * x", SMALL)
    plain = ols.fit()
    np.testing.assert_allclose(np.sort(by_model["OLS"]["se"]), np.sort(plain.bse))
    for factor in ("listener", "stimulus"):
        robust = ols.fit(cov_type="cluster", cov_kwds={"groups": SMALL[factor]}, use_t=True)
        own = by_model[f"OLS, clustered by {factor}"]
        np.testing.assert_allclose(np.sort(own["se"]), np.sort(robust.bse))
        np.testing.assert_allclose(np.sort(own["p"]), np.sort(robust.pvalues), atol=1e-12)
    groups = np.column_stack([pd.factorize(SMALL[f])[0] for f in ("listener", "stimulus")])
    robust = ols.fit(cov_type="cluster", cov_kwds={"groups": groups})
    own = by_model["OLS, clustered by listener and stimulus"]
    np.testing.assert_allclose(np.sort(own["se"]), np.sort(robust.bse), rtol=1e-6)
    full = fit_lmm(f"rating ~ genre * x + {CROSSED}", SMALL).fixed_effects()
    np.testing.assert_allclose(by_model["crossed"]["se"], full["se"], rtol=1e-6)
    np.testing.assert_allclose(by_model["crossed"]["se_ratio"], 1)


@pytest.mark.parametrize(
    ("listener", "song"),
    [
        ("(1 + genre | listener)", "(1 | stimulus)"),
        ("(1 + genre || listener)", "(1 | stimulus)"),
        ("(genre + x|listener)", "(1|stimulus)"),
        ("(1 + C(genre, contr.sum) | listener)", "(1 | band / stimulus)"),
    ],
)
def test_error_models_keep_random_terms_as_they_were_written(listener, song):
    data = SMALL.assign(band=[f"B{n // 4:02d}" for n in SMALL["stimulus"].str[1:].astype(int)])
    table = compare_error_models(f"rating ~ genre + x + {listener} + {song}", data)
    for model, random in (("listener only", listener), ("crossed", f"{listener} + {song}")):
        fit = quiet_fit(f"rating ~ genre + x + {random}", data).fixed_effects()
        own = table[table["model"] == model].set_index("term").loc[fit["term"]]
        np.testing.assert_allclose(own["se"], fit["se"], rtol=1e-3)
        np.testing.assert_allclose(own["estimate"], fit["estimate"], rtol=1e-3, atol=1e-4)


def test_ignoring_the_songs_makes_a_song_level_effect_look_certain():
    table = compare_error_models(f"rating ~ x + {CROSSED}", SMALL).set_index(["model", "term"])
    ratio = table["se_ratio"].xs("x", level="term")
    assert ratio["OLS"] < 0.7
    assert ratio["listener only"] < 0.7
    assert 0.9 < ratio["stimulus only"] < 1.1
    assert 0.7 < ratio["OLS, clustered by stimulus"] < 1.2


def test_song_means_with_growing_random_parts():
    rng = np.random.default_rng(2)
    artist = np.repeat([f"A{i:02d}" for i in range(20)], 4)
    x = rng.standard_normal(80)
    y = 50 + 3 * x + np.repeat(rng.normal(0, 4, 20), 4) + rng.normal(0, 3, 80)
    data = pd.DataFrame({"y": y, "x": x, "artist": artist})
    data["style"] = np.repeat(["a", "b", "c", "d"], 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)
        table, fit = add_random_intercepts("y ~ x", data, ["artist", "style"], "x")
    by_hand = quiet_fit("y ~ x + (1 | artist)", data).effect("x")
    assert list(table["model"]) == ["OLS", "artist random", "artist and style random"]
    ols = smf.ols("y ~ x", data).fit()
    assert table.loc[0, "estimate"] == pytest.approx(ols.params["x"])
    assert table.loc[0, "high"] == pytest.approx(ols.conf_int().loc["x", 1])
    assert table.loc[1, "low"] == pytest.approx(by_hand["low"])
    assert list(fit.n_groups) == ["artist", "style"]
    alone, none = add_random_intercepts("y ~ x", data, [], "x")
    assert len(alone) == 1
    assert none is None
    with raises(LmmError, "unknown", column="coefficient", value="z"):
        add_random_intercepts("y ~ x", data, [], "z")
