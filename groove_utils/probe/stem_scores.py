"""Scores for subsets of stems, contributions of single stems, and contrasts between scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from groove_utils.memoisation import memoised
from groove_utils.probe.ablation import Ablation, Subset
from groove_utils.probe.paper import paper_protocol
from groove_utils.probe.result import check_paired
from groove_utils.probe.songs import ProbeError, as_songs
from groove_utils.stats.bootstrap import influence_interval
from groove_utils.stats.multiple_testing import holm
from groove_utils.stats.shapley import MOST_PLAYERS, shapley_values
from groove_utils.study.stem_names import subset_name

__all__ = ["ablation_scores", "contrast", "contributions", "paper_scores", "share_difference"]

MEASURES = ("alone", "left out", "Shapley")


@memoised("ablation")
def paper_scores(
    features: Mapping[Subset, object],
    y,
    artists=None,
    styles=None,
) -> pd.DataFrame:
    """Score each subset of stems using :func:`groove_utils.probe.paper_protocol`.

    Parameters
    ----------
    features : mapping of tuple of str to features
        Features of each subset of stems.
    y, artists, styles
        See :func:`groove_utils.probe.paper_protocol`.

    Returns
    -------
    DataFrame
        One row per subset and target: ``subset, target, fold_r2, fold_r2_sd, n_songs``.
    """
    songs = as_songs(y, artists, styles)
    tables = []
    for subset, X in features.items():
        scores = paper_protocol(X, songs.frame, songs.artists, songs.styles).scores()
        table = scores[["target", "fold_r2", "fold_r2_sd"]].assign(subset=subset_name(subset))
        tables.append(table.assign(n_songs=len(songs)))
    return pd.concat(tables, ignore_index=True)


def ablation_scores(ablation: Ablation, *, n_boot=2000, seed=0) -> pd.DataFrame:
    """Compute R² for each subset of stems, with 95% bootstrap intervals over artists.

    Parameters
    ----------
    ablation : Ablation
        Output of :func:`groove_utils.probe.ablate`.
    n_boot, seed
        See :func:`contributions`.

    Returns
    -------
    DataFrame
        One row per subset, part and target: ``subset`` (such as ``drums+bass``; ``none`` for the
        empty subset), ``part`` (see ``parts`` in :class:`Ablation`), ``target, estimate, low, high,
        n_songs, n_artists``.
    """
    names = [subset_name(subset) for subset in ablation.subsets]
    frame = _table(ablation, "subset", names, ablation.r2, ablation.influence, n_boot, seed)
    frame["high"] = frame["high"].clip(upper=1.0)
    return frame.drop(columns=["se", "p"])


def contributions(ablation: Ablation, *, n_boot=2000, seed=0) -> pd.DataFrame:
    """Compute three measures of each stem's contribution: alone, left out, and Shapley value.

    Parameters
    ----------
    ablation : Ablation
        Output of :func:`groove_utils.probe.ablate`.
    n_boot, seed : int
        Number of bootstrap samples of artists, and random seed.

    Returns
    -------
    DataFrame
        One row per stem, measure, part and target: ``stem, measure, part, target, estimate, low,
        high`` (95% interval), ``se, p, p_holm, n_songs, n_artists``. The measure ``alone`` is the
        R² of this stem alone minus the R² of the empty subset; ``left out`` is the decrease in R²
        when the stem is left out of the mix; and ``Shapley`` is the increase in R² when the stem is
        added, averaged over all orders in which stems can be added. A stem's measure is omitted if
        it needs a subset that is missing. Within each measure and part, Holm's correction is
        applied over all stems and targets.
    """
    tables = []
    for measure in MEASURES:
        coefficients = _coefficients(ablation, measure)
        if coefficients:
            weights = np.array(list(coefficients.values()))
            r2 = np.einsum("ks,spt->kpt", weights, ablation.r2)
            influence = np.einsum("ks,gspt->gkpt", weights, ablation.influence)
            table = _table(ablation, "stem", list(coefficients), r2, influence, n_boot, seed)
            table.insert(1, "measure", measure)
            tables.append(table)
    if not tables:
        raise ProbeError(
            f"the subsets are {', '.join(map(subset_name, ablation.subsets))}; contributions need "
            "a single stem, or the mix without one stem",
            kind="only_mix", value=ablation.stems,
        )  # fmt: skip
    frame = pd.concat(tables, ignore_index=True)
    adjusted = frame.groupby(["measure", "part"])["p"].transform(holm)
    frame.insert(list(frame).index("p") + 1, "p_holm", adjusted)
    return frame


def _coefficients(ablation: Ablation, measure: str) -> dict[str, np.ndarray]:
    """Return a measure of each stem's contribution as coefficients of the subsets' scores.

    A stem is omitted if its measure needs a subset that is missing.
    """
    units = dict(zip(map(frozenset, ablation.subsets), np.eye(len(ablation.subsets))))
    if measure == "Shapley":
        usable = ablation.is_complete and len(ablation.stems) <= MOST_PLAYERS
        return shapley_values(units, ablation.stems) if usable else {}
    mix = frozenset(ablation.stems)
    coefficients = {}
    for stem in ablation.stems:
        alone = frozenset([stem])
        more, less = (alone, frozenset()) if measure == "alone" else (mix, mix - alone)
        if more in units and less in units:
            coefficients[stem] = units[more] - units[less]
    return coefficients


def contrast(
    terms: Sequence[tuple[float, Ablation, Sequence[str]]], *, n_boot=2000, seed=0
) -> pd.DataFrame:
    """Compute a weighted sum of scores from one or more ablations on the same songs.

    Parameters
    ----------
    terms : sequence of (weight, Ablation, subset)
        Weight, ablation and subset for each score in the sum. For example, the interaction of drums
        and bass is ``[(1, a, ("drums", "bass")), (-1, a, ("drums",)), (-1, a, ("bass",)), (1, a,
        ())]``, and the difference between raw and loudness-matched stems, for a subset ``s``, is
        ``[(1, raw, s), (-1, matched, s)]``.
    n_boot, seed
        See :func:`contributions`.

    Returns
    -------
    DataFrame
        One row per part and target: ``part, target, estimate, low, high`` (95% interval), ``se, p,
        n_songs, n_artists``. If an artist's songs are equally difficult to predict in all terms and
        the weights add up to 0, this difficulty cancels out.
    """
    if not terms:
        raise ProbeError("terms is empty; expected one or more tuples (weight, ablation, subset)",
                         kind="empty", column="terms")  # fmt: skip
    ablations = {f"term {i}": ablation for i, (_, ablation, _) in enumerate(terms)}
    check_paired(ablations)
    r2 = sum(weight * a.r2[a.place(subset)] for weight, a, subset in terms)
    influence = sum(weight * a.influence[:, a.place(subset)] for weight, a, subset in terms)
    table = _table(terms[0][1], "contrast", [""], r2[None], influence[:, None], n_boot, seed)
    return table.drop(columns="contrast")


def share_difference(
    ablation: Ablation, first: Sequence[str], second: Sequence[str], *, n_boot=2000, seed=0
) -> pd.DataFrame:
    """Compute the difference between the summed Shapley values of two groups of stems.

    Parameters
    ----------
    ablation : Ablation
        Ablation that includes every subset of the stems.
    first, second : sequence of str
        Stems whose Shapley values are added, and stems whose values are subtracted.
    n_boot, seed
        See :func:`contributions`.

    Returns
    -------
    DataFrame
        The same rows and columns as in the output of :func:`contrast`.
    """
    shapley = _coefficients(ablation, "Shapley")
    unknown = [stem for stem in [*first, *second] if stem not in shapley]
    if unknown:
        raise ProbeError(
            f"there are no Shapley values for {unknown}; they need every subset of the stems "
            f"({', '.join(ablation.stems)}), and at most {MOST_PLAYERS} stems",
            kind="unknown", column="stems", value=unknown,
        )  # fmt: skip
    weights = sum(shapley[stem] for stem in first) - sum(shapley[stem] for stem in second)
    r2 = np.einsum("s,spt->pt", weights, ablation.r2)
    influence = np.einsum("s,gspt->gpt", weights, ablation.influence)
    table = _table(ablation, "contrast", [""], r2[None], influence[:, None], n_boot, seed)
    return table.drop(columns="contrast")


def _table(ablation, label, names, estimate, influence, n_boot, seed) -> pd.DataFrame:
    """Tabulate estimates (k, parts, targets), with intervals from influences (artists, k, …)."""
    index = pd.MultiIndex.from_product(
        [names, ablation.parts, ablation.songs.targets], names=[label, "part", "target"]
    )
    frame = pd.DataFrame({"estimate": estimate.ravel()}, index=index).reset_index()
    interval = influence_interval(
        estimate.ravel(), influence.reshape(len(influence), -1), n_boot=n_boot, seed=seed
    )
    frame = frame.assign(**interval._asdict())
    artists, styles = ablation.songs.artists, ablation.songs.styles.astype(str)
    for part in ablation.parts:
        songs = styles == part if part in ablation.parts[2:] else np.ones(len(styles), dtype=bool)
        rows = frame["part"] == part
        frame.loc[rows, ["n_songs", "n_artists"]] = songs.sum(), len(set(artists[songs]))
    return frame.astype({"n_songs": int, "n_artists": int})
