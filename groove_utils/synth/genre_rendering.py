"""Rendering of songs for the genre corpus: mono stems whose sum is the mix.

This renderer is several times faster than :mod:`groove_utils.synth.rendering`, which renders the
demo study in stereo. Notes are summed in mono at the sampler's sample rate, so each part needs to
be resampled only once.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.signal import oaconvolve, sosfilt

from groove_utils.audio import measure_loudness, resample
from groove_utils.study.stem_names import STEMS
from groove_utils.synth.effects import (
    design_filter,
    duck,
    echo,
    limiter_gain,
    room_impulse,
    saturate,
)
from groove_utils.synth.genre_bands import GenreBand
from groove_utils.synth.rendering import DRUM_LEVELS, TUNED_DRUMS
from groove_utils.synth.score import Song
from groove_utils.synth.soundfont import SAMPLE_RATE, render_note

__all__ = ["active_level", "render_stems"]

LEVEL = -23.0  # loudness of a stem with a balance of 0 dB, in LUFS
ECHO_SIXTEENTHS, MIN_ECHO = 3, 0.1  # echo delay, and smallest echo level that is added
FADE = 0.02  # length of the fade-out in seconds
DUCKED = ("bass", "other")  # stems that become softer at each kick


def render_stems(song: Song, group: GenreBand, seconds: float, sr: int) -> dict[str, np.ndarray]:
    """Render the mono stems of a song.

    Parameters
    ----------
    song : Song
        Score to render.
    group : GenreBand
        Band that plays the song; it also contains the mixing settings.
    seconds : float
        Length of the stems in seconds; notes that start after this time are omitted.
    sr : int
        Sample rate in Hz, at most 44100.

    Returns
    -------
    dict of str to ndarray of float32, shape (n_samples,)
        Stems by name: ``drums, bass, other, vocals``. A stem without notes is silent.
    """
    n_samples, band = round(seconds * sr), song.band
    dry, send = ({name: np.zeros(n_samples) for name in STEMS} for _ in range(2))
    for name, part in band.parts.items():
        y = _play_part(song, name, n_samples, seconds, sr)
        if not y.any():
            continue
        if part.drive:
            y = saturate(y, part.drive)
        if name == "chords" and group.mix["echo"] > MIN_ECHO:
            y = echo(y, ECHO_SIXTEENTHS * 15 / song.tempo, group.mix["echo"], sr)
        level = part.gain + (group.mix["second"] if name == "second" else 0.0)
        if part.stem == "other":  # several parts may share a stem
            y = y / active_level(y)
        y = 10 ** (level / 20) * y
        dry[part.stem] += y
        send[part.stem] += part.room * y
    kicks = [note.time for note in song.notes if note.part == "kick" and note.time < seconds]
    pump = duck(np.array(kicks), n_samples, group.mix["pump"], 15 / song.tempo, sr)
    room = room_impulse(band.room_seed, band.room_seconds, sr, 1)[0]
    stems = {}
    for name, y in dry.items():
        if send[name].any():
            y = y + oaconvolve(send[name], room)[:n_samples]
        if name in DUCKED:
            y = y * pump
        stems[name] = y * _gain_to(LEVEL + group.mix[name], y, sr)
    return _master(stems, song.loudness, group.mix["highs"], sr)


def _play_part(song: Song, name: str, n_samples: int, seconds: float, sr: int) -> np.ndarray:
    """Render all notes of a part as one mono signal."""
    bus, part = np.zeros(round(seconds * SAMPLE_RATE) + 8), song.band.parts[name]
    for note in song.notes:
        if (note.stem == "drums" if name == "drums" else note.part == name) and note.time < seconds:
            if name == "drums":
                y, onset = _stroke(part.program, note.part, note.pitch, part.cents)
                y = y * (note.velocity / 127) ** 1.7
                if note.velocity < 70:  # softer strokes sound duller
                    y = sosfilt(design_filter(1, 5000, "lowpass", SAMPLE_RATE), y)
            else:
                velocity = min(127, 16 * round(note.velocity / 16))  # rounded to reuse cached notes
                y, onset = _tone(part, note.pitch, velocity, round(note.duration, 2))
                y = y * (note.velocity / velocity) ** 2
            start = round(note.time * SAMPLE_RATE) - onset
            y, start = (y[-start:], 0) if start < 0 else (y, start)
            y = y[: len(bus) - start]
            bus[start : start + len(y)] += y
    if not bus.any():
        return np.zeros(n_samples)
    return resample(bus.astype(np.float32), SAMPLE_RATE, sr)[:n_samples].astype(float)


@lru_cache(maxsize=64)
def _stroke(kit: int, name: str, key: int, cents: float) -> tuple[np.ndarray, int]:
    y, onset = render_note(128, kit, key, 127, 0.6, cents if name in TUNED_DRUMS else 0.0)
    y = y.mean(axis=0)
    return y * (DRUM_LEVELS[name] / np.abs(y[: SAMPLE_RATE // 5]).max()), onset


@lru_cache(maxsize=256)
def _tone(part, pitch: int, velocity: int, duration: float) -> tuple[np.ndarray, int]:
    y, onset = render_note(
        part.bank, part.program, pitch, velocity, duration,
        part.cents, part.vibrato, part.scoop, part.release,
    )  # fmt: skip
    return y.mean(axis=0), onset


def _gain_to(level: float, y: np.ndarray, sr: int) -> float:
    """Return the gain that brings a signal to `level` LUFS, or 1 if it is too soft to measure."""
    loudness = measure_loudness(y, sr)
    return 10 ** ((level - loudness) / 20) if np.isfinite(loudness) else 1.0


def active_level(y: np.ndarray) -> float:
    """Return the RMS of a signal without its rests (using only samples above 3% of the peak)."""
    size = np.abs(y)
    return float(np.sqrt(np.mean(y[size > 0.03 * size.max()] ** 2)))


def _master(stems, loudness: float, highs: float, sr: int) -> dict[str, np.ndarray]:
    """Apply the same low-pass filter, gain, limiter and fade-out to all stems."""
    if highs < 0.45 * sr:
        lowpass = design_filter(2, highs, "lowpass", sr)
        stems = {name: sosfilt(lowpass, y) for name, y in stems.items()}
    mix = sum(stems.values())
    gain = _gain_to(loudness, mix, sr)
    curve = gain * limiter_gain(gain * mix[None], sr)
    n_fade = int(FADE * sr)
    curve[-n_fade:] *= np.cos(np.linspace(0, np.pi / 2, n_fade)) ** 2
    return {name: (curve * y).astype(np.float32) for name, y in stems.items()}
