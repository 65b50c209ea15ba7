import hiclass.metrics
import numpy as np
import pandas as pd
import pytest
from expect import raises
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from groove_utils.errors import DetailedError
from groove_utils.genre import metrics
from groove_utils.genre.trees import ancestors, tree_distances
from groove_utils.stats import two_way_interval

LABELS = ["house", "techno", "disco", "folk"]
TREE = {"house": "electronic", "techno": "electronic", "electronic": "dance", "disco": "dance"}


def draw(seed, n=60, k=4, sharpness=2.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(k, size=n)
    logits = rng.normal(size=(n, k)) + sharpness * np.eye(k)[y] * rng.random((n, 1))
    p = np.exp(logits)
    return y, p / p.sum(axis=1, keepdims=True)


def levels(codes):
    """Return padded paths from the root, in the format of hiclass."""
    paths = [ancestors(TREE, LABELS[code])[::-1] for code in codes]
    return np.array([path + [""] * (3 - len(path)) for path in paths])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(4, 40))
def test_scores_equal_scikit_learn_and_hiclass(seed, n):
    y, p = draw(seed, n)
    predicted = p.argmax(axis=1)
    counts = metrics.confusion_counts(y, predicted, 4)
    np.testing.assert_array_equal(counts, sk.confusion_matrix(y, predicted, labels=range(4)))
    flat = metrics.flat_scores(counts)
    assert flat["accuracy"] == pytest.approx(sk.accuracy_score(y, predicted), abs=1e-12)
    present = np.unique(y)  # scikit-learn warns of classes that are predicted and never present
    recall = sk.recall_score(y, predicted, labels=present, average="macro")
    assert flat["balanced accuracy"] == pytest.approx(recall, abs=1e-12)
    f1 = sk.f1_score(y, predicted, average="macro")
    assert flat["macro-F1"] == pytest.approx(f1, abs=1e-12)
    scores = metrics.hierarchical_scores(counts, TREE, LABELS)
    true, guess = levels(y), levels(predicted)
    assert scores["hP"] == pytest.approx(hiclass.metrics.precision(true, guess), abs=1e-12)
    assert scores["hR"] == pytest.approx(hiclass.metrics.recall(true, guess), abs=1e-12)
    if scores["hP"] > 0:
        assert scores["hF"] == pytest.approx(hiclass.metrics.f1(true, guess), abs=1e-12)


def test_in_the_flat_tree_all_scores_are_the_accuracy():
    y, p = draw(1)
    counts = metrics.confusion_counts(y, p.argmax(axis=1), 4)
    scores = metrics.hierarchical_scores(counts, {}, LABELS)
    accuracy = metrics.flat_scores(counts)["accuracy"]
    assert {*map(float, scores.values())} == {float(accuracy)}
    flat = tree_distances({}, LABELS)
    assert metrics.mistake_severity(counts, flat) == 1
    assert metrics.distance_at_k(y, p, flat).mean() == pytest.approx(1 - accuracy, abs=1e-12)


def test_severity_alone_rewards_a_worse_classifier():
    distances = tree_distances(TREE, LABELS)
    good, worse = np.diag([9.0, 10, 10, 10]), np.diag([4.0, 10, 10, 10])
    good[0, 3] = 1  # one large mistake
    worse[0, [1, 3]] = 5, 1  # the same, and five small ones
    assert metrics.mistake_severity(good, distances) == 1
    assert metrics.mistake_severity(worse, distances) == pytest.approx((5 / 3 + 1) / 6)
    at_1 = [(counts * distances.to_numpy()).sum() / 40 for counts in (good, worse)]
    assert at_1[0] < at_1[1]
    assert np.isnan(metrics.mistake_severity(np.eye(4), distances))


def test_distance_at_k_worked_by_hand():
    distances = tree_distances(TREE, LABELS)
    p = [[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4]]
    np.testing.assert_allclose(metrics.distance_at_k([0, 3], p, distances, 1), [0, 0])
    np.testing.assert_allclose(
        metrics.distance_at_k([0, 3], p, distances, 2), [1 / 6, 1 / 2], atol=1e-15
    )


