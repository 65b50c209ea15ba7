"""Classification scores beyond accuracy, with bootstrap intervals that resample bands (artists).

Classes are integers from 0 to k − 1, and probabilities ``p`` have the shape (n, k). Most scores
depend only on the confusion matrix, whose rows are true classes and whose columns are predicted
classes. Most functions that take a confusion matrix also accept a stack of matrices, such as one
matrix per bootstrap sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from groove_utils.errors import DetailedError
from groove_utils.genre.trees import Tree, label_overlap, shuffle_leaves, tree_distances
from groove_utils.stats.bootstrap import bca_interval
from groove_utils.stats.permutation import permutation_p
from groove_utils.stats.two_way_clusters import two_way_interval

__all__ = [
    "check_probabilities",
    "compare_in_trees",
    "confusion_counts",
    "distance_at_k",
    "flat_scores",
    "hierarchical_scores",
    "mean_intervals",
    "mistake_severity",
    "score_intervals",
    "severity_by_chance",
    "severity_differences",
]


def check_probabilities(y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Validate classes and probabilities and return them as arrays.

    Parameters
    ----------
    y : array-like of int, shape (n,)
    p : array-like, shape (n, k)
        Probabilities. Each row must sum to 1 to within 1e-3.

    Returns
    -------
    y : ndarray of int, shape (n,)
    p : ndarray of float64, shape (n, k)

    Raises
    ------
    DetailedError
        If the shapes do not match, if there are no examples, if a class is not an integer from 0 to
        k − 1, or if `p` does not contain probabilities.
    """
    y, p = np.asarray(y), np.asarray(p, dtype=np.float64)
    if p.ndim != 2 or y.shape != p.shape[:1] or not len(y):
        raise DetailedError(
            f"classes have the shape {y.shape} and probabilities {p.shape}; expected (n,) and "
            "(n, k), with n > 0.",
            kind="wrong_shape", value=p.shape,
        )  # fmt: skip
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= p.shape[1]:
        raise DetailedError(
            f"classes are {y.dtype} values from {y.min()} to {y.max()}; expected integers from 0 "
            f"to {p.shape[1] - 1}.",
            kind="unknown_class", column="y", value=y.max(),
        )  # fmt: skip
    sums = p.sum(axis=1)
    if not (np.isfinite(sums).all() and (p >= 0).all() and np.allclose(sums, 1, atol=1e-3)):
        raise DetailedError(
            "rows of p are not probabilities: they contain NaN or negative numbers, or do not sum "
            "to 1. If they are logits, apply a softmax first.",
            kind="not_probabilities", column="p",
        )  # fmt: skip
    return y, p


