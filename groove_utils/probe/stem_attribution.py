"""Attribution of songs' predicted ratings to their stems using Shapley values."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.probe.ablation import Ablation
from groove_utils.probe.songs import ProbeError
from groove_utils.stats.bootstrap import influence_interval, jackknife_influence
from groove_utils.stats.shapley import shapley_values

__all__ = ["attribute_songs"]


def attribute_songs(
    ablation: Ablation,
    target: str,
    *,
    silent: pd.DataFrame | None = None,
    n_boot=2000,
    seed=0,
) -> pd.DataFrame:
    """Attribute each song's predicted rating to its stems using Shapley values.

    Parameters
    ----------
    ablation : Ablation
        Ablation that includes every subset of the stems.
    target : str
        Name of the target.
    silent : DataFrame of bool, shape (n, n_stems), optional
        True for silent stems, with one row per song (indexed by song id) and one column per stem.
        If given, silent stems are removed from every subset, so their Shapley values are exactly 0.
        Otherwise, the Shapley value of a silent stem depends on what the probe predicts from
        silence.
    n_boot, seed : int
        Number of bootstrap samples of training artists for the 95% interval, and random seed.

    Returns
    -------
    DataFrame
        One row per song and stem: ``track_id, artist, style, stem, estimate, low, high, baseline,
        predicted, observed``. ``baseline`` is the mean rating of the training songs. For each song,
        the estimates add up to ``predicted − baseline``.
    """
    if not ablation.is_complete:
        raise ProbeError(
            f"the ablation has {len(ablation.subsets)} of {2 ** len(ablation.stems)} subsets of "
            "stems; Shapley values need all of them",
            kind="incomplete", value=len(ablation.subsets),
        )  # fmt: skip
    songs, (number,) = ablation.songs, ablation.songs.places([target])
    predicted = ablation.predicted[..., number]
    left_out = ablation.leave_artist_out[..., number].astype(np.float64)
    if silent is not None:
        places = _sounding_places(ablation, silent)
        rows = np.arange(len(songs))
        predicted, left_out = predicted[places, rows], left_out[:, places, rows]
    shares = shapley_values(dict(zip(ablation.subsets, predicted)), ablation.stems)
    influence = jackknife_influence(left_out).swapaxes(0, 1)
    influences = shapley_values(dict(zip(ablation.subsets, influence)), ablation.stems)
    tables = []
    for stem in ablation.stems:
        interval = influence_interval(shares[stem], influences[stem], n_boot=n_boot, seed=seed)
        tables.append(
            pd.DataFrame(
                {
                    "track_id": songs.ids,
                    "artist": songs.artists,
                    "style": songs.styles,
                    "stem": stem,
                    "estimate": shares[stem],
                    "low": interval.low,
                    "high": interval.high,
                    "baseline": predicted[ablation.place(())],
                    "predicted": predicted[ablation.place(ablation.stems)],
                    "observed": songs.ratings[:, number],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _sounding_places(ablation: Ablation, silent: pd.DataFrame) -> np.ndarray:
    """Return, for each subset and song, the index of the subset without the song's silent stems."""
    missing = [stem for stem in ablation.stems if stem not in silent.columns]
    unknown = [track for track in ablation.songs.ids if track not in silent.index]
    if missing or unknown:
        raise ProbeError(
            f"the table of silent stems lacks {(missing or unknown)[0]!r}; it needs one row per "
            f"song and one column per stem ({', '.join(ablation.stems)})",
            kind="missing", column="silent", value=(missing or unknown)[0],
        )  # fmt: skip
    mute = silent.loc[list(ablation.songs.ids), list(ablation.stems)].to_numpy(dtype=bool)
    places = np.empty((len(ablation.subsets), len(mute)), dtype=int)
    for i, row in enumerate(mute):
        sounding = {stem for stem, silent in zip(ablation.stems, row) if not silent}
        places[:, i] = [ablation.place(sounding & set(subset)) for subset in ablation.subsets]
    return places
