"""Decoding and resampling."""

import numpy as np
import pytest
import scipy.signal
import soundfile

from groove_utils.audio import AudioError, load_audio, mix_down, resample, stream_audio


def sine(frequency, sr, seconds=1.0, amplitude=0.5):
    t = np.arange(round(seconds * sr)) / sr
    return amplitude * np.sin(2 * np.pi * frequency * t)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff"])
def test_formats(tmp_path, suffix):
    y = sine(440, 44100).astype("f4")
    soundfile.write(tmp_path / f"a b.{suffix}", y, 44100)
    loaded, sr = load_audio(tmp_path / f"a b.{suffix}")
    assert (loaded.dtype, loaded.shape, sr) == (np.float32, (44100,), 44100)
    assert loaded == pytest.approx(y, abs=0.03 if suffix == "ogg" else 1 / 2**15)


def test_stereo_is_averaged_or_kept(tmp_path):
    left, right = sine(300, 22050), sine(500, 22050, amplitude=0.25)
    soundfile.write(tmp_path / "s.wav", np.stack([left, right], axis=1), 22050, subtype="FLOAT")
    both, _ = load_audio(tmp_path / "s.wav", mono=False)
    assert both.shape == (2, 22050)
    assert both.flags.c_contiguous
    assert both == pytest.approx(np.stack([left, right]), abs=1e-6)
    assert load_audio(tmp_path / "s.wav")[0] == pytest.approx((left + right) / 2, abs=1e-6)
    soundfile.write(tmp_path / "m.wav", left, 22050)
    assert load_audio(tmp_path / "m.wav", mono=False)[0].shape == (1, 22050)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 6])
def test_mixing_down_is_the_mean(n_channels):
    y = np.random.default_rng(0).standard_normal((1001, n_channels)).astype("f4")
    before = y.copy()
    np.testing.assert_array_equal(mix_down(y), y.mean(axis=1))
    np.testing.assert_array_equal(y, before)


@pytest.mark.parametrize(("native", "wanted"), [(11127, 22050), (44100, 16000), (8000, 48000)])
def test_a_sine_stays_a_sine_at_another_rate(tmp_path, native, wanted):
    soundfile.write(tmp_path / "s.wav", sine(1000, native, 2), native, subtype="FLOAT")
    y, sr = load_audio(tmp_path / "s.wav", sr=wanted)
    assert sr == wanted
    assert y.dtype == np.float32
    assert abs(len(y) - 2 * wanted) <= 1
    truth = sine(1000, wanted, 2)
    inner = slice(wanted // 10, -wanted // 10)  # the filter rings at the ends
    assert y[: 2 * wanted][inner] == pytest.approx(truth[: len(y)][inner], abs=1e-3)


def test_resampling_agrees_with_scipy_and_does_not_alias():
    y = np.stack([sine(700, 32000) + sine(3100, 32000, amplitude=0.2), sine(90, 32000)])
    ours = resample(y, 32000, 16000)
    theirs = scipy.signal.resample_poly(y, 1, 2, axis=-1, window=("kaiser", 12.0))
    assert ours.shape == theirs.shape == (2, 16000)
    assert ours[:, 800:-800] == pytest.approx(theirs[:, 800:-800], abs=2e-3)
    # 11 kHz cannot be told at 16 kHz: it has to go, not to fold down to 5 kHz
    assert np.abs(resample(sine(11000, 32000), 32000, 16000)[800:-800]).max() < 1e-3
    assert resample(y, 32000, 32000) == pytest.approx(y)


def broken(path, kind):
    if kind == "text":
        path.write_bytes(b"not a sound at all" * 50)
    elif kind == "empty file":
        path.write_bytes(b"")
    elif kind == "no samples":
        soundfile.write(path, np.zeros((0, 2)), 44100)
    elif kind == "NaN":
        y = np.zeros(1000)
        y[[3, 10]] = np.nan, np.inf
        soundfile.write(path, y, 44100, subtype="FLOAT")
    elif kind == "folder":
        path.mkdir()


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("missing", "no such audio file. Check the path"),
        ("folder", "no such audio file"),
        ("text", r"cannot be decoded \(.*Expected WAV, FLAC, OGG or MP3; convert it"),
        ("empty file", "cannot be decoded"),
        ("no samples", "holds no samples. Export it again"),
        ("NaN", "2 of 1000 samples are NaN or infinite"),
    ],
)
def test_unusable_files_are_named_with_the_reason(tmp_path, kind, told):
    path = tmp_path / "a song.wav"
    broken(path, kind)
    with pytest.raises(AudioError, match=f"a song.wav: {told}"):
        load_audio(path)


