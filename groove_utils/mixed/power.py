"""Power analysis by simulation: how many listeners and songs a study needs.

Chapter 09-mixed-models uses `power_simulation` for its heat map.

References
----------
Westfall, Kenny & Judd (2014), Journal of Experimental Psychology: General 143, 2020–2045.
"""

from __future__ import annotations

from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from groove_utils.mixed.design import random_intercept
from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.errors import check_range
from groove_utils.mixed.inference import Satterthwaite, check_level
from groove_utils.mixed.search import minimise
from groove_utils.stats.threads import one_thread

__all__ = ["crossed_design", "power_simulation"]


def crossed_design(
    n_listeners: int, n_songs: int, songs_per_listener: int | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Assign songs to listeners, so that songs are rated equally often to within one listener.

    Parameters
    ----------
    n_listeners, n_songs : int
        Numbers of listeners and songs, at least 2 each.
    songs_per_listener : int or None
        Number of songs per listener; all songs if None.
    rng : Generator

    Returns
    -------
    listener, song : ndarray of int, shape (n_ratings,)
    """
    each = n_songs if songs_per_listener is None else songs_per_listener
    for name, n in (("n_listeners", n_listeners), ("n_songs", n_songs)):
        check_range(name, n, n > 1, "at least 2")
    check_range("songs_per_listener", each, 1 <= each <= n_songs, f"1 … {n_songs}, as n_songs")
    if each == n_songs:
        return np.repeat(np.arange(n_listeners), each), np.tile(np.arange(n_songs), n_listeners)
    # listeners take the next songs from shuffled rounds, so that songs are rated equally often
    song = np.empty((n_listeners, each), dtype=int)
    queue: list[int] = []
    for i in range(n_listeners):
        chosen: dict[int, None] = {}
        skipped: list[int] = []
        while len(chosen) < each:
            if not queue:
                queue = rng.permutation(n_songs).tolist()
            next_song = queue.pop()
            if next_song in chosen:
                skipped.append(next_song)
            else:
                chosen[next_song] = None
        queue += skipped
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
    """Estimate the power to find a song-level effect, over a grid of listeners and songs.

    Each cell simulates ratings, fits ``rating ~ x + (1 | listener) + (0 + x | listener) +
    (1 | song)`` (the slope only if `sd_slope` > 0) by REML and tests x with Satterthwaite's df.

    Parameters
    ----------
    n_listeners, n_songs : int or sequence of int
        The grid.
    effect : float
        Change of the rating for one SD of the song covariate; 0 gives the type-I rate.
    sd_listener, sd_song, sd_slope, sd_residual : float
        Standard deviations, as estimated by a fitted model.
    songs_per_listener : int, optional
        By default, or if there are fewer songs, all songs.
    n_simulations : int
        Number of simulations per cell.
    alpha : float
        Level of the two-sided test.
    seed : int
        Seed; the table does not depend on `n_jobs`.
    n_jobs : int
        Number of processes.

    Returns
    -------
    DataFrame
        Columns n_listeners, n_songs, songs_per_listener, effect, power, low, high (Wilson 95%
        interval of the simulated power), coverage (share of 1 − alpha intervals that contain the
        effect), se (mean standard error), n_simulations.
    """
    check_level(1 - alpha)
    check_range("n_simulations", n_simulations, n_simulations > 1, "at least 2 (200 for a map)")
    spreads = {"sd_listener": sd_listener, "sd_song": sd_song}
    spreads |= {"sd_slope": sd_slope, "sd_residual": sd_residual}
    for name, sd in spreads.items():
        check_range(name, sd, sd >= 0 and (sd > 0 or name != "sd_residual"), "a standard deviation")
    cells = [
        (int(m), int(s), min(int(s), songs_per_listener or int(s)))
        for m in np.atleast_1d(n_listeners)
        for s in np.atleast_1d(n_songs)
    ]
    seeds = np.random.SeedSequence(seed).spawn(len(cells))
    results = joblib.Parallel(n_jobs=n_jobs, batch_size=max(1, n_simulations // 10))(
        joblib.delayed(_simulate)(*cell, effect, spreads, int(draw))
        for cell, parent in zip(cells, seeds)
        for draw in parent.generate_state(n_simulations)
    )
    rows = []
    for i, (m, s, each) in enumerate(cells):
        beta, se, df = np.array(results[i * n_simulations : (i + 1) * n_simulations]).T
        hits = int((2 * stats.t.sf(np.abs(beta / se), df) < alpha).sum())
        covered = np.abs(beta - effect) <= stats.t.isf(alpha / 2, df) * se
        low, high = proportion_confint(hits, n_simulations, method="wilson")
        rows.append((m, s, each, float(effect), hits / n_simulations, low, high, covered.mean(),
                     se.mean(), n_simulations))  # fmt: skip
    columns = ["n_listeners", "n_songs", "songs_per_listener", "effect", "power", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "coverage", "se", "n_simulations"])


@one_thread
def _simulate(n_listeners, n_songs, each, effect, spreads, seed) -> tuple[float, float, float]:
    rng = np.random.default_rng(seed)
    listener, song = crossed_design(n_listeners, n_songs, each, rng)
    x = rng.standard_normal(n_songs)
    x = ((x - x.mean()) / x.std())[song]
    y = (
        effect * x
        + spreads["sd_listener"] * rng.standard_normal(n_listeners)[listener]
        + spreads["sd_slope"] * rng.standard_normal(n_listeners)[listener] * x
        + spreads["sd_song"] * rng.standard_normal(n_songs)[song]
        + spreads["sd_residual"] * rng.standard_normal(len(song))
    )
    terms = [random_intercept(name, np.unique(codes, return_inverse=True)[1])
             for name, codes in (("listener", listener), ("song", song))]  # fmt: skip
    start = [spreads["sd_listener"], spreads["sd_song"]]
    if spreads["sd_slope"] > 0:
        terms.append(replace(terms[0], names=["x"], Z=x[:, None]))
        # θ is that of a column of root mean square 1
        start.append(spreads["sd_slope"] * np.sqrt((x**2).mean()))
    deviance = CrossedDeviance(y, np.column_stack([np.ones_like(x), x]), terms)
    # the optimisation starts from the truth, which is near the optimum but not part of the
    # criterion
    theta = minimise(deviance, np.array(start) / spreads["sd_residual"], tol=1e-2)
    solution = deviance.solve(theta)
    df = Satterthwaite(deviance, theta, solution.sigma).df([0.0, 1.0])[0]
    return float(solution.beta[1]), float(np.sqrt(solution.vcov[1, 1])), float(df)
