"""Power analysis by simulation: how many listeners and songs a study needs.

Chapter 09-mixed-models uses `power_simulation` for its heat map.

References
----------
Newcombe (1998), Statistics in Medicine 17, 873–890 (intervals of differences of proportions).
Westfall, Kenny & Judd (2014), Journal of Experimental Psychology: General 143, 2020–2045.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from groove_utils.memoisation import memoised
from groove_utils.mixed.design import random_intercept
from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.errors import LmmWarning, check_known, check_range
from groove_utils.mixed.fit import fit_lmm
from groove_utils.mixed.inference import Satterthwaite, check_level
from groove_utils.mixed.result import LmmResult
from groove_utils.mixed.search import minimise
from groove_utils.stats.threads import one_thread

__all__ = ["assume_slope", "compare_power", "crossed_design", "power_simulation"]


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


def assume_slope(
    result: LmmResult,
    term: str,
    slope: float,
    *,
    listener: str = "listener",
    song: str = "track",
    artist: str | None = None,
) -> dict[str, float]:
    """Compute the parameters of studies in which a song-level slope has another size.

    The ratings of songs vary as much as in the data. A smaller slope explains less of this
    variance, so more of it is left to the levels of songs and artists.

    Parameters
    ----------
    result : LmmResult
        With the term as a fixed coefficient, and intercepts of listeners and songs.
    term : str
        Column of the rows; one value per song.
    slope : float
        Slope to assume, in the units of the fit.
    listener, song, artist : str
        Grouping factors; without an artist, songs are independent.

    Returns
    -------
    dict
        Arguments of :func:`power_simulation`: effect, the five standard deviations, correlation,
        songs_per_artist and artist_share. Effect and slopes are per SD of the covariate over songs.
        A variance that would be negative is 0.
    """
    check_known(term, result.names, "coefficient")
    groups = [name for name in (listener, song, artist) if name is not None]
    for name in groups:
        check_known(name, result.n_groups, "grouping factor of the model")
    table = result.variance_components()
    levels = table[table["term"].eq("Intercept") & table["other"].isna()].set_index("factor")
    of_slope = table[table["factor"].eq(listener) & table["term"].eq(term)]
    pair = table["factor"].eq(listener) & table["term"].eq("Intercept") & table["other"].eq(term)
    songs = result.frame.data[[term, *groups[1:]]].drop_duplicates(song)
    spread = songs[term].std(ddof=0)
    row = result.effect(term)
    # the squared estimate is too large by its own variance
    freed = (row["estimate"] ** 2 - row["se"] ** 2 - slope**2) * spread**2
    share = _share_between(songs, term, artist) if artist else 0.0
    variance = {song: levels.loc[song, "variance"] + (1 - share) * freed}
    if artist:
        variance[artist] = levels.loc[artist, "variance"] + share * freed
    sd = {name: float(np.sqrt(max(value, 0.0))) for name, value in variance.items()}
    return {
        "effect": slope * spread,
        "sd_listener": levels.loc[listener, "sd"],
        "sd_slope": of_slope.loc[of_slope["other"].isna(), "sd"].sum() * spread,
        "correlation": table.loc[pair, "sd"].fillna(0.0).sum(),
        "sd_song": sd[song],
        "sd_artist": sd.get(artist, 0.0),
        "songs_per_artist": int(songs.groupby(artist).size().median()) if artist else 1,
        "artist_share": share,
        "sd_residual": result.sigma,
    }


def _share_between(songs: pd.DataFrame, name: str, artist: str) -> float:
    """Share of a covariate's variance that lies between artists, by REML."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)  # the share may be 0
        parts = fit_lmm(f"{name} ~ 1 + (1 | {artist})", songs).mean_variances()
    return float(parts[artist] / (parts[artist] + parts["Residual"]))


