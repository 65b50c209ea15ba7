"""Labelled players: short, loudness-matched MP3 files beside the page, never inside it."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping

import numpy as np
from IPython.display import HTML, Audio, display

from groove_utils.audio import load_audio, match_loudness, write_mp3
from groove_utils.book.chapter import current_chapter
from groove_utils.files import hash_bytes

__all__ = ["audio_player"]

Sound = str | os.PathLike | tuple[np.ndarray, int]
ENCODER = "mp3-1"  # part of the file names, so that a change of encoding renews them


def audio_player(
    sounds: Mapping[str, Sound],
    *,
    match: bool = True,
    max_seconds: float = 30.0,
) -> None:
    """Show a row of players.

    Parameters
    ----------
    sounds : mapping of str to sound
        Label → an audio file, or ``(y, sr)`` with `y` of shape (n_samples,) or
        (n_channels, n_samples).
    match : bool
        Bring all to the same loudness, so that they can be compared; False keeps their levels,
        for instance where the level is the point.
    max_seconds : float
        Longer sounds are faded out there.
    """
    chapter = current_chapter()
    cells = []
    for label, sound in sounds.items():
        y, sr = sound if isinstance(sound, tuple) else load_audio(sound, mono=False)
        y = _shorten(np.asarray(y, dtype=np.float32), sr, max_seconds)
        if chapter is None or not chapter.in_book:
            display(HTML(f"<p>{html.escape(label)}</p>"))
            y = match_loudness(y, sr) if match else y
            display(Audio(y, rate=sr, normalize=False))
            continue
        name = hash_bytes(ENCODER, f"{sr} {match} {y.shape}", y.tobytes())[:20] + ".mp3"
        path = chapter.build / "book" / "_static" / "audio" / name
        if not path.is_file():  # the name is the content
            write_mp3(path, y, sr, match=match)
        cells.append(_player(label, f"_static/audio/{name}"))
    if cells:
        display(HTML(f'<div class="players">{"".join(cells)}</div>'))


def _player(label: str, source: str) -> str:
    text = html.escape(label, quote=True)
    return (
        f'<figure class="player"><figcaption>{text}</figcaption>'
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
