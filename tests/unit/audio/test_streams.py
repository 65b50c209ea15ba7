"""Sources, resampling and processing in blocks, compared with the whole signal at once."""

import numpy as np
import pytest
import soundfile
from expect import raises

from groove_utils.audio import AudioError, load_audio, resample
from groove_utils.audio.streams import (
    BLOCK,
    ArraySource,
    FileSource,
    as_source,
    fit_length,
    map_pieces,
    resample_blocks,
)
from groove_utils.files import hash_file

SR = 44100


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype("f4")


@pytest.mark.parametrize("shape", [(24000,), (2, 24000)])
@pytest.mark.parametrize("sr", [8000, 22050, 192000])
def test_resampling_in_blocks_equals_resampling_the_whole(sr, shape):
    y = noise(*shape)
    parts = iter(np.array_split(y, 17, axis=-1))
    blocks = list(resample_blocks(parts, sr, [16000, 24000, sr]))
    for rate in (16000, 24000, sr):
        joined = np.concatenate([block[rate] for block in blocks], axis=-1)
        np.testing.assert_allclose(joined, resample(y, sr, rate), atol=1e-5)


def test_blocks_of_files_and_arrays_join_to_the_signal(tmp_path):
    path = tmp_path / "x.wav"
    y = noise(2, BLOCK + 12345)
    soundfile.write(path, y.T, SR, subtype="FLOAT")
    for source in (FileSource(path), ArraySource(y, SR)):
        assert (source.sr, source.n_channels) == (SR, 2)
        blocks = list(source.blocks(mono=False))
        assert len(blocks) == 2
        np.testing.assert_array_equal(np.concatenate(blocks, axis=1), y)
        np.testing.assert_allclose(np.concatenate(list(source.blocks())), y.mean(0), atol=1e-7)
    excerpt = np.concatenate(list(FileSource(path, 0.5, 0.25).blocks(mono=False)), axis=1)
    np.testing.assert_array_equal(excerpt, y[:, SR // 2 : 3 * SR // 4])
    (mono,) = ArraySource(y[0, :100], SR).blocks()
    np.testing.assert_array_equal(mono, y[0, :100])


def test_the_peak_is_that_of_the_mono_signal_so_far():
    y = np.zeros(2 * BLOCK, np.float32)
    y[100], y[BLOCK + 100] = -0.25, 0.75
    peaks = [peak for peak, _ in ArraySource(y, SR).resampled([16000])]
    assert peaks == [0.75, 0.75]  # one block is read ahead, to recognise the last block


def test_content_is_the_hash_of_a_file_and_distinguishes_excerpts_and_arrays(tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(path, noise(SR), SR)
    assert FileSource(path).content() == hash_file(path)
    y = noise(100)
    contents = [
        FileSource(path).content(),
        FileSource(path, 0.1).content(),
        FileSource(path, 0.1, 0.5).content(),
        ArraySource(y, SR).content(),
        ArraySource(y[None], SR).content(),
        ArraySource(y, 8000).content(),
    ]
    assert len(set(contents)) == len(contents)
    # the hash is part of cache keys, so it must not change
    zeros = ArraySource(np.zeros(3, np.float32), 8000).content()
    assert zeros == "1ab444695e83fcb6b9cbc0d707a734788ef3e47cce543772dfec38c0047a4e46"


def test_a_path_a_pair_and_a_source_are_sources(tmp_path):
    soundfile.write(tmp_path / "x.wav", noise(100), SR)
    source = as_source(tmp_path / "x.wav")
    assert as_source(source) is source
    assert as_source(str(tmp_path / "x.wav")).path == source.path
    assert as_source((noise(100), SR)).sr == SR
    with raises(AudioError, "wrong_type", value=int):
        as_source(3)


def test_missing_files_and_impossible_excerpts_are_refused_at_once(tmp_path):
    with raises(AudioError, "missing_file", path="gone.wav"):
        FileSource(tmp_path / "gone.wav")
    soundfile.write(tmp_path / "x.wav", noise(100), SR)
    with raises(AudioError, "out_of_range", column="start", value=-1):
        FileSource(tmp_path / "x.wav", start=-1)


def smoothed(y):
    """Return the mean of three neighbours (zero outside the signal), and the samples themselves."""
    padded = np.pad(y, ((0, 0), (1, 1)))
    return np.stack([(padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3, y])


@pytest.mark.parametrize("n", [1, 40, 41, 80, 500, 1001])
@pytest.mark.parametrize("block", [7, 40, 2000])
def test_pieces_with_context_join_to_the_whole(n, block):
    y = noise(2, n)
    blocks = (y[:, i : i + block] for i in range(0, n, block))
    pieces = list(map_pieces(smoothed, blocks, 40, 1))
    assert max(piece.shape[-1] for piece in pieces) == min(n, 40)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=-1), smoothed(y))


def test_pieces_without_enough_context_differ_and_hold_little():
    y = noise(1, 1000)
    sizes = []

    def watched(piece):
        sizes.append(piece.shape[1])
        return smoothed(piece)

    blocks = (y[:, i : i + 10] for i in range(0, 1000, 10))
    joined = np.concatenate(list(map_pieces(watched, blocks, 50, 0)), axis=-1)
    assert np.abs(joined - smoothed(y)).max() > 0.01
    assert max(sizes) == 50


def test_an_empty_stream_has_no_pieces():
    assert list(map_pieces(smoothed, iter([]), 40, 1)) == []


@pytest.mark.parametrize("length", [3, 10, 11, 25])
def test_streams_are_cut_or_filled_up_to_a_length(length):
    y = noise(2, 20)
    joined = np.concatenate(list(fit_length([y[:, :10], y[:, 10:]], length)), axis=1)
    assert joined.shape == (2, length)
    n = min(20, length)
    np.testing.assert_array_equal(joined[:, :n], y[:, :n])
    assert not joined[:, n:].any()


def test_compressed_files_are_streamed_as_they_are_loaded(tmp_path):
    soundfile.write(tmp_path / "x.mp3", noise(3 * SR), SR)
    joined = np.concatenate(list(FileSource(tmp_path / "x.mp3").blocks()))
    np.testing.assert_array_equal(joined, load_audio(tmp_path / "x.mp3")[0])
