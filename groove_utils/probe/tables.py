"""From scores to what a page says: tables, words and the numbers behind them (chapters 01, 06)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from groove_utils.probe.bootstrap import bootstrap_scores
from groove_utils.probe.engine import ridge_splits
from groove_utils.probe.inputs import as_blocks
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.scaling import FloorScaler

__all__ = [
    "as_reported",
    "name_list",
    "rated_targets",
    "score_table",
    "scale_facts",
    "side_of_zero",
    "text_table",
]


def rated_targets(study, wanted: Sequence[str]) -> list[str]:
    """Questions of a study that every song was rated on.

    Parameters
    ----------
    study : Study
    wanted : sequence of str
        Those to use where the study has them.

    Returns
    -------
    list of str
        If the study has none of `wanted`, its own first four.
    """
    whole = [query for query in study.queries if study.song_means(query).notna().all()]
    return [query for query in wanted if query in whole] or whole[:4]


def score_table(
    results: Mapping[str, ProbeResult], *, score="r2", n_boot=2000, seed=0
) -> pd.DataFrame:
    """One score of several probes with its intervals.

    Parameters
    ----------
    results : mapping of name → ProbeResult
    score : str
        As in :func:`groove_utils.probe.bootstrap_scores`.
    n_boot, seed : int

    Returns
    -------
    DataFrame
        The rows of :func:`groove_utils.probe.bootstrap_scores`, with a column ``model``.
    """
    ends = {"n_boot": n_boot, "seed": seed}
    tables = [
        bootstrap_scores(result, scores=[score], **ends).assign(model=name)
        for name, result in results.items()
    ]
    return pd.concat(tables, ignore_index=True)


def text_table(
    results: Mapping[str, ProbeResult], value="fold_r2", spread="fold_r2_sd"
) -> pd.DataFrame:
    """Scores as a paper prints them, one row a probe and one column a target.

    Parameters
    ----------
    results : mapping of name → ProbeResult
    value, spread : str
        Columns of :meth:`ProbeResult.scores`.

    Returns
    -------
    DataFrame of str
        Such as ``0.31 ± 0.02``; indexed by ``features``. Numbers of 100 and more have no decimals.
    """
    rows = {}
    for name, result in results.items():
        scores = result.scores().set_index("target")
        rows[name] = {
            target: f"{_short(row[value])} ± {_short(row[spread])}"
            for target, row in scores.iterrows()
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("features")


def _short(value: float) -> str:
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def scale_facts(X, folds, artists=None, *, floor=1e-4, clip=5.0) -> dict[str, float]:
    """How far features differ in scale, and how far a test song can leave it.

    Parameters
    ----------
    X : array-like of shape (n, d), or mapping of layer → such arrays
    folds : ndarray of int, shape (n_repeats, n)
        Fold in which each song is held out.
    artists : array-like of shape (n,), optional
    floor, clip : float
        Of :class:`FloorScaler`.

    Returns
    -------
    dict
        ``units`` (number of features); ``spread`` (largest over smallest SD of the units that
        vary); ``constant`` (units that do not vary in some training set); ``largest_z`` (largest
        \\|z\\| of a held-out song when each unit is divided by its SD in training, whatever it
        is); ``bounded`` (share of the held-out values that `clip` bounds).
    """
    blocks = as_blocks(X)
    n = len(next(iter(blocks.values())))
    artists = np.arange(n) if artists is None else np.asarray(artists)
    facts = {"units": 0, "spread": np.nan, "constant": 0, "largest_z": 0.0, "bounded": 0.0}
    sds, beyond, count = [], 0, 0
    splits = ridge_splits(np.atleast_2d(folds), artists, np.full(n, "all"), n_inner=2, seed=0)
    for block in blocks.values():
        facts["units"] += block.shape[1]
        sds.append(block.std(axis=0))
        still = np.zeros(block.shape[1], dtype=bool)
        for split in splits:
            plain = FloorScaler(0.0, np.inf).fit(block[split.train])
            still |= ~np.isfinite(plain.scale_)
            z = np.abs(plain.transform(block[split.test]))
            facts["largest_z"] = max(facts["largest_z"], float(z.max()))
            z = np.abs(FloorScaler(floor, np.inf).fit(block[split.train])
                       .transform(block[split.test]))  # fmt: skip
            beyond, count = beyond + int((z > clip).sum()), count + z.size
        facts["constant"] += int(still.sum())
    sd = np.concatenate(sds)
    sd = sd[sd > 0]
    facts["spread"] = float(sd.max() / sd.min()) if len(sd) else np.nan
    return facts | {"bounded": beyond / count}


def as_reported(row, n=None, *, value="estimate") -> dict:
    """What :func:`groove_utils.book.report_value` is told about a row of a table of scores.

    Parameters
    ----------
    row : Series
        With `value`, ``low`` and ``high``.
    n : int, optional
        How many units the number rests on.
    value : str
        Column of the estimate.

    Returns
    -------
    dict
        ``value``, and ``ci`` and ``n`` where there are any.
    """
    found = {"value": float(row[value])}
    if np.isfinite([row["low"], row["high"]]).all():
        found["ci"] = (float(row["low"]), float(row["high"]))
    return found if n is None else found | {"n": int(n)}


def side_of_zero(row, above: str, below: str, unclear: str) -> str:
    """The word that an interval allows.

    Parameters
    ----------
    row : Series
        With ``low`` and ``high``.
    above, below, unclear : str
        What to say when the interval lies above 0, below 0, or on both sides.

    Returns
    -------
    str
    """
    return above if row["low"] > 0 else below if row["high"] < 0 else unclear


def name_list(names: Sequence[str], empty: str = "none") -> str:
    """Names as prose: ``a``, ``a and b``, ``a, b and c``; `empty` where there is none."""
    names = [str(name) for name in names]
    if len(names) < 2:
        return names[0] if names else empty
    return f"{', '.join(names[:-1])} and {names[-1]}"
