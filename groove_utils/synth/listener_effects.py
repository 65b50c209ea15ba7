"""Simulation of ratings from known effects (appendix "The demo study and its known effects").

The form of the effects follows the literature. Ratings are an inverted-U-shaped function of
syncopation (Witek et al. 2014), are highest near 110 BPM (Etani et al. 2018), are lower for
exaggerated microtiming (Senn et al. 2016), and increase with low-frequency energy and event density
(Stupacher, Hove & Janata 2016). Listeners differ in how much they like a style (Senn et al. 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from groove_utils.errors import DetailedError
from groove_utils.synth.questionnaire import RATED

__all__ = [
    "EFFECT_NAMES",
    "Effects",
    "SimulationError",
    "default_effects",
    "song_covariates",
]

# song covariates: column of truth/songs.csv, centre, unit. Centres and units are fixed, so that the
# meaning of a coefficient does not depend on the songs. For syncopation, whose distribution has a
# long tail, they apply to the square root.
REFERENCE = {
    "syncopation_z": ("syncopation", 2.8, 1.0),
    "density_z": ("event_density", 5.7, 1.1),
    "low_z": ("low_frequency_db", -3.3, 1.0),
    "coupling_z": ("bass_drum_coupling", 0.77, 0.15),
}
TEMPO_OPTIMUM, TEMPO_UNIT = 110.0, 0.15  # BPM; natural-log units
MICROTIMING_FREE, MICROTIMING_UNIT = 8.0, 6.0  # ms

# fixed effects in rating points, one column per question in the order of RATED; the last two
# columns are the control questions, which no acoustic feature affects
FIXED = {
    "intercept": (55.5, 62.5, 72.0, 58.5, 57.5, 21.5, 44.0, 52.0),
    "syncopation_z": (3.0, 2.5, -4.0, 2.5, 5.5, 1.0, 0.0, 0.0),
    "syncopation_z2": (-2.0, -2.0, -1.5, -2.0, -1.0, 1.5, 0.0, 0.0),
    "density_z": (10.5, 4.5, 2.5, 12.0, 9.0, 1.0, 0.0, 0.0),
    "tempo_off2": (-2.5, -1.5, -1.0, -2.5, -1.5, 1.0, 0.0, 0.0),
    "microtiming_x": (-11.0, -15.0, -12.0, -10.0, -8.0, 9.0, 0.0, 0.0),
    "low_z": (2.2, 1.8, 0.8, 2.4, 0.8, -0.6, 0.0, 0.0),
    "coupling_z": (3.5, 3.0, 3.5, 3.0, 2.0, -2.0, 0.0, 0.0),
    "dance_inclination_z": (4.0, 1.0, 0.5, 3.0, 1.0, -0.5, 0.0, 0.0),
    "musicianship_z:syncopation_z": (1.5, 1.5, 1.0, 1.0, 2.0, -1.0, 0.0, 0.0),
}
SONG_TERMS = [*FIXED][1:8]
EFFECT_NAMES = {
    "syncopation_z": "syncopation",
    "syncopation_z2": "syncopation, squared",
    "density_z": "event density",
    "tempo_off2": "distance from the best tempo, squared",
    "microtiming_x": "microtiming beyond 8 ms",
    "low_z": "low frequencies",
    "coupling_z": "bass–drum coupling",
    "dance_inclination_z": "inclination to dance",
    "musicianship_z:syncopation_z": "musicianship × syncopation",
    "song": "songs",
    "listener": "listeners",
    "style_bias": "liking of a style",
    "slope_syncopation": "slopes on syncopation",
    "residual": "residual",
}  # names for figures
# standard deviations of random effects, in rating points
SD = {
    "song": (3.75, 3.25, 2.75, 4.0, 2.75, 2.25, 10.5, 5.0),
    "listener": (10.5, 9.5, 10.5, 10.5, 10.5, 11.0, 10.5, 10.5),
    "slope_syncopation": (2.5, 2.5, 2.0, 2.0, 2.5, 1.5, 0.0, 0.0),
    "style_bias": (9.0, 10.0, 3.0, 8.0, 6.0, -4.0, 0.0, 0.0),
    "residual": (25.5, 24.0, 21.5, 25.5, 24.0, 20.0, 22.5, 22.5),
}
# a style's mean minus the intercept, in rating points; non-zero only for the control style_only
STYLE_MEANS = {
    "funk": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -7.0),
    "pop": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 13.0),
    "rock": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -6.0),
}
# loadings of random effects on a common factor, through which ratings on different questions are
# correlated; song effects and residuals of the control questions do not depend on it
COMMON = {
    "song": (0.60, 0.00, 0.40, 0.60, 0.40, -0.40, 0.0, 0.0),
    "listener": (0.85, 0.80, 0.55, 0.85, 0.75, -0.20, 0.50, 0.50),
    "residual": (0.70, 0.66, 0.45, 0.72, 0.60, -0.40, 0.0, 0.0),
}


class SimulationError(DetailedError):
    """Error raised if listeners cannot be simulated for the given songs or settings."""


@dataclass(frozen=True, eq=False)
class Effects:
    """Fixed and random effects from which ratings are simulated.

    Attributes
    ----------
    fixed : DataFrame
        Coefficients in rating points, with one row per term and one column per question (there are
        eight questions). The terms include the columns of :func:`song_covariates`.
    sd : DataFrame
        Standard deviations of the random effects in rating points: ``song`` and ``listener``
        intercepts, ``slope_syncopation`` (listeners' slopes on ``syncopation_z``), ``style_bias``
        (how much listeners like each style, drawn once for all questions; if the value is negative,
        the effect of liking is reversed) and ``residual``.
    common : DataFrame
        Loadings of the ``song``, ``listener`` and ``residual`` effects on a factor that is common
        to all questions. The correlation of an effect between two questions is the product of their
        loadings.
    style_mean : DataFrame
        Mean rating of each style minus the intercept, in rating points, with one row per style.
    """

    fixed: pd.DataFrame
    sd: pd.DataFrame
    common: pd.DataFrame
    style_mean: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """Return a long table of all effects and the constants that define the song covariates.

        Its columns are ``component, term, question, value``.
        """
        parts = {"fixed": self.fixed, "sd": self.sd, "common_loading": self.common,
                 "style_mean": self.style_mean}  # fmt: skip
        long = [
            frame.rename_axis("term")
            .reset_index()
            .melt("term", var_name="question", value_name="value")
            .assign(component=name)
            for name, frame in parts.items()
        ]
        references = {
            f"{term}:{what}": value
            for term, (_, centre, unit) in REFERENCE.items()
            for what, value in (("centre", centre), ("unit", unit))
        } | {
            "tempo_off2:optimum_bpm": TEMPO_OPTIMUM, "tempo_off2:unit_log": TEMPO_UNIT,
            "microtiming_x:free_ms": MICROTIMING_FREE, "microtiming_x:unit_ms": MICROTIMING_UNIT,
        }  # fmt: skip
        reference = pd.DataFrame(list(references.items()), columns=["term", "value"])
        reference = reference.assign(component="reference", question="all")
        return pd.concat([*long, reference])[["component", "term", "question", "value"]]

    def without(self, *terms: str) -> Effects:
        """Return a copy in which the given effects are set to 0.

        Parameters
        ----------
        *terms : str
            Names of fixed effects (rows of `fixed`) or random effects (rows of `sd`), or
            ``style_mean``.

        Raises
        ------
        SimulationError
            If a name is neither ``style_mean`` nor a row of `fixed` or `sd`.
        """
        names = [*self.fixed.index, *self.sd.index, "style_mean"]
        for term in set(terms) - set(names):
            message = f"unknown effect {term!r}; expected one of {', '.join(names)}."
            raise SimulationError(message, kind="unknown_effect", value=term)
        fixed, sd = self.fixed.copy(), self.sd.copy()
        fixed.loc[fixed.index.isin(terms)] = 0.0
        sd.loc[sd.index.isin(terms)] = 0.0
        style_mean = self.style_mean * ("style_mean" not in terms)
        return replace(self, fixed=fixed, sd=sd, style_mean=style_mean)

    def style_means(self, styles: Sequence[str]) -> np.ndarray:
        """Return the rows of `style_mean` for the given styles, with zeros for unknown styles.

        The result has shape (n_styles, 8).
        """
        return self.style_mean.reindex(styles, fill_value=0.0).to_numpy()


def default_effects() -> Effects:
    """Return the demo study's effects, chosen so that simulated ratings vary as real ones do."""
    return Effects(
        *(
            pd.DataFrame.from_dict(rows, orient="index", columns=list(RATED), dtype=float)
            for rows in (FIXED, SD, COMMON, STYLE_MEANS)
        )
    )


def song_covariates(songs: pd.DataFrame) -> pd.DataFrame:
    """Compute the song-level predictors of simulated ratings.

    Parameters
    ----------
    songs : DataFrame
        One row per song, with the columns ``track_id, syncopation, event_density, tempo,
        microtiming_ms, low_frequency_db, bass_drum_coupling``, as in ``truth/songs.csv``.

    Returns
    -------
    DataFrame
        One row per song, indexed by ``track_id``, with the columns ``syncopation_z``,
        ``syncopation_z2`` (its square), ``density_z, tempo_off2, microtiming_x, low_z,
        coupling_z``. Columns whose names end in ``_z`` are centred and scaled by fixed numbers (see
        the ``reference`` rows in ``truth/effects.csv``); for syncopation, the square root is taken
        first. For ``tempo_off2``, the logarithm of the ratio of tempo to 110 BPM is divided by 0.15
        and then squared. ``microtiming_x`` is the amount by which microtiming exceeds 8 ms, divided
        by 6 ms; it is 0 if microtiming does not exceed 8 ms.

    Raises
    ------
    SimulationError
        If a column is missing or contains a value that is not finite.
    """
    needed = ["tempo", "microtiming_ms", *(column for column, *_ in REFERENCE.values())]
    check_columns(songs, *needed, "track_id")
    finite = np.isfinite(songs[needed].to_numpy(float))
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        message = f"songs: the value in row {row}, column {needed[column]!r} is not finite."
        raise SimulationError(message, kind="not_finite", row=int(row), column=needed[column])
    values = songs[needed].astype(float).set_index(pd.Index(songs["track_id"], name="track_id"))
    values["syncopation"] = np.sqrt(values["syncopation"])
    terms = pd.DataFrame(
        {term: (values[name] - centre) / unit for term, (name, centre, unit) in REFERENCE.items()}
    )
    excess = (values["microtiming_ms"] - MICROTIMING_FREE) / MICROTIMING_UNIT
    terms = terms.assign(
        syncopation_z2=terms["syncopation_z"] ** 2,
        tempo_off2=(np.log(values["tempo"] / TEMPO_OPTIMUM) / TEMPO_UNIT) ** 2,
        microtiming_x=np.maximum(excess, 0.0),
    )
    return terms[SONG_TERMS]


def check_columns(songs: pd.DataFrame, *needed: str) -> None:
    """Raise a `SimulationError` if a table of songs lacks a required column."""
    for column in needed:
        if column not in songs:
            message = f"songs has no column {column!r}; expected the columns {', '.join(needed)}."
            raise SimulationError(message, kind="missing_column", column=column)
