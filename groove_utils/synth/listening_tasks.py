"""Small listening tasks for neural networks: rendered sounds with known answers.

Each task consists of hundreds of short sounds. The tasks differ in what a network must recognise: a
position on the frequency axis (:func:`tom_task`), a pattern at any position on that axis
(:func:`chord_task`), timing (:func:`swing_task`, :func:`tempo_task`), or a match between distant
bars (:func:`repeat_task`). Results are cached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from inspect import signature

import librosa
import numpy as np

from groove_utils.cache import ArrayCache, cache_key
from groove_utils.synth.soundfont import SAMPLE_RATE, render_note

__all__ = [
    "FAMILIES",
    "ListeningTask",
    "chord_task",
    "draw_band_loops",
    "draw_notes",
    "draw_phrases",
    "draw_tasks",
    "drum_loop",
    "kick_frames",
    "play_note",
    "repeat_task",
    "swing_task",
    "tempo_task",
    "tom_task",
]

RATE = SAMPLE_RATE // 2
"""Sample rate of the sounds: 22,050 Hz."""
DRUM_BANK = 128
KITS = (0, 8, 16, 24, 25, 32, 40)
KICK, SNARE, HAT = 36, 38, 42
TOMS = {"floor tom": 41, "low tom": 45, "mid tom": 47, "high tom": 50}
CHORDS = {"minor": (0, 3, 7), "major": (0, 4, 7), "suspended": (0, 5, 7), "diminished": (0, 3, 6)}
CHORD_PRESETS = (0, 4, 19, 24, 48, 73)  # piano, electric piano, organ, guitar, strings, flute
FAMILIES = {
    "piano": 0, "mallets": 8, "organ": 16, "guitar": 24,
    "strings": 40, "brass": 56, "lead": 80, "pipe": 72,
}  # fmt: skip
"""First program of each General MIDI family; a family has eight programs."""
N_EXAMPLES = 3  # number of sounds in each task that readers can listen to


@dataclass(frozen=True)
class ListeningTask:
    """A classification task: sounds, a question about them, and the correct answers.

    Attributes
    ----------
    question : str
        Question, as shown to readers.
    classes : list of str
        Possible answers.
    X : ndarray of float32, shape (n, n_bands, n_frames)
        Features; the first `n_train` examples are for training, the others for testing.
    y : ndarray of int64, shape (n,)
        Correct answers, as indices into `classes`.
    n_train : int
        Number of training examples.
    sounds : dict of str to (ndarray of float32, int)
        Examples to listen to, as (signal, sample rate in Hz). The keys consist of a number and the
        correct answer.
    """

    question: str
    classes: list[str]
    X: np.ndarray
    y: np.ndarray
    n_train: int
    sounds: dict[str, tuple[np.ndarray, int]]


def _cached(draw: Callable) -> Callable:
    """Cache the results of a function that returns arrays or a task, keyed by its arguments."""
    arguments = signature(draw)

    @wraps(draw)
    def draw_or_read(*args, **options):
        bound = arguments.bind(*args, **options)
        bound.apply_defaults()
        store = ArrayCache(namespace="listening-tasks")
        key = cache_key("listening-tasks", draw.__name__, repr(bound.arguments))
        if (entry := store.get(key)) is None:
            drawn = draw(*args, **options)
            entry = _pack(drawn) if isinstance(drawn, ListeningTask) else _number(drawn)
            store.put(key, entry)
        return _unpack(entry) if "question" in entry else tuple(entry.values())

    return draw_or_read


def _number(arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    return {str(number): array for number, array in enumerate(arrays)}


def _pack(task: ListeningTask) -> dict[str, np.ndarray]:
    texts = {"question": task.question, "classes": task.classes, "names": list(task.sounds)}
    sounds = np.stack([y for y, _ in task.sounds.values()])
    arrays = {"X": task.X, "y": task.y, "n_train": task.n_train, "sounds": sounds}
    return {name: np.array(value) for name, value in (texts | arrays).items()}


def _unpack(entry: dict[str, np.ndarray]) -> ListeningTask:
    sounds = zip(entry["names"].tolist(), entry["sounds"], strict=True)
    return ListeningTask(
        entry["question"].item(), entry["classes"].tolist(), entry["X"], entry["y"],
        entry["n_train"].item(), {name: (y, RATE) for name, y in sounds},
    )  # fmt: skip


@lru_cache(maxsize=4096)
def play_note(
    bank: int, program: int, key: int, seconds: float, velocity: int = 100, cents: float = 0.0
) -> np.ndarray:
    """Render one note of a General MIDI preset, starting at its audible onset.

    Parameters
    ----------
    bank, program : int
        General MIDI preset; bank 128 contains the drum kits.
    key : int
        MIDI note number.
    seconds : float
        Time from onset to release; the release lasts for up to another 0.2 s.
    velocity : int
        MIDI velocity, 1–127.
    cents : float
        Detuning in cents.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Mono signal at 22,050 Hz. The array is cached: copy it before modifying it.
    """
    y, onset = render_note(bank, program, key, velocity, seconds, cents, release=0.2)
    y = y.mean(axis=0)[onset : onset + round((seconds + 0.2) * SAMPLE_RATE)]
    y = librosa.resample(y, orig_sr=SAMPLE_RATE, target_sr=RATE, res_type="soxr_qq")
    y.flags.writeable = False
    return y


def drum_loop(events: Sequence[tuple[float, int, float]], seconds: float, kit: int) -> np.ndarray:
    """Render a loop of drum strokes.

    Parameters
    ----------
    events : sequence of (float, int, float)
        Time in seconds, General MIDI drum key, and gain of each stroke.
    seconds : float
        Length of the loop in seconds.
    kit : int
        MIDI program of the drum kit.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Mono signal at 22,050 Hz.
    """
    n_samples = round(seconds * RATE)
    y = np.zeros(n_samples + RATE, np.float32)
    for time, key, gain in events:
        stroke, start = play_note(DRUM_BANK, kit, key, 0.2), round(time * RATE)
        y[start : start + len(stroke)] += np.float32(gain) * stroke
    return y[:n_samples]


@_cached
def tom_task(n_train: int, n_test: int, seed: int = 0) -> ListeningTask:
    """Generate the task of identifying which of four toms was struck.

    The toms differ in pitch; the drum kit and its tuning vary between sounds. The features of a
    sound are a single spectrum with a logarithmic frequency axis that spans 72 semitones from 41
    Hz.

    Parameters
    ----------
    n_train, n_test : int
        Number of training examples, and number of test examples.
    seed : int
        Random seed.

    Returns
    -------
    ListeningTask
        Features and correct answers for all training and test examples.
    """
    rng = np.random.default_rng([seed, 1])
    answers = rng.permutation(np.arange(n_train + n_test) % len(TOMS))
    keys = list(TOMS.values())
    sounds = []
    for answer in answers:
        cents = 25.0 * round(2 * float(rng.normal()))
        stroke = play_note(DRUM_BANK, int(rng.choice(KITS)), keys[answer], 0.4, cents=cents)
        sounds.append(_noisy(_fit(stroke, 0.4), rng))
    X = _log_frequency(sounds, low=28)
    return _task("Which tom is it?", list(TOMS), X, answers, n_train, sounds)


@_cached
def chord_task(n_train: int, n_test: int, seed: int = 0) -> ListeningTask:
    """Generate the task of identifying the type of a chord; training and test roots differ.

    The roots of training chords range from A2 to G♯3, and those of test chords from A3 to G♯4.
    Features are as in :func:`tom_task`, but the frequency axis starts at 65 Hz.

    Parameters
    ----------
    n_train, n_test : int
        Number of training examples, and number of test examples.
    seed : int
        Random seed.

    Returns
    -------
    ListeningTask
        Features and correct answers for all training and test examples.
    """
    rng = np.random.default_rng([seed, 2])
    answers = rng.permutation(np.arange(n_train + n_test) % len(CHORDS))
    shapes = list(CHORDS.values())
    sounds = []
    for number, answer in enumerate(answers):
        root = int(rng.integers(45, 57)) + (0 if number < n_train else 12)
        preset = int(rng.choice(CHORD_PRESETS))
        notes = [
            np.float32(rng.uniform(0.6, 1.0)) * _fit(play_note(0, preset, root + step, 0.5), 0.4)
            for step in shapes[answer]
        ]
        sounds.append(_noisy(sum(notes), rng))
    X = _log_frequency(sounds, low=36)
    return _task("Which chord is it?", list(CHORDS), X, answers, n_train, sounds)


@_cached
def swing_task(n_train: int, n_test: int, seed: int = 0) -> ListeningTask:
    """Generate the task of deciding whether a drum loop is straight or swung.

    Loops last 2.8 s, have tempi of 84 to 132 BPM, and begin anywhere in the bar. Off-beat eighth
    notes divide the beat equally (straight) or in a ratio of 1.6:1 to 2.2:1 (swung). Features are
    the levels of 12 mel bands every 40 ms.

    Parameters
    ----------
    n_train, n_test : int
        Number of training examples, and number of test examples.
    seed : int
        Random seed.

    Returns
    -------
    ListeningTask
        Features and correct answers for all training and test examples.
    """
    rng = np.random.default_rng([seed, 3])
    answers = rng.permutation(np.arange(n_train + n_test) % 2)
    ratios = np.where(answers == 1, rng.uniform(1.6, 2.2, len(answers)), 1.0)
    beats = 60 / rng.uniform(84, 132, len(answers))
    sounds = [_loop(rng, ratio, beat) for ratio, beat in zip(ratios, beats, strict=True)]
    classes = ["straight", "swung"]
    return _task("Straight or swung?", classes, _log_mel(sounds), answers, n_train, sounds)


@_cached
def repeat_task(n_train: int, n_test: int, seed: int = 0, n_bars: int = 6) -> ListeningTask:
    """Generate the task of finding the earlier bar that the last bar repeats.

    Each bar has eight steps, with random strokes of kick, snare and hi-hat. The last bar repeats
    the strokes of an earlier bar with different gains. Features are the levels of three frequency
    bands at each step, in units of 20 dB, so each frame represents one bar with 24 numbers.

    Parameters
    ----------
    n_train, n_test : int
        Number of training examples, and number of test examples.
    seed : int
        Random seed.
    n_bars : int
        Number of bars in each sound, including the last.

    Returns
    -------
    ListeningTask
        Features and correct answers for all training and test examples.
    """
    rng = np.random.default_rng([seed, 4])
    n, n_steps, step = n_train + n_test, 8, 0.1
    answers = rng.integers(0, n_bars - 1, n)
    patterns = rng.random((n, n_bars, n_steps, 3)) < np.array([0.4, 0.35, 0.6])
    patterns[:, -1] = patterns[np.arange(n), answers]
    times = np.arange(n_bars * n_steps) * step
    X, sounds = np.empty((n, n_bars * n_steps, 3), np.float32), []
    for number, pattern in enumerate(patterns):
        events = [
            (times[i], key, rng.uniform(0.6, 1.0))
            for i, drums in enumerate(pattern.reshape(-1, 3))
            for key, played in zip((KICK, SNARE, HAT), drums, strict=True)
            if played
        ]
        loop = drum_loop(events, n_bars * n_steps * step, int(rng.choice(KITS)))
        X[number] = _step_levels(loop, times)
        if number >= n - N_EXAMPLES:
            sounds.append(loop)
    X = X.reshape(n, n_bars, n_steps * 3).transpose(0, 2, 1)
    classes = [f"bar {k + 1}" for k in range(n_bars - 1)]
    return _task("Which bar does the last one repeat?", classes, X, answers, n_train, sounds)


@_cached
def tempo_task(n_train: int, n_test: int, seed: int = 0) -> ListeningTask:
    """Generate the task of deciding whether a drum loop is slow, medium or fast.

    Slow loops have tempi of 84 to 96 BPM, medium loops 102 to 114 BPM, and fast loops 120 to
    132 BPM. About half of the loops are swung. Everything else is as in :func:`swing_task`.

    Parameters
    ----------
    n_train, n_test : int
        Number of training examples, and number of test examples.
    seed : int
        Random seed.

    Returns
    -------
    ListeningTask
        Features and correct answers for all training and test examples.
    """
    rng = np.random.default_rng([seed, 5])
    answers = rng.permutation(np.arange(n_train + n_test) % 3)
    beats = 60 / (84 + 18 * answers + rng.uniform(0, 12, len(answers)))
    ratios = np.where(rng.random(len(answers)) < 0.5, 1.0, rng.uniform(1.6, 2.2, len(answers)))
    sounds = [_loop(rng, ratio, beat) for ratio, beat in zip(ratios, beats, strict=True)]
    classes = ["slow", "medium", "fast"]
    return _task("How fast is it?", classes, _log_mel(sounds), answers, n_train, sounds)


def draw_tasks(seed: int = 0, *, share: float = 1.0) -> dict[str, ListeningTask]:
    """Generate the four tasks in chapter 03-networks: ``tom``, ``chord``, ``swing`` and ``repeat``.

    Parameters
    ----------
    seed : int
        Random seed.
    share : float
        Number of examples as a fraction of the usual number; use less than 1 for quick trials.

    Returns
    -------
    dict of str to ListeningTask
        Tasks by name.
    """
    draws = {
        "tom": (tom_task, 320),
        "chord": (chord_task, 400),
        "swing": (swing_task, 400),
        "repeat": (repeat_task, 1000),
    }
    n_test = round(320 * share)
    return {name: draw(round(n * share), n_test, seed) for name, (draw, n) in draws.items()}


@_cached
def kick_frames(n_loops: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Generate frames of drum loops, each labelled according to whether it contains a kick stroke.

    Parameters
    ----------
    n_loops : int
        Number of loops; each has 32 frames, one per sixteenth at 100 BPM.
    seed : int
        Random seed.

    Returns
    -------
    X : ndarray of float64, shape (n, 2)
        Levels at 30–150 Hz and 2.5–10 kHz in the 46 ms after each sixteenth, in units of 20 dB.
    y : ndarray of int64, shape (n,)
        1 for frames with a kick-drum stroke, otherwise 0.
    """
    rng = np.random.default_rng([seed, 6])
    step, n_steps, X, y = 0.15, 32, [], []
    for _ in range(n_loops):
        played = rng.random((n_steps, 3)) < np.array([0.35, 0.25, 0.6])
        events = [
            (step * i, key, rng.uniform(0.3, 1.0))
            for i, drums in enumerate(played)
            for key, on in zip((KICK, SNARE, HAT), drums, strict=True)
            if on
        ]
        loop = drum_loop(events, n_steps * step, int(rng.choice(KITS)))
        X.append(_step_levels(loop, np.arange(n_steps) * step)[:, [0, 2]])
        y.append(played[:, 0])
    return np.concatenate(X).astype(float), np.concatenate(y).astype(np.int64)


