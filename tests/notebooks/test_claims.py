"""Each claim of the book has a reported value and text, and chapters agree on shared values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

ANALYSIS = Path(__file__).resolve().parents[2] / "analysis"
CLAIMS = yaml.safe_load((ANALYSIS / "claims.yml").read_text(encoding="utf-8"))
EXPECTED = json.loads((ANALYSIS / "expected" / "demo.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim["claim"])
def test_a_claim_rests_on_what_a_chapter_reports(claim):
    assert "value" in EXPECTED[claim["value"]]
    if "verdict" in claim:
        assert EXPECTED[claim["verdict"]]["text"]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim["claim"])
def test_chapters_report_the_same_quantity_by_the_same_number(claim):
    first = EXPECTED[claim["value"]]
    for key in claim.get("same", []):
        other = EXPECTED[key]
        allowed = 1e-4 * max(abs(first["value"]), 1e-3)  # values have six significant digits
        assert other["value"] == pytest.approx(first["value"], abs=allowed), key


def test_one_target_is_followed_through_all_chapters():
    keys = ("01-listeners-and-tracks.query", "04-descriptors.target", "06-probing.target",
            "08-stem-ablation.target", "09-mixed-models.query")  # fmt: skip
    assert len({EXPECTED[key]["text"] for key in keys}) == 1


def test_the_best_model_is_the_same_in_all_chapters():
    keys = ("06-probing.best_model", "08-stem-ablation.best_model", "09-mixed-models.model")
    assert len({EXPECTED[key]["text"] for key in keys}) == 1
