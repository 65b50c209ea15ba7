"""Loading, regrouping and exchanging stems of songs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np
import pandas as pd

from groove_utils.audio import AudioError, load_audio, resample
from groove_utils.errors import DetailedError
from groove_utils.stems.mixing import sum_stems

__all__ = ["load_stems", "regroup_stems", "swap_stem", "tempo_partners"]

PERCUSSIVE = ("drums",)


def load_stems(
    paths: Mapping[str, str | PathLike], *, sr: int | None = None, mono: bool = False
) -> tuple[dict[str, np.ndarray], int]:
    """Decode the stems of one song.

    Parameters
    ----------
    paths : mapping of stem → path
    sr : int, optional
        Sample rate in Hz to resample to; by default the highest of the files.
    mono : bool
        Average the channels.

    Returns
    -------
    stems : dict of stem → ndarray of float32, shape (n_channels, n_samples)
        Shorter stems are padded with silence, so that they can be summed. If the numbers of
        channels differ, mono stems are repeated in each channel, or else all are averaged.
    sr : int
        Their sample rate in Hz.

    Raises
    ------
    AudioError
        If there are no files, or a file cannot be decoded.
    """
    if not paths:
        raise AudioError("there are no stems to load; give one or more.", kind="no_files")
    loaded = {stem: load_audio(path, mono=mono) for stem, path in paths.items()}
    rate = sr or max(native for _, native in loaded.values())
    waves = {stem: np.atleast_2d(resample(y, own, rate)) for stem, (y, own) in loaded.items()}
    n_channels = {len(y) for y in waves.values()}
    if len(n_channels - {1}) > 1:
        waves = {stem: y.mean(axis=0, keepdims=True) for stem, y in waves.items()}
    elif len(n_channels) > 1:
        waves = {stem: np.repeat(y, max(n_channels) // len(y), axis=0) for stem, y in waves.items()}
    longest = max(y.shape[-1] for y in waves.values())
    padded = {stem: np.pad(y, ((0, 0), (0, longest - y.shape[-1]))) for stem, y in waves.items()}
    return padded, rate


def regroup_stems(stems: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Sum true stems to match the stems of a separator.

    Parameters
    ----------
    stems : mapping of stem → ndarray
        Drums, bass and so on.
    names : sequence of str
        Stems of the separator. ``percussive`` corresponds to the drums, ``harmonic`` to everything
        else.

    Returns
    -------
    dict of name → ndarray
        Summed stems, without `names` that correspond to no true stem.
    """
    groups = {
        "percussive": [stem for stem in stems if stem in PERCUSSIVE],
        "harmonic": [stem for stem in stems if stem not in PERCUSSIVE],
    }
    groups |= {stem: [stem] for stem in stems}
    return {name: sum_stems(stems, groups[name]) for name in names if groups.get(name)}


def tempo_partners(
    tempos: pd.Series, artists: Sequence[str], styles: Sequence[str] | None = None
) -> pd.DataFrame:
    """Find, for each song, the song by another artist with the nearest tempo.

    Parameters
    ----------
    tempos : Series of float, shape (n,)
        BPM, indexed by track_id.
    artists : array-like of shape (n,)
    styles : array-like of shape (n,), optional
        Choose partners within the same style, so that a swap does not also change the style.

    Returns
    -------
    DataFrame
        Indexed by track_id: ``partner`` and ``tempo_ratio`` (the partner's tempo over the song's).
        Distance is measured by the ratio; ties go to the song that comes first.

    Raises
    ------
    DetailedError
        If tempos are missing or not above 0 (``kind="out_of_range"``), or a song has no possible
        partner (``kind="no_partner"``).
    """
    values = tempos.to_numpy(dtype=float)
    bad = list(tempos.index[~(np.isfinite(values) & (values > 0))])
    if bad:
        raise DetailedError(
            f"{len(bad)} tempos are not numbers above 0; the first is that of {bad[0]!r}.",
            kind="out_of_range",
            column="tempo",
            value=bad,
        )
    artists = np.asarray(artists).astype(str)
    styles = np.full(len(values), "all") if styles is None else np.asarray(styles).astype(str)
    distance = np.abs(np.log(values)[:, None] - np.log(values))
    distance[(artists[:, None] == artists) | (styles[:, None] != styles)] = np.inf
    alone = list(tempos.index[~np.isfinite(distance.min(axis=1))])
    if alone:
        raise DetailedError(
            f"{len(alone)} songs have no partner by another artist in their style; the first is "
            f"{alone[0]!r}; leave styles out, or use a study with more artists.",
            kind="no_partner",
            value=alone,
        )
    nearest = distance.argmin(axis=1)
    return pd.DataFrame(
        {"partner": tempos.index[nearest], "tempo_ratio": values[nearest] / values},
        index=tempos.index,
    )


def swap_stem(
    stems: Mapping[str, Mapping[str, str | PathLike]], stem: str, partners: Mapping[str, str]
) -> dict[str, dict[str, str | PathLike]]:
    """Replace one stem of each song by its partner's.

    Parameters
    ----------
    stems : mapping of track_id → mapping of stem → path
    stem : str
        The stem to exchange.
    partners : mapping of track_id → track_id
        Such as the column ``partner`` of :func:`tempo_partners`.

    Returns
    -------
    dict of track_id → dict of stem → path
    """
    return {track: {**paths, stem: stems[partners[track]][stem]} for track, paths in stems.items()}
