"""The real book on invented files in the layout of the published study gives the paper's table."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from groove_utils.embed.study_models import models_for, precomputed_sums
from groove_utils.probe import paper_protocol
from groove_utils.study import load_study
from groove_utils.study.datasets.marmoret2026 import make_marmoret2026

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "study"))

from make_marmoret_fixture import STEMS, make_published  # noqa: E402

QUESTIONS = ["groove", "dance", "listen", "party"]


@pytest.mark.slow
def test_the_published_study_gives_the_table_of_the_paper(make_book, tmp_path):
    folder = tmp_path / "published-fixture"
    make_published(tmp_path / "source", n=148)
    make_marmoret2026(folder, source=tmp_path / "source")
    build = make_book(folder)
    page = BeautifulSoup((build / "html" / "06-probing.html").read_text(), "html.parser")
    rows = [[cell.get_text() for cell in row.select("td")] for row in page.select("#tab-paper tr")]
    table = {row[0]: row[1:] for row in rows if row}
    head = [cell.get_text() for cell in page.select("#tab-paper th")]
    assert head == ["features", *QUESTIONS]

    study = load_study(folder)
    models = models_for(study)
    assert len(models) == 7
    stems = [f"muq-mulan: {stem}" for stem in precomputed_sums(study, "muq-mulan")]
    assert len(stems) == len(STEMS) == 5
    assert list(table) == [*models, "16 descriptors", *stems]
    assert all(re.fullmatch(r"−?[\d.,]+ ± [\d.]+", cell) for row in table.values() for cell in row)

    # one cell, from the files themselves
    ids = study.tracks["track_id"]
    files = [folder / "embeddings" / "mert-v1-95m" / f"{track}.npz" for track in ids]
    features = np.stack([np.concatenate(list(np.load(file).values())) for file in files])
    scores = paper_protocol(features, study.song_means("dance")).scores().iloc[0]
    text = f"{scores['fold_r2']:.2f} ± {scores['fold_r2_sd']:.2f}".replace("-", "−")
    assert table["mert-v1-95m"][1] == text

    errors = [row.get_text() for row in page.select("#tab-paper-rmse tr")]
    assert len(errors) == 1 + len(table)
    text = f"{scores['fold_rmse']:.2f} ± {scores['fold_rmse_sd']:.2f}"
    assert any("mert-v1-95m" in row and text in row for row in errors)
    assert page.select("#fig-paper-predictions")
    values = json.loads((build / "values.json").read_text())
    assert 0 < values["06-probing.single_precision"]["value"] <= 2e-6

    page = BeautifulSoup((build / "html" / "05-embeddings.html").read_text(), "html.parser")
    rows = [[cell.get_text() for cell in row.select("td")] for row in page.select("#tab-rsa tr")]
    correlations = {row[0]: row[1:] for row in rows if row}
    assert set(correlations) == {*models, *stems}
    assert page.select("#fig-all-maps")
    distances = pdist(features, "cosine"), pdist(study.song_means("dance").to_frame(), "cityblock")
    text = f"{spearmanr(*distances).statistic:.2f}".replace("-", "−")
    assert correlations["mert-v1-95m"][QUESTIONS.index("dance")] == text

    page = BeautifulSoup((build / "html" / "06-probing.html").read_text(), "html.parser")
    boxes = " ".join(box.get_text() for box in page.select(".admonition.not-run"))
    assert "known ground truth" in boxes
    assert not page.select(".admonition.simulated")
