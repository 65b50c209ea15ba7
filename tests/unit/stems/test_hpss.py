"""Harmonic–percussive separation in blocks of any size, compared with librosa."""

import warnings

import librosa
import numpy as np
import pytest
from expect import raises

from groove_utils.errors import DetailedError
from groove_utils.stems import hpss as hpss_module
from groove_utils.stems import separate

SR = 44_100


def test_it_is_librosas(band):
    band = band[:, :50_000]
    stems = separate(band, SR, "hpss")
    harmonic, percussive = librosa.effects.hpss(band)
    assert list(stems) == ["percussive", "harmonic"]
    np.testing.assert_allclose(stems["percussive"], percussive, atol=1e-6)
    np.testing.assert_allclose(stems["harmonic"], harmonic, atol=1e-6)
    np.testing.assert_allclose(sum(stems.values()), band, atol=1e-6)
    assert all(y.dtype == np.float32 for y in stems.values())


@pytest.mark.parametrize("hops", [17, 120])
def test_pieces_do_not_show(band, monkeypatch, hops):
    whole = separate(band, SR, "hpss")
    monkeypatch.setattr(hpss_module, "PIECE", hops * hpss_module.HOP)
    cut = separate(band, SR, "hpss")
    for stem, y in cut.items():
        np.testing.assert_allclose(y, whole[stem], atol=1e-6)


def test_too_little_context_would_show(band, monkeypatch):
    """With a third of the context, differences at block edges are far above rounding error."""
    whole = separate(band, SR, "hpss")["percussive"]
    monkeypatch.setattr(hpss_module, "PIECE", 40 * hpss_module.HOP)
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
    ("column", "value"),
    [
        ("shifts", -1),
        ("shifts", 0.5),
        ("shifts", True),
        ("overlap", 1),
        ("segment", 0),
        ("separator", "true"),
    ],
)
def test_settings_out_of_range_are_refused(column, value):
    with raises(DetailedError, "out_of_range", column=column, value=value):
        separate(np.zeros(9), SR, **({"separator": "hpss"} | {column: value}))
