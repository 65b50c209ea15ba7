"""Compare fits with lme4 1.1-31, lmerTest 3.1-3, emmeans 1.8.4 and performance 0.10.2."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from groove_utils.mixed import fit_lmm

GOLDEN = Path(__file__).parents[2] / "golden" / "lmm"
FORMULAS = {
    "int": "rating ~ genre * x + (1 | listener) + (1 | stimulus)",
    "slope": "rating ~ genre * x + (1 + x | listener) + (1 | stimulus)",
}
# relative, of tables by emmeans
TOLERANCES = {"estimate": 1e-5, "se": 1e-5, "df": 1e-4, "low": 1e-4, "high": 1e-4}
TOLERANCES |= {"p_adjusted": 1e-3}
CASES = [(size, model) for size in ("small", "medium") for model in FORMULAS]


def read(name):
    return json.loads((GOLDEN / name).read_text())


def our_name(name):
    name = name.replace("(Intercept)", "Intercept")
    return name.replace("genrejazz", "genre[jazz]").replace("genrerock", "genre[rock]")


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request):
    size, model = request.param
    data = pd.read_csv(GOLDEN / f"{size}.csv.gz")
    result = fit_lmm(FORMULAS[model], data)
    return result, read(f"lme4_{size}_{model}.json"), read(f"inference_{size}_{model}.json")


def test_fixed_effects(case):
    result, lme4, inference = case
    table = result.fixed_effects().set_index("term")
    assert list(table.index) == [our_name(name) for name in lme4["beta"]]
    np.testing.assert_allclose(table["estimate"], list(lme4["beta"].values()), rtol=1e-5)
    np.testing.assert_allclose(table["se"], list(lme4["se"].values()), rtol=1e-5)
    np.testing.assert_allclose(table["df"], list(inference["satt_df"].values()), rtol=1e-4)
    np.testing.assert_allclose(table["t"], list(inference["t_value"].values()), rtol=1e-4)
    np.testing.assert_allclose(
        table["p"], list(inference["satt_p"].values()), rtol=1e-3, atol=1e-12
    )


def test_variance_components_and_loglik(case):
    result, lme4, _ = case
    table = result.variance_components()
    assert result.loglik == pytest.approx(lme4["reml_loglik"], abs=1e-8)
    assert result.messages == []
    assert result.sigma == pytest.approx(lme4["sigma"], rel=1e-5)
    for row in lme4["vc"]:
        own = table[table["factor"] == row["grp"]]
        if "var1" in row:
            own = own[own["term"] == row["var1"].strip("()")]
            own = own[own["other"].notna() if "var2" in row else own["other"].isna()]
        assert len(own) == 1
        assert own["variance"].item() == pytest.approx(row["vcov"], rel=1e-5)
        assert own["sd"].item() == pytest.approx(row["sdcor"], rel=1e-5)


def test_type3(case):
    result, _, inference = case
    own = result.type3().set_index("term")
    lmer = pd.DataFrame(inference["anova3_satt"]).set_index("term")
    assert set(own.index) == set(lmer.index)
    own = own.loc[lmer.index]
    np.testing.assert_array_equal(own["num_df"], lmer["NumDF"])
    np.testing.assert_allclose(own["F"], lmer["F value"], rtol=1e-5)
    np.testing.assert_allclose(own["den_df"], lmer["DenDF"], rtol=1e-4)
    np.testing.assert_allclose(own["p"], lmer["Pr(>F)"], rtol=1e-3, atol=1e-12)


def test_r2_and_icc(case):
    result, _, inference = case
    assert result.r2()["marginal"] == pytest.approx(inference["r2_marginal"], abs=1e-6)
    assert result.r2()["conditional"] == pytest.approx(inference["r2_conditional"], abs=1e-6)
    parts = result.variance_components()
    spread = parts[(parts["term"] == "Intercept") & parts["other"].isna()].set_index("factor")
    total = result.mean_variances().drop("Fixed").sum()
    for row in inference["icc_by_group"]:
        share = spread.loc[row["Group"], "variance"] / total
        assert share == pytest.approx(row["ICC"], abs=1e-6)


def test_emmeans_and_emtrends(case):
    result, _, inference = case
    means = result.emmeans("genre", at={"x": 0})
    trends = result.emtrends("x", "genre")
    for own, key, column in (
        (means.table, "emm_x0_satt", "emmean"),
        (trends.table, "emtrends", "x.trend"),
    ):
        columns = {"estimate": column, "low": "lower.CL", "high": "upper.CL"}
        assert_equals_r(own, inference[key], "genre", columns)


def test_tukey_contrasts(case):
    result, _, inference = case
    own = result.emmeans("genre", at={"x": 0}).contrasts(adjust="tukey")
    columns = {"estimate": "estimate", "p_adjusted": "p.value"}
    assert_equals_r(own, inference["emm_pairs_tukey"], "contrast", columns)


def assert_equals_r(table, rows, label, columns):
    """Compare a table with that of R's emmeans; `columns` maps names that differ in R."""
    expected = pd.DataFrame(rows)
    assert list(table[label]) == list(expected[label])
    for column, name in {**columns, "se": "SE", "df": "df"}.items():
        np.testing.assert_allclose(table[column], expected[name], rtol=TOLERANCES[column])


def test_blups_with_conditional_sd(case):
    result, _, inference = case
    songs = result.random_effects("stimulus").set_index("level")
    for row in inference["condsd_head"]:
        assert songs.loc[row["grp"], "value"] == pytest.approx(row["condval"], rel=1e-5)
        assert songs.loc[row["grp"], "sd"] == pytest.approx(row["condsd"], rel=1e-5)
    listeners = result.random_effects("listener").pivot_table(
        index="level", columns="term", values="value"
    )
    for row in inference["blup_listener_head"]:
        name = row.pop("_row")
        for term, value in row.items():
            assert listeners.loc[name, term.strip("()")] == pytest.approx(value, abs=1e-5)
    sums = inference["blup_sumsq"]
    assert (songs["value"] ** 2).sum() == pytest.approx(sums["stimulus"], rel=1e-5)
    assert (listeners["Intercept"] ** 2).sum() == pytest.approx(sums["listener_int"], rel=1e-5)
