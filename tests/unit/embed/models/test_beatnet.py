import importlib.util
from pathlib import Path

import librosa
import make_golden
import numpy as np
import pytest
import torch
from expect import raises
from golden_signals import recordings

from groove_utils.audio import AudioError
from groove_utils.embed import embed_audio, load_model, model_card
from groove_utils.embed.models.beatnet import (
    FRAME_RATE,
    HOP,
    SAMPLE_RATE,
    BeatNet,
    beat_activations,
    filterbank,
    spectral_features,
)

GOLDEN = Path(__file__).parents[3] / "golden" / "embed"


def clicks(bpm, seconds=12.0):
    """Generate short bursts of noise; every fourth burst is louder and lower."""
    y = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    burst = np.random.default_rng(0).normal(0, 0.2, 600) * np.exp(-np.arange(600) / 100)
    for i, start in enumerate(np.arange(0, seconds - 0.1, 60 / bpm)):
        at = round(start * SAMPLE_RATE)
        y[at : at + 600] += burst
        if i % 4 == 0:
            t = np.arange(3000) / SAMPLE_RATE
            y[at : at + 3000] += (0.6 * np.sin(2 * np.pi * 60 * t) * np.exp(-t * 30)).astype("f")
    return y


@pytest.fixture(scope="module", params=["groove", "kick"])
def signal(request):
    """Return ten seconds of one of the book's sounds, or of one from the package."""
    y = recordings(SAMPLE_RATE)[request.param]
    with np.load(GOLDEN / "beatnet_golden.npz") as archive:
        prefix = f"{request.param}/"
        theirs = {k.removeprefix(prefix): v for k, v in archive.items() if k.startswith(prefix)}
    return y, theirs


def test_activations_match_the_original(signal):
    y, theirs = signal
    ours = beat_activations(y, SAMPLE_RATE)
    assert ours.shape == (10 * FRAME_RATE, 2)
    assert theirs["activations"].max() > 0.5
    assert np.abs(ours - theirs["activations"][:, :2]).max() <= 1e-4


def test_layers_match_the_original(signal):
    y, theirs = signal
    layers = embed_audio(y, SAMPLE_RATE, "beatnet")
    frames = theirs.pop("activations")
    theirs["activations"] = np.concatenate([frames.mean(0), frames.std(0)])
    assert {name: values.shape for name, values in layers.items()} == {
        name: (1, dim) for name, dim in model_card("beatnet").layers.items()
    }
    for name, expected in theirs.items():
        assert np.abs(layers[name][0] - expected).max() <= 1e-3, name


def test_the_filterbank_covers_the_spectrum_as_madmom_defines_it():
    filters = filterbank()
    assert filters.shape == (705, 136)  # the network takes 2 × 136 numbers per frame
    np.testing.assert_allclose(filters.sum(0), 1, rtol=1e-6)
    peaks = filters.argmax(0)
    assert (np.diff(peaks) > 0).all()
    assert peaks[0] * SAMPLE_RATE / 1410 == pytest.approx(47, abs=1)  # the third bin
    assert peaks[-1] == round(440 * 2 ** (111 / 24) / SAMPLE_RATE * 1410)  # below half the rate


def test_a_tone_is_loudest_in_its_band_and_rises_once():
    y = np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype("f")
    y[: SAMPLE_RATE // 2] = 0
    features = spectral_features(y)
    band = filterbank()[round(1000 / SAMPLE_RATE * 1410)].argmax()
    assert features[40, :136].argmax() == band
    rise = features[:, 136 + band]
    assert rise.argmax() == pytest.approx(25, abs=1)
    assert rise[30:48].max() < 1e-3
    assert not features[:20].any()


@pytest.mark.parametrize("bpm", [90, 120])
def test_activations_repeat_at_the_tempo_of_clicks(bpm):
    activation = beat_activations(clicks(bpm), SAMPLE_RATE).sum(1)[3 * FRAME_RATE :]
    centred = activation - activation.mean()
    similarity = np.correlate(centred, centred, "full")[len(centred) - 1 :]
    lags = np.arange(FRAME_RATE * 60 // 200, FRAME_RATE * 60 // 55)
    assert lags[similarity[lags].argmax()] == pytest.approx(FRAME_RATE * 60 / bpm, abs=1)


def test_no_frame_depends_on_later_ones():
    y = clicks(100, 6.0)
    half = len(y) // 2 // HOP * HOP
    whole, part = beat_activations(y, SAMPLE_RATE), beat_activations(y[:half], SAMPLE_RATE)
    n_same = len(part) - 2  # the last two frames extend beyond the end
    np.testing.assert_allclose(whole[:n_same], part[:n_same], atol=1e-5)


def test_channels_and_sample_rate_do_not_matter():
    y = clicks(120, 4.0)
    stereo = librosa.resample(np.stack([y, y]), orig_sr=SAMPLE_RATE, target_sr=44100)
    ours = beat_activations(stereo, 44100)
    assert ours.shape == (4 * FRAME_RATE, 2)
    assert np.abs(ours - beat_activations(y, SAMPLE_RATE)).mean() < 0.02


def test_the_untrained_twin_is_seeded_and_knows_no_beats():
    weights = [torch.cat([p.flatten() for p in BeatNet(*a).load().parameters()]) for a in [
        ("beatnet-untrained", 0), ("beatnet-untrained", 0), ("beatnet-untrained", 1), ("beatnet",)
    ]]  # fmt: skip
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert len(weights[0]) == len(weights[3]) == model_card("beatnet").parameters
    assert 0.1 < weights[0].std() / weights[3].std() < 10
    trained, twin = (
        embed_audio(clicks(120), SAMPLE_RATE, name)["activations"][0, 3:]
        for name in ("beatnet", "beatnet-untrained")
    )
    assert trained[0] > 10 * twin[0]  # spread of the probability of a beat


def test_silence_and_short_signals_give_finite_layers():
    for n in (1, HOP, SAMPLE_RATE):
        layers = embed_audio(np.zeros(n, np.float32), SAMPLE_RATE, "beatnet")
        assert all(np.isfinite(values).all() for values in layers.values())
    assert beat_activations(np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE).max() < 0.5


@pytest.mark.parametrize(
    ("y", "kind"), [([], "no_samples"), ([0.1, np.nan], "not_finite"), ([[[0.1]]], "wrong_shape")]
)
def test_unusable_signals_are_refused(y, kind):
    with raises(AudioError, kind):
        beat_activations(np.array(y, dtype=float), SAMPLE_RATE)


def test_half_precision_changes_little():
    features = torch.from_numpy(spectral_features(clicks(120, 4.0)))[None]
    network = load_model("beatnet").network
    with torch.inference_mode():
        full = network(features)["activations"]
        with torch.autocast("cpu", torch.bfloat16):
            half = network(features)["activations"]
    assert half.dtype == torch.float32
    assert (full - half).abs().max() < 0.05


@pytest.mark.skipif(
    importlib.util.find_spec("madmom") is None, reason="madmom computes the original's features"
)
def test_features_match_madmom():
    make_golden.prepare_madmom()
    from BeatNet.log_spect import LOG_SPECT

    settings = {"win_length": 1411, "hop_size": 441, "n_bands": [24], "mode": "offline"}
    y = clicks(110, 3.01)
    theirs = LOG_SPECT(sample_rate=SAMPLE_RATE, **settings).process_audio(y).T
    np.testing.assert_allclose(spectral_features(y), theirs, atol=1e-5)
