"""Simulated listeners whose ratings depend on known effects, for testing statistical methods.

Ratings follow a linear mixed model that combines fixed effects of song covariates with song and
listener intercepts, listener-specific slopes and style preferences, and a residual. There are six
questions with correlated random effects, and two control questions whose ratings do not depend on
acoustic features. No audio is needed, so a study can be simulated thousands of times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from groove_utils.synth.listener_effects import (
    SONG_TERMS,
    Effects,
    SimulationError,
    check_columns,
    default_effects,
    song_covariates,
)
from groove_utils.synth.questionnaire import RATED, SCALE, groove_score

__all__ = ["Simulated", "draw_design", "simulate_listeners"]


class Simulated(NamedTuple):
    """A simulated study: a table of listeners, a table of ratings, and tables of true values."""

    listeners: pd.DataFrame
    ratings: pd.DataFrame
    truth: dict[str, pd.DataFrame]


def draw_design(styles: np.ndarray, n_listeners: int, per_listener: int, rng) -> np.ndarray:
    """Randomly assign songs to listeners in a balanced incomplete design.

    Apart from rounding, each listener's songs have the same proportions of styles as the whole set
    of songs. Within a style, the number of ratings per song differs by at most one.

    Parameters
    ----------
    styles : array_like of str, shape (n_songs,)
        Style of each song.
    n_listeners, per_listener : int
        Number of listeners, and number of songs per listener.
    rng : numpy.random.Generator
        Random number generator.

    Returns
    -------
    ndarray of int, shape (n_listeners, per_listener)
        Song indices for each listener, without repetition and in random order.

    Raises
    ------
    SimulationError
        If `n_listeners` is less than 1, or `per_listener` is not between 1 and the number of songs.
    """
    styles = np.asarray(styles)
    if n_listeners < 1 or not 1 <= per_listener <= styles.size:
        raise SimulationError(
            f"the design has {n_listeners} listeners and {per_listener} songs per listener; "
            f"expected at least 1 listener, and 1 to {styles.size} songs per listener.",
            kind="out_of_range", value=(n_listeners, per_listener),
        )  # fmt: skip
    groups = [np.flatnonzero(styles == style) for style in pd.unique(styles)]
    share = np.array([len(group) for group in groups]) * per_listener / styles.size
    decks = [rng.permutation(group) for group in groups]
    dealt = np.zeros(len(groups), int)
    rows = np.empty((n_listeners, per_listener), int)
    for listener in range(n_listeners):
        due = (listener + 1) * share - dealt
        hand = np.floor(due + 1e-9).astype(int)
        short = per_listener - hand.sum()
        hand[np.argsort(hand - due, kind="stable")[:short]] += 1
        row = []
        for g, k in enumerate(hand):
            size = len(decks[g])
            if dealt[g] % size == 0:  # all songs have been drawn equally often: reshuffle
                decks[g] = rng.permutation(groups[g])
            row.append(decks[g][(dealt[g] + np.arange(k)) % size])
            dealt[g] += k
        rows[listener] = np.concatenate(row)
    return rng.permuted(rows, axis=1)


def simulate_listeners(
    songs: pd.DataFrame,
    effects: Effects | None = None,
    seed: int | np.random.SeedSequence = 2026,
    *,
    n_listeners: int = 180,
    songs_per_listener: int = 24,
    discrete: bool = True,
) -> Simulated:
    """Simulate listeners and their ratings.

    Parameters
    ----------
    songs : DataFrame
        One row per song, with the column ``style`` and those required by :func:`song_covariates`.
    effects : Effects, optional
        True effects; by default, those returned by :func:`default_effects`.
    seed : int or SeedSequence
        Random seed.
    n_listeners, songs_per_listener : int
        Number of listeners, and number of songs that each listener rates.
    discrete : bool
        If True, ratings are rounded and clipped to 1…100, as on a rating slider. If False, they
        follow the linear mixed model exactly.

    Returns
    -------
    Simulated
        ``listeners`` has the columns ``listener_id, musicianship, dance_inclination,
        taste_<style>`` (all but the first on scales of 1–7). ``ratings`` has the columns
        ``track_id, query, rating, listener_id``. ``truth["listeners"]`` contains each listener's
        standardised traits, style preferences, intercepts and slopes. ``truth["songs"]`` contains
        each song's intercept and true mean for each question. The true mean is the sum of the fixed
        effects, the style mean and the song's intercept, before rounding and clipping.

    Raises
    ------
    SimulationError
        If `songs` lacks a column or contains a value that is not finite, or if `n_listeners` or
        `songs_per_listener` is out of range.
    """
    effects = default_effects() if effects is None else effects
    rng = np.random.default_rng(seed)
    check_columns(songs, "style")
    covariates = song_covariates(songs)
    styles, style_of = np.unique(songs["style"].to_numpy(str), return_inverse=True)
    design = draw_design(songs["style"].to_numpy(str), n_listeners, songs_per_listener, rng)
    draw = draw_ratings(
        covariates.to_numpy(), effects.style_means(styles), style_of, effects, design, rng
    )
    listener_ids = pd.array([f"L{i:03d}" for i in range(1, n_listeners + 1)], dtype="str")
    track_ids = pd.array(songs["track_id"], dtype="str")
    rated = on_scale(draw.ratings) if discrete else draw.ratings
    table = pd.DataFrame(rated, columns=list(RATED))
    table.insert(0, "groove", groove_score(table))
    n_queries = table.shape[1]
    ratings = pd.DataFrame(
        {
            "track_id": track_ids.take(np.repeat(design.ravel(), n_queries)),
            "query": pd.array([*table] * len(table), dtype="str"),
            "rating": table.to_numpy().ravel(),
            "listener_id": listener_ids.repeat(songs_per_listener * n_queries),
        }
    )
    listeners, truth_listeners = _listener_tables(draw, styles)
    for described in (listeners, truth_listeners):
        described.insert(0, "listener_id", listener_ids)
    true_means = _by_question("intercept", draw.song) | _by_question("mean", draw.song_mean)
    truth_songs = pd.DataFrame({"track_id": track_ids} | true_means)
    return Simulated(listeners, ratings, {"listeners": truth_listeners, "songs": truth_songs})


def _listener_tables(draw: Draw, styles: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tabulate listeners' questionnaire answers, and their true traits and effects, without IDs."""
    traits = {"musicianship": draw.musicianship, "dance_inclination": draw.inclination}
    likings = dict(zip(styles, draw.liking.T))
    measured = traits | {f"taste_{style}": values for style, values in likings.items()}
    truth = {f"{name}_z": values for name, values in traits.items()}
    truth |= {f"liking_{style}": values for style, values in likings.items()}
    truth |= _by_question("intercept", draw.listener)
    truth |= _by_question("slope_syncopation", draw.slope)
    answers = {name: np.round(np.clip(4 + 1.2 * z, 1, 7), 1) for name, z in measured.items()}
    return pd.DataFrame(answers), pd.DataFrame(truth)


