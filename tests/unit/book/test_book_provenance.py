"""Tables of the page on provenance."""

import hashlib
import json

import pandas as pd
import pytest
import soundfile

from groove_utils.book.chapter import NOT_ALLOWED
from groove_utils.book.model_cards import model_card_pages
from groove_utils.book.provenance import provenance_tables
from groove_utils.embed import list_models
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
    context = make()
    digest = hashlib.sha256((study.path / "ratings.csv").read_bytes()).hexdigest()
    assert f"| `{digest}` |" in context["data_table"]
    assert "listeners.csv" not in context["data_table"]
    assert f"| pandas | {pd.__version__} | BSD" in context["versions_table"]
    assert (
        "| 01-one | 3.5 | 200 | 2026-01-01T00:00:00 | seed = 1, kind = a&#124;b |"
        in (context["runs_table"])
    )
    assert len(context["runs_table"].splitlines()) == 3
    assert context["machine"].startswith("Python 3.")


def test_sample_rates_of_the_songs(tables):
    _, study, make = tables
    assert make()["sample_rates"] == "8,000 Hz (8 files)"
    y, _ = soundfile.read(study.path / "audio" / "song1.flac")
    soundfile.write(study.path / "audio" / "song1.flac", y, 48000)
    assert make()["sample_rates"] == "8,000 Hz (7 files), 48,000 Hz (1 files)"


def test_what_was_found_among_published_files(tables):
    _, study, make = tables
    assert make()["found_table"] == ""
    (study.path / "found.csv").write_text("what,used,remark\nembeddings,0,{download}`x`\n")
    assert "| embeddings | 0 | &#123;download&#125;&#96;x&#96; |" in make()["found_table"]


def test_weights_where_the_study_allows_them(tables):
    build, _, make = tables
    file = build / "tables" / "models.parquet"
    assert make()["weights_table"] == "*None for this study.*"
    file.write_bytes(NOT_ALLOWED)  # content that the runner writes if a study lacks the audio
    assert make()["weights_table"] == "*None for this study.*"
    models = pd.DataFrame({"model": ["m"], "licence": ["ISC"], "fingerprint": ["ab12"]})
    models.to_parquet(file)
    assert "| m | ISC | `ab12` |" in make()["weights_table"]


def test_model_cards_begin_with_one_overview():
    page = model_card_pages()
    overview, *cards = page.split("\n\n(model-")
    rows = {row.split("`")[1].split()[0]: row for row in overview.splitlines()[2:]}
    names = [name for name in list_models().index if not name.endswith("-untrained")]
    assert list(rows) == names
    assert [card.partition(")=")[0] for card in cards] == names
    mert = rows["mert-v1-95m"]
    assert "<model-mert-v1-95m>" in mert
    assert "| 24 | 768 × 13 | 94.37 | CC-BY-NC-4.0 (research only) | yes |" in mert
    assert "96–768 × 7" in rows["clap-htsat-unfused"]
    assert "research only" not in rows["ast"]
    assert "(terms not recorded here)" in rows["encodec-24khz"]
    assert "| as published | – |" in rows["musicfm"]
    assert rows["msd-vgg"].endswith("|  | yes |")


def test_a_model_card_tells_where_its_weights_are_and_what_its_layers_are():
    cards = {c.partition(")=")[0]: c for c in model_card_pages().split("\n\n(model-")[1:]}
    mert = cards["mert-v1-95m"]
    assert "*in the paper, research only*" in mert
    revision = "12af15fef9d0ac838c3f475bfbbf26d2060dd4f5"
    assert f"`m-a-p/MERT-v1-95M` at revision `{revision}`" in mert
    assert "| layers (dimensions) | `layer_00` … `layer_12` (768) |" in mert
    assert "| window, hop | 5.00 s, 5.00 s |" in mert
    assert "94,371,712 (from the configuration)" in mert
    assert "`cls` (768)" in cards["ast"]
    assert "| parameters | 787,159 |" in cards["msd-musicnn"]
    assert "`OpenMuQ/MuQ-large-msd-iter`, revision not pinned" in cards["muq-mulan"]
    assert "only the short form of the revision" in cards["audiomae"]
    assert "the study's folder embeddings/musicfm/" in cards["musicfm"]


def test_columns_that_are_not_read_are_listed(tables):
    _, study, make = tables
    assert make()["unused"] == ""
    table = pd.read_csv(study.path / "ratings.csv").assign(**{"a{ref}`b`": 1})
    table.to_csv(study.path / "ratings.csv", index=False)
    listed = make()["unused"]
    assert listed.startswith("- ratings.csv: ")
    assert "{ref}" not in listed


def test_descriptors_that_are_not_read_are_listed(tables):
    _, study, make = tables
    rows = pd.DataFrame({"track_id": study.tracks["track_id"], "rms": 0.1, "my_groove": 3.0})
    rows.iloc[2:].to_csv(study.path / "descriptors.csv", index=False)
    listed = make()["unused"].splitlines()
    assert len(listed) == 2
    assert "2 of 8 tracks" in listed[0]
    assert "my" in listed[1]
    assert "rms" not in listed[1]