@_cached
def draw_notes(n: int = 480, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generate single notes played by six instruments over a range of two octaves.

    Parameters
    ----------
    n : int
        Number of notes.
    seed : int
        Random seed.

    Returns
    -------
    sounds : ndarray of float32, shape (n, n_samples)
        Half-second signals at 22,050 Hz, detuned by up to 30 cents, with added noise.
    keys : ndarray of int64, shape (n,)
        MIDI note numbers, 48 to 71.
    instruments : ndarray of int64, shape (n,)
        Instrument of each note, 0 to 5: piano, electric piano, organ, guitar, strings, flute.
    """
    rng = np.random.default_rng([seed, 7])
    keys, instruments = rng.integers(48, 72, n), rng.integers(0, len(CHORD_PRESETS), n)
    sounds = []
    for key, instrument in zip(keys, instruments, strict=True):
        cents = 10.0 * int(rng.integers(-3, 4))
        note = play_note(0, CHORD_PRESETS[instrument], int(key), 0.5, cents=cents)
        sounds.append(_noisy(_fit(note, 0.5), rng))
    return np.stack(sounds), keys, instruments


@_cached
def draw_phrases(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generate three-second phrases played by instruments from eight families.

    Parameters
    ----------
    n : int
        Number of phrases.
    seed : int
        Random seed.

    Returns
    -------
    sounds : ndarray of float32, shape (n, n_samples)
        Signals at 22,050 Hz.
    families : ndarray of int64, shape (n,)
        Family of each phrase, as an index into :data:`FAMILIES`.
    programs : ndarray of int64, shape (n,)
        General MIDI program of the instrument, one of eight per family.
    """
    rng = np.random.default_rng([seed, 8])
    families = np.arange(n) % len(FAMILIES)
    programs = np.array(list(FAMILIES.values()))[families] + np.arange(n) // len(FAMILIES) % 8
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    sounds = []
    for program in programs:
        y = np.zeros(3 * RATE, np.float32)
        steps = np.flatnonzero(rng.random(12) < 0.6)
        for step in steps if len(steps) else [0]:
            key = 52 + int(rng.integers(0, 8)) + int(rng.choice(scale))
            note, start = play_note(0, int(program), key, 0.3), round(0.25 * step * RATE)
            y[start : start + len(note)] += note[: len(y) - start]
        sounds.append(_noisy(y, rng))
    return np.stack(sounds), families, programs


@_cached
def draw_band_loops(
    n_bands: int = 24, n_loops: int = 12, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Generate drum loops by several bands that differ in kit, equaliser setting and tempo.

    Parameters
    ----------
    n_bands, n_loops : int
        Number of bands, and number of loops per band.
    seed : int
        Random seed.

    Returns
    -------
    X : ndarray of float32, shape (n, 12, 71)
        Log-mel spectrograms as in :func:`swing_task`.
    bands : ndarray of int64, shape (n,)
        Band of each loop, 0 to n_bands − 1.
    """
    rng = np.random.default_rng([seed, 9])
    X = []
    for _ in range(n_bands):
        beat, kit = 60 / float(rng.uniform(84, 132)), int(rng.choice(KITS))
        equaliser = rng.normal(0, 0.3, (12, 1))
        loops = [_loop(rng, 1.0, beat * rng.uniform(0.97, 1.03), kit) for _ in range(n_loops)]
        X.append(_log_mel(loops) + equaliser)
    return np.concatenate(X).astype(np.float32), np.repeat(np.arange(n_bands), n_loops)


def _beats(rng, ratio: float, beat: float, seconds: float) -> list[tuple[float, int, float]]:
    """Generate kicks and snares on beats and hi-hats on eighths, starting anywhere in the bar."""
    events, start = [], -float(rng.uniform(0, 4 * beat))
    for number in range(int((seconds - start) / beat) + 1):
        on = start + number * beat
        off = on + beat * ratio / (1 + ratio)
        strokes = [(on, HAT, rng.uniform(0.7, 1.0)), (off, HAT, rng.uniform(0.5, 0.9))]
        strokes.append((on, (KICK, SNARE)[number % 2], rng.uniform(0.8, 1.0)))
        if rng.random() < 0.25:
            strokes.append((off, KICK, rng.uniform(0.6, 0.9)))
        events += [stroke for stroke in strokes if 0 <= stroke[0] < seconds]
    return events


def _loop(rng, ratio: float, beat: float, kit: int | None = None) -> np.ndarray:
    """Render a random drum loop of 2.8 s with a peak of 1."""
    events = _beats(rng, float(ratio), float(beat), seconds=2.8)
    y = drum_loop(events, 2.8, int(rng.choice(KITS)) if kit is None else kit)
    return y / np.abs(y).max()


def _log_mel(sounds: list[np.ndarray]) -> np.ndarray:
    """Compute log-mel spectrograms with 12 bands and one frame every 40 ms, in units of 20 dB.

    The result has shape (n, 12, n_frames).
    """
    power = librosa.feature.melspectrogram(
        y=np.stack(sounds),
        sr=RATE,
        n_fft=1024,
        hop_length=round(0.04 * RATE),
        n_mels=12,
        fmax=10000,
    )
    return librosa.power_to_db(power, ref=1.0, amin=1e-5) / 20


def _step_levels(loop: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Measure low-, mid- and high-frequency levels in the 46 ms after each of the given times.

    The levels are in units of 20 dB and have shape (n, 3).
    """
    edges = np.searchsorted(np.fft.rfftfreq(1024, 1 / RATE), [30, 150, 2500, 10000])
    starts = np.round(times * RATE).astype(int)
    frames = loop[starts[:, None] + np.arange(1024)] * np.hanning(1024)
    power = np.add.reduceat(np.abs(np.fft.rfft(frames)) ** 2, edges, axis=1)[:, :3]
    return np.log10(np.maximum(power, 1e-2)) / 2


def _fit(y: np.ndarray, seconds: float) -> np.ndarray:
    """Truncate or zero-pad a signal to the given length in seconds."""
    return librosa.util.fix_length(y, size=round(seconds * RATE))


def _noisy(y: np.ndarray, rng) -> np.ndarray:
    """Scale a signal to a peak of 1, and add noise 50 dB below the peak."""
    return (y / np.abs(y).max() + 0.003 * rng.standard_normal(len(y))).astype(np.float32)


def _log_frequency(sounds: list[np.ndarray], low: int) -> np.ndarray:
    """Compute the square root of each sound's mean constant-Q spectrum, scaled to a maximum of 1.

    The result has shape (n, 72, 1), with one value per semitone from the MIDI note `low` upwards.
    All sounds are transformed together, with silence between them, since each call to the transform
    has a high fixed cost.
    """
    gap, hop = RATE // 8, 1024
    row = np.concatenate([np.pad(y, gap) for y in sounds])
    size = np.abs(
        librosa.cqt(row, sr=RATE, hop_length=hop, fmin=librosa.midi_to_hz(low), n_bins=72)
    )
    starts = (np.arange(len(sounds)) * (len(sounds[0]) + 2 * gap) + gap) / hop
    X = np.stack([size[:, int(s) : int(s) + 7].mean(axis=1, keepdims=True) for s in starts])
    return np.sqrt(X / X.max(axis=1, keepdims=True))


def _twice(y: np.ndarray) -> np.ndarray:
    """Repeat a short sound after a pause, to make it easier to hear."""
    return np.tile(np.pad(y, (0, RATE // 4)), 2)


def _task(question, classes, X, answers, n_train, sounds) -> ListeningTask:
    last = zip(answers[-N_EXAMPLES:], sounds[-N_EXAMPLES:], strict=True)
    examples = {
        f"{number}: {classes[a]}": (y if len(y) >= RATE else _twice(y), RATE)
        for number, (a, y) in enumerate(last, 1)
    }
    X = np.ascontiguousarray(X, dtype=np.float32)
    return ListeningTask(question, classes, X, np.asarray(answers, np.int64), n_train, examples)
