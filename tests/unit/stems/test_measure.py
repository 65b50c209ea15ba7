"""Measures of sums of stems, compared with measuring each sum separately, and controls."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from expect import raises

from groove_utils.audio import AudioError, load_audio, measure_loudness
from groove_utils.cache import ArrayCache
from groove_utils.descriptors import describe_stems
from groove_utils.errors import DetailedError
from groove_utils.stems.controls import (
    load_stems,
    regroup_stems,
    swap_stem,
    tempo_partners,
)
from groove_utils.stems.measure import describe_coupling, matching_gains
from groove_utils.study.stem_names import STEMS

SR = 22050
SECONDS = 4


def clicks(times, hz, sr=SR):
    """Generate decaying tones at given times."""
    t = np.arange(SECONDS * sr) / sr
    y = np.zeros_like(t)
    for time in times:
        later = t >= time
        decay = np.exp(-30 * (t[later] - time))
        y[later] += decay * np.sin(2 * np.pi * hz * (t[later] - time))
    return (0.3 * y).astype(np.float32)


@pytest.fixture(scope="module")
def stems(tmp_path_factory):
    """Two songs; bass and bass drum always coincide in the first, and never in the second."""
    folder = tmp_path_factory.mktemp("stems")
    beats = np.arange(0.1, SECONDS - 0.2, 0.5)
    paths = {}
    for track, late in (("tight", 0.0), ("apart", 0.25)):
        sounds = {
            "drums": clicks(beats, 60) + 0.3 * clicks(beats + 0.25, 3000),
            "bass": clicks(beats + late, 110),
            "other": clicks(beats[::2], 440 if late else 494),
            "vocals": 0.2 * clicks(beats[::3], 700),
        }
        for stem in STEMS:
            path = folder / f"{track}-{stem}.wav"
            stereo = np.stack([sounds[stem], 0.5 * sounds[stem]], axis=1)
            soundfile.write(path, stereo, SR, subtype="FLOAT")
            paths.setdefault(track, {})[stem] = path
    return paths


def mixed(paths, subset):
    return sum(load_audio(paths[stem])[0] for stem in subset)


def test_gains_make_sums_as_loud_as_their_song(stems, tmp_path):
    cache = ArrayCache(tmp_path, "stem-measures")
    gains = matching_gains(stems, n_jobs=1, cache=cache)
    assert gains[STEMS]["tight"] == pytest.approx(1.0, abs=1e-6)
    for subset in (("vocals",), ("drums", "bass")):
        scaled = gains[subset]["apart"] * mixed(stems["apart"], subset)
        whole = measure_loudness(mixed(stems["apart"], STEMS), SR)
        assert measure_loudness(scaled, SR) == pytest.approx(whole, abs=0.01)
    assert gains[("vocals",)]["tight"] > 2


def test_coupling_is_heard_and_goes_with_the_bass(stems, tmp_path):
    cache = ArrayCache(tmp_path, "stem-measures")
    own = describe_coupling(stems, n_jobs=1, cache=cache)["bass_drum_coincidence"]
    assert own["tight"] > 0.9
    assert own["apart"] < 0.1
    parts = {s: load_audio(stems["tight"][s])[0] for s in STEMS}
    assert own["tight"] == pytest.approx(describe_stems(parts, SR)["bass_drum_coincidence"])
    swapped = swap_stem(stems, "bass", {"tight": "apart", "apart": "tight"})
    strange = describe_coupling(swapped, n_jobs=1, cache=cache)["bass_drum_coincidence"]
    assert strange["tight"] < 0.1


def test_measuring_refuses_what_is_not_there(stems):
    with raises(DetailedError, "no_tracks"):
        matching_gains({})
    with raises(DetailedError, "missing_stem", value=("tight", "piano")):
        matching_gains(stems, [("piano",)])


def test_partners_are_near_in_tempo_and_strangers():
    tempos = pd.Series([100.0, 101, 120, 118, 99, 60], index=list("abcdef"))
    artists = ["x", "x", "y", "z", "y", "z"]
    found = tempo_partners(tempos, artists)
    # a and b are by the same band, so the nearest song of another band is e
    assert found["partner"].to_dict() == {
        "a": "e",
        "b": "e",
        "c": "d",
        "d": "c",
        "e": "a",
        "f": "e",
    }
    assert found.loc["a", "tempo_ratio"] == pytest.approx(0.99)
    styles = ["funk", "funk", "funk", "pop", "pop", "funk"]
    inside = tempo_partners(tempos, artists, styles)
    for track, row in inside.iterrows():
        assert styles[list("abcdef").index(track)] == styles[list("abcdef").index(row["partner"])]
    # half and double tempo are equally far: distance is a ratio, not a difference
    far = pd.Series([100.0, 200, 51], index=list("abc"))
    assert tempo_partners(far, ["x", "y", "z"])["partner"]["a"] == "c"
    with raises(DetailedError, "no_partner", value=["a", "b"]):
        tempo_partners(tempos[:2], ["x", "x"])
    with raises(DetailedError, "out_of_range", value=["b"]):
        tempo_partners(pd.Series([100.0, np.nan], index=["a", "b"]), ["x", "y"])


def test_a_swap_takes_one_stem_and_leaves_the_rest(stems):
    swapped = swap_stem(stems, "bass", {"tight": "apart", "apart": "tight"})
    assert swapped["tight"]["bass"] == stems["apart"]["bass"]
    assert swapped["tight"]["drums"] == stems["tight"]["drums"]
    assert stems["tight"]["bass"] != stems["apart"]["bass"]  # the given mapping is not changed


def test_stems_are_loaded_to_one_length(stems, tmp_path):
    soundfile.write(tmp_path / "short.wav", np.ones((1000, 2)) / 4, SR, subtype="FLOAT")
    parts, sr = load_stems({"drums": stems["tight"]["drums"], "bass": tmp_path / "short.wav"})
    assert sr == SR
    assert parts["bass"].shape == parts["drums"].shape == (2, SECONDS * SR)
    assert parts["bass"][:, :1000] == pytest.approx(0.25)
    assert not parts["bass"][:, 1000:].any()
    single, _ = load_stems(stems["tight"], mono=True)
    assert single["drums"].shape == (1, SECONDS * SR)
    np.testing.assert_allclose(single["drums"][0], parts["drums"].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(("n_channels", "expected"), [(1, 2), (3, 1)])
def test_stems_with_other_numbers_of_channels(stems, tmp_path, n_channels, expected):
    other = tmp_path / "other.wav"
    soundfile.write(other, np.full((1000, n_channels), 0.25), SR, subtype="FLOAT")
    parts, _ = load_stems({"drums": stems["tight"]["drums"], "bass": other})
    assert parts["bass"].shape == parts["drums"].shape == (expected, SECONDS * SR)
    np.testing.assert_allclose(parts["bass"][:, :1000], 0.25, atol=1e-6)
    with raises(AudioError, "no_files"):
        load_stems({})


def test_stems_of_several_rates_are_loaded_at_the_highest_or_a_given_one(tmp_path):
    for name, rate in (("drums", 44100), ("bass", 48000)):
        y = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
        soundfile.write(tmp_path / f"{name}.wav", y, rate, subtype="FLOAT")
    paths = {name: tmp_path / f"{name}.wav" for name in ("drums", "bass")}
    for sr, expected in ((None, 48000), (22050, 22050)):
        parts, rate = load_stems(paths, sr=sr)
        assert rate == expected
        assert {part.shape for part in parts.values()} == {(1, expected)}
        inner = slice(2000, -2000)
        np.testing.assert_allclose(parts["drums"][0, inner], parts["bass"][0, inner], atol=1e-3)


def test_true_stems_are_summed_to_what_another_separator_has(stems):
    parts, _ = load_stems(stems["tight"])
    found = regroup_stems(parts, ["percussive", "harmonic"])
    np.testing.assert_array_equal(found["percussive"], parts["drums"])
    np.testing.assert_allclose(sum(found.values()), sum(parts.values()), atol=1e-6)
    assert list(regroup_stems(parts, ["bass", "piano"])) == ["bass"]
    assert regroup_stems({"bass": parts["bass"]}, ["percussive"]) == {}
