"""Compute the stored reference values again, if R with lme4 is installed."""

import json
import math
import shutil
import subprocess
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[2] / "golden" / "lmm"
PACKAGES = ("lme4", "lmerTest", "emmeans", "jsonlite")


def r_has_lme4():
    if shutil.which("Rscript") is None:
        return False
    wanted = ", ".join(map(repr, PACKAGES))
    asked = f"quit(status = !all(c({wanted}) %in% rownames(installed.packages())))"
    return subprocess.run(["Rscript", "-e", asked], capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not r_has_lme4(), reason="R with lme4, lmerTest and emmeans is not here"),
]


@pytest.fixture(scope="module")
def derived(tmp_path_factory):
    out = tmp_path_factory.mktemp("lme4") / "reference.json"
    subprocess.run(
        ["Rscript", str(GOLDEN / "rederive.R"), str(GOLDEN), str(out)],
        check=True,
        capture_output=True,
    )
    return json.loads(out.read_text())


def differences(old, new, path=""):
    """List numbers that differ by over 0.1% (more is allowed for correlations of singular fits)."""
    if isinstance(old, dict):
        assert set(old) == set(new), path
        return [d for key in old for d in differences(old[key], new[key], f"{path}/{key}")]
    if isinstance(old, list):
        assert len(old) == len(new), path
        return [d for i in range(len(old)) for d in differences(old[i], new[i], f"{path}/{i}")]
    if isinstance(old, float | int) and not isinstance(old, bool):
        same = math.isclose(old, new, rel_tol=1e-3, abs_tol=1e-3)
        return [] if same else [f"{path}: {old} became {new}"]
    return [] if old == new else [f"{path}: {old} became {new}"]


def test_stored_reference_is_what_lme4_gives(derived):
    stored = json.loads((GOLDEN / "extra.json").read_text())
    for reference in (stored, derived):
        reference.pop("versions")
        reference.pop("factor_slopes")  # singular: its correlations lie on a ridge
    assert differences(stored, derived) == []


@pytest.mark.parametrize("case", ["small_int", "small_slope", "medium_int", "medium_slope"])
def test_given_golden_is_what_lme4_gives(derived, case):
    given = json.loads((GOLDEN / f"lme4_{case}.json").read_text())
    inference = json.loads((GOLDEN / f"inference_{case}.json").read_text())
    own = derived[case]
    assert own["loglik"] == pytest.approx(given["reml_loglik"], abs=1e-5)
    assert own["beta"] == pytest.approx(list(given["beta"].values()), rel=1e-5)
    assert own["se"] == pytest.approx(list(given["se"].values()), rel=1e-5)
    assert own["df"] == pytest.approx(list(inference["satt_df"].values()), rel=1e-3)
    F = [row["F value"] for row in inference["anova3_satt"]]
    assert own["type3"]["F"] == pytest.approx(F, rel=1e-4)