def test_intervals_hold_the_estimates_and_widen_with_fewer_bands():
    y, p = draw(2, n=400)
    widths = {}
    for n_bands in (8, 80):
        bands = np.arange(400) % n_bands
        table = metrics.score_intervals(y, p, bands, TREE, LABELS, n_boot=500)
        table = table.set_index("score")
        assert (table["low"] <= table["estimate"]).all()
        assert (table["estimate"] <= table["high"]).all()
        widths[n_bands] = table.loc["accuracy", "high"] - table.loc["accuracy", "low"]
    top = sk.top_k_accuracy_score(y, p, k=3)
    assert table.loc["top-3 accuracy", "estimate"] == pytest.approx(top, abs=1e-12)
    assert table.loc["log loss", "estimate"] == pytest.approx(sk.log_loss(y, p), abs=1e-9)
    assert widths[80] < 0.15


def test_mistakes_inside_the_branches_are_found_and_scattered_ones_are_not():
    labels = list("abcdefgh")
    tree = {label: "left" if label in "abcd" else "right" for label in labels}
    inside, scattered = np.diag([20.0] * 8), np.diag([20.0] * 8)
    inside[:4, :4] += 1
    inside[4:, 4:] += 1
    scattered += 1
    distances = tree_distances(tree, labels)
    near = metrics.severity_by_chance(inside, distances, 500)
    assert near["severity"] == 0.5
    assert near["p"] < 0.1
    assert near["chance"] > 0.7
    anywhere = metrics.severity_by_chance(scattered, distances, 500)
    assert anywhere["p"] == 1.0  # the same in every tree
    perfect = metrics.severity_by_chance(np.eye(8), distances, 10)
    assert np.isnan([*perfect.values()]).all()


def test_means_over_bands_and_draws():
    rng = np.random.default_rng(2)
    bands, draws = np.tile(np.arange(40), 3), np.repeat([0, 1, 2], 40)
    shift = np.array([-0.3, 0.0, 0.3])[draws]
    values = pd.DataFrame({"steady": rng.normal(size=120), "shifting": rng.normal(size=120)})
    values["shifting"] += shift
    alone = metrics.mean_intervals(values, bands)
    both = metrics.mean_intervals(values, bands, draws)
    np.testing.assert_allclose(both["estimate"], values.mean())
    width = both["high"] - both["low"]
    assert width[1] > 2 * (alone["high"] - alone["low"])[1]
    expected = two_way_interval(
        lambda w: w @ values.to_numpy() / w.sum(axis=1, keepdims=True), bands, draws
    )
    np.testing.assert_allclose(both["low"], expected.low)
    np.testing.assert_allclose(both["p"], expected.p)
    assert "p" not in alone
    assert metrics.mean_intervals(values, bands, np.zeros(120))["low"].isna().all()


def test_comparisons_by_tree():
    y, p = draw(3, n=200)
    _, other = draw(4, n=200, sharpness=0)
    trees = {"by hand": TREE, "flat": {}}
    table = metrics.compare_in_trees(y, {"a": p, "b": other}, trees, LABELS, n_draws=50)
    assert table[["network", "tree"]].to_numpy().tolist() == [
        ["a", "by hand"], ["a", "flat"], ["b", "by hand"], ["b", "flat"]
    ]  # fmt: skip
    assert (table.loc[table["tree"] == "flat", "severity"] == 1).all()
    bands = np.arange(200) % 20
    rows = metrics.severity_differences(y, p, other, bands, trees, LABELS, n_boot=200)
    same = rows[(rows["tree"] == "flat") & (rows["score"] == "mistake severity")]
    assert same[["estimate", "low", "high"]].to_numpy().tolist() == [[0, 0, 0]]
    mean = rows[rows["score"] == "distance@1"].set_index("tree")["estimate"]
    expected = table.set_index(["network", "tree"])["distance@1"]
    for tree in trees:
        assert mean[tree] == pytest.approx(expected["a", tree] - expected["b", tree], abs=1e-12)


@pytest.mark.parametrize(
    ("y", "p", "kind"),
    [
        ([], np.empty((0, 2)), "wrong_shape"),
        ([0], [0.5, 0.5], "wrong_shape"),
        ([2], [[0.5, 0.5]], "unknown_class"),
        ([0.0], [[0.5, 0.5]], "unknown_class"),
        ([0], [[0.5, np.nan]], "not_probabilities"),
        ([0], [[3.0, -1.0]], "not_probabilities"),
    ],
)
def test_unusable_probabilities(y, p, kind):
    with raises(DetailedError, kind):
        metrics.check_probabilities(np.array(y), np.array(p))


def test_probabilities_may_come_from_a_table():
    _y, p = metrics.check_probabilities(pd.Series([0, 1]), pd.DataFrame([[1, 0], [0, 1]]))
    assert p.dtype == np.float64
