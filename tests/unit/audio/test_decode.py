"""Decoding of whole, truncated and damaged files of all kinds, in blocks too; resampling."""

import av
import numpy as np
import pytest
import scipy.signal
import soundfile
from expect import raises
from ffmpeg_files import encode

from groove_utils.audio import (
    AudioError,
    audio_duration,
    load_audio,
    mix_down,
    resample,
    stream_audio,
)

SR = 44100


def sine(frequency, sr, seconds=1.0, amplitude=0.5):
    t = np.arange(round(seconds * sr)) / sr
    return amplitude * np.sin(2 * np.pi * frequency * t)


@pytest.fixture(scope="module")
def noise():
    """Generate three seconds of stereo noise."""
    return np.random.default_rng(0).uniform(-0.5, 0.5, (3 * SR, 2))


def written(path, y, sr=SR, **how):
    soundfile.write(path, y, sr, **how)
    return path.read_bytes()


def mp3_without_length(data):
    """Remove the first frame of an MP3, which states the length."""
    return data[data.index(data[:2], 40) :]


def of_unknown_length(flac):
    """Set a FLAC file's stated number of samples to 0, which means unknown."""
    stated = (int.from_bytes(flac[18:26], "big") >> 36 << 36).to_bytes(8, "big")
    return flac[:18] + stated + flac[26:]


def blocks_of(path, n=10_000, **excerpt):
    return np.concatenate(list(stream_audio(path, n, **excerpt)))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff", "mp3"])
def test_formats(tmp_path, suffix):
    y = sine(440, SR).astype("f4")
    soundfile.write(tmp_path / f"a: b.{suffix}", y, SR)
    loaded, sr = load_audio(tmp_path / f"a: b.{suffix}")
    assert (loaded.dtype, loaded.shape, sr) == (np.float32, (SR,), SR)
    assert loaded == pytest.approx(y, abs=0.03 if suffix in ("ogg", "mp3") else 1 / 2**15)


@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM", "ULAW", "PCM_U8", "DOUBLE"])
def test_encodings_of_wav(tmp_path, subtype):
    y = sine(440, 8000)
    soundfile.write(tmp_path / "a.wav", y, 8000, subtype=subtype)
    loaded, _ = load_audio(tmp_path / "a.wav")
    assert loaded[100 : len(y)] == pytest.approx(y[100:], abs=0.15)
    assert blocks_of(tmp_path / "a.wav", start=0.5)[:, 0] == pytest.approx(loaded[4000:])


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [("a.m4a", "aac", SR), ("a.opus", "libopus", 48000), ("a.webm", "libopus", 48000)],
)
def test_formats_of_streaming_services(tmp_path, noise, name, codec, rate):
    path = tmp_path / name
    encode(path, noise, codec, rate)
    y, sr = load_audio(path, mono=False)
    assert sr == rate
    assert y.shape[1] / sr == pytest.approx(3, abs=0.05)
    assert y.std() == pytest.approx(noise.std(), rel=0.2)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError) as caught:
        load_audio(path)
    assert caught.value.kind in ("cut_short", "damaged", "undecodable")


