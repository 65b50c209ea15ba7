"""The recipes on the page “How to run and adapt” work as they are printed."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from expect import raises

from groove_utils import probe
from groove_utils.book.chapter_list import listed_chapters
from groove_utils.book.errors import BookError
from groove_utils.book.parameters import read_parameters
from groove_utils.study import load_study, validate_study
from groove_utils.study.__main__ import main as study_command

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "book" / "adapt.md").read_text(encoding="utf-8")


def block(language: str, word: str) -> str:
    """Return the only code block on the page that contains a word."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = [text for text in blocks if word in text]
    return found


def test_another_question_is_a_parameter_of_the_chapters(tmp_path):
    file = tmp_path / "mine.yml"
    file.write_text(block("yaml", "target: dance"))
    chapters = listed_chapters((ROOT / "analysis" / "chapters.mk").read_text())
    sections = read_parameters(file, chapters, ROOT / "analysis")
    assert sections["chapters"]["04-descriptors"] == {"target": "dance"}
    assert sections["chapters"]["01-listeners-and-tracks"] == {"query": "dance"}
    file.write_text(file.read_text().replace("target", "question"))
    with raises(BookError, "unknown_parameter"):
        read_parameters(file, chapters, ROOT / "analysis")


def test_own_songs_become_a_study_by_the_commands_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "path" / "to" / "sounds").mkdir(parents=True)
    tracks = [f"song{k}" for k in range(4)]
    for k, track in enumerate(tracks):
        tone = 0.1 * np.sin(np.arange(8000) * (0.1 + 0.02 * k))
        soundfile.write(f"path/to/sounds/{track}.wav", tone, 8000)
    listeners = {"listener": ["a", "b", "c"]}
    table = pd.DataFrame(listeners | {track: [1 + k, 4, 7] for k, track in enumerate(tracks)})
    table.to_excel("ratings.xlsx", index=False)
    commands = re.findall(r"-m groove_utils\.study (.+)", block("bash", "groove_utils.study new"))
    assert [study_command(command.split()) for command in commands] == [0, 0], capsys.readouterr()
    study = load_study("my-study")
    assert study.song_means(next(iter(study.queries))).tolist() == pytest.approx(
        [4, 13 / 3, 14 / 3, 5]
    )
    assert study.has("audio")


def test_other_stems_are_written_into_the_study(make_study, tmp_path, monkeypatch):
    def parts_of(y, sr, separator):
        assert separator == "htdemucs_ft"
        shares = {"drums": 0.5, "bass": 0.25, "other": 0.25, "vocals": 0.0}
        return {name: share * y[None] for name, share in shares.items()}

    monkeypatch.setattr("groove_utils.stems.separate", parts_of, raising=False)
    folder = make_study("my-study", stems=False)
    monkeypatch.chdir(tmp_path)
    exec(block("python", "groove_utils.stems"), {})
    assert validate_study(folder) == []
    study = load_study(folder)
    track = study.tracks["track_id"][0]
    mix, _ = study.load(track)
    stems = [soundfile.read(path)[0] for path in study.stem_paths(track).values()]
    np.testing.assert_allclose(sum(stems), mix, atol=1e-3)


def test_another_statistic_has_an_interval_over_artists():
    rng = np.random.default_rng(0)
    features, artists = rng.normal(size=(60, 5)), np.arange(60) // 3
    rating = pd.Series(features[:, 0] + rng.normal(size=60))
    results = {"ridge, all": probe.nested_ridge(features, rating, artists)}
    names = {"results": results, "rating": rating, "artists": artists}
    exec(block("python", "mean_absolute_error"), names)
    predicted = results["ridge, all"].predicted.mean(axis=0)[:, 0]
    assert names["estimate"][0] == pytest.approx(np.abs(predicted - rating).mean())
    assert names["low"][0] < names["estimate"][0] < names["high"][0]


def test_the_parameter_file_of_the_page_is_plain_yaml():
    assert yaml.safe_load(block("yaml", "target: dance"))["all"] == {"seed": 2026}
