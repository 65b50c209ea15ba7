"""Tables with pandas' nullable and Arrow types give the same results as with NumPy types."""

import numpy as np
import pandas as pd
import pytest

from groove_utils import mixed, probe, similarity
from groove_utils.stats import holm

RNG = np.random.default_rng(0)
N = 24
IDS = [f"s{i:02d}" for i in range(N)]
X = pd.DataFrame(RNG.normal(size=(N, 3)), IDS, columns=list("abc"))
Y = pd.DataFrame({"dance": X["a"] + RNG.normal(size=N), "like": X["b"]}, IDS)
ARTISTS = pd.Series([f"a{i // 3}" for i in range(N)], IDS)
STYLES = pd.Series(["funk", "pop"] * 12, IDS)
RATINGS = pd.DataFrame(
    [
        (track, query, int(np.clip(round(4 + Y.loc[track, query] + RNG.normal()), 1, 7)), f"l{k}")
        for track in IDS
        for query in Y
        for k in range(6)
    ],
    columns=["track_id", "query", "rating", "listener_id"],
)
DANCE = RATINGS[RATINGS["query"] == "dance"]
FORMULA = "rating ~ query + (1 | listener_id) + (1 | track_id)"
FEW = {"n_permutations": 9, "n_boot": 50}
RESULTS = {
    "noise_ceiling": lambda t: mixed.noise_ceiling(t(RATINGS), n_splits=5)["estimate"],
    "icc": lambda t: mixed.icc(t(DANCE))["estimate"],
    "rating_variances": lambda t: mixed.rating_variances(t(DANCE)),
    "fit_lmm": lambda t: mixed.fit_lmm(FORMULA, t(RATINGS)).fixed_effects()["estimate"],
    "nested_ridge": lambda t: probe.nested_ridge(
        t(X), t(Y), t(ARTISTS), t(STYLES), protocol=probe.Protocol(n_repeats=1)
    ).scores()["r2"],
    "paper_protocol": lambda t: probe.paper_protocol(t(X), t(Y)).scores()["fold_r2"],
    "rsa": lambda t: similarity.rsa(t(X), t(Y), t(ARTISTS), t(STYLES), **FEW)["rho"],
    "neighbour_rate": lambda t: similarity.neighbour_rate(
        X.to_numpy(), t(STYLES), t(ARTISTS)
    )["rate"],
    "holm": lambda t: holm(t(pd.Series([0.01, 0.2, 0.03]))),
}  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_types_of_columns_do_not_matter(name):
    expected = np.asarray(RESULTS[name](lambda table: table), dtype=float)
    for backend in ("numpy_nullable", "pyarrow"):
        found = RESULTS[name](lambda table, b=backend: table.convert_dtypes(dtype_backend=b))
        np.testing.assert_allclose(np.asarray(found, dtype=float), expected, rtol=1e-12)
