"""Sums of stems: what is embedded, what is shared, what is refused."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile

from groove_utils.cache import ArrayCache
from groove_utils.embed import (
    embed_audio,
    embed_stem_sums,
    embed_study,
    forget_models,
    register_model,
    unregister_model,
)
from groove_utils.embed.sources import SumSource, summed

SR = 16000
STEMS = ("drums", "bass", "other", "vocals")


class Mean:
    """A linear model: the mean of a window; it counts the windows that it sees."""

    sample_rate = SR
    window = 1.0
    version = "1"
    batch_size = 1
    layers = {"mean": 1}  # noqa: RUF012
    n_windows = 0

    def load(self):
        return None

    def forward(self, network, batch, n_valid):
        type(self).n_windows += len(batch)
        return {"mean": batch.sum(1, keepdim=True) / n_valid[:, None]}


@pytest.fixture
def mean():
    register_model("mean", Mean)
    forget_models()
    embed_audio(np.ones(SR, np.float32), SR, "mean")  # the load gate has a look at it
    Mean.n_windows = 0
    yield "mean"
    unregister_model("mean")
    forget_models()


@pytest.fixture
def cache(tmp_path):
    return ArrayCache(tmp_path / "cache")


@pytest.fixture
def study(tmp_path):
    """Two songs of 3.5 s whose four 16-bit stems add up to the mix."""
    rng = np.random.default_rng(0)
    (tmp_path / "audio").mkdir()
    paths = {}
    for track in ("a", "b"):
        folder = tmp_path / "stems" / track
        folder.mkdir(parents=True)
        offsets = rng.integers(500, 3000, 4)
        samples = rng.integers(-2000, 2000, (4, 56000)) + offsets[:, None]
        for stem, values in zip(STEMS, samples, strict=True):
            soundfile.write(folder / f"{stem}.wav", values.astype(np.int16), SR)
        soundfile.write(tmp_path / f"audio/{track}.wav", samples.sum(0).astype(np.int16), SR)
        paths[track] = {stem: folder / f"{stem}.wav" for stem in STEMS}
    return SimpleNamespace(
        path=tmp_path,
        tracks=pd.DataFrame({"track_id": ["a", "b"]}),
        paths=paths,
        stem_paths=paths.__getitem__,
        audio_path=lambda track: tmp_path / f"audio/{track}.wav",
        has=lambda what: True,
    )


def levels(study, track, stems):
    return sum(soundfile.read(study.paths[track][stem])[0].mean() for stem in stems)


def test_all_subsets_are_the_sums_of_their_stems(mean, cache, study):
    by_sum = embed_stem_sums(study, mean, cache=cache, progress=False)[mean]
    assert len(by_sum) == 15
    assert list(by_sum)[:4] == [(stem,) for stem in STEMS]
    assert list(by_sum)[-1] == STEMS
    for each, embedding in by_sum.items():
        assert embedding.track_ids == ["a", "b"]
        expected = [levels(study, track, each) for track in ("a", "b")]
        np.testing.assert_allclose(embedding.layer("mean")[:, 0], expected, atol=2e-6)


def test_the_sum_of_all_stems_is_the_mix_that_was_embedded_already(mean, cache, study):
    mix = embed_study(study, mean, cache=cache, progress=False)
    n_windows = Mean.n_windows
    whole = embed_stem_sums(study, mean, [STEMS], cache=cache, progress=False)[mean][STEMS]
    assert Mean.n_windows == n_windows
    np.testing.assert_array_equal(whole.layer("mean"), mix.layer("mean"))


def test_stems_that_leave_something_out_are_not_taken_for_the_mix(mean, cache, study):
    y, _ = soundfile.read(study.audio_path("a"), dtype="int16")
    soundfile.write(study.audio_path("a"), y + np.int16(40), SR)
    whole = embed_stem_sums(study, mean, [STEMS], cache=cache, progress=False)[mean][STEMS]
    expected = [levels(study, track, STEMS) for track in ("a", "b")]
    np.testing.assert_allclose(whole.layer("mean")[:, 0], expected, atol=2e-6)


def test_mixes_that_differ_by_a_silent_stem_are_embedded_once(mean, cache, study):
    for track in ("a", "b"):
        soundfile.write(study.paths[track]["vocals"], np.zeros(56000, np.int16), SR)
    sums = [("drums",), ("drums", "vocals"), ("drums", "bass"), ("drums", "bass", "vocals")]
    by_sum = embed_stem_sums(study, mean, sums, cache=cache, progress=False)[mean]
    assert Mean.n_windows == 2 * 2 * 4  # songs, different mixes, windows
    for without, with_vocals in (sums[:2], sums[2:]):
        np.testing.assert_array_equal(
            by_sum[without].layer("mean"), by_sum[with_vocals].layer("mean")
        )


def test_gains_and_other_songs_stems(mean, cache, study):
    gains = {("drums", "bass"): {"a": 0.5}}
    other = {track: dict(study.paths[track]) for track in ("a", "b")}
    other["a"]["drums"] = study.paths["b"]["drums"]
    by_sum = embed_stem_sums(
        study, mean, [("drums", "bass")], stems=other, gains=gains, cache=cache, progress=False
    )[mean]
    swapped = levels(study, "b", ["drums"]) + levels(study, "a", ["bass"])
    expected = [0.5 * swapped, levels(study, "b", ["drums", "bass"])]
    values = by_sum["drums", "bass"].layer("mean")[:, 0]
    np.testing.assert_allclose(values, expected, atol=2e-6)


def test_an_excerpt_is_the_middle_of_the_song(mean, cache, study):
    soundfile.write(study.paths["a"]["bass"], np.full(20000, 900, np.int16), SR)  # shorter
    by_sum = embed_stem_sums(
        study, mean, [("drums",), ("bass",), STEMS], excerpt=1.5, cache=cache, progress=False
    )[mean]
    middle = slice(16000, 40000)  # of 56000 samples
    for track, row in (("a", 0), ("b", 1)):
        waves = {stem: soundfile.read(path)[0] for stem, path in study.paths[track].items()}
        waves = {stem: np.pad(y, (0, 56000 - len(y)))[middle] for stem, y in waves.items()}
        for each in (("drums",), STEMS):
            expected = sum(waves[stem] for stem in each).mean()
            assert by_sum[each].layer("mean")[row, 0] == pytest.approx(expected, abs=2e-6)
    assert by_sum["bass",].layer("mean")[0, 0] == pytest.approx(900 / 32768, abs=1e-4)
    whole = embed_stem_sums(study, mean, [("drums",)], cache=cache, progress=False)[mean]
    assert whole["drums",].layer("mean")[0] != by_sum["drums",].layer("mean")[0]


def test_vectors_that_the_study_brings_are_used(mean, cache, study):
    folder = study.path / "embeddings" / mean / "drums+bass"
    folder.mkdir(parents=True)
    for track in ("a", "b"):
        np.savez(folder / f"{track}.npz", mean=np.full(1, 7.0, np.float32))
    sums = [("bass",), ("drums", "bass")]
    by_sum = embed_stem_sums(study, mean, sums, cache=cache, progress=False)[mean]
    np.testing.assert_array_equal(by_sum["drums", "bass"].layer("mean"), 7)
    assert abs(by_sum["bass",].layer("mean")[0, 0]) < 1
    with pytest.raises(ValueError, match=r"pooling is 'mean\+std'.* of mean, which are means"):
        embed_stem_sums(study, mean, sums, pooling="mean+std", cache=cache)
    embed_stem_sums(study, mean, [("bass",)], pooling="mean+std", cache=cache, progress=False)


def test_sums_of_nothing_and_of_a_stem_twice_are_refused(mean, cache, study):
    with pytest.raises(ValueError, match="no stems to add up"):
        embed_stem_sums(study, mean, [("bass",), ()], cache=cache)
    with pytest.raises(ValueError, match="drums, drums: 'drums' is named twice"):
        embed_stem_sums(study, mean, [("drums", "drums")], cache=cache)


def test_second_call_computes_nothing_and_gives_the_same_bytes(mean, cache, study):
    first = embed_stem_sums(study, mean, cache=cache, progress=False)[mean]
    n_windows = Mean.n_windows
    again = embed_stem_sums(study, mean, cache=cache, progress=False)[mean]
    assert Mean.n_windows == n_windows
    for each in first:
        assert first[each].layer("mean").tobytes() == again[each].layer("mean").tobytes()


def test_missing_stem_and_silent_sum_are_named(mean, cache, study):
    with pytest.raises(ValueError, match=r"track 'a' has no stem 'piano'; it has drums, bass"):
        embed_stem_sums(study, mean, [("piano",)], cache=cache, progress=False)
    soundfile.write(study.paths["b"]["bass"], np.zeros(56000, np.int16), SR)
    by_sum = embed_stem_sums(study, mean, [("bass",)], cache=cache, progress=False)[mean]
    assert by_sum["bass",].silent == ["b"]


def test_a_study_without_stems_says_so(mean, cache, study):
    study.has = lambda what: what != "stems"
    with pytest.raises(ValueError, match="no stems"):
        embed_stem_sums(study, mean, [("bass",)], cache=cache, progress=False)


def test_resampled_sum_is_the_sum_resampled(study):
    paths = [study.paths["a"][stem] for stem in STEMS]
    y = sum(soundfile.read(path)[0] for path in paths)
    source = SumSource(paths, gain=0.5)
    streams = [blocks for _, blocks in source.resampled([SR, 22050])]
    assert sum(len(blocks[SR]) for blocks in streams) == len(y)
    np.testing.assert_allclose(np.concatenate([b[SR] for b in streams]), y / 2, atol=1e-6)
    from groove_utils.audio import resample

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
