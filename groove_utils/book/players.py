"""Labelled audio players, with short, loudness-matched MP3 files stored next to the page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from IPython.display import HTML, Audio, display
from joblib import cpu_count

from groove_utils.audio import load_audio, match_loudness, write_mp3
from groove_utils.audio.loudness import TARGET_LUFS, matching_gain
from groove_utils.book.chapter import current_chapter, in_book
from groove_utils.book.errors import BookError
from groove_utils.book.markdown import escape_text
from groove_utils.files import hash_bytes
from groove_utils.stats.wording import typeset_minus

__all__ = ["audio_player", "web_sounds"]

Sound = str | os.PathLike | tuple[np.ndarray, int]
ENCODER = "mp3-2"  # part of the file names; change it when the encoding changes


def audio_player(
    sounds: Mapping[str, Sound],
    *,
    match: bool = True,
    max_seconds: float = 30.0,
    mixer: bool = False,
) -> None:
    """Show a row of audio players with labels and durations.

    Parameters
    ----------
    sounds : mapping of str to sound
        Label → path of an audio file, or ``(y, sr)`` with `y` of shape (n_samples,) or
        (n_channels, n_samples).
    match : bool
        If True, all sounds are adjusted to the same loudness, so that they can be compared. If
        False, their levels are kept.
    max_seconds : float
        Maximum duration in seconds; longer sounds are shortened and faded out.
    mixer : bool
        If True, the sounds are stems of one song, which are played together, with solo and mute
        buttons for each stem. Their relative levels are kept, and `match` applies to their sum.

    Raises
    ------
    BookError
        If `mixer` is True and the stems have different sample rates.
    """
    if in_book() and sounds:
        if mixer:
            sounds, match = _stems(sounds, match, max_seconds), False
        written = _write_sounds(sounds.values(), match=match, seconds=max_seconds)
        level = "matched" if match else "kept"
        cells = "".join(
            _player(name, *sound, level) for name, sound in zip(sounds, written, strict=True)
        )
        longest = max(seconds for _, seconds in written)
        opening = (
            f'<div class="players stem-mixer" role="group" aria-label="Stems of one song" '
            f'data-seconds="{longest:.2f}">'
            if mixer
            else '<div class="players">'
        )
        display(HTML(f"{opening}{cells}</div>"))
        return
    for label, sound in sounds.items():
        y, sr = _excerpt(sound, max_seconds)
        display(HTML(f"<p>{escape_text(label)}</p>"))
        display(Audio(match_loudness(y, sr) if match else y, rate=sr, normalize=False))


def web_sounds(sounds: Iterable[Sound], *, match: bool = True, seconds: float = 30.0) -> list[str]:
    """Write sounds to MP3 files next to the page, and return their URLs.

    Parameters
    ----------
    sounds : iterable of path-like or (ndarray, int)
        As in :func:`audio_player`; sounds with more than two channels are mixed down to mono.
    match : bool
        If True, all sounds are adjusted to the same loudness.
    seconds : float
        Maximum duration in seconds; longer sounds are shortened and faded out.

    Returns
    -------
    list of str
        URLs relative to the page, ``_static/audio/<name>.mp3``. The name is a hash of the content,
        so identical sounds share a file.
    """
    return [address for address, _ in _write_sounds(sounds, match=match, seconds=seconds)]


def _write_sounds(
    sounds: Iterable[Sound], *, match: bool, seconds: float
) -> list[tuple[str, float]]:
    """Write sounds as in :func:`web_sounds`; return their URLs and durations in seconds."""
    folder = current_chapter().build / "book" / "_static" / "audio"

    def write(sound: Sound) -> tuple[str, float]:
        y, sr = _excerpt(sound, seconds)
        name = hash_bytes(ENCODER, f"{sr} {match} {y.shape}", y.tobytes())[:20] + ".mp3"
        if not (folder / name).is_file():
            write_mp3(folder / name, y, sr, match=match)
        return f"_static/audio/{name}", y.shape[-1] / sr

    with ThreadPoolExecutor(cpu_count()) as pool:  # the encoder releases the GIL
        return list(pool.map(write, sounds))


def _excerpt(sound: Sound, seconds: float) -> tuple[np.ndarray, int]:
    y, sr = sound if isinstance(sound, tuple) else load_audio(sound, mono=False)
    y = np.asarray(y, dtype=np.float32)
    if y.ndim == 2 and len(y) > 2:
        y = y.mean(axis=0)
    return _shorten(y, sr, seconds), sr


def _stems(sounds: Mapping[str, Sound], match: bool, seconds: float) -> dict[str, Sound]:
    """Convert stems to mono, cut them to the same length, and adjust the loudness of their sum."""
    stems = {name: _excerpt(sound, seconds) for name, sound in sounds.items()}
    rates = {sr for _, sr in stems.values()}
    if len(rates) > 1:
        raise BookError(
            f"audio_player: the stems {', '.join(stems)} have the sample rates "
            f"{sorted(rates)} Hz; expected a single rate. Resample them first.",
            kind="sample_rates",
            value=sorted(rates),
        )
    sr = rates.pop()
    n_samples = min(y.shape[-1] for y, _ in stems.values())
    mono = {name: np.atleast_2d(y)[:, :n_samples].mean(axis=0) for name, (y, _) in stems.items()}
    gain = matching_gain(sum(mono.values()), sr, TARGET_LUFS) if match else 1.0
    return {name: (y * np.float32(gain), sr) for name, y in mono.items()}


def _player(label: str, source: str, seconds: float, level: str) -> str:
    text = escape_text(typeset_minus(label))
    duration = f"{int(seconds // 60)}:{int(seconds % 60):02d}"
    return (
        f'<figure class="player" data-level="{level}"><figcaption>{text} '
        f'<span class="duration">{duration}</span></figcaption>'
        f'<audio controls preload="none" aria-label="{text}" src="{source}"></audio></figure>'
    )


def _shorten(y: np.ndarray, sr: int, seconds: float) -> np.ndarray:
    n_samples = round(seconds * sr)
    if y.shape[-1] <= n_samples:
        return y
    fade = np.ones(n_samples, dtype=np.float32)
    n_fade = min(sr // 2, n_samples)
    fade[n_samples - n_fade :] = np.linspace(1, 0, n_fade)
    return y[..., :n_samples] * fade