def confusion_counts(
    y: np.ndarray, predicted: np.ndarray, n_classes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Compute a confusion matrix, or one matrix for each set of example weights.

    Parameters
    ----------
    y, predicted : ndarray of int, shape (n,)
        True and predicted classes.
    n_classes : int
    weights : ndarray, shape (..., n), optional
        Weight of each example, such as its count in a bootstrap sample; 1 by default.

    Returns
    -------
    ndarray of float, shape (..., n_classes, n_classes)
        Counts; rows are true classes, columns are predicted classes.
    """
    weights = np.ones(len(y)) if weights is None else np.asarray(weights)
    cells = np.eye(n_classes**2)[np.asarray(y) * n_classes + predicted]
    return (weights @ cells).reshape(*weights.shape[:-1], n_classes, n_classes)


def flat_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute accuracy, balanced accuracy and macro-F1 from confusion matrices.

    Parameters
    ----------
    counts : ndarray, shape (..., k, k)
        Confusion matrices.

    Returns
    -------
    dict of str to ndarray, shape (...)
        ``accuracy``, ``balanced accuracy`` and ``macro-F1``. As in scikit-learn, macro-F1 ignores
        classes that occur neither as true nor as predicted labels, and balanced accuracy ignores
        classes that do not occur as true labels.
    """
    hits = np.einsum("...ii->...i", counts)
    present, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    with np.errstate(invalid="ignore"):
        recall, f1 = hits / present, 2 * hits / (present + predicted)
    return {
        "accuracy": hits.sum(axis=-1) / present.sum(axis=-1),
        "balanced accuracy": np.nanmean(recall, axis=-1),
        "macro-F1": np.nanmean(f1, axis=-1),
    }


def hierarchical_scores(
    counts: np.ndarray, tree: Tree, labels: Sequence[str]
) -> dict[str, np.ndarray]:
    """Compute micro-averaged hierarchical precision, recall and F score.

    For each example, let α be the set of the predicted label and its ancestors, and β the set of
    the true label and its ancestors, both without the root. Then hP = Σ|α ∩ β| / Σ|α| and hR =
    Σ|α ∩ β| / Σ|β|, with sums over examples, and hF is the harmonic mean of hP and hR.

    Parameters
    ----------
    counts : ndarray, shape (..., k, k)
        Confusion matrices.
    tree : mapping of str to str
        Genre tree, as a mapping from child to parent; see :mod:`groove_utils.genre.trees`.
    labels : sequence of str
        Names of the k classes.

    Returns
    -------
    dict of str to ndarray, shape (...)
        ``hP``, ``hR`` and ``hF``.

    References
    ----------
    Silla & Freitas (2011), "A survey of hierarchical classification", Data Mining and Knowledge
    Discovery 22.

    Examples
    --------
    A funk song is classified correctly, and a disco song is classified as funk. Of the two nodes
    predicted for the disco song, one is correct, because disco and funk have the same parent.

    >>> tree = {"funk": "dance", "disco": "dance"}
    >>> scores = hierarchical_scores(np.array([[1, 0], [1, 0]]), tree, ["funk", "disco"])
    >>> float(scores["hF"])
    0.75
    """
    overlap = label_overlap(tree, labels)
    size = np.diag(overlap)
    shared = (counts * overlap).sum(axis=(-2, -1))
    hp = shared / (counts * size).sum(axis=(-2, -1))
    hr = shared / (counts * size[:, None]).sum(axis=(-2, -1))
    return {"hP": hp, "hR": hr, "hF": 2 * hp * hr / (hp + hr)}


def mistake_severity(counts: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Compute the mean tree distance between true and predicted labels of misclassified examples.

    Additional mistakes between similar styles lower this mean, so report :func:`distance_at_k` as
    well.

    Parameters
    ----------
    counts : ndarray, shape (..., k, k)
        Confusion matrices.
    distances : array-like, shape (k, k), or (..., k, k)
        Tree distances between labels, from :func:`groove_utils.genre.tree_distances`.

    Returns
    -------
    ndarray, shape (...)
        Mean distance; NaN if there are no mistakes.
    """
    errors = counts * (1 - np.eye(counts.shape[-1]))
    with np.errstate(invalid="ignore"):
        return (errors * np.asarray(distances)).sum(axis=(-2, -1)) / errors.sum(axis=(-2, -1))


def distance_at_k(y: np.ndarray, p: np.ndarray, distances: np.ndarray, k: int = 1) -> np.ndarray:
    """Compute each example's mean tree distance from the true label to the k most probable labels.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        True class of each example.
    p : ndarray, shape (n, n_classes)
        Predicted probabilities.
    distances : array-like, shape (n_classes, n_classes)
        Tree distances between labels, from :func:`groove_utils.genre.tree_distances`.
    k : int
        Number of most probable labels to include.

    Returns
    -------
    ndarray, shape (n,)
        Distance for each example, including correctly classified ones. Distance@k is the mean over
        examples.

    References
    ----------
    Bertinetto et al. (2020), "Making better mistakes", CVPR.
    """
    y, p = check_probabilities(y, p)
    first = np.argsort(-p, axis=1, kind="stable")[:, :k]
    return np.asarray(distances)[y[:, None], first].mean(axis=1)


def score_intervals(
    y: np.ndarray,
    p: np.ndarray,
    bands: Sequence,
    tree: Tree,
    labels: Sequence[str],
    *,
    top: int = 3,
    n_boot: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute flat and tree-based scores for a classifier, with 95% bootstrap intervals.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        True class of each example.
    p : ndarray, shape (n, n_classes)
        Predicted probabilities.
    bands : sequence, shape (n,)
        Band (artist) of each example; whole bands are resampled.
    tree, labels
        As in :func:`hierarchical_scores`.
    top : int
        Value of k in top-k accuracy and distance@k.
    n_boot, seed : int
        Number of bootstrap samples, and random seed.

    Returns
    -------
    DataFrame
        One row per score: ``score, estimate, low, high``.
    """
    y, p = check_probabilities(y, p)
    distances = tree_distances(tree, labels).to_numpy()
    predicted = p.argmax(axis=1)
    per_example = {
        f"top-{top} accuracy": (np.argsort(-p, axis=1)[:, :top] == y[:, None]).any(axis=1),
        "distance@1": distance_at_k(y, p, distances),
        f"distance@{top}": distance_at_k(y, p, distances, top),
        "log loss": -np.log(np.maximum(p[np.arange(len(y)), y], 1e-12)),
    }

    def statistic(weights):
        counts = confusion_counts(y, predicted, p.shape[1], weights)
        scores = flat_scores(counts) | hierarchical_scores(counts, tree, labels)
        scores["mistake severity"] = mistake_severity(counts, distances)
        total = weights.sum(axis=1)
        scores |= {name: weights @ values / total for name, values in per_example.items()}
        names[:] = scores
        return np.column_stack([*scores.values()])

    names: list[str] = []
    estimate, low, high, _ = bca_interval(statistic, bands, n_boot=n_boot, seed=seed)
    return pd.DataFrame({"score": names, "estimate": estimate, "low": low, "high": high})


def mean_intervals(
    values: pd.DataFrame,
    bands: Sequence,
    draws: Sequence | None = None,
    *,
    n_boot: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute the mean of each column, with a 95% interval that accounts for clustered examples.

    Parameters
    ----------
    values : DataFrame, n × scores
        Finite numbers or booleans, with one row per example and one column per score.
    bands : sequence, shape (n,)
        Band (artist) of each example; examples from the same band are not treated as independent.
    draws : sequence, shape (n,), optional
        Repetition to which each example belongs, such as a training run or a draw of labelled
        bands. If given, the interval also accounts for variation between repetitions
        (:func:`groove_utils.stats.two_way_interval`). If there is only one repetition, the interval
        is NaN.
    n_boot, seed : int
        Number of bootstrap samples, and random seed; used only if `draws` is not given.

    Returns
    -------
    DataFrame
        One row per column of `values`: ``score, estimate, low, high`` and, if `draws` is given,
        ``p`` (p-value of a two-sided test of whether the mean is 0).

    Examples
    --------
    >>> mean_intervals(pd.DataFrame({"right": [1, 1, 0, 1, 0, 1]}), list("aabbcc"))["score"][0]
    'right'
    """
    numbers = values.to_numpy(dtype=np.float64)

    def statistic(weights):
        return weights @ numbers / weights.sum(axis=1, keepdims=True)

    if draws is None:
        estimate, low, high, _ = bca_interval(statistic, bands, n_boot=n_boot, seed=seed)
    else:
        estimate, low, high, _, p = two_way_interval(statistic, bands, draws)
    names = list(values.columns)
    table = pd.DataFrame({"score": names, "estimate": estimate, "low": low, "high": high})
    return table if draws is None else table.assign(p=p)


def severity_by_chance(
    counts: np.ndarray, distances: np.ndarray, n_draws: int = 2000, seed: int = 0
) -> dict[str, float]:
    """Compare the severity of mistakes with its distribution over trees with shuffled leaves.

    Parameters
    ----------
    counts : ndarray, shape (k, k)
        Confusion matrix.
    distances : array-like, shape (k, k)
        Tree distances between labels, from :func:`groove_utils.genre.tree_distances`.
    n_draws, seed : int
        Number of shuffled trees, and random seed.

    Returns
    -------
    dict
        ``severity``: severity in the original tree. ``chance``: mean severity over the shuffled
        trees. ``chance_low`` and ``chance_high``: 2.5th and 97.5th percentiles of the severity over
        the shuffled trees. ``p``: one-sided p-value, which is low if mistakes are less severe in
        the original tree than in the shuffled trees. All values are NaN if there are no mistakes.
    """
    severity = float(mistake_severity(counts, distances))
    if np.isnan(severity):
        names = "severity", "chance", "chance_low", "chance_high", "p"
        return dict.fromkeys(names, np.nan)
    random = mistake_severity(counts, shuffle_leaves(distances, n_draws, seed))
    low, high = np.quantile(random, [0.025, 0.975])
    p = float(permutation_p(-severity, -random))
    chance = {"chance": random.mean(), "chance_low": low, "chance_high": high}
    return {"severity": severity, **{k: float(v) for k, v in chance.items()}, "p": p}


def compare_in_trees(
    y: np.ndarray, predictions: Mapping[str, np.ndarray], trees: Mapping[str, Tree],
    labels: Sequence[str], *, top: int = 3, n_draws: int = 2000, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Compute tree-based scores for several classifiers, using several genre trees.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        True class of each example.
    predictions : mapping of str to ndarray, shape (n, k)
        Predicted probabilities, by classifier.
    trees : mapping of str to tree
        Trees by name; see :mod:`groove_utils.genre.trees`.
    labels : sequence of str
        Names of the k classes.
    top : int
        Value of k for which distance@k is reported, in addition to distance@1.
    n_draws, seed : int
        As in :func:`severity_by_chance`.

    Returns
    -------
    DataFrame
        One row per classifier and tree: ``network, tree, hF, severity, chance, chance_low,
        chance_high, p, distance@1, distance@<top>``. See :func:`hierarchical_scores` (``hF``),
        :func:`severity_by_chance` and :func:`distance_at_k`.
    """
    rows = []
    for network, p in predictions.items():
        y, p = check_probabilities(y, p)
        counts = confusion_counts(y, p.argmax(axis=1), p.shape[1])
        for name, tree in trees.items():
            distances = tree_distances(tree, labels).to_numpy()
            row = {"network": network, "tree": name}
            row["hF"] = float(hierarchical_scores(counts, tree, labels)["hF"])
            row |= severity_by_chance(counts, distances, n_draws, seed)
            row |= {
                f"distance@{k}": distance_at_k(y, p, distances, k).mean()
                for k in dict.fromkeys([1, top])
            }
            rows.append(row)
    return pd.DataFrame(rows)


def severity_differences(
    y: np.ndarray, first: np.ndarray, second: np.ndarray, bands: Sequence,
    trees: Mapping[str, Tree], labels: Sequence[str], *, n_boot: int = 2000, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Compute differences in mistake severity and distance@1 between two classifiers.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        True class of each example.
    first, second : ndarray, shape (n, k)
        Probabilities predicted by each classifier for the same examples.
    bands, trees, labels
        As in :func:`score_intervals` and :func:`compare_in_trees`.
    n_boot, seed : int
        Number of bootstrap samples, and random seed.

    Returns
    -------
    DataFrame
        One row per tree and score (``mistake severity``, ``distance@1``): ``tree, score, estimate,
        low, high`` (95% interval; whole bands are resampled). The estimate is the score of the
        first classifier minus that of the second; it is negative if the first classifier is better,
        because lower scores are better.
    """
    n_classes = len(labels)
    predicted = [check_probabilities(y, p)[1].argmax(axis=1) for p in (first, second)]
    tables = []
    for name, tree in trees.items():
        distances = tree_distances(tree, labels).to_numpy()

        def statistic(weights, distances=distances):
            a, b = (confusion_counts(y, guess, n_classes, weights) for guess in predicted)
            severity = mistake_severity(a, distances) - mistake_severity(b, distances)
            mean = ((a - b) * distances).sum(axis=(1, 2)) / weights.sum(axis=1)
            return np.nan_to_num(np.column_stack([severity, mean]))

        estimate, low, high, _ = bca_interval(statistic, bands, n_boot=n_boot, seed=seed)
        rows = {"tree": name, "score": ["mistake severity", "distance@1"], "estimate": estimate}
        tables.append(pd.DataFrame({**rows, "low": low, "high": high}))
    return pd.concat(tables, ignore_index=True)
