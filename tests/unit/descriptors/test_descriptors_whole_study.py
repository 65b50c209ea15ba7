"""Descriptors of a study: from its table, from its audio, and from the cache."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from descriptor_signals import SR, click_track
from joblib import parallel_config

from groove_utils.cache import ArrayCache
from groove_utils.descriptors import DESCRIPTORS, describe, describe_study, one_signal


class Study:
    """A study with only the attributes that descriptors need."""

    def __init__(self, folder, audio, descriptors=None):
        self.folder, self.audio, self.descriptors = folder, audio, descriptors
        self.tracks = pd.DataFrame({"track_id": list(audio)})

    def has(self, what):
        return what == "audio" and any(self.audio.values())

    def audio_path(self, track_id):
        return self.folder / self.audio[track_id]


@pytest.fixture
def study(tmp_path):
    soundfile.write(tmp_path / "a.flac", click_track(4, 6.0), SR)
    soundfile.write(tmp_path / "b.wav", np.zeros(SR), SR)
    (tmp_path / "broken.wav").write_bytes(b"RIFF but not really")
    return Study(tmp_path, {"A": "a.flac", "B": "b.wav", "C": "broken.wav", "D": "none.wav"})


def test_study_has_a_row_for_every_track(study, tmp_path):
    cache = ArrayCache(tmp_path, "descriptors")
    rows = describe_study(study, n_jobs=1, cache=cache)
    assert rows.index.tolist() == ["A", "B", "C", "D"]
    assert rows.index.name == "track_id"
    assert rows.loc["A", "event_density"] == pytest.approx(4, abs=0.2)
    assert "silent" in rows.loc["B", "reason"]
    assert "broken.wav" in rows.loc["C", "reason"]
    assert "none.wav" in rows.loc["D", "reason"]
    assert rows.loc[["C", "D"], list(DESCRIPTORS)].isna().all(axis=None)
    assert len(cache) == 2


def test_study_comes_from_the_cache_until_a_file_changes(study, tmp_path, monkeypatch):
    cache = ArrayCache(tmp_path, "descriptors")
    first = describe_study(study, n_jobs=1, cache=cache)
    calls = []
    monkeypatch.setattr(one_signal, "describe", lambda y, sr: calls.append(1) or describe(y, sr))
    again = describe_study(study, n_jobs=1, cache=cache)
    pd.testing.assert_frame_equal(first, again)
    assert not calls
    soundfile.write(study.folder / "a.flac", click_track(2, 6.0), SR)
    changed = describe_study(study, n_jobs=1, cache=cache)
    assert len(calls) == 1
    assert changed.loc["A", "event_density"] == pytest.approx(2, abs=0.2)


def test_two_workers_give_the_same_table(study, tmp_path):
    one = describe_study(study, n_jobs=1, cache=ArrayCache(tmp_path, "one"))
    with parallel_config("threading"):  # chapters use processes, which take seconds to start
        two = describe_study(study, n_jobs=2, cache=ArrayCache(tmp_path, "two"))
    pd.testing.assert_frame_equal(one, two)


def test_given_descriptors_are_taken(tmp_path):
    given = pd.DataFrame({"rms": [0.2, 0.1], "tempo_of_someone": [1.0, 2.0]}, index=["y", "x"])
    study = Study(tmp_path, {"x": None, "y": None}, given)
    rows = describe_study(study)
    assert rows["rms"].tolist() == [0.1, 0.2]
    assert rows["rms_sd"].isna().all()
    assert "rms_sd" in rows.loc["x", "reason"]
    assert "rms," not in rows.loc["x", "reason"].replace("rms_sd,", "")
    full = pd.DataFrame(1.0, index=["x", "y"], columns=list(DESCRIPTORS))
    rows = describe_study(Study(tmp_path, {"x": None, "y": None}, full))
    assert (rows[list(DESCRIPTORS)] == 1).all(axis=None)
    assert (rows["reason"] == "").all()
