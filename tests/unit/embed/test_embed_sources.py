"""Sources of audio, read, resampled and cut in blocks."""

import numpy as np
import pytest
import soundfile
from toy_models import SR, noise

from groove_utils.audio import AudioError, resample, windows
from groove_utils.embed.sources import (
    BLOCK,
    ArraySource,
    FileSource,
    SumSource,
    WindowCutter,
    resampled,
    summed,
)


@pytest.mark.parametrize("n", [1, 99, 100, 101, 250, 1000, 1001])
@pytest.mark.parametrize(("length", "hop", "lead"), [(100, 100, 0), (100, 60, 0), (100, 90, 30)])
@pytest.mark.parametrize("block", [7, 100, 5000])
def test_cutting_in_blocks_equals_cutting_the_whole(n, length, hop, lead, block):
    y = noise(n)
    cutter = WindowCutter(length, hop, lead)
    ours = [w for i in range(0, n, block) for w in cutter.push(y[i : i + block])]
    ours.append(cutter.finish())
    cut, n_valid = windows(np.concatenate([np.zeros(lead, np.float32), y]), length, hop)
    np.testing.assert_array_equal(np.stack([w for w, _ in ours]), cut)
    assert [n for _, n in ours] == n_valid.tolist()


@pytest.mark.parametrize("sr", [8000, 22050, 44100, 192000])
def test_resampling_in_blocks_equals_resampling_the_whole(sr):
    y = noise(3 * sr)
    blocks = list(resampled(iter(np.array_split(y, 17)), sr, [SR, 24000, sr]))
    for rate in (SR, 24000, sr):
        joined = np.concatenate([block[rate] for block in blocks])
        np.testing.assert_allclose(joined, resample(y, sr, rate), atol=1e-5)


def test_sources_join_to_the_file(tmp_path):
    y = noise(2 * BLOCK + 12345).reshape(1, -1) * np.array([[1], [0.5]], np.float32)
    soundfile.write(tmp_path / "x.wav", y.T, 44100, subtype="FLOAT")
    joined = np.concatenate(list(FileSource(tmp_path / "x.wav").blocks()))
    np.testing.assert_allclose(joined, y.mean(0), atol=1e-7)
    np.testing.assert_allclose(np.concatenate(list(ArraySource(y, 44100).blocks())), joined)
    short = noise(BLOCK // 3, 1)
    soundfile.write(tmp_path / "s.wav", short, 44100, subtype="FLOAT")
    total = np.concatenate(list(SumSource([tmp_path / "x.wav", tmp_path / "s.wav"]).blocks()))
    expected = y.mean(0)
    expected[: len(short)] += short
    np.testing.assert_allclose(total, expected, atol=1e-6)
    soundfile.write(tmp_path / "r.wav", short, 22050)
    with pytest.raises(AudioError, match=r"x\.wav \(44100 Hz\), r\.wav \(22050 Hz\)"):
        SumSource([tmp_path / "x.wav", tmp_path / "r.wav"])


def test_resampled_sum_is_the_sum_resampled(tmp_path):
    signals = [0.2 * noise(56000, i) for i in range(4)]
    paths = [tmp_path / f"{i}.wav" for i in range(4)]
    for path, y in zip(paths, signals):
        soundfile.write(path, y, SR, subtype="FLOAT")
    y = sum(signals)
    source = SumSource(paths, gain=0.5)
    streams = [blocks for _, blocks in source.resampled([SR, 22050])]
    assert sum(len(blocks[SR]) for blocks in streams) == len(y)
    np.testing.assert_allclose(np.concatenate([b[SR] for b in streams]), y / 2, atol=1e-6)
    at_22k = np.concatenate([b[22050] for b in streams])
    np.testing.assert_allclose(at_22k, resample(y / 2, SR, 22050), atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_streams_of_any_blocks_add_up(seed):
    rng = np.random.default_rng(seed)
    signals = [rng.normal(size=n).astype(np.float32) for n in (1000, 1, 731)]
    streams = []
    for y in signals:
        cuts = np.sort(rng.integers(0, len(y) + 1, rng.integers(0, 9)))
        streams.append({1: block} for block in np.split(y, cuts))
    total = np.concatenate([blocks[1] for blocks in summed(streams, [1])])
    expected = sum(np.pad(y, (0, 1000 - len(y))) for y in signals)
    np.testing.assert_allclose(total, expected, atol=1e-6)


def test_excerpts_outside_their_file_are_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(SR), SR)
    for options in ({"start": -1}, {"duration": -2}):
        with pytest.raises(ValueError, match="excerpt"):
            FileSource(tmp_path / "a.wav", **options)
    with pytest.raises(AudioError):
        list(FileSource(tmp_path / "a.wav", 5).blocks())


def nan_at(place):
    y = noise(SR)
    y[place] = np.nan
    return y


@pytest.mark.parametrize(
    "y",
    [
        np.zeros(0),
        np.zeros((2, 3, 4)),
        (noise(SR) * 32767).astype(np.int16),
        noise(SR) * 32768,
        nan_at(SR // 2),
    ],
    ids=["empty", "three axes", "integers", "another scale", "NaN"],
)
def test_signals_that_cannot_be_used_are_refused(y):
    with pytest.raises(ValueError):  # noqa: PT011
        list(ArraySource(y, SR).resampled([SR]))


def test_no_files_add_up_to_nothing():
    with pytest.raises(ValueError, match="no files"):
        SumSource([])
