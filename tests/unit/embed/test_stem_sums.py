"""Sums of stems: which are embedded, shared, and rejected."""

import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from expect import raises
from toy_models import SR, Frames, calls

from groove_utils.embed import EmbedError, embed_audio, embed_stem_sums, embed_study
from groove_utils.study import Study

STEMS = ("drums", "bass", "other", "vocals")


class Mean(Frames):
    """Model with one window per forward pass, so that windows can be counted."""

    batch_size = 1


@pytest.fixture
def mean(register):
    name = register(Mean)
    embed_audio(np.ones(SR, np.float32), SR, name)  # the check at loading has passed
    calls.clear()
    return name


@pytest.fixture
def study(tmp_path):
    """Study of two songs of 3.5 s, whose four 16-bit stems add up to the mix."""
    rng = np.random.default_rng(0)
    (tmp_path / "audio").mkdir()
    tracks = pd.DataFrame({"track_id": ["a", "b"], "audio": ["audio/a.wav", "audio/b.wav"]})
    tracks.to_csv(tmp_path / "tracks.csv", index=False)
    for track in ("a", "b"):
        folder = tmp_path / "stems" / track
        folder.mkdir(parents=True)
        offsets = rng.integers(500, 3000, 4)
        samples = rng.integers(-2000, 2000, (4, 56000)) + offsets[:, None]
        for stem, values in zip(STEMS, samples, strict=True):
            soundfile.write(folder / f"{stem}.wav", values.astype(np.int16), SR)
        soundfile.write(tmp_path / f"audio/{track}.wav", samples.sum(0).astype(np.int16), SR)
    return Study(tmp_path)


def levels(study, track, stems):
    return sum(soundfile.read(study.stem_paths(track)[stem])[0].mean() for stem in stems)


def test_all_subsets_are_the_sums_of_their_stems(mean, cache, study):
    by_sum = embed_stem_sums(study, mean, cache=cache, progress=False)[mean]
    assert len(by_sum) == 15
    assert list(by_sum)[:4] == [(stem,) for stem in STEMS]
    assert list(by_sum)[-1] == STEMS
    for each, embedding in by_sum.items():
        assert embedding.track_ids == ["a", "b"]
        expected = [levels(study, track, each) for track in ("a", "b")]
        np.testing.assert_allclose(embedding.layer("window")[:, 0], expected, atol=2e-6)


def test_the_sum_of_all_stems_is_the_mix_that_was_embedded_already(mean, cache, study):
    mix = embed_study(study, mean, cache=cache, progress=False)
    n_windows = len(calls)
    whole = embed_stem_sums(study, mean, [STEMS], cache=cache, progress=False)[mean][STEMS]
    assert len(calls) == n_windows
    np.testing.assert_array_equal(whole.layer("window"), mix.layer("window"))


def test_stems_that_leave_something_out_are_not_taken_for_the_mix(mean, cache, study):
    y, _ = soundfile.read(study.audio_path("a"), dtype="int16")
    soundfile.write(study.audio_path("a"), y + np.int16(40), SR)
    whole = embed_stem_sums(study, mean, [STEMS], cache=cache, progress=False)[mean][STEMS]
    expected = [levels(study, track, STEMS) for track in ("a", "b")]
    np.testing.assert_allclose(whole.layer("window")[:, 0], expected, atol=2e-6)


def test_mixes_that_differ_by_a_silent_stem_are_embedded_once(mean, cache, study):
    for track in ("a", "b"):
        soundfile.write(study.stem_paths(track)["vocals"], np.zeros(56000, np.int16), SR)
    sums = [("drums",), ("drums", "vocals"), ("drums", "bass"), ("drums", "bass", "vocals")]
    by_sum = embed_stem_sums(study, mean, sums, cache=cache, progress=False)[mean]
    assert len(calls) == 2 * 2 * 4  # songs, different mixes, windows
    for without, with_vocals in (sums[:2], sums[2:]):
        np.testing.assert_array_equal(
            by_sum[without].layer("window"), by_sum[with_vocals].layer("window")
        )


def test_gains_and_other_songs_stems(mean, cache, study):
    gains = {("drums", "bass"): {"a": 0.5}}
    other = {track: dict(study.stem_paths(track)) for track in ("a", "b")}
    other["a"]["drums"] = study.stem_paths("b")["drums"]
    by_sum = embed_stem_sums(
        study, mean, [("drums", "bass")], stems=other, gains=gains, cache=cache, progress=False
    )[mean]
    swapped = levels(study, "b", ["drums"]) + levels(study, "a", ["bass"])
    expected = [0.5 * swapped, levels(study, "b", ["drums", "bass"])]
    values = by_sum["drums", "bass"].layer("window")[:, 0]
    np.testing.assert_allclose(values, expected, atol=2e-6)


