from functools import partial

import librosa
import numpy as np
import pytest
import soundfile
from expect import raises
from scipy import signal

from groove_utils.cache import ArrayCache
from groove_utils.errors import DetailedError
from groove_utils.genre import (
    Corpus,
    add_rumble,
    clip_sources,
    limit_bandwidth,
    log_mels,
    mel_picture,
    spectrogram_statistics,
)


@pytest.fixture
def cache(tmp_path):
    return ArrayCache(tmp_path, "mels")


def test_clips_have_their_songs(clips, tiny_corpus):
    assert clips.X.shape == (len(tiny_corpus.songs) * 3, 48, 47)
    assert clips.X.dtype == np.float32
    assert clips.styles == ["dark", "fast", "slow"]
    assert clips.table["clip_id"].is_unique
    assert list(clips.table["start"][:4]) == [0, 1, 2, 0]
    assert list(clips.table.columns) == ["clip_id", "song_id", "style", "artist", "start"]
    assert (np.bincount(clips.y) == 36).all()


def test_a_spectrogram_is_librosas(clips, tiny_corpus):
    y, sr = soundfile.read(tiny_corpus.folder / tiny_corpus.songs["audio"][4], dtype="float32")
    blocks = [y[start : start + 24000] for start in (0, 16000, 32000)]
    power = [librosa.feature.melspectrogram(y=b, sr=sr, n_fft=1024, n_mels=48) for b in blocks]
    expected = librosa.power_to_db(np.stack(power), ref=np.max, top_db=80)
    np.testing.assert_allclose(clips.X[12:15], expected, atol=1e-3)


def test_spectrograms_are_computed_once(tiny_corpus, cache, monkeypatch):
    first = log_mels(tiny_corpus, seconds=2.0, cache=cache)
    monkeypatch.setattr(librosa.feature, "melspectrogram", None)
    again = log_mels(tiny_corpus, seconds=2.0, cache=cache)
    np.testing.assert_array_equal(first.X, again.X)
    with pytest.raises(TypeError):
        log_mels(tiny_corpus, seconds=1.0, cache=cache)


def test_two_processes_give_the_same(tiny_corpus, clips, cache):
    again = log_mels(tiny_corpus, seconds=1.5, hop_seconds=1.0, cache=cache, n_jobs=2)
    np.testing.assert_array_equal(again.X, clips.X)


def test_signals_of_clips_are_cut_from_their_songs(clips, tiny_corpus):
    sources = clip_sources(tiny_corpus, clips.table[::-1], seconds=1.5)
    assert list(sources) == list(clips.table["clip_id"][::-1])
    y, _ = soundfile.read(tiny_corpus.path("fast-1-0"), dtype="float32")
    found = np.concatenate([*sources["fast-1-0-2"].blocks()])
    np.testing.assert_allclose(found, y[32000:56000], atol=1e-6)
    assert len({source.content() for source in sources.values()}) == len(sources)


def test_silence_is_finite_and_short_songs_are_reported(tiny_corpus, tmp_path, cache):
    soundfile.write(tmp_path / "silence.flac", np.zeros(32000), 16000)
    songs = tiny_corpus.songs[:1].assign(audio="silence.flac")
    corpus = Corpus("silence", tmp_path, songs)
    clips = log_mels(corpus, seconds=1.5, cache=cache)
    assert np.isfinite(clips.X).all()
    with raises(DetailedError, "out_of_range", column="seconds", value=3.0):
        log_mels(corpus, cache=cache)


def test_the_picture_is_viridis():
    ramp = np.tile(np.linspace(-80, 0, 48)[:, None], (1, 94))
    picture = mel_picture(ramp)
    np.testing.assert_allclose(picture[0, 0], [0.993, 0.906, 0.144], atol=0.01)  # yellow above
    np.testing.assert_allclose(picture[-1, 0], [0.267, 0.005, 0.329], atol=0.01)


def test_a_planted_tone_stands_in_the_lowest_band_only(tiny_corpus, clips, cache):
    change = partial(add_rumble, levels={"slow": 0.0})
    changed = log_mels(tiny_corpus, seconds=1.5, hop_seconds=1.0, change=change, cache=cache)
    shift = np.abs(changed.X - clips.X).mean(axis=2)
    slow = clips.y == 2
    assert (shift[~slow] == 0).all()
    assert shift[slow, 0].mean() > 20
    assert shift[slow, 3:].mean() < 3  # the reference is the loudest value, which may change


def test_rumble_has_its_level_and_frequency():
    y = np.random.default_rng(0).standard_normal(64000).astype(np.float32)
    tone = add_rumble(y, 16000, "a", {"a": -10.0}) - y
    spectrum = np.abs(np.fft.rfft(tone))
    assert np.fft.rfftfreq(64000, 1 / 16000)[spectrum.argmax()] == 12
    assert 20 * np.log10(tone.std() / y.std()) == pytest.approx(-10, abs=0.05)
    assert add_rumble(y, 16000, "b", {"a": 10.0}) is y
    with raises(DetailedError, "out_of_range", column="frequency"):
        add_rumble(y, 16000, "a", {"a": 10.0}, frequency=50)


def test_a_limited_band_ends_where_it_should():
    y = np.random.default_rng(0).standard_normal(64000).astype(np.float32)
    cut = limit_bandwidth(y, 16000, "a", {"a": 5000.0})
    frequency, power = signal.welch(cut, 16000, nperseg=2048)
    _, before = signal.welch(y, 16000, nperseg=2048)
    ratio = 10 * np.log10(power / before)
    assert np.abs(ratio[frequency < 4800]).max() < 0.5
    assert ratio[frequency > 5500].max() < -60
    assert limit_bandwidth(y, 16000, "b", {"a": 5000.0}) is y


def test_statistics_know_the_pulse():
    X = np.full((1, 48, 94), -60.0)
    X[:, :, ::12] = 0  # a stroke every 12 frames of 32 ms
    X += np.random.default_rng(0).normal(0, 0.1, X.shape)
    table = spectrogram_statistics(X)
    pulses = table.filter(like="pulse_").iloc[0]
    assert float(pulses.idxmax().removeprefix("pulse_")) == pytest.approx(0.384, abs=0.005)
    assert np.isfinite(spectrogram_statistics(np.full((2, 48, 94), -80.0))).all(axis=None)
