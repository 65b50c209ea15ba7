"""Simulated listeners: ratings with known effects, to hold every method of the book against.

Chapters 01 (agreement, noise ceiling), 06 (probing) and 08 (mixed models) use them; appendix «The
demo study and its truth» lists the effects. A rating is a linear mixed model's: fixed effects of
song covariates, intercepts of songs and listeners, listeners' own slopes and likings of a style,
and a residual, for six questions whose random parts correlate. Nothing here touches audio, so
that a study can be drawn again thousands of times.

The shape of the effects follows the literature: an inverted U over syncopation (Witek et al.
2014), a best tempo near 110 BPM (Etani et al. 2018), exaggerated microtiming rated lower (Senn et
al. 2016), low-frequency energy and event density (Stupacher, Hove & Janata 2016), liking of a
style that differs between listeners (Senn et al. 2018).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = [
    "GROOVE_FORMULA",
    "QUESTIONS",
    "SCALE",
    "Effects",
    "Simulated",
    "default_effects",
    "draw_design",
    "effects_as_rated",
    "expected_ratings",
    "groove_score",
    "simulate_listeners",
    "song_covariates",
]

QUESTIONS = MappingProxyType(
    {
        "groove": "Derived groove score (from dance, listen, party and rhythm)",
        "dance": "I would like to dance to this music",
        "listen": "I like to listen to this music",
        "beat": "The beat of this music is easy to recognize",
        "party": "This music is great for a party",
        "rhythm": "This music has an interesting rhythm",
        "disturbing": "Something in this music is disturbing",
    }
)
RATED = tuple(query for query in QUESTIONS if query != "groove")
SCALE = (1, 100)
GROOVE_FORMULA = "groove = ((dance + listen + party + rhythm) / 4 - 53) / 24"

# song covariate: column of truth/songs.csv, centre, unit; fixed numbers, so that a coefficient
# means the same whatever songs are drawn. Syncopation enters by its square root, as its
# distribution has a long tail.
REFERENCE = {
    "syncopation_z": ("syncopation", 2.8, 1.0),
    "density_z": ("event_density", 5.7, 1.1),
    "low_z": ("low_frequency_db", -3.3, 1.0),
    "coupling_z": ("bass_drum_coupling", 0.77, 0.15),
}
TEMPO_OPTIMUM, TEMPO_UNIT = 110.0, 0.15  # BPM; natural-log units
MICROTIMING_FREE, MICROTIMING_UNIT = 8.0, 6.0  # ms

# fixed effects in rating points, one column a question in the order of RATED
FIXED = {
    "intercept": (53.5, 61.0, 70.5, 56.5, 56.5, 23.0),
    "syncopation_z": (3.0, 3.0, -4.0, 2.5, 5.0, 1.0),
    "syncopation_z2": (-2.0, -2.0, -1.5, -2.0, -1.0, 1.5),
    "density_z": (5.5, 4.0, 1.5, 6.0, 4.5, -0.5),
    "tempo_off2": (-2.5, -1.5, -1.0, -2.5, -1.5, 1.0),
    "microtiming_x": (-6.0, -6.0, -6.0, -6.0, -4.0, 6.0),
    "low_z": (5.5, 4.5, 2.0, 6.0, 2.0, -1.5),
    "coupling_z": (3.5, 3.0, 3.5, 3.0, 2.0, -2.0),
    "dance_inclination_z": (4.0, 1.0, 0.5, 3.0, 1.0, -0.5),
    "musicianship_z:syncopation_z": (1.5, 1.5, 1.0, 1.0, 2.0, -1.0),
}
SONG_TERMS = [*FIXED][1:8]
SD = {
    "song": (7.5, 6.5, 5.5, 8.0, 5.5, 4.5),
    "listener": (10.5, 9.5, 10.5, 10.5, 10.5, 11.0),
    "slope_syncopation": (2.5, 2.5, 2.0, 2.0, 2.5, 1.5),
    "style_bias": (9.0, 10.0, 3.0, 8.0, 6.0, -4.0),
    "residual": (24.0, 22.5, 21.5, 24.0, 22.5, 20.0),
}
# how the random parts go together over questions: loadings on one common factor
COMMON = {
    "song": (0.90, 0.65, 0.55, 0.90, 0.75, -0.60),
    "listener": (0.85, 0.80, 0.55, 0.85, 0.75, -0.20),
    "residual": (0.70, 0.66, 0.45, 0.72, 0.60, -0.40),
}


@dataclass(frozen=True)
class Effects:
    """What a simulated rating is made of.

    Attributes
    ----------
    fixed : DataFrame
        Coefficients in rating points; rows are terms, columns the six questions. Song terms are
        the columns of :func:`song_covariates`.
    sd : DataFrame
        Standard deviations of the random parts in rating points: ``song`` and ``listener``
        intercepts, ``slope_syncopation`` (a listener's own, per unit of ``syncopation_z``),
        ``style_bias`` (a listener's liking of a style; one liking for all questions, so a negative
        entry turns it round), ``residual``.
    common : DataFrame
        Loadings of the ``song``, ``listener`` and ``residual`` parts on a factor that is common to
        the questions: two questions correlate by the product of their loadings.
    """

    fixed: pd.DataFrame
    sd: pd.DataFrame
    common: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """All numbers, long: columns ``component, term, question, value``."""
        parts = {"fixed": self.fixed, "sd": self.sd, "common_loading": self.common}
        long = [
            frame.rename_axis("term")
            .reset_index()
            .melt("term", var_name="question", value_name="value")
            .assign(component=name)
            for name, frame in parts.items()
        ]
        references = [
            (f"{term}:{what}", value)
            for term, (_, centre, unit) in REFERENCE.items()
            for what, value in (("centre", centre), ("unit", unit))
        ]
        references += [
            ("tempo_off2:optimum_bpm", TEMPO_OPTIMUM),
            ("tempo_off2:unit_log", TEMPO_UNIT),
            ("microtiming_x:free_ms", MICROTIMING_FREE),
            ("microtiming_x:unit_ms", MICROTIMING_UNIT),
        ]
        reference = pd.DataFrame(references, columns=["term", "value"])
        reference = reference.assign(component="reference", question="all")
        return pd.concat([*long, reference])[["component", "term", "question", "value"]]

    def without(self, *terms: str) -> Effects:
        """Copy with some fixed terms, or random parts, set to 0: a null to test against.

        Raises
        ------
        ValueError
            If a name is neither a row of `fixed` nor of `sd`.
        """
        known = [*self.fixed.index, *self.sd.index]
        unknown = [term for term in terms if term not in known]
        if unknown:
            raise ValueError(f"unknown effect {unknown[0]!r}; this set has {', '.join(known)}.")
        fixed, sd = self.fixed.copy(), self.sd.copy()
        fixed.loc[[t for t in terms if t in fixed.index]] = 0.0
        sd.loc[[t for t in terms if t in sd.index]] = 0.0
        return replace(self, fixed=fixed, sd=sd)


class Simulated(NamedTuple):
    """One draw: `listeners`, `ratings`, and `truth`, a dict of tables ``listeners, songs``."""

    listeners: pd.DataFrame
    ratings: pd.DataFrame
    truth: dict[str, pd.DataFrame]


def default_effects() -> Effects:
    """Effects of the demo study, set so that its ratings spread as real ones do."""
    return Effects(*(_frame(rows) for rows in (FIXED, SD, COMMON)))


def _frame(rows):
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(RATED), dtype=float)


def song_covariates(songs: pd.DataFrame) -> pd.DataFrame:
    """Terms by which songs enter the model.

    Parameters
    ----------
    songs : DataFrame
        With ``track_id, syncopation, event_density, tempo, microtiming_ms, low_frequency_db,
        bass_drum_coupling``, as in ``truth/songs.csv``.

    Returns
    -------
    DataFrame
        Indexed by ``track_id``: ``syncopation_z`` (of the square root), ``syncopation_z2``,
        ``density_z, tempo_off2, microtiming_x, low_z, coupling_z``. The z terms are centred and
        scaled by fixed numbers (``reference`` in ``truth/effects.csv``); ``tempo_off2`` is the
        squared distance of log tempo from 110 BPM in units of 0.15; ``microtiming_x`` is what
        exceeds 8 ms, in units of 6 ms, and at least 0.

    Raises
    ------
    ValueError
        If a column is missing or holds NaN.
    """
    needed = ["track_id", "tempo", "microtiming_ms", *(column for column, *_ in REFERENCE.values())]
    missing = [column for column in needed if column not in songs]
    if missing:
        raise ValueError(
            f"songs lacks the column(s) {', '.join(missing)}; it needs {', '.join(needed)}."
        )
    numbers = songs[needed[1:]].to_numpy(float)
    if not np.isfinite(numbers).all():
        row, column = np.argwhere(~np.isfinite(numbers))[0]
        raise ValueError(f"songs: row {row}, column {needed[1 + column]!r} is not a finite number.")
    values = {column: songs[column].to_numpy(float) for column, *_ in REFERENCE.values()}
    values["syncopation"] = np.sqrt(values["syncopation"])
    z = {
        term: (values[column] - centre) / unit for term, (column, centre, unit) in REFERENCE.items()
    }
    off = np.log(songs["tempo"].to_numpy(float) / TEMPO_OPTIMUM) / TEMPO_UNIT
    excess = (songs["microtiming_ms"].to_numpy(float) - MICROTIMING_FREE) / MICROTIMING_UNIT
    return pd.DataFrame(
        {
            "syncopation_z": z["syncopation_z"],
            "syncopation_z2": z["syncopation_z"] ** 2,
            "density_z": z["density_z"],
            "tempo_off2": off**2,
            "microtiming_x": np.maximum(excess, 0.0),
            "low_z": z["low_z"],
            "coupling_z": z["coupling_z"],
        },
        index=pd.Index(songs["track_id"], name="track_id"),
    )


def expected_ratings(songs: pd.DataFrame, effects: Effects | None = None) -> pd.DataFrame:
    """What the average listener would say by the fixed effects alone.

    Parameters
    ----------
    songs : DataFrame
        As for :func:`song_covariates`.
    effects : Effects, optional
        :func:`default_effects` by default.

    Returns
    -------
    DataFrame, indexed by ``track_id``
        One column a question, and ``groove``. Not clipped to the scale.
    """
    effects = default_effects() if effects is None else effects
    covariates = song_covariates(songs)
    fixed = effects.fixed.loc[covariates.columns]
    expected = covariates @ fixed + effects.fixed.loc["intercept"]
    return expected.assign(groove=groove_score(expected))


def groove_score(ratings: pd.DataFrame) -> pd.Series:
    """Groove score from ``dance, listen, party, rhythm`` (see ``GROOVE_FORMULA``).

    Song means lie on about −1…1, as those of Marmoret et al. (2026) do; a single listener's score
    on about −2…2.
    """
    return (ratings[["dance", "listen", "party", "rhythm"]].mean(axis=1) - 53) / 24


def draw_design(styles: np.ndarray, n_listeners: int, per_listener: int, rng) -> np.ndarray:
    """Who rates which song: a balanced incomplete design.

    Each listener's songs spread over the styles as the songs do, and songs within a style are
    rated equally often, give or take one.

    Parameters
    ----------
    styles : array_like of str, shape (n_songs,)
    n_listeners, per_listener : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int, shape (n_listeners, per_listener)
        Song numbers, distinct within a row, in random order.

    Raises
    ------
    ValueError
        If `per_listener` is not within 1…n_songs.
    """
    styles = np.asarray(styles)
    if not 1 <= per_listener <= styles.size:
        raise ValueError(f"each listener is to rate {per_listener} of {styles.size} songs.")
    groups = [np.flatnonzero(styles == style) for style in pd.unique(styles)]
    share = np.array([len(group) for group in groups]) * per_listener / styles.size
    decks = [rng.permutation(group) for group in groups]
    dealt = np.zeros(len(groups), int)
    rows = np.empty((n_listeners, per_listener), int)
    for listener in range(n_listeners):
        owed = (listener + 1) * share - dealt
        hand = np.floor(owed + 1e-9).astype(int)
        short = per_listener - hand.sum()
        hand[np.argsort(hand - owed, kind="stable")[:short]] += 1
        row = []
        for g, k in enumerate(hand):
            size = len(decks[g])
            if dealt[g] % size == 0:  # every song has had its turn: shuffle
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
    n_listeners: int = 120,
    songs_per_listener: int = 24,
    discrete: bool = True,
    wide: bool = False,
) -> Simulated:
    """Draw listeners and their ratings.

    Parameters
    ----------
    songs : DataFrame
        As for :func:`song_covariates`, with ``style``.
    effects : Effects, optional
        :func:`default_effects` by default.
    seed : int or SeedSequence
    n_listeners, songs_per_listener : int
        See :func:`draw_design`.
    discrete : bool
        Round and clip the six questions to 1…100, as a slider would. Without it the ratings follow
        the linear mixed model exactly.
    wide : bool
        One row a listener and song, with a column a question, instead of one row a rating.

    Returns
    -------
    Simulated
        ``listeners``: ``listener_id, musicianship, dance_inclination, taste_<style>`` (scales of
        1–7). ``ratings``: ``track_id, query, rating, listener_id``. ``truth["listeners"]``: each
        listener's standardised traits, intercepts, slopes and style likings;
        ``truth["songs"]``: each song's intercepts, and its true mean by question (fixed effects
        plus intercept, before clipping).

    Raises
    ------
    ValueError
        If columns are missing or the numbers do not fit.
    """
    effects = default_effects() if effects is None else effects
    rng = np.random.default_rng(seed)
    if "style" not in songs:
        raise ValueError("songs lacks the column style.")
    if n_listeners < 1:
        raise ValueError(f"n_listeners is {n_listeners}, expected 1 or more.")
    covariates = song_covariates(songs)
    styles, style_of = np.unique(songs["style"].to_numpy(str), return_inverse=True)
    design = draw_design(songs["style"].to_numpy(str), n_listeners, songs_per_listener, rng)
    drawn = _draw(covariates.to_numpy(), len(styles), style_of, effects, design, rng)
    musicianship, inclination, liking, listener, slope = drawn.people
    song, song_mean, latent = drawn.song, drawn.song_mean, drawn.latent
    who = np.repeat(np.arange(n_listeners), design.shape[1])
    which = design.ravel()
    rating = _on_scale(latent) if discrete else latent

    listener_ids = _listener_ids(n_listeners)
    track_ids = songs["track_id"].to_numpy(object)
    table = pd.DataFrame(rating, columns=list(RATED))
    table.insert(0, "groove", groove_score(table))
    ratings = _ratings(table, listener_ids, track_ids, who, which, wide)
    listeners = pd.DataFrame(
        {
            "listener_id": listener_ids,
            "musicianship": np.round(np.clip(4 + 1.2 * musicianship, 1, 7), 1),
            "dance_inclination": np.round(np.clip(4 + 1.2 * inclination, 1, 7), 1),
        }
        | {
            f"taste_{style}": np.round(np.clip(4 + 1.2 * liking[:, i], 1, 7), 1)
            for i, style in enumerate(styles)
        }
    )
    truth_listeners = pd.DataFrame(
        {
            "listener_id": listener_ids,
            "musicianship_z": musicianship,
            "dance_inclination_z": inclination,
        }
        | {f"liking_{style}": liking[:, i] for i, style in enumerate(styles)}
        | {f"intercept_{q}": listener[:, i] for i, q in enumerate(RATED)}
        | {f"slope_syncopation_{q}": slope[:, i] for i, q in enumerate(RATED)}
    )
    truth_songs = pd.DataFrame(
        {"track_id": track_ids}
        | {f"intercept_{q}": song[:, i] for i, q in enumerate(RATED)}
        | {f"mean_{q}": song_mean[:, i] for i, q in enumerate(RATED)}
    )
    return Simulated(listeners, ratings, {"listeners": truth_listeners, "songs": truth_songs})


class _Drawn(NamedTuple):
    """People (traits, likings, intercepts, slopes), song intercepts and means, and ratings."""

    people: tuple[np.ndarray, ...]
    song: np.ndarray
    song_mean: np.ndarray
    latent: np.ndarray


def _draw(covariates, n_styles, style_of, effects, design, rng) -> _Drawn:
    """All random parts, and what they add up to in each cell of the design, row by row."""
    n_songs, n_questions = len(covariates), len(RATED)
    n_listeners = len(design)

    def parts(name, n):
        """Draws of shape (n, 6) whose correlations are products of loadings."""
        load = effects.common.loc[name].to_numpy()
        common, own = rng.standard_normal((n, 1)), rng.standard_normal((n, n_questions))
        return effects.sd.loc[name].to_numpy() * (load * common + np.sqrt(1 - load**2) * own)

    def fixed(term):
        return effects.fixed.loc[term].to_numpy()

    musicianship, inclination = rng.standard_normal((2, n_listeners))
    liking = rng.standard_normal((n_listeners, n_styles))
    slope = rng.standard_normal((n_listeners, 1)) * effects.sd.loc["slope_syncopation"].to_numpy()
    slope = slope + musicianship[:, None] * fixed("musicianship_z:syncopation_z")
    listener = parts("listener", n_listeners)
    song = parts("song", n_songs)
    song_mean = fixed("intercept") + covariates @ effects.fixed.loc[SONG_TERMS].to_numpy() + song
    who = np.repeat(np.arange(n_listeners), design.shape[1])
    which = design.ravel()
    latent = (
        song_mean[which]
        + (listener + inclination[:, None] * fixed("dance_inclination_z"))[who]
        + slope[who] * covariates[which, :1]
        + liking[who, style_of[which]][:, None] * effects.sd.loc["style_bias"].to_numpy()
        + parts("residual", who.size)
    )
    return _Drawn((musicianship, inclination, liking, listener, slope), song, song_mean, latent)


def _on_scale(latent):
    return np.clip(np.rint(latent), *SCALE)


def effects_as_rated(
    songs: pd.DataFrame,
    effects: Effects | None = None,
    seed: int = 2026,
    *,
    n_listeners: int = 1000,
    n_songs: int = 384,
    n_draws: int = 6,
) -> pd.DataFrame:
    """What the effects come to once ratings are rounded and clipped to the ends of the scale.

    A rating of 120 cannot be given. The ends press ratings together, so a linear mixed model of
    ratings as given estimates other numbers than those which drew them, however many there are:
    these. They come from large studies in which everybody rates every song, looked at as drawn and
    as rated; what clipping does to each estimate is laid on the known value, so that the luck of
    the draw cancels.

    Parameters
    ----------
    songs : DataFrame
        As for :func:`simulate_listeners`. Their covariates are repeated, with new intercepts.
    effects : Effects, optional
        :func:`default_effects` by default.
    seed : int
    n_listeners, n_songs : int
        Size of a large study, at least 50 and 16; songs are repeated as a whole until there are
        this many.
    n_draws : int
        Large studies to average over; six leave an error of about 1% of each value.

    Returns
    -------
    DataFrame
        Columns ``component`` (fixed or sd), ``term, question, value``, as the first rows of
        :meth:`Effects.table`. With a single style, a listener's level and liking of it are one.

    Raises
    ------
    ValueError
        If columns are missing, or the study would be too small.
    """
    effects = default_effects() if effects is None else effects
    if "style" not in songs:
        raise ValueError("songs lacks the column style.")
    if n_listeners < 50 or n_songs < 16 or n_draws < 1:
        raise ValueError(
            f"{n_draws} draws of {n_listeners} listeners and {n_songs} songs are too few to tell "
            "the effects by; expected at least 1 of 50 and 16."
        )
    copies = -(-n_songs // len(songs))
    covariates = np.tile(song_covariates(songs).to_numpy(), (copies, 1))
    styles, style_of = np.unique(songs["style"].to_numpy(str), return_inverse=True)
    style_of = np.tile(style_of, copies)
    design = np.tile(np.arange(len(covariates)), (n_listeners, 1))
    cells = (n_listeners, len(covariates), len(RATED))
    rng = np.random.default_rng([seed, 1])
    found = []
    for _ in range(n_draws):
        drawn = _draw(covariates, len(styles), style_of, effects, design, rng)
        found.append(
            [
                _estimates(
                    y.reshape(cells), covariates, np.eye(len(styles))[style_of], drawn.people
                )
                for y in (drawn.latent, _on_scale(drawn.latent))
            ]
        )
    (fixed, variance), (fixed_rated, variance_rated) = (
        [np.mean(part, axis=0) for part in zip(*estimates)] for estimates in zip(*found)
    )
    # nothing to press together where there is no spread
    spread = variance > 1e-9
    ratio = np.divide(variance_rated, variance, out=np.ones_like(variance), where=spread)
    rated = replace(
        effects, fixed=effects.fixed + fixed_rated - fixed, sd=effects.sd * np.sqrt(ratio)
    ).table()
    return rated[rated["component"].isin(["fixed", "sd"])].reset_index(drop=True)


def _estimates(y, covariates, styles, people):
    """Fixed effects and variances of a complete study, in the order of ``FIXED`` and ``SD``.

    By least squares and moments: song means on song covariates; each listener's departures from
    them on style and syncopation.
    """
    musicianship, inclination = people[:2] - np.mean(people[:2], axis=1, keepdims=True)
    n_listeners, n_songs, _ = y.shape
    n_styles = styles.shape[1]
    means = y.mean(axis=0)
    X = np.column_stack([np.ones(n_songs), covariates])
    fixed = np.linalg.lstsq(X, means)[0]
    song = ((means - X @ fixed) ** 2).sum(axis=0) / (n_songs - X.shape[1])

    B = np.column_stack([styles, covariates[:, 0]])
    error = np.linalg.inv(B.T @ B)
    own = y - means
    coefficients = np.einsum("bs,lsq->lbq", error @ B.T, own)
    own -= np.einsum("sb,lbq->lsq", B, coefficients)
    residual = (own**2).sum(axis=(0, 1)) / ((n_listeners - 1) * (n_songs - B.shape[1]))

    def explained_by(trait, values):
        slope = np.tensordot(trait, values, 1) / (trait @ trait)
        return slope, values - trait.reshape(-1, *[1] * slope.ndim) * slope

    level = coefficients[:, :n_styles]
    inclined = explained_by(inclination, level.mean(axis=1))[0]
    level = level - inclination[:, None, None] * inclined
    musical, slope = explained_by(musicianship, coefficients[:, n_styles])
    spread = (slope**2).sum(axis=0) / (n_listeners - 2) - residual * error[-1, -1]
    both = np.einsum("liq,ljq->ijq", level, level) / (n_listeners - 2)
    both -= error[:n_styles, :n_styles, None] * residual
    diagonal = np.einsum("iiq->q", both) / n_styles
    shared = diagonal
    if n_styles > 1:
        shared = (both.sum(axis=(0, 1)) / n_styles - diagonal) / (n_styles - 1)
    bias = diagonal - shared if n_styles > 1 else diagonal
    fixed = np.vstack([fixed, inclined, musical])
    return fixed, np.array([song - residual / n_listeners, shared, spread, bias, residual])


@cache
def _listener_ids(n):
    return np.array([f"L{number:03d}" for number in range(1, n + 1)], dtype=object)


def _ratings(table, listener_ids, track_ids, who, which, wide):
    tracks, listeners = pd.array(track_ids, dtype="str"), pd.array(listener_ids, dtype="str")
    if wide:
        table.insert(0, "track_id", tracks.take(which))
        table.insert(0, "listener_id", listeners.take(who))
        return table
    queries = list(table.columns)
    rows = len(table)
    return pd.DataFrame(
        {
            "track_id": tracks.take(np.repeat(which, len(queries))),
            "query": pd.array(queries, dtype="str").take(np.tile(np.arange(len(queries)), rows)),
            "rating": table.to_numpy().ravel(),
            "listener_id": listeners.take(np.repeat(who, len(queries))),
        }
    )
