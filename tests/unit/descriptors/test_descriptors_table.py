import numpy as np
import pandas as pd
import pytest
import soundfile
from descriptor_signals import SR, click_track, noise

from groove_utils.cache import ArrayCache
from groove_utils.descriptors import (
    BASELINE,
    DESCRIPTORS,
    PORTRAIT,
    axis_titles,
    describe,
    describe_study,
    descriptor_card,
    descriptor_table,
    prose_titles,
    published_correlations,
    table,
)


class Study:
    """As much of a study as descriptors need."""

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


def test_names_and_order_of_the_baseline():
    bands = [f"band_{band}_flux" for band in range(1, 11)]
    expected = ["event_density", "rms", "rms_sd", "spectral_flux", *bands, "pulse_clarity",
                "pulse_clarity_attack"]  # fmt: skip
    assert list(BASELINE) == expected
    assert list(DESCRIPTORS[:16]) == expected


def test_every_descriptor_has_a_card():
    cards = descriptor_table()
    assert list(cards.index) == list(DESCRIPTORS)
    assert (cards[["title", "formula", "source"]].map(len) >= 3).all(axis=None)
    assert descriptor_card("rms").unit == "full-scale amplitude"
    with pytest.raises(KeyError, match="no descriptor 'loudness'; there are event_density"):
        descriptor_card("loudness")


@pytest.fixture(scope="module")
def clicks_row():
    y = click_track(2.0, 12.0) + noise(12, amplitude=0.003)
    return y, describe(y, SR)


def test_titles_for_axes_and_for_sentences():
    axes, prose = axis_titles(), prose_titles()
    assert axes["tempo"] == "Tempo (BPM)"
    assert axes["rms"] == "RMS"  # its unit is too long for an axis
    assert axes["swing_ratio"] == "Swing ratio"
    assert prose["rms_sd"] == "RMS variability"
    assert prose["pulse_clarity"] == "pulse clarity"
    assert list(axes.index) == list(prose.index) == list(DESCRIPTORS)


def test_published_correlations_are_of_classical_descriptors():
    published = published_correlations()
    assert set(published.index) < set(BASELINE)
    assert published["rms_sd"] == published.max() == 0.57  # Stupacher, Hove & Janata (2014)
    assert set(PORTRAIT) < set(DESCRIPTORS)


def test_row_of_a_click_track(clicks_row):
    _, row = clicks_row
    assert list(row.index) == [*DESCRIPTORS, "reason"]
    assert row["event_density"] == pytest.approx(2, abs=0.1)
    assert row["pulse_clarity"] > 0.9
    assert np.isfinite(row[list(BASELINE)].astype(float)).all()


def test_gain_moves_just_what_the_cards_say(clicks_row):
    y, row = clicks_row
    quiet = describe(0.1 * y, SR)
    for name, card in descriptor_table().iterrows():
        if np.isfinite(row[name]):
            factor = 1.0 if card["gain_invariant"] else 0.1
            assert quiet[name] == pytest.approx(factor * row[name], rel=0.02, abs=1e-6), name


def test_mono_and_stereo_are_one(clicks_row):
    y, row = clicks_row
    stereo = describe(np.stack([y, y]), SR)
    pd.testing.assert_series_equal(stereo, row)


def test_silence():
    row = describe(np.zeros(5 * SR), SR)
    assert row["rms"] == row["spectral_flux"] == row["event_density"] == 0
    assert np.isnan(row["pulse_clarity"])
    assert "the signal is silent" in row["reason"]


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (np.zeros(0), "all: the signal is empty"),
        (np.array([0.1, np.nan, np.inf] * 9000), "all: 18000 of 27000 samples are NaN or infinite"),
        (noise(0.05), "0.05 s is shorter than 0.1 s"),
        (noise(1.0), "1 s is shorter than 3 s"),
    ],
)
def test_what_cannot_be_measured_is_nan_with_a_reason(y, reason):
    row = describe(y, SR)
    assert reason in row["reason"]
    missing = [name for name in DESCRIPTORS if np.isnan(row[name])]
    assert missing
    assert row["reason"].startswith("all") or all(name in row["reason"] for name in missing)


@pytest.mark.parametrize(
    "y",
    [
        np.ones(5 * SR) * 0.3,  # direct current
        np.r_[np.zeros(2 * SR), 0.5, np.zeros(2 * SR)],  # one click
        np.r_[np.zeros(2 * SR), 0.5, np.zeros(2 * SR), -0.5, np.zeros(SR)],
        np.tile([1.0, -1.0], 2 * SR),  # the Nyquist frequency, full scale
        np.clip(50 * noise(5), -1, 1),  # clipped
        np.full(5 * SR, 2e-5),
        noise(3.0),
    ],
    ids=["dc", "click", "two clicks", "nyquist", "clipped", "faint", "three seconds"],
)
@pytest.mark.parametrize("sr", [8000, 44100])
def test_odd_signals_never_raise(y, sr):
    row = describe(y, sr)
    values = row[list(DESCRIPTORS)].astype(float)
    assert not np.isinf(values).any()
    for name in values.index[values.isna()]:
        assert name in row["reason"]


@pytest.mark.parametrize("sr", [7999 // 2, 1_000_000])
def test_unusable_rate_is_named(sr):
    with pytest.raises(ValueError, match=f"sr = {sr}: expected a sample rate between"):
        describe(noise(1), sr)


def test_three_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"not \(1, 1, 8\)"):
        describe(np.zeros((1, 1, 8)), SR)


def test_study_has_a_row_for_every_track(study, tmp_path):
    cache = ArrayCache(tmp_path, "descriptors")
    rows = describe_study(study, jobs=1, cache=cache)
    assert rows.index.tolist() == ["A", "B", "C", "D"]
    assert rows.index.name == "track_id"
    assert rows.loc["A", "event_density"] == pytest.approx(4, abs=0.2)
    assert "silent" in rows.loc["B", "reason"]
    assert "broken.wav: cannot be decoded" in rows.loc["C", "reason"]
    assert "no such audio file" in rows.loc["D", "reason"]
    assert rows.loc[["C", "D"], list(DESCRIPTORS)].isna().all(axis=None)
    assert len(cache) == 2


def test_study_comes_from_the_cache_until_a_file_changes(study, tmp_path, monkeypatch):
    cache = ArrayCache(tmp_path, "descriptors")
    first = describe_study(study, jobs=1, cache=cache)
    calls = []
    monkeypatch.setattr(table, "describe", lambda y, sr: calls.append(1) or describe(y, sr))
    again = describe_study(study, jobs=1, cache=cache)
    pd.testing.assert_frame_equal(first, again)
    assert not calls
    soundfile.write(study.folder / "a.flac", click_track(2, 6.0), SR)
    changed = describe_study(study, jobs=1, cache=cache)
    assert len(calls) == 1
    assert changed.loc["A", "event_density"] == pytest.approx(2, abs=0.2)


def test_two_processes_give_the_same_table(study, tmp_path):
    one = describe_study(study, jobs=1, cache=ArrayCache(tmp_path, "one"))
    two = describe_study(study, jobs=2, cache=ArrayCache(tmp_path, "two"))
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
