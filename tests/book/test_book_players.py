"""Audio players of the built pages: labelled, present, decodable, and equally loud."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from groove_utils.audio import measure_loudness
from groove_utils.audio.loudness import TARGET_LUFS

TOLERANCE = 1.5  # LU
FULL = 10 ** (-1.5 / 20)  # with a peak above −1.5 dBFS, the peak limit determines the level


@pytest.fixture(scope="module")
def players(articles) -> list[tuple[str, object]]:
    found = [(page, tag) for page, article in articles.items() for tag in article.find_all("audio")]
    assert found, "no page has a player"
    return found


def test_players_are_labelled_and_wait_to_be_asked(players):
    for page, tag in players:
        figure = tag.find_parent("figure", class_="player")
        assert figure is not None, f"{page}: {tag.get('src')} stands in no player figure"
        assert figure.find("figcaption").get_text().strip(), f"{page}: {tag['src']} has no label"
        assert tag.get("aria-label", "").strip(), f"{page}: {tag['src']} has no aria-label"
        assert tag.has_attr("controls"), f"{page}: {tag['src']} cannot be started"
        assert not tag.has_attr("autoplay"), f"{page}: {tag['src']} starts by itself"
        assert tag.get("preload") in {"none", "metadata"}, f"{page}: {tag['src']} preloads"


def test_sounds_decode_and_are_equally_loud(built_book: Path, players):
    kept = {  # where the level itself is to be compared
        tag["src"] for _, tag in players if tag.find_parent("figure")["data-level"] == "kept"
    }
    assert len(kept) < len(players) / 2
    for page, source in sorted({(page, tag["src"]) for page, tag in players}):
        file = built_book / source
        assert file.suffix == ".mp3"
        y, sr = soundfile.read(file, dtype="float32", always_2d=True)
        assert len(y) >= sr, f"{page}: {source} lasts {len(y) / sr:.2f} s"
        assert np.isfinite(y).all()
        peak = float(np.abs(y).max())
        assert peak > 0.01, f"{page}: {source} is silent"
        assert peak <= 1.0, f"{page}: {source} clips"
        loudness = measure_loudness(y.T, sr)
        limited = peak >= FULL and loudness < TARGET_LUFS
        assert source in kept or limited or abs(loudness - TARGET_LUFS) <= TOLERANCE, (
            f"{page}: {source} has {loudness:.1f} LUFS (peak {peak:.2f}), "
            f"expected {TARGET_LUFS} ± {TOLERANCE}"
        )


def test_no_sound_lies_about_unused(built_book: Path, players):
    used = {Path(tag["src"]).name for _, tag in players}
    for page in built_book.glob("*.html"):  # players of listening maps
        used |= set(re.findall(r'"sound": "_static/audio/([^"]+)"', page.read_text("utf-8")))
    assert {file.name for file in (built_book / "_static" / "audio").iterdir()} == used