@pytest.mark.parametrize(("start", "duration"), [(0.0, None), (0.25, None), (0.25, 0.5), (0.9, 5)])
def test_blocks_of_an_excerpt_join_to_it(tmp_path, start, duration):
    y = np.random.default_rng(0).uniform(-0.5, 0.5, (8000, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", y, 8000, subtype="FLOAT")
    blocks = list(stream_audio(tmp_path / "a.wav", 700, start, duration))
    stop = None if duration is None else round((start + duration) * 8000)
    np.testing.assert_array_equal(np.concatenate(blocks), y[round(start * 8000) : stop])
    assert max(map(len, blocks)) == 350


def test_an_excerpt_beyond_the_end_is_an_error(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.ones(800), 8000)
    with pytest.raises(AudioError, match=r"a\.wav: .* starts at 3 s, but the file ends at 0\.10 s"):
        list(stream_audio(tmp_path / "a.wav", 700, 3.0))


@pytest.mark.parametrize(("start", "duration"), [(-1, None), (float("nan"), None), (0, 0), (0, -2)])
def test_an_excerpt_of_no_place_or_length_is_an_error(tmp_path, start, duration):
    soundfile.write(tmp_path / "a.wav", np.ones(800), 8000)
    with pytest.raises(ValueError, match=r"a\.wav: the excerpt .* expected"):
        list(stream_audio(tmp_path / "a.wav", 700, start, duration))


def written(path, seconds=6.0, **how):
    y = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * 44100), 2))
    soundfile.write(path, y, 44100, **how)
    return path.read_bytes()


CUT = [
    ("a.wav", {}),
    ("a.wav", {"format": "WAVEX", "subtype": "FLOAT"}),
    ("a.wav", {"subtype": "MS_ADPCM"}),
    ("a.aiff", {}),
    ("a.flac", {}),
    ("a.ogg", {}),
    ("a.mp3", {"bitrate_mode": "CONSTANT"}),
    ("a.mp3", {"bitrate_mode": "VARIABLE"}),
]


@pytest.mark.parametrize(("name", "how"), CUT)
def test_a_file_that_is_cut_short_is_refused_and_a_whole_one_is_not(tmp_path, name, how):
    path = tmp_path / name
    content = written(path, **how)
    assert load_audio(path)[0].shape[-1] == pytest.approx(6 * 44100, abs=4096)
    for part in (0.9, 0.5, 0.1):
        path.write_bytes(content[: int(part * len(content))])
        with pytest.raises(AudioError, match=rf"{name}: .*(cut short|decoded)"):
            load_audio(path)
        with pytest.raises(AudioError, match=rf"{name}: .*cut short"):
            list(stream_audio(path, 1 << 16))


def test_how_much_is_missing_is_said(tmp_path):
    for name in ("a.wav", "a.mp3"):
        content = written(tmp_path / name)
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(
            AudioError, match=r"holds 3\.\d\d s, but says that there are 6\.00 s.*copy"
        ):
            load_audio(tmp_path / name)


def test_an_mp3_behind_a_tag_and_one_that_states_no_length(tmp_path):
    content = written(tmp_path / "a.mp3", bitrate_mode="CONSTANT")
    picture = b"ID3\x04\x00\x00\x00\x00\x08\x00" + bytes(1024)
    (tmp_path / "a.mp3").write_bytes(picture + content)
    assert load_audio(tmp_path / "a.mp3")[0].shape == (6 * 44100,)
    (tmp_path / "a.mp3").write_bytes(picture + content[: len(content) // 2])
    with pytest.raises(AudioError, match="cut short"):
        load_audio(tmp_path / "a.mp3")
    second = content.index(content[:2], 40)
    (tmp_path / "a.mp3").write_bytes(content[second : len(content) // 2])
    assert len(load_audio(tmp_path / "a.mp3")[0]) > 44100  # nothing tells that it was longer


@pytest.mark.parametrize("stated", [0xFFFFFFFF, 0x7FFFF000, 0x80000000])
def test_a_wav_that_was_written_to_a_pipe_need_not_know_its_length(tmp_path, stated):
    content = written(tmp_path / "a.wav")
    size, at = stated.to_bytes(4, "little"), content.index(b"data") + 4
    content = content[:4] + size + content[8:at] + size + content[at + 4 :]
    (tmp_path / "a.wav").write_bytes(content)
    assert load_audio(tmp_path / "a.wav")[0].shape == (6 * 44100,)


def test_a_few_samples_less_than_stated_and_tags_behind_the_audio_do_no_harm(tmp_path):
    content = written(tmp_path / "a.wav")
    (tmp_path / "a.wav").write_bytes(content[:-400])
    assert load_audio(tmp_path / "a.wav")[0].shape == (6 * 44100 - 100,)
    for name in ("a.wav", "a.ogg", "a.mp3"):
        content = written(tmp_path / name)
        (tmp_path / name).write_bytes(content + b"TAG" + bytes(125))
        assert load_audio(tmp_path / name)[0].shape == (6 * 44100,)
