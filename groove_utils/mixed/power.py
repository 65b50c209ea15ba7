"""Power analysis by simulation for studies with crossed listeners and songs.

References
----------
Newcombe (1998), Statistics in Medicine 17, 873–890 (intervals for differences of proportions).
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
    """Assign songs to listeners at random, with nearly equal numbers of ratings per song.

    Parameters
    ----------
    n_listeners, n_songs : int
        Number of listeners and number of songs, at least 2 each.
    songs_per_listener : int or None
        Number of songs per listener; all songs if None.
    rng : Generator
        Random number generator.

    Returns
    -------
    listener, song : ndarray of int, shape (n_ratings,)
        Listener and song of each rating. The number of ratings differs by at most 1 between songs.
    """
    each = n_songs if songs_per_listener is None else songs_per_listener
    for name, n in (("n_listeners", n_listeners), ("n_songs", n_songs)):
        check_range(name, n, n > 1, "at least 2")
    check_range("songs_per_listener", each, 1 <= each <= n_songs, f"1 … {n_songs} (n_songs)")
    if each == n_songs:
        return np.repeat(np.arange(n_listeners), each), np.tile(np.arange(n_songs), n_listeners)
    # songs are drawn from a queue that is refilled with all songs in random order, so that they are
    # rated equally often
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
    """Compute parameters for a power simulation with a song-level slope other than the fitted one.

    The total variance between songs remains as estimated from the data. If the assumed slope is
    smaller than the fitted slope, the covariate explains less of this variance, so the variances of
    song and artist effects increase.

    Parameters
    ----------
    result : LmmResult
        Fitted model with the covariate as a fixed effect, and random intercepts for listeners and
        songs.
    term : str
        Name of the covariate, a column with one value per song.
    slope : float
        Slope to assume, in the units of the fitted model.
    listener, song : str
        Names of the grouping factors for listeners and songs.
    artist : str, optional
        Name of the grouping factor for artists; by default, songs are not grouped by artist.

    Returns
    -------
    dict
        Arguments for :func:`power_simulation`: ``effect``, the five standard deviations,
        ``correlation``, ``songs_per_artist`` and ``artist_share``. ``effect`` and ``sd_slope``
        refer to a change of 1 SD (over songs) in the covariate. Negative variances are set to 0.
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
    # on average, the squared estimate exceeds the squared slope by the variance of the estimate
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
    """Estimate by REML the share of a covariate's variance that lies between artists."""
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
    """Estimate the power to detect a song-level effect for given numbers of listeners and songs.

    For each combination, ratings are simulated, the model ``rating ~ x + (1 + x | listener) + (1 |
    song) + (1 | artist)`` is fitted by REML, and x is tested with Satterthwaite degrees of freedom.
    The model has random slopes only if `sd_slope` > 0, and artist effects only if `sd_artist` > 0.

    Parameters
    ----------
    n_listeners, n_songs : int or sequence of int
        Numbers of listeners and songs; all combinations are simulated.
    effect : float
        Change in the rating per SD of the song covariate x. If it is 0, the estimated power is the
        type I error rate.
    sd_listener, sd_song, sd_slope, sd_artist, sd_residual : float
        Standard deviations of the random effects and the residual. Song and artist effects do not
        include the effect of x. If `effect` is smaller than the slope of a fitted model, the SDs of
        song and artist effects in that model are too small for the simulation; use
        :func:`assume_slope` to adjust them.
    correlation : float
        Correlation between listeners' intercepts and slopes.
    songs_per_artist : int
        Number of songs per artist; the last artist may have fewer.
    artist_share : float
        Share of the variance of x that lies between artists, from 0 to 1.
    songs_per_listener : int, optional
        Number of songs that each listener rates. If None or greater than the number of songs, each
        listener rates all songs.
    n_simulations : int
        Number of simulations per combination.
    alpha : float
        Significance level of the two-sided test.
    seed, n_jobs : int
        Random seed, and number of processes; the latter does not affect the results.

    Returns
    -------
    DataFrame
        One row per combination. Columns ``n_listeners, n_songs, songs_per_listener, effect``,
        ``power``, ``low, high`` (Wilson's 95% interval for the power), ``coverage`` (proportion of
        simulations whose 1 − `alpha` interval contains the effect), ``se`` (mean standard error)
        and ``n_simulations``.
    """
    check_level(1 - alpha)
    check_range("n_simulations", n_simulations, n_simulations > 1, "2 or more, such as 200")
    scenario = _Scenario(effect, sd_listener, sd_slope, sd_song, sd_artist, sd_residual,
                         correlation, songs_per_artist, artist_share)  # fmt: skip
    _check_scenario(scenario)
    cells = [
        (int(m), int(s), min(int(s), songs_per_listener or int(s)))
        for m in np.atleast_1d(n_listeners)
        for s in np.atleast_1d(n_songs)
    ]
    seeds = np.random.SeedSequence(seed).spawn(len(cells))
    results = joblib.Parallel(n_jobs=n_jobs, batch_size=max(1, n_simulations // 10))(
        joblib.delayed(_simulate)(*cell, scenario, int(draw))
        for cell, parent in zip(cells, seeds)
        for draw in parent.generate_state(n_simulations)
    )
    results = np.array(results).reshape(len(cells), n_simulations, 3)
    rows = [(*cell, *_summarise(fits, effect, alpha)) for cell, fits in zip(cells, results)]
    return pd.DataFrame(rows, columns=["n_listeners", "n_songs", "songs_per_listener", *_SUMMARY])


def compare_power(table: pd.DataFrame, first: tuple, second: tuple) -> pd.Series:
    """Compute the difference in power between two combinations of listeners and songs.

    Parameters
    ----------
    table : DataFrame
        Output of :func:`power_simulation`.
    first, second : (int, int)
        Number of listeners and number of songs in each combination.

    Returns
    -------
    Series
        ``estimate`` (first minus second) and ``low, high`` (Newcombe's 95% interval, which reflects
        only the limited number of simulations).

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
    """Compute power and coverage from the estimates, standard errors and df of simulated fits."""
    beta, se, df = fits.T
    hits, n = int((2 * stats.t.sf(np.abs(beta / se), df) < alpha).sum()), len(fits)
    covered = np.abs(beta - effect) <= stats.t.isf(alpha / 2, df) * se
    interval = proportion_confint(hits, n, method="wilson")
    return (float(effect), hits / n, *interval, covered.mean(), se.mean(), n)


class _Scenario(NamedTuple):
    """Parameters of the simulated ratings; see `power_simulation`."""

    effect: float
    sd_listener: float
    sd_slope: float
    sd_song: float
    sd_artist: float
    sd_residual: float
    correlation: float
    songs_per_artist: int
    artist_share: float


def _check_scenario(scenario: _Scenario) -> None:
    for name in ("sd_listener", "sd_slope", "sd_song", "sd_artist"):
        sd = getattr(scenario, name)
        check_range(name, sd, sd >= 0, "an SD of 0 or more")
    check_range("sd_residual", scenario.sd_residual, scenario.sd_residual > 0, "an SD above 0")
    correlation, each, share = scenario[-3:]
    check_range("correlation", correlation, -1 <= correlation <= 1, "−1 … 1")
    check_range("songs_per_artist", each, each >= 1, "at least 1")
    check_range("artist_share", share, 0 <= share <= 1, "0 … 1")


@one_thread
def _simulate(n_listeners, n_songs, each, scenario: _Scenario, seed) -> tuple[float, float, float]:
    """Simulate and fit one study; return the estimated slope, its standard error and its df."""
    rng = np.random.default_rng(seed)
    listener, song = crossed_design(n_listeners, n_songs, each, rng)
    x = rng.standard_normal(n_songs)
    artist_of = np.arange(n_songs) // scenario.songs_per_artist
    if scenario.artist_share > 0:
        shared = rng.standard_normal(artist_of.max() + 1)[artist_of]
        x = np.sqrt(scenario.artist_share) * shared + np.sqrt(1 - scenario.artist_share) * x
    x = ((x - x.mean()) / x.std())[song]
    level, slope = rng.standard_normal((2, n_listeners))
    slope = scenario.correlation * level + np.sqrt(1 - scenario.correlation**2) * slope
    y = (
        scenario.effect * x
        + scenario.sd_listener * level[listener]
        + scenario.sd_slope * slope[listener] * x
        + scenario.sd_song * rng.standard_normal(n_songs)[song]
        + scenario.sd_residual * rng.standard_normal(len(song))
    )
    codes = {"listener": listener, "song": song}
    if scenario.sd_artist > 0:
        codes["artist"] = artist_of[song]
        y = y + scenario.sd_artist * rng.standard_normal(artist_of.max() + 1)[codes["artist"]]
    terms = [
        random_intercept(name, np.unique(values, return_inverse=True)[1])
        for name, values in codes.items()
    ]
    # start the optimisation from the true values, which are near the optimum
    start = [getattr(scenario, f"sd_{name}") for name in codes]
    if scenario.sd_slope > 0:
        Z = np.column_stack([np.ones_like(x), x])
        terms[0] = replace(terms[0], names=["Intercept", "x"], Z=Z)
        # θ contains the Cholesky factor for columns of root mean square 1
        off, on = scenario.correlation, np.sqrt(1 - scenario.correlation**2)
        start[1:1] = scenario.sd_slope * np.sqrt((x**2).mean()) * np.array([off, on])
    deviance = CrossedDeviance(y, np.column_stack([np.ones_like(x), x]), terms)
    theta = minimise(deviance, np.array(start) / scenario.sd_residual, tol=1e-2)
    solution = deviance.solve(theta)
    df = Satterthwaite(deviance, theta, solution.sigma).df([0.0, 1.0])[0]
    return float(solution.beta[1]), float(np.sqrt(solution.vcov[1, 1])), float(df)
