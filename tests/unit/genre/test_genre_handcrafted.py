"""Handcrafted features of real songs, and classifiers based on these features."""

import pickle
from functools import partial

import numpy as np
import pytest
from expect import raises
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from groove_utils.genre import CorpusError, handcrafted
from groove_utils.genre.handcrafted import compare_classifiers, pyaudioanalysis_features


def test_the_table_of_real_songs_has_the_published_size():
    X, y = pyaudioanalysis_features()
    assert X.shape == (581, 138)
    assert X.columns.is_unique
    assert y.value_counts().to_dict() == {
        "blues": 100, "electronic": 100, "classical": 99, "rap": 96, "jazz": 94, "rock": 92
    }  # fmt: skip
    np.testing.assert_allclose(X.mean(), 0, atol=1e-6)
    np.testing.assert_allclose(X.std(ddof=0), 1, atol=1e-6)
    # loud, dense spectra: rap's energy is higher than that of classical music
    assert X.loc[y == "rap", "energy_mean"].mean() > X.loc[y == "classical", "energy_mean"].mean()


def test_another_file_or_none_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "knn_musical_genre_6"
    with raises(CorpusError, "missing_file", path=path):
        pyaudioanalysis_features(path)
    path.write_bytes(pickle.dumps([[1.0]]))
    with raises(CorpusError, "wrong_hash", path=path):
        pyaudioanalysis_features(path)
    monkeypatch.setattr(handcrafted.importlib.util, "find_spec", lambda name: None)
    with raises(CorpusError, "not_installed"):
        pyaudioanalysis_features()


def test_no_object_is_unpickled(tmp_path):
    path = tmp_path / "object"
    path.write_bytes(pickle.dumps(partial(print, "loaded")))
    with path.open("rb") as file, pytest.raises(pickle.UnpicklingError):
        handcrafted._NumbersOnly(file).load()


def test_predictions_equal_those_of_cross_validation():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 20)
    X = rng.normal(size=(60, 3)) + (y == "b")[:, None]
    model = LogisticRegression()
    table = compare_classifiers(X, y, classifiers={"logistic": model}, n_folds=4, seed=3)
    table = table.sort_values("row")
    folds = [
        (np.flatnonzero(table["fold"] != k), np.flatnonzero(table["fold"] == k)) for k in range(4)
    ]
    expected = cross_val_predict(model, X, y, cv=folds, method="predict_proba")
    np.testing.assert_allclose(table[["p_a", "p_b", "p_c"]], expected, atol=1e-12)
    assert table.groupby("fold")["style"].value_counts().max() == 5  # stratified
    assert StratifiedKFold(4).get_n_splits() == table["fold"].nunique()


def test_an_artist_is_in_one_fold_only_and_all_classifiers_are_compared():
    rng = np.random.default_rng(1)
    artists = np.repeat(np.arange(30), 2)
    y = np.where(artists % 3 == 0, "a", np.where(artists % 3 == 1, "b", "c"))
    X = rng.normal(size=(60, 4)) + 8 * np.stack([y == s for s in "abcb"], axis=1)
    table = compare_classifiers(X, y, artists)
    assert table.groupby("artist")["fold"].nunique().max() == 1
    assert len(table) == 3 * 60
    probabilities = table[["p_a", "p_b", "p_c"]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    named = np.array(list("abc"))[probabilities.argmax(axis=1)]
    assert (named == table["style"]).mean() > 0.95
    chance = compare_classifiers(X, y, artists, classifiers={"none": DummyClassifier()})
    assert chance["p_a"].between(0.2, 0.5).all()


def test_a_unit_that_is_almost_constant_in_training_does_no_harm():
    rng = np.random.default_rng(2)
    y = np.repeat(["a", "b"], 40)
    X = rng.normal(size=(80, 2)) + 6 * (y == "b")[:, None]
    X = np.column_stack([X, 1e-9 * rng.normal(size=80)])
    X[[0, 79], 2] = [1.0, -1.0]  # silent but for one song of each style
    table = compare_classifiers(X, y)
    right = (table["p_b"] > 0.5) == (table["style"] == "b")
    assert right.groupby(table["network"]).mean().min() > 0.95


def test_features_that_are_not_finite_are_refused():
    X = np.ones((10, 2))
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        compare_classifiers(X, np.repeat(["a", "b"], 5))
