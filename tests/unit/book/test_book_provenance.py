"""The provenance page's tables."""

import hashlib
import json

import pandas as pd
import pytest

from groove_utils.book.provenance import provenance_tables
from groove_utils.paths import project_root
from groove_utils.study import load_study


@pytest.fixture
def tables(make_study, tmp_path):
    build = tmp_path / "build"
    (build / "runs").mkdir(parents=True)
    (build / "tables").mkdir()
    run = {
        "chapter": "01-one",
        "seconds": 3.5,
        "peak_memory_mib": 200,
        "began": "2026-01-01T00:00:00+00:00",
        "parameters": {"seed": 1, "kind": "a|b"},
    }
    (build / "runs" / "01-one.json").write_text(json.dumps(run))
    study = load_study(make_study(listeners=False))
    return build, study, lambda: provenance_tables(project_root(), build, study, ["01-one", "02"])


def test_versions_data_and_runs(tables):
    _, study, make = tables
    told = make()
    digest = hashlib.sha256((study.path / "ratings.csv").read_bytes()).hexdigest()
    assert f"| `{digest}` |" in told["data_table"]
    assert "listeners.csv" not in told["data_table"]
    assert f"| pandas | {pd.__version__} | BSD" in told["versions_table"]
    assert (
        "| 01-one | 3.5 | 200 | 2026-01-01T00:00:00 | seed = 1, kind = a\\|b |"
        in (told["runs_table"])
    )
    assert len(told["runs_table"].splitlines()) == 3
    assert told["machine"].startswith("Python 3.")


def test_weights_where_the_study_allows_them(tables):
    build, _, make = tables
    file = build / "tables" / "models.parquet"
    assert make()["weights_table"] == "*None for this study.*"
    file.write_bytes(b"")  # what the runner leaves where a study lacks the sound for it
    assert make()["weights_table"] == "*None for this study.*"
    models = pd.DataFrame({"model": ["m"], "licence": ["ISC"], "fingerprint": ["ab12"]})
    models.to_parquet(file)
    assert "| m | ISC | `ab12` |" in make()["weights_table"]
