"""Subsets, remixes and gains, compared with pyloudnorm and the rendered mixes."""

import math
import subprocess
import sys
import warnings

import numpy as np
import pyloudnorm
import pytest
from expect import raises

from groove_utils.audio import load_audio, matching_gain
from groove_utils.errors import DetailedError
from groove_utils.stems import remix
from groove_utils.study.stem_names import STEMS

SR = 44_100


@pytest.fixture(scope="module")
def song(demo):
    (track,) = demo.tracks["track_id"]
    mix, sr = demo.load(track, mono=False)
    assert sr == SR
    return mix, {stem: demo.load_stem(track, stem, mono=False)[0] for stem in STEMS}


def loudness(y, sr=SR):
    return pyloudnorm.Meter(sr).integrated_loudness(np.atleast_2d(y).T.astype(float))


def test_importing_the_package_leaves_torch_alone():
    code = "import sys, groove_utils.stems as s; s.remix, s.separate_study; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "demucs", "librosa.core"} & set(run.stdout.split())


def test_all_true_stems_of_a_demo_song_make_its_mix(song):
    mix, stems = song
    y = remix(stems, STEMS, SR)
    residual = np.sum((y - mix).astype(float) ** 2) / np.sum(mix.astype(float) ** 2)
    assert 10 * math.log10(residual + 1e-30) <= -60
    assert y.dtype == np.float32
    assert y.shape == mix.shape


@pytest.mark.parametrize("subset", [("bass",), "drums+bass", ("vocals", "other")])
def test_matched_subsets_are_as_loud_as_the_mix_or_a_target(song, subset):
    mix, stems = song
    assert loudness(remix(stems, subset, SR, loudness="kept")) < loudness(mix) - 0.5
    quiet = remix(stems, subset, SR, loudness="matched", target=-30)
    assert loudness(quiet) == pytest.approx(-30, abs=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        halves = {stem: y / 4 for stem, y in stems.items()}
        y = remix(halves, subset, SR, loudness="matched")
    assert loudness(y) == pytest.approx(loudness(mix / 4), abs=0.01)


def test_gain_is_lowered_and_told_where_peaks_would_clip(song):
    _, stems = song
    with pytest.warns(RuntimeWarning, match="-3.0 LUFS"):
        y = remix(stems, ["drums"], SR, loudness="matched", target=-3)
    assert np.abs(y).max() == pytest.approx(10 ** (-1 / 20), rel=1e-5)
    loud = {"a": np.array([0.8, -0.4], "f4"), "b": np.array([0.8, 0.1], "f4")}
    with pytest.warns(RuntimeWarning, match="4.1 dB"):
        y = remix(loud, "a+b", SR)
    np.testing.assert_allclose(y, [1, -0.3 / 1.6], rtol=1e-6)  # scaled, not cut
    assert remix(loud, "a", SR).tolist() == loud["a"].tolist()


def test_the_gain_is_the_one_that_remix_applies(song):
    _, stems = song
    bass = stems["bass"]
    gain = matching_gain(bass, SR, -25)
    assert gain == pytest.approx(10 ** ((-25 - loudness(bass)) / 20), rel=1e-6)
    np.testing.assert_array_equal(
        remix(stems, "bass", SR, loudness="matched", target=-25), (bass * gain).astype("f4")
    )


def test_silence_stays_silent(song):
    _, stems = song
    quiet = stems | {"vocals": np.zeros_like(stems["vocals"])}
    for subset in ("vocals", ()):
        for how in ("kept", "matched"):
            y = remix(quiet, subset, SR, loudness=how)
            assert y.shape == quiet["vocals"].shape
            assert not y.any()
    silent = {stem: np.zeros(1000) for stem in STEMS}
    assert not remix(silent, STEMS, SR, loudness="matched").any()


def test_mono_odd_rates_and_short_signals_are_taken():
    rng = np.random.default_rng(0)
    stems = {"a": rng.normal(size=5000) / 9, "b": rng.normal(size=5000) / 20}
    y = remix(stems, "b", 11_127, loudness="matched", target=-30)
    assert loudness(y, 11_127) == pytest.approx(-30, abs=0.01)
    assert remix({"a": np.array([0.5])}, "a", 7, loudness="matched").shape == (1,)


@pytest.mark.parametrize(
    ("stems", "options", "kind"),
    [
        ({}, {"subset": ()}, "no_stems"),
        ({"a": np.ones(3)}, {"subset": "b"}, "unknown_stem"),
        ({"a": np.ones(3), "b": np.ones(4)}, {}, "different_shapes"),
        ({"a": np.array([1, np.nan])}, {}, "not_finite"),
        ({"a": np.zeros(0)}, {}, "no_samples"),
        ({"a": np.ones(3)}, {"loudness": "equal"}, "unknown_option"),
        ({"a": np.ones(3)}, {"target": -20}, "conflict"),
        ({"a": np.ones(3)}, {"loudness": "matched", "target": math.nan}, "out_of_range"),
    ],
)
def test_what_cannot_be_mixed_is_refused(stems, options, kind):
    with raises(DetailedError, kind):
        remix(stems, **({"subset": "a", "sr": SR} | options))


def test_flac_stems_on_disk_sum_to_the_mix_on_disk(demo):
    (track,) = demo.tracks["track_id"]
    stems = {s: load_audio(p, mono=False)[0] for s, p in demo.stem_paths(track).items()}
    np.testing.assert_allclose(remix(stems, STEMS, SR), demo.load(track, mono=False)[0], atol=1e-6)
