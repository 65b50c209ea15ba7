"""Simulated ratings with known effects, and how many listeners and songs a study needs.

Chapter 08-mixed-models uses `power_simulation` for its heat map.

References
----------
Westfall, Kenny & Judd (2014), Journal of Experimental Psychology: General 143, 2020–2045.
"""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.formula import LmmError, RandomTerm
from groove_utils.mixed.inference import Satterthwaite, check_level
from groove_utils.stats.threads import one_thread

__all__ = ["power_simulation", "simulate_ratings"]

_STYLES = ("funk", "pop", "rock")


def simulate_ratings(
    n_listeners: int = 60,
    n_songs: int = 60,
    songs_per_listener: int | None = None,
    *,
    intercept: float = 4.0,
    effect: float = 0.5,
    style_effects: tuple[float, float, float] = (0.0, 0.0, 0.0),
    sd_listener: float = 0.7,
    sd_song: float = 0.5,
    sd_slope: float = 0.0,
    correlation: float = 0.0,
    sd_residual: float = 1.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Draw crossed ratings from a known model.

    Parameters
    ----------
    n_listeners, n_songs : int
        At least 2 each.
    songs_per_listener : int, optional
        Songs that each listener rates (balanced incomplete: songs are heard equally often but for
        one); all by default.
    intercept, effect : float
        Mean rating, and its rise for one SD of the song covariate `x`.
    style_effects : three floats
        Shift of funk, pop and rock.
    sd_listener, sd_song, sd_slope, sd_residual : float
        Spreads of listener intercepts, song intercepts, listener slopes over `x`, residuals.
    correlation : float
        Between a listener's intercept and slope, −1…1.
    seed : int

    Returns
    -------
    DataFrame
        Columns listener_id, track_id, style, x, rating (not rounded, not clipped).
    """
    rng = np.random.default_rng(seed)
    listener, song = _design(n_listeners, n_songs, songs_per_listener, rng)
    style = np.arange(n_songs) % 3
    x = rng.standard_normal(n_songs)
    a = rng.standard_normal(n_listeners)
    b = correlation * a + np.sqrt(1 - correlation**2) * rng.standard_normal(n_listeners)
    rating = (
        intercept
        + effect * x[song]
        + np.asarray(style_effects)[style[song]]
        + sd_listener * a[listener]
        + sd_slope * b[listener] * x[song]
        + sd_song * rng.standard_normal(n_songs)[song]
        + sd_residual * rng.standard_normal(len(song))
    )
    return pd.DataFrame(
        {
            "listener_id": [f"L{i:04d}" for i in listener],
            "track_id": [f"S{i:04d}" for i in song],
            "style": np.asarray(_STYLES)[style[song]],
            "x": x[song],
            "rating": rating,
        }
    )


def _design(n_listeners, n_songs, songs_per_listener, rng) -> tuple[np.ndarray, np.ndarray]:
    each = n_songs if songs_per_listener is None else songs_per_listener
    if n_listeners < 2 or n_songs < 2 or not 1 <= each <= n_songs:
        raise LmmError(
            f"{n_listeners} listeners, {n_songs} songs and {each} songs a listener: expected at "
            "least 2 of each, and no more songs a listener than there are."
        )
    if each == n_songs:
        return np.repeat(np.arange(n_listeners), each), np.tile(np.arange(n_songs), n_listeners)
    # listeners take the next songs from shuffled rounds, so that songs are heard equally often
    song = np.empty((n_listeners, each), dtype=int)
    queue: list[int] = []
    for i in range(n_listeners):
        chosen: dict[int, None] = {}
        left: list[int] = []
        while len(chosen) < each:
            if not queue:
                queue = rng.permutation(n_songs).tolist()
            next_song = queue.pop()
            if next_song in chosen:
                left.append(next_song)
            else:
                chosen[next_song] = None
        queue += left
        song[i] = list(chosen)
    return np.repeat(np.arange(n_listeners), each), song.ravel()


def power_simulation(
    n_listeners,
    n_songs,
    effect: float,
    *,
    sd_listener: float,
    sd_song: float,
    sd_residual: float,
    sd_slope: float = 0.0,
    songs_per_listener: int | None = None,
    n_simulations: int = 200,
    alpha: float = 0.05,
    seed: int = 0,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Power to find a song-level effect, over a grid of numbers of listeners and songs.

    Each cell simulates ratings, fits ``rating ~ x + (1 | listener) + (0 + x | listener) +
    (1 | song)`` (the slope only if `sd_slope` > 0) by REML and tests x with Satterthwaite's df.

    Parameters
    ----------
    n_listeners, n_songs : int or sequence of int
        The grid.
    effect : float
        Change of the rating for one SD of the song covariate; 0 gives the type-I rate.
    sd_listener, sd_song, sd_slope, sd_residual : float
        Spreads, as estimated by a fitted model.
    songs_per_listener : int, optional
        All songs by default, and where it is more than there are.
    n_simulations : int
        A cell.
    alpha : float
        Level of the two-sided test.
    seed : int
        The table is the same for every `n_jobs`.
    n_jobs : int
        Processes.

    Returns
    -------
    DataFrame
        Columns n_listeners, n_songs, songs_per_listener, effect, power, low, high (Wilson 95%
        interval of the simulated power), coverage (share of 1 − alpha intervals that hold the
        effect), se (mean standard error), n_simulations.
    """
    check_level(1 - alpha)
    if n_simulations < 2:
        raise LmmError(f"n_simulations is {n_simulations}; expected at least 2 (200 for a map).")
    if min(sd_listener, sd_song, sd_slope) < 0 or not sd_residual > 0:
        raise LmmError("spreads are standard deviations: expected none below 0, residual above 0.")
    spreads = dict(
        sd_listener=sd_listener, sd_song=sd_song, sd_slope=sd_slope, sd_residual=sd_residual
    )
    cells = [
        (int(m), int(s), min(int(s), songs_per_listener or int(s)))
        for m in np.atleast_1d(n_listeners)
        for s in np.atleast_1d(n_songs)
    ]
    seeds = np.random.SeedSequence(seed).spawn(len(cells))
    jobs = [
        (cell, int(draw))
        for cell, parent in zip(cells, seeds)
        for draw in parent.generate_state(n_simulations)
    ]
    found = joblib.Parallel(n_jobs=n_jobs, batch_size=max(1, n_simulations // 10))(
        joblib.delayed(_one)(*cell, effect, spreads, draw) for cell, draw in jobs
    )
    rows = []
    for i, (m, s, each) in enumerate(cells):
        beta, se, df = np.array(found[i * n_simulations : (i + 1) * n_simulations]).T
        hits = int((2 * stats.t.sf(np.abs(beta / se), df) < alpha).sum())
        covered = np.abs(beta - effect) <= stats.t.isf(alpha / 2, df) * se
        low, high = proportion_confint(hits, n_simulations, method="wilson")
        rows.append(
            {
                "n_listeners": m,
                "n_songs": s,
                "songs_per_listener": each,
                "effect": float(effect),
                "power": hits / n_simulations,
                "low": low,
                "high": high,
                "coverage": float(covered.mean()),
                "se": float(se.mean()),
                "n_simulations": n_simulations,
            }
        )
    return pd.DataFrame(rows)


@one_thread
def _one(n_listeners, n_songs, each, effect, spreads, seed) -> tuple[float, float, float]:
    rng = np.random.default_rng(seed)
    listener, song = _design(n_listeners, n_songs, each, rng)
    x = rng.standard_normal(n_songs)
    x = ((x - x.mean()) / x.std())[song]
    y = (
        effect * x
        + spreads["sd_listener"] * rng.standard_normal(n_listeners)[listener]
        + spreads["sd_slope"] * rng.standard_normal(n_listeners)[listener] * x
        + spreads["sd_song"] * rng.standard_normal(n_songs)[song]
        + spreads["sd_residual"] * rng.standard_normal(len(song))
    )
    one = np.ones((len(y), 1))
    terms = [_term("listener", listener, one), _term("song", song, one)]
    start = [spreads["sd_listener"], spreads["sd_song"]]
    if spreads["sd_slope"] > 0:
        terms.append(_term("listener", listener, x[:, None]))
        start.append(spreads["sd_slope"])
    deviance = CrossedDeviance(y, np.column_stack([one, x]), terms)
    # the search starts from the truth, which is near the optimum but no part of the criterion
    theta = deviance.minimise(np.array(start) / spreads["sd_residual"], tol=1e-2)
    solution = deviance.solve(theta)
    df = Satterthwaite(deviance, theta, solution.sigma).df([0.0, 1.0])[0]
    return float(solution.beta[1]), float(np.sqrt(solution.vcov[1, 1])), float(df)


def _term(factor: str, codes: np.ndarray, Z: np.ndarray) -> RandomTerm:
    levels, codes = np.unique(codes, return_inverse=True)
    return RandomTerm(factor, ["x"], codes, list(levels), Z, [factor], None, [0])
