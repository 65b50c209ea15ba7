"""Ratings of songs by listeners from known mixed models, for tests and benchmarks."""

import warnings

import numpy as np
import pandas as pd

from groove_utils.mixed import LmmWarning, fit_lmm
from groove_utils.mixed.power import crossed_design
from groove_utils.synth import simulate_listeners, song_covariates

STYLES = np.array(["funk", "pop", "rock"])
# the model of the demo study's ratings, and the names of its coefficients in formulas
DEMO_FORMULA = (
    "rating ~ syncopation_z + syncopation_z2 + density_z + tempo_off2 + microtiming_x + low_z "
    "+ coupling_z + dance_inclination_z + syncopation_z:musicianship_z "
    "+ (1 + syncopation_z || listener_id) + (1 | listener_id:style) + (1 | track_id)"
)
DEMO_NAMES = {
    "intercept": "Intercept",
    "musicianship_z:syncopation_z": "syncopation_z:musicianship_z",
}


def simulate_ratings(
    n_listeners=60,
    n_songs=60,
    songs_per_listener=None,
    *,
    intercept=4.0,
    effect=0.5,
    style_effects=(0.0, 0.0, 0.0),
    sd_listener=0.7,
    sd_song=0.5,
    sd_slope=0.0,
    correlation=0.0,
    sd_residual=1.0,
    seed=0,
) -> pd.DataFrame:
    """Draw ratings: columns listener_id, track_id, style, x (a song covariate), rating.

    `effect` and `sd_slope` are the mean and SD over listeners of the slope on x; `correlation` is
    the correlation of intercepts and slopes.
    """
    rng = np.random.default_rng(seed)
    listener, song = crossed_design(n_listeners, n_songs, songs_per_listener, rng)
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
            "style": STYLES[style[song]],
            "x": x[song],
            "rating": rating,
        }
    )


def simulate_questions(
    slopes,
    n_listeners=40,
    n_artists=20,
    songs_per_artist=2,
    *,
    artist_share=0.9,
    sd_listener=0.7,
    sd_slope=0.2,
    correlation=0.0,
    sd_song=0.3,
    sd_artist=0.5,
    sd_residual=1.0,
    common=0.5,
    seed=0,
) -> pd.DataFrame:
    """Draw ratings of all songs by all listeners, on several questions.

    `slopes` maps questions to their slopes on the covariate `predicted`; `artist_share` is the
    proportion of its variance between artists. Random effects and residuals of two questions have
    the correlation `common`. Columns question, listener, track, rating, predicted, artist.
    """
    rng = np.random.default_rng(seed)
    artist = np.repeat(np.arange(n_artists), songs_per_artist)
    x = np.sqrt(artist_share) * rng.standard_normal(n_artists)[artist]
    x += np.sqrt(1 - artist_share) * rng.standard_normal(len(artist))
    x = (x - x.mean()) / x.std()

    def draw(*shape):
        shared, own = rng.standard_normal((1, *shape)), rng.standard_normal((len(slopes), *shape))
        return np.sqrt(common) * shared + np.sqrt(1 - common) * own

    level, slope = draw(n_listeners), draw(n_listeners)
    slope = sd_slope * (correlation * level + np.sqrt(1 - correlation**2) * slope)
    slope += np.array([*slopes.values()])[:, None]
    song = sd_artist * draw(n_artists)[:, artist] + sd_song * draw(len(x))
    ratings = song[:, None] + sd_listener * level[..., None] + slope[..., None] * x
    ratings += sd_residual * draw(n_listeners, len(x))
    levels = {"question": slopes, "listener": range(n_listeners), "track": range(len(x))}
    index = pd.MultiIndex.from_product(levels.values(), names=levels)
    rows = pd.DataFrame({"rating": ratings.ravel()}, index=index).reset_index()
    rows["predicted"], rows["artist"] = x[rows["track"]], artist[rows["track"]]
    return rows.astype(dict.fromkeys(["listener", "track", "artist"], str))


def quiet_fit(formula, data, **options):
    """Fit a model without warnings about singular fits, which some simulated data cause."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)
        return fit_lmm(formula, data, **options)


def demo_songs(n=96, seed=0) -> pd.DataFrame:
    """Compute song covariates of the demo study's bands without rendering audio."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "track_id": [f"T{i:03d}" for i in range(n)],
            "style": STYLES[np.arange(n) % 3],
            "syncopation": (2.8 + rng.standard_normal(n)).clip(0.2) ** 2,
            "event_density": 5.7 + 1.1 * rng.standard_normal(n),
            "tempo": 110 * np.exp(0.15 * rng.standard_normal(n)),
            "microtiming_ms": 8 + 6 * rng.standard_normal(n),
            "low_frequency_db": -3.3 + rng.standard_normal(n),
            "bass_drum_coupling": 0.77 + 0.15 * rng.standard_normal(n),
        }
    )


def demo_rows(songs, effects, seed, discrete, query="dance") -> pd.DataFrame:
    """Draw the demo study's listeners and their ratings on one question, with all covariates."""
    drawn = simulate_listeners(songs, effects, seed, discrete=discrete)
    rows = drawn.ratings[drawn.ratings["query"] == query]
    rows = rows.merge(song_covariates(songs).reset_index(), on="track_id")
    rows = rows.merge(songs[["track_id", "style"]], on="track_id")
    return rows.merge(drawn.truth["listeners"], on="listener_id")