def test_mp3_files_decode_as_with_libsndfile(tmp_path, noise):
    path = tmp_path / "a.mp3"
    written(path, noise)
    expected = soundfile.read(path, dtype="f4")[0]
    np.testing.assert_allclose(load_audio(path, mono=False)[0].T, expected, atol=8e-6)


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "flac", "wav"])
def test_blocks_and_excerpts_join_to_the_whole(tmp_path, noise, suffix):
    path = tmp_path / f"a.{suffix}"
    written(path, noise * np.linspace(0, 1, len(noise))[:, None])
    whole = load_audio(path, mono=False)[0].T
    np.testing.assert_array_equal(blocks_of(path), whole)
    np.testing.assert_array_equal(blocks_of(path, start=1, duration=1.5), whole[SR : 5 * SR // 2])
    np.testing.assert_array_equal(blocks_of(path, start=2.9, duration=5), whole[round(2.9 * SR) :])
    assert max(map(len, stream_audio(path, 10_000))) == 5000
    assert audio_duration(path) == 3


def test_lengths_of_mp3_files_with_and_without_a_stated_one(tmp_path, noise):
    path = tmp_path / "a.mp3"
    fading = noise * np.linspace(0, 1, len(noise))[:, None] ** 4
    data, other = written(path, noise, bitrate_mode="VARIABLE"), written(path, fading)
    tag = b"ID3\x04\x00\x00\x00\x00\x08\x00" + bytes(1024)
    delay = 1105 + 1152  # of encoder and decoder; only the first frame states it
    for content, n in (
        (tag + data, 3 * SR),
        (data + b"TAG" + bytes(125), 3 * SR),
        (data + np.random.default_rng(0).bytes(3000), 3 * SR),
        (mp3_without_length(data), 3 * SR + delay),
        (mp3_without_length(other), 3 * SR + delay),
        (tag + data + tag + other, 6 * SR + delay),
        (other + data, 6 * SR + delay),
    ):
        path.write_bytes(content)
        assert round(audio_duration(path) * SR) == pytest.approx(n, abs=1152)


@pytest.mark.parametrize("n_channels", [1, 8])
def test_a_flac_file_of_unknown_length(tmp_path, n_channels):
    path = tmp_path / "a.flac"
    y = np.random.default_rng(0).uniform(-0.5, 0.5, (9000, n_channels))
    data = written(path, y, 8000)
    expected = load_audio(path, mono=False)[0]
    path.write_bytes(of_unknown_length(data))
    np.testing.assert_array_equal(load_audio(path, mono=False)[0], expected)
    path.write_bytes(of_unknown_length(data)[: len(data) // 2])
    with raises(AudioError, "damaged", path=path):
        load_audio(path)


@pytest.mark.parametrize("stated", [0, 0xFFFFFFFF, 0x7FFFF000, 0x80000000])
def test_a_wav_that_was_written_to_a_pipe_need_not_know_its_length(tmp_path, noise, stated):
    path = tmp_path / "a.wav"
    content = written(path, noise)
    size, at = stated.to_bytes(4, "little"), content.index(b"data") + 4
    path.write_bytes(content[:4] + size + content[8:at] + size + content[at + 4 :])
    assert load_audio(path)[0].shape == (3 * SR,)


CUT = [
    ("a.wav", {}),
    ("a.wav", {"format": "WAVEX", "subtype": "FLOAT"}),
    ("a.wav", {"format": "RF64"}),
    ("a.wav", {"subtype": "MS_ADPCM"}),
    ("a.w64", {}),
    ("a.au", {}),
    ("a.aiff", {}),
    ("a.flac", {}),
    ("a.ogg", {}),
    ("a.mp3", {"bitrate_mode": "CONSTANT"}),
    ("a.mp3", {"bitrate_mode": "VARIABLE"}),
]


@pytest.mark.parametrize(("name", "how"), CUT)
def test_a_file_that_is_cut_short_is_refused_and_a_whole_one_is_not(tmp_path, noise, name, how):
    path = tmp_path / name
    content = written(path, noise, **how)
    assert load_audio(path)[0].shape[-1] == pytest.approx(3 * SR, abs=4096)
    kind = "damaged" if name.endswith("flac") else "cut_short"
    for part in (0.9, 0.5, 0.25):
        path.write_bytes(content[: int(part * len(content))])
        for read in (load_audio, blocks_of, audio_duration):
            if kind == "cut_short" or read is not audio_duration:
                with raises(AudioError, kind, path=path):
                    read(path)


def test_an_mp3_behind_a_tag_and_one_that_states_no_length_are_cut(tmp_path, noise):
    path = tmp_path / "a.mp3"
    content = written(path, noise, bitrate_mode="CONSTANT")
    picture = b"ID3\x04\x00\x00\x00\x20\x00\x00" + bytes(0x20 << 14)
    path.write_bytes(picture + content[: len(content) // 2])
    with raises(AudioError, "cut_short", value=pytest.approx(1.5, abs=0.1)):
        load_audio(path)
    path.write_bytes(mp3_without_length(content)[: len(content) // 2])
    assert audio_duration(path) == pytest.approx(1.5, abs=0.1)  # nothing states a greater length


def test_a_few_samples_less_than_stated_and_tags_behind_the_audio_do_no_harm(tmp_path, noise):
    content = written(tmp_path / "a.wav", noise)
    (tmp_path / "a.wav").write_bytes(content[:-400])
    assert load_audio(tmp_path / "a.wav")[0].shape == (3 * SR - 100,)
    for name in ("a.wav", "a.ogg"):
        content = written(tmp_path / name, noise)
        (tmp_path / name).write_bytes(content + b"TAG" + bytes(125))
        assert load_audio(tmp_path / name)[0].shape == (3 * SR,)


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_damage_in_the_middle_is_refused(tmp_path, noise, suffix):
    path = tmp_path / f"a.{suffix}"
    data = written(path, noise)
    middle = len(data) // 2
    path.write_bytes(data[:middle] + bytes(3000) + data[middle + 3000 :])
    with raises(AudioError, "damaged", path=path):
        load_audio(path)


def test_a_video_without_sound_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, width=32, height=32, pix_fmt="yuv420p")
        container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode(None))
    with raises(AudioError, "no_audio", path=path):
        load_audio(path)


def broken(path, kind):
    if kind == "undecodable":
        path.write_bytes(b"not a sound at all" * 50)
    elif kind == "web_page":
        path.write_bytes(b"\n<!DOCTYPE html>\n<html>" + b"<p>Not found</p>" * 100)
    elif kind == "pointer":
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    elif kind == "no_samples":
        soundfile.write(path, np.zeros((0, 2)), SR, format="WAV")
    elif kind == "not_finite":
        y = np.zeros((1000, 2))
        y[[3, 10], 1] = np.nan, np.inf
        soundfile.write(path, y, SR, format="WAV", subtype="FLOAT")
    elif kind == "wrong_scale":
        soundfile.write(path, np.full(10, 20000.0), SR, format="WAV", subtype="FLOAT")


@pytest.mark.parametrize("suffix", ["wav", "mp3", "flac", "ogg", "m4a"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("missing_file", None),
        ("undecodable", None),
        ("web_page", None),
        ("pointer", None),
        ("no_samples", None),
        ("not_finite", 3),
        ("wrong_scale", 20000.0),
    ],
)
def test_unusable_files_are_refused_with_the_reason(tmp_path, kind, value, suffix):
    path = tmp_path / f"a song.{suffix}"
    broken(path, kind)
    with raises(AudioError, kind, path=path, value=value) as caught:
        load_audio(path)
    assert path.name in str(caught.value)


def test_an_empty_file_and_a_folder_are_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    with raises(AudioError, "empty_file"):
        load_audio(tmp_path / "a.wav")
    with raises(AudioError, "missing_file", path=tmp_path):
        load_audio(tmp_path)


@pytest.mark.parametrize(
    ("start", "duration", "column"),
    [
        (3.0, None, "start"),
        (-1, None, "start"),
        (float("nan"), None, "start"),
        (0, 0, "duration"),
        (0, -2, "duration"),
    ],
)
@pytest.mark.parametrize("suffix", ["wav", "mp3"])
def test_impossible_excerpts_are_refused(tmp_path, start, duration, column, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.ones(8000) / 2, 8000)
    with raises(AudioError, "out_of_range", path=path, column=column):
        list(stream_audio(path, 700, start, duration))


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


@pytest.mark.parametrize(("native", "wanted"), [(11127, 22050), (SR, 16000), (8000, 48000)])
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
    # 11 kHz cannot be represented at 16 kHz: it must vanish instead of appearing at 5 kHz
    assert np.abs(resample(sine(11000, 32000), 32000, 16000)[800:-800]).max() < 1e-3
    assert resample(y, 32000, 32000) == pytest.approx(y)