@memoised("mixed-models")
def power_simulation(
    n_listeners,
    n_songs,
    effect: float,
    *,
    sd_listener: float,
    sd_song: float,
    sd_residual: float,
    sd_slope: float = 0.0,
    correlation: float = 0.0,
    sd_artist: float = 0.0,
    songs_per_artist: int = 1,
    artist_share: float = 0.0,
    songs_per_listener: int | None = None,
    n_simulations: int = 200,
    alpha: float = 0.05,
    seed: int = 0,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Estimate the power to find a song-level effect, over a grid of listeners and songs.

    Each cell simulates ratings, fits ``rating ~ x + (1 + x | listener) + (1 | song) +
    (1 | artist)`` (slopes only if `sd_slope` > 0, artists only if `sd_artist` > 0) by REML and
    tests x with Satterthwaite's df.

    Parameters
    ----------
    n_listeners, n_songs : int or sequence of int
        The grid.
    effect : float
        Change of the rating for one SD of the song covariate; 0 gives the type-I rate.
    sd_listener, sd_song, sd_slope, sd_artist, sd_residual : float
        Standard deviations. Those of songs and artists are what `effect` leaves unexplained, so
        those of a model with a larger slope are too small; see :func:`assume_slope`.
    correlation : float
        Of a listener's intercept and slope.
    songs_per_artist : int
        Songs of each artist; the last artist may have fewer.
    artist_share : float
        Share of the covariate's variance that lies between artists, 0…1.
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
    world = _World(effect, sd_listener, sd_slope, sd_song, sd_artist, sd_residual, correlation,
                   songs_per_artist, artist_share)  # fmt: skip
    _check_world(world)
    cells = [
        (int(m), int(s), min(int(s), songs_per_listener or int(s)))
        for m in np.atleast_1d(n_listeners)
        for s in np.atleast_1d(n_songs)
    ]
    seeds = np.random.SeedSequence(seed).spawn(len(cells))
    results = joblib.Parallel(n_jobs=n_jobs, batch_size=max(1, n_simulations // 10))(
        joblib.delayed(_simulate)(*cell, world, int(draw))
        for cell, parent in zip(cells, seeds)
        for draw in parent.generate_state(n_simulations)
    )
    results = np.array(results).reshape(len(cells), n_simulations, 3)
    rows = [(*cell, *_summarise(fits, effect, alpha)) for cell, fits in zip(cells, results)]
    return pd.DataFrame(rows, columns=["n_listeners", "n_songs", "songs_per_listener", *_SUMMARY])


def compare_power(table: pd.DataFrame, first: tuple, second: tuple) -> pd.Series:
    """Compute the difference in power between two cells of a map.

    Parameters
    ----------
    table : DataFrame
        From :func:`power_simulation`.
    first, second : (int, int)
        Numbers of listeners and songs.

    Returns
    -------
    Series
        ``estimate`` (first − second) and ``low, high``, Newcombe's 95% interval for the number of
        simulated studies.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {
    ...         "n_listeners": [60, 240],
    ...         "n_songs": [48, 48],
    ...         "power": [0.6, 0.7],
    ...         "n_simulations": [80, 70],
    ...     }
    ... )
    >>> compare_power(table, (240, 48), (60, 48)).round(2).tolist()
    [0.1, -0.05, 0.24]
    """
    cells = table.set_index(["n_listeners", "n_songs"]).loc[[first, second]]
    n = cells["n_simulations"].to_numpy()
    hits = np.rint(cells["power"].to_numpy() * n)
    low, high = confint_proportions_2indep(hits[0], n[0], hits[1], n[1], method="newcomb")
    difference = hits[0] / n[0] - hits[1] / n[1]
    return pd.Series({"estimate": difference, "low": low, "high": high})


_SUMMARY = ["effect", "power", "low", "high", "coverage", "se", "n_simulations"]


def _summarise(fits: np.ndarray, effect: float, alpha: float) -> tuple:
    """Power and coverage of one cell's estimates, standard errors and degrees of freedom."""
    beta, se, df = fits.T
    hits, n = int((2 * stats.t.sf(np.abs(beta / se), df) < alpha).sum()), len(fits)
    covered = np.abs(beta - effect) <= stats.t.isf(alpha / 2, df) * se
    interval = proportion_confint(hits, n, method="wilson")
    return (float(effect), hits / n, *interval, covered.mean(), se.mean(), n)


class _World(NamedTuple):
    """Parameters from which ratings are simulated; see `power_simulation`."""

    effect: float
    sd_listener: float
    sd_slope: float
    sd_song: float
    sd_artist: float
    sd_residual: float
    correlation: float
    songs_per_artist: int
    artist_share: float


def _check_world(world: _World) -> None:
    for name in ("sd_listener", "sd_slope", "sd_song", "sd_artist", "sd_residual"):
        sd = getattr(world, name)
        check_range(name, sd, sd >= 0 and (sd > 0 or name != "sd_residual"), "a standard deviation")
    correlation, each, share = world[-3:]
    check_range("correlation", correlation, -1 <= correlation <= 1, "−1 … 1")
    check_range("songs_per_artist", each, each >= 1, "at least 1")
    check_range("artist_share", share, 0 <= share <= 1, "0 … 1")


@one_thread
def _simulate(n_listeners, n_songs, each, world: _World, seed) -> tuple[float, float, float]:
    """Draw one study and fit it: the slope, its standard error and its degrees of freedom."""
    rng = np.random.default_rng(seed)
    listener, song = crossed_design(n_listeners, n_songs, each, rng)
    x = rng.standard_normal(n_songs)
    artist_of = np.arange(n_songs) // world.songs_per_artist
    if world.artist_share > 0:
        shared = rng.standard_normal(artist_of.max() + 1)[artist_of]
        x = np.sqrt(world.artist_share) * shared + np.sqrt(1 - world.artist_share) * x
    x = ((x - x.mean()) / x.std())[song]
    level, slope = rng.standard_normal((2, n_listeners))
    slope = world.correlation * level + np.sqrt(1 - world.correlation**2) * slope
    y = (
        world.effect * x
        + world.sd_listener * level[listener]
        + world.sd_slope * slope[listener] * x
        + world.sd_song * rng.standard_normal(n_songs)[song]
        + world.sd_residual * rng.standard_normal(len(song))
    )
    codes = {"listener": listener, "song": song}
    if world.sd_artist > 0:
        codes["artist"] = artist_of[song]
        y = y + world.sd_artist * rng.standard_normal(artist_of.max() + 1)[codes["artist"]]
    terms = [
        random_intercept(name, np.unique(values, return_inverse=True)[1])
        for name, values in codes.items()
    ]
    # the optimisation starts from the truth, which is near the optimum but not part of the
    # criterion
    start = [getattr(world, f"sd_{name}") for name in codes]
    if world.sd_slope > 0:
        Z = np.column_stack([np.ones_like(x), x])
        terms[0] = replace(terms[0], names=["Intercept", "x"], Z=Z)
        # θ is the triangle of a Cholesky factor, for a column of root mean square 1
        off, on = world.correlation, np.sqrt(1 - world.correlation**2)
        start[1:1] = world.sd_slope * np.sqrt((x**2).mean()) * np.array([off, on])
    deviance = CrossedDeviance(y, np.column_stack([np.ones_like(x), x]), terms)
    theta = minimise(deviance, np.array(start) / world.sd_residual, tol=1e-2)
    solution = deviance.solve(theta)
    df = Satterthwaite(deviance, theta, solution.sigma).df([0.0, 1.0])[0]
    return float(solution.beta[1]), float(np.sqrt(solution.vcov[1, 1])), float(df)
