import librosa
import numpy as np
import pytest

from groove_utils.synth import listening_tasks


@pytest.fixture(autouse=True)
def new_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path))


def test_notes_are_in_tune():
    for key in (45, 57, 69):
        y = listening_tasks.play_note(0, 73, key, 0.5)
        f0 = librosa.yin(y[2000:12000], fmin=60, fmax=1000, sr=listening_tasks.RATE)
        assert librosa.hz_to_midi(np.median(f0)) == pytest.approx(key, abs=0.15)


def test_strokes_stand_where_the_score_has_them():
    loop = listening_tasks.drum_loop([(0.5, 36, 1.0), (1.0, 38, 1.0)], 1.5, kit=0)
    loud = np.abs(loop) > 0.1 * np.abs(loop).max()
    first, second = np.argmax(loud), np.argmax(loud & (np.arange(len(loop)) > 0.9 * 22050))
    assert first / 22050 == pytest.approx(0.5, abs=0.005)
    assert second / 22050 == pytest.approx(1.0, abs=0.005)
    assert len(loop) == round(1.5 * listening_tasks.RATE)


def test_test_roots_of_chords_never_occur_in_training():
    task = listening_tasks.chord_task(n_train=80, n_test=80, seed=1)
    lowest = task.X[:, :, 0].argmax(axis=1)
    assert np.median(lowest[task.n_train :]) - np.median(lowest[: task.n_train]) > 6


def test_kicks_are_loud_in_the_lows():
    levels, kick = listening_tasks.kick_frames(n_loops=10, seed=0)
    assert levels.shape == (320, 2)
    assert levels[kick == 1, 0].mean() > levels[kick == 0, 0].mean() + 0.5


def test_repeated_bars_are_alike_but_not_the_same():
    task = listening_tasks.repeat_task(n_train=50, n_test=50, seed=0)
    last = task.X[:, :, -1]
    gaps = np.stack([np.abs(task.X[:, :, k] - last).mean(axis=1) for k in range(5)], axis=1)
    assert (gaps.argmin(axis=1) == task.y).mean() > 0.95
    assert gaps.min() > 0


def test_notes_and_phrases_cover_their_answers():
    sounds, keys, instruments = listening_tasks.draw_notes(60, seed=0)
    assert sounds.shape == (60, 11025)
    assert set(instruments) == set(range(6))
    assert keys.min() >= 48
    assert keys.max() <= 71
    phrases, families, programs = listening_tasks.draw_phrases(64, seed=0)
    assert phrases.shape == (64, 3 * 22050)
    assert len(set(programs)) == 64
    first = np.array(list(listening_tasks.FAMILIES.values()))
    assert np.all((programs - first[families] >= 0) & (programs - first[families] < 8))


def test_loops_of_a_band_are_more_alike_than_loops_of_two():
    X, bands = listening_tasks.draw_band_loops(6, 4, seed=0)
    mean = X.mean(axis=2)
    distance = np.linalg.norm(mean[:, None] - mean[None], axis=2)
    same = bands[:, None] == bands[None]
    assert distance[same & ~np.eye(24, dtype=bool)].mean() < 0.5 * distance[~same].mean()


def test_what_was_drawn_is_read_again_unchanged(monkeypatch):
    drawn = listening_tasks.tom_task(12, 8, seed=3), listening_tasks.draw_notes(4, 1)
    monkeypatch.setattr(listening_tasks, "play_note", None)  # nothing is rendered again
    task, notes = (
        listening_tasks.tom_task(n_train=12, n_test=8, seed=3),
        listening_tasks.draw_notes(4, 1),
    )
    for name in ("question", "classes", "n_train"):
        assert getattr(task, name) == getattr(drawn[0], name)
    first, *_ = task.sounds
    arrays = [task.X, task.y, task.sounds[first][0], *notes]
    expected = [drawn[0].X, drawn[0].y, drawn[0].sounds[first][0], *drawn[1]]
    for array, other in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, other, strict=True)