def _by_question(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{name}_{question}": values[:, i] for i, question in enumerate(RATED)}


class Draw(NamedTuple):
    """Random effects of a simulated study, and the resulting ratings."""

    musicianship: np.ndarray  # (n_listeners,)
    inclination: np.ndarray  # (n_listeners,)
    liking: np.ndarray  # (n_listeners, n_styles)
    listener: np.ndarray  # intercepts, (n_listeners, 8)
    slope: np.ndarray  # on syncopation, (n_listeners, 8)
    song: np.ndarray  # intercepts, (n_songs, 8)
    song_mean: np.ndarray  # (n_songs, 8)
    ratings: np.ndarray  # rows in the order of the flattened design, (n_ratings, 8)


def draw_ratings(
    covariates: np.ndarray,
    style_means: np.ndarray,
    style_of: np.ndarray,
    effects: Effects,
    design: np.ndarray,
    rng,
) -> Draw:
    """Draw all random effects, and compute each rating in the design as the sum of all effects.

    `covariates` has the columns of :func:`song_covariates`. `style_means` has shape (n_styles, 8);
    for each song, `style_of` contains the index of the row for its style. `design` contains the
    indices of the songs that each listener rates; see :func:`draw_design`.
    """
    n_listeners, fixed, sd = len(design), effects.fixed.T, effects.sd.T

    def draw_effect(name, n):
        """Draw `n` values per question, correlated between questions; the shape is (n, 8)."""
        load = effects.common.loc[name].to_numpy()
        common, specific = rng.standard_normal((n, 1)), rng.standard_normal((n, len(RATED)))
        return sd[name].to_numpy() * (load * common + np.sqrt(1 - load**2) * specific)

    musicianship, inclination = rng.standard_normal((2, n_listeners))
    liking = rng.standard_normal((n_listeners, style_of.max() + 1))
    slope = rng.standard_normal((n_listeners, 1)) * sd["slope_syncopation"].to_numpy()
    slope = slope + np.outer(musicianship, fixed["musicianship_z:syncopation_z"])
    listener = draw_effect("listener", n_listeners)
    song = draw_effect("song", len(covariates))
    level = fixed["intercept"].to_numpy() + style_means[style_of]
    song_mean = level + covariates @ fixed[SONG_TERMS].to_numpy().T + song
    rater, rated = np.repeat(np.arange(n_listeners), design.shape[1]), design.ravel()
    ratings = (
        song_mean[rated]
        + (listener + np.outer(inclination, fixed["dance_inclination_z"]))[rater]
        + slope[rater] * covariates[rated, :1]
        + liking[rater, style_of[rated]][:, None] * sd["style_bias"].to_numpy()
        + draw_effect("residual", rater.size)
    )
    return Draw(musicianship, inclination, liking, listener, slope, song, song_mean, ratings)


def on_scale(ratings: np.ndarray) -> np.ndarray:
    """Round ratings, and clip them to the rating scale."""
    return np.clip(np.rint(ratings), *SCALE)
