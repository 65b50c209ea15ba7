"""Load, regroup and swap the stems of songs."""

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
    paths : mapping of str to path-like
        Path of each stem's audio file, by stem.
    sr : int, optional
        Sample rate in Hz to resample to; by default, the highest sample rate of the files.
    mono : bool
        If True, average the channels.

    Returns
    -------
    stems : dict of str to ndarray of float32, shape (n_channels, n_samples)
        Signals of equal shape, by stem. Shorter stems are padded with silence. If some stems are
        mono and all others have the same number of channels, the mono stems are copied to every
        channel. If the numbers of channels differ in any other way, all stems are averaged to mono.
    sr : int
        Sample rate of all stems in Hz.

    Raises
    ------
    AudioError
        If there are no files, or a file cannot be decoded.
    """
    if not paths:
        raise AudioError("there are no stems to load; pass one or more.", kind="no_files")
    loaded = {stem: load_audio(path, mono=mono) for stem, path in paths.items()}
    rate = sr or max(native for _, native in loaded.values())
    waves = {stem: np.atleast_2d(resample(y, native, rate)) for stem, (y, native) in loaded.items()}
    n_channels = {len(y) for y in waves.values()}
    if len(n_channels - {1}) > 1:
        waves = {stem: y.mean(axis=0, keepdims=True) for stem, y in waves.items()}
    elif len(n_channels) > 1:
        waves = {stem: np.repeat(y, max(n_channels) // len(y), axis=0) for stem, y in waves.items()}
    longest = max(y.shape[-1] for y in waves.values())
    padded = {stem: np.pad(y, ((0, 0), (0, longest - y.shape[-1]))) for stem, y in waves.items()}
    return padded, rate


def regroup_stems(stems: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Sum the true stems of a song to obtain references for separated stems.

    Parameters
    ----------
    stems : mapping of str to ndarray
        True stems of one song by name, for example drums, bass, other and vocals.
    names : sequence of str
        Names of the separator's stems. The reference for ``percussive`` is the drums, and the
        reference for ``harmonic`` is the sum of all other stems.

    Returns
    -------
    dict of str to ndarray
        Reference for each name; names without a corresponding true stem are omitted.
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
        Tempo of each song in BPM, indexed by track_id.
    artists : array-like of shape (n,)
        Artist of each song.
    styles : array-like of shape (n,), optional
        Style of each song. If given, partners have the same style, so that swapping stems between
        partners does not change the style.

    Returns
    -------
    DataFrame
        Columns ``partner`` (track_id) and ``tempo_ratio`` (tempo of the partner divided by tempo of
        the song), indexed by track_id. The partner is the song whose tempo ratio is closest to 1 on
        a logarithmic scale, or the first such song if there are ties.

    Raises
    ------
    DetailedError
        If tempos are missing or not positive (``kind="out_of_range"``), or a song has no possible
        partner (``kind="no_partner"``).
    """
    values = tempos.to_numpy(dtype=float)
    invalid = list(tempos.index[~(np.isfinite(values) & (values > 0))])
    if invalid:
        raise DetailedError(
            f"{len(invalid)} tempos are missing or not positive; the first such song is "
            f"{invalid[0]!r}.",
            kind="out_of_range",
            column="tempo",
            value=invalid,
        )
    artists = np.asarray(artists).astype(str)
    styles = np.full(len(values), "all") if styles is None else np.asarray(styles).astype(str)
    distance = np.abs(np.log(values)[:, None] - np.log(values))
    distance[(artists[:, None] == artists) | (styles[:, None] != styles)] = np.inf
    unmatched = list(tempos.index[~np.isfinite(distance.min(axis=1))])
    if unmatched:
        raise DetailedError(
            f"{len(unmatched)} songs have no partner by another artist in their style; the first "
            f"is {unmatched[0]!r}. Omit the styles, or use a study with more artists.",
            kind="no_partner",
            value=unmatched,
        )
    nearest = distance.argmin(axis=1)
    return pd.DataFrame(
        {"partner": tempos.index[nearest], "tempo_ratio": values[nearest] / values},
        index=tempos.index,
    )


def swap_stem(
    stems: Mapping[str, Mapping[str, str | PathLike]], stem: str, partners: Mapping[str, str]
) -> dict[str, dict[str, str | PathLike]]:
    """Replace one stem of each song with the same stem of its partner song.

    Parameters
    ----------
    stems : mapping of str to mapping of str to path-like
        Paths of all stems of all songs, by track_id and stem.
    stem : str
        Name of the stem to replace.
    partners : mapping of str to str
        The track_id of each song's partner, by track_id; for instance, the column ``partner`` from
        :func:`tempo_partners`.

    Returns
    -------
    dict of str to dict of str to path-like
        Paths after the replacement, by track_id and stem. No file is decoded.
    """
    return {track: {**paths, stem: stems[partners[track]][stem]} for track, paths in stems.items()}
