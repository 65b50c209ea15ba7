"""Harmonic–percussive separation, held to librosa, in blocks of any size."""

import warnings

import librosa
import numpy as np
import pytest

from groove_utils.stems import hpss as hpss_module
from groove_utils.stems import separate

SR = 44_100


def test_it_is_librosas(band):
    stems = separate(band, SR, "hpss")
    harmonic, percussive = librosa.effects.hpss(band)
    assert list(stems) == ["percussive", "harmonic"]
    np.testing.assert_allclose(stems["percussive"], percussive, atol=1e-6)
    np.testing.assert_allclose(stems["harmonic"], harmonic, atol=1e-6)
    np.testing.assert_allclose(sum(stems.values()), band, atol=1e-6)
    assert all(y.dtype == np.float32 for y in stems.values())


@pytest.mark.parametrize("hops", [7, 40, 120])
def test_blocks_do_not_show(band, monkeypatch, hops):
    whole = separate(band, SR, "hpss")
    monkeypatch.setattr(hpss_module, "BLOCK", hops * hpss_module.HOP)
    cut = separate(band, SR, "hpss")
    for stem, y in cut.items():
        np.testing.assert_allclose(y, whole[stem], atol=1e-6)


def test_too_little_context_would_show(band, monkeypatch):
    """The context is needed: with a third of it, seams are well above rounding."""
    whole = separate(band, SR, "hpss")["percussive"]
    monkeypatch.setattr(hpss_module, "BLOCK", 40 * hpss_module.HOP)
    monkeypatch.setattr(hpss_module, "CONTEXT", 8 * hpss_module.HOP)
    assert np.abs(separate(band, SR, "hpss")["percussive"] - whole).max() > 1e-4


def test_clicks_go_one_way_and_tones_the_other():
    t = np.arange(2 * 22_050) / 22_050
    tone = 0.3 * np.sin(2 * np.pi * 440 * t)
    clicks = np.zeros_like(t)
    clicks[5000::5000] = 0.9
    stems = separate(tone + clicks, 22_050, "hpss")
    inner = slice(4000, -4000)
    for stem, alone in (("percussive", clicks), ("harmonic", tone)):
        assert np.corrcoef(stems[stem][0, inner], alone[inner])[0, 1] > 0.9


@pytest.mark.parametrize("n", [1, 2, 700, 2047, 2048, 5000])
def test_short_signals_add_up(band, n):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stems = separate(band[:, 9000 : 9000 + n], SR, "hpss")
    total = sum(stems.values())
    assert total.shape == (2, n)
    np.testing.assert_allclose(total, band[:, 9000 : 9000 + n], atol=1e-6)


def test_mono_silent_and_odd_rates():
    stems = separate(np.zeros(5000), 11_127, "hpss")
    assert all(y.shape == (1, 5000) and not y.any() for y in stems.values())
    again = separate(np.full((3, 4000), 0.1), 7001, "hpss")
    assert again["harmonic"].shape == (3, 4000)


@pytest.mark.parametrize(
    ("y", "sr", "message"),
    [
        (np.zeros(0), SR, "at least one sample"),
        (np.array([0.1, np.nan, np.inf]), SR, "2 of 3 samples are NaN or infinite"),
        (np.zeros((900, 2)), SR, "Transpose"),
        (np.zeros((2, 2, 2)), SR, "shape"),
        (np.zeros(9), 44_100.5, "whole Hz"),
        (np.zeros(9), 0, "whole Hz"),
    ],
)
def test_what_is_no_signal_is_refused(y, sr, message):
    with pytest.raises(ValueError, match=message):
        separate(y, sr, "hpss")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shifts": -1}, "shifts is -1"),
        ({"shifts": 0.5}, "shifts is 0.5"),
        ({"overlap": 1}, "overlap is 1"),
        ({"segment": 0}, "segment is 0"),
        ({"separator": "true"}, "separate_study"),
        ({"separator": "spleeter"}, "neither 'hpss', nor a file or folder.*htdemucs_ft"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        separate(np.zeros(9), SR, **({"separator": "hpss"} | options))