def test_an_excerpt_is_the_middle_of_the_song(mean, cache, study):
    soundfile.write(study.stem_paths("a")["bass"], np.full(20000, 900, np.int16), SR)  # shorter
    by_sum = embed_stem_sums(
        study, mean, [("drums",), ("bass",), STEMS], excerpt=1.5, cache=cache, progress=False
    )[mean]
    middle = slice(16000, 40000)  # of 56000 samples
    for track, row in (("a", 0), ("b", 1)):
        waves = {stem: soundfile.read(path)[0] for stem, path in study.stem_paths(track).items()}
        waves = {stem: np.pad(y, (0, 56000 - len(y)))[middle] for stem, y in waves.items()}
        for each in (("drums",), STEMS):
            expected = sum(waves[stem] for stem in each).mean()
            assert by_sum[each].layer("window")[row, 0] == pytest.approx(expected, abs=2e-6)
    assert by_sum["bass",].layer("window")[0, 0] == pytest.approx(900 / 32768, abs=1e-4)
    whole = embed_stem_sums(study, mean, [("drums",)], cache=cache, progress=False)[mean]
    assert whole["drums",].layer("window")[0] != by_sum["drums",].layer("window")[0]


def test_an_excerpt_includes_a_stem_of_a_much_shorter_song(mean, cache, study):
    soundfile.write(study.stem_paths("a")["bass"], np.full(8000, 900, np.int16), SR)
    sums = [("bass",), ("drums",)]
    by_sum = embed_stem_sums(study, mean, sums, excerpt=1.5, cache=cache, progress=False)[mean]
    assert by_sum["bass",].layer("window")[0, 0] == pytest.approx(900 / 32768, abs=1e-4)
    first = soundfile.read(study.stem_paths("a")["drums"], stop=24000)[0]
    assert by_sum["drums",].layer("window")[0, 0] == pytest.approx(first.mean(), abs=2e-6)


def test_vectors_that_the_study_brings_are_used(mean, cache, study):
    folder = study.path / "embeddings" / mean / "drums+bass"
    folder.mkdir(parents=True)
    for track in ("a", "b"):
        np.savez(folder / f"{track}.npz", window=np.full(1, 7.0, np.float32))
    sums = [("bass",), ("drums", "bass")]
    by_sum = embed_stem_sums(study, mean, sums, cache=cache, progress=False)[mean]
    np.testing.assert_array_equal(by_sum["drums", "bass"].layer("window"), 7)
    assert abs(by_sum["bass",].layer("window")[0, 0]) < 1
    with raises(EmbedError, "precomputed_means"):
        embed_stem_sums(study, mean, sums, pooling="mean+std", cache=cache)
    embed_stem_sums(study, mean, [("bass",)], pooling="mean+std", cache=cache, progress=False)


def test_sums_of_nothing_and_of_a_stem_twice_are_refused(mean, cache, study):
    for bad in ((), ("drums", "drums")):
        with raises(EmbedError, "wrong_stems", value=bad):
            embed_stem_sums(study, mean, [("bass",), bad], cache=cache)


def test_second_call_computes_nothing_and_gives_the_same_bytes(mean, cache, study):
    first = embed_stem_sums(study, mean, cache=cache, progress=False)[mean]
    n_windows = len(calls)
    again = embed_stem_sums(study, mean, cache=cache, progress=False)[mean]
    assert len(calls) == n_windows
    for each in first:
        assert first[each].layer("window").tobytes() == again[each].layer("window").tobytes()


def test_missing_stem_and_silent_sum_are_named(mean, cache, study):
    with raises(EmbedError, "wrong_stems", value=("piano",)):
        embed_stem_sums(study, mean, [("piano",)], cache=cache, progress=False)
    soundfile.write(study.stem_paths("b")["bass"], np.zeros(56000, np.int16), SR)
    with pytest.warns(RuntimeWarning, match="silent"):
        by_sum = embed_stem_sums(study, mean, [("bass",)], cache=cache, progress=False)[mean]
    assert by_sum["bass",].silent == ["b"]


def test_a_study_without_stems_says_so(mean, cache, study):
    shutil.rmtree(study.path / "stems")
    with raises(EmbedError, "no_stems", path=study.path):
        embed_stem_sums(study, mean, [("bass",)], cache=cache, progress=False)
