"""Sums of files as sources, compared with summing whole signals."""

import numpy as np
import pytest
import soundfile
from expect import raises

from groove_utils.audio import AudioError, resample
from groove_utils.embed.sum_source import SumSource, add_streams

SR = 16000


def noise(n, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n).astype("f4")


@pytest.fixture
def files(tmp_path):
    """Signals of several blocks, of half a block and of one sample, with their files."""
    signals = [noise(n, seed) for seed, n in enumerate((300_000, 60_000, 1))]
    paths = [tmp_path / f"{i}.wav" for i in range(3)]
    for path, y in zip(paths, signals, strict=True):
        soundfile.write(path, y, SR, subtype="FLOAT")
    return signals, paths


def test_a_sum_at_several_rates_is_the_sum_resampled(files, tmp_path):
    (y, *_), (path, *_) = files
    soundfile.write(tmp_path / "b.wav", noise(len(y), 9), SR, subtype="FLOAT")
    y = (y + noise(len(y), 9)) / 2
    source = SumSource([path, tmp_path / "b.wav"], gain=0.5)
    for _ in range(2):  # the second time, from stored blocks
        peaks, streams = zip(*source.resampled([SR, 22050]))
        np.testing.assert_allclose(np.concatenate([b[SR] for b in streams]), y, atol=1e-6)
        at_22k = np.concatenate([b[22050] for b in streams])
        np.testing.assert_allclose(at_22k, resample(y, SR, 22050), atol=1e-6)
        assert peaks[-1] == pytest.approx(np.abs(at_22k).max())


def test_shorter_files_are_continued_by_silence(files):
    signals, paths = files
    y = sum(np.pad(y, (0, 300_000 - len(y))) for y in signals)
    joined = np.concatenate(list(SumSource(paths).blocks()))
    np.testing.assert_allclose(joined, y, atol=1e-6)


def test_a_sum_is_named_by_its_parts_and_gain_in_any_order(files):
    _, paths = files
    content = SumSource(paths).content()
    assert SumSource(paths[::-1]).content() == content
    assert SumSource(paths, gain=0.5).content() != content
    assert SumSource(paths[:2]).content() != content


def test_impossible_sums_are_refused(files, tmp_path):
    with raises(AudioError, "no_files"):
        SumSource([])


def test_files_of_several_rates_are_added_up_at_the_highest(tmp_path):
    for rate in (44100, 48000):
        y = 0.4 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
        soundfile.write(tmp_path / f"{rate}.wav", y, rate, subtype="FLOAT")
    source = SumSource([tmp_path / "44100.wav", tmp_path / "48000.wav"])
    assert source.sr == 48000
    y = np.concatenate(list(source.blocks()))
    expected = 0.8 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)
    assert len(y) == 48000
    np.testing.assert_allclose(y[2000:-2000], expected[2000:-2000], atol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_streams_of_any_blocks_add_up(seed):
    rng = np.random.default_rng(seed)
    signals = [rng.normal(size=n).astype(np.float32) for n in (1000, 1, 731)]
    streams = []
    for y in signals:
        cuts = np.sort(rng.integers(0, len(y) + 1, rng.integers(0, 9)))
        streams.append({1: block} for block in np.split(y, cuts))
    total = np.concatenate([blocks[1] for blocks in add_streams(streams, [1])])
    expected = sum(np.pad(y, (0, 1000 - len(y))) for y in signals)
    np.testing.assert_allclose(total, expected, atol=1e-6)
