import numpy as np
import pytest
import torch
from expect import raises
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from torch import nn

from groove_utils.cache import ArrayCache
from groove_utils.errors import DetailedError
from groove_utils.genre import explanations as ex
from groove_utils.networks.modules import RecurrentClassifier


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12 * 10, 3))


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(5, 12, 10)).astype(np.float32)


def weights(linear, targets):
    return linear[1].weight.detach().numpy()[targets].reshape(-1, 12, 10)


def test_explanations_of_a_linear_network_equal_their_closed_form(linear, X):
    targets = [0, 1, 2, 0, 1]
    baseline = np.random.default_rng(1).normal(size=(12, 10)).astype(np.float32)
    product = weights(linear, targets) * (X - baseline)
    gradients = ex.explain(linear, X, targets, baseline=baseline, steps=8)
    np.testing.assert_allclose(gradients, product, atol=1e-6)
    single = ex.explain(linear, X, targets, "occlusion", baseline=baseline, window=(1, 1))
    np.testing.assert_allclose(single, product, atol=2e-6)
    # windows of 4 × 2 that overlap by half: the mean of the sums of the windows around each cell
    found = ex.explain(linear, X, targets, "occlusion", baseline=baseline, window=(4, 2))
    total, count = np.zeros((2, *X.shape))
    for i in range(0, 12 - 4 + 1, 2):
        for j in range(10 - 2 + 1):
            area = (slice(None), slice(i, i + 4), slice(j, j + 2))
            total[area] += product[area].sum(axis=(1, 2), keepdims=True)
            count[area] += 1
    np.testing.assert_allclose(found, total / count, atol=1e-5)


def test_integrated_gradients_add_up_to_the_difference_of_logits(X):
    torch.manual_seed(1)
    network = RecurrentClassifier(12, 10, 3)
    values = ex.explain(network, X, [2] * 5, steps=64)
    with torch.inference_mode():
        logits = network(torch.tensor(X))[:, 2] - network(torch.zeros(1, 12, 10))[:, 2]
    np.testing.assert_allclose(values.sum(axis=(1, 2)), logits.numpy(), atol=2e-3)


def test_explanations_are_read_from_the_cache_for_the_same_network(linear, X, tmp_path):
    cache = ArrayCache(tmp_path, "explanations")
    first = ex.explain_all(linear, X, [0] * 5, cache=cache, baseline=-1.0, steps=2)
    assert list(first) == list(ex.METHODS)
    again = ex.explain_all(linear, X, [0] * 5, cache=cache, baseline=-1.0, steps=2)
    for method in ex.METHODS:
        np.testing.assert_array_equal(again[method], first[method])
    assert len(cache) == 1
    with torch.no_grad():
        linear[1].weight.mul_(2)
    doubled = ex.explain_all(linear, X, [0] * 5, cache=cache, baseline=-1.0, steps=2)
    np.testing.assert_allclose(doubled[ex.METHODS[0]], 2 * first[ex.METHODS[0]], rtol=1e-5)
    assert len(cache) == 2


def test_faithfulness_worked_by_hand():
    class Stub(nn.Module):  # two classes; the logit of the second is that of the first cell
        def forward(self, x):
            return torch.stack([torch.zeros(len(x)), x[:, 0, 0] - x[:, 0, 1]], dim=1)

    X = np.array([[[2.0, 1.0]], [[1.0, 2.0]]], dtype=np.float32)
    explanation = np.array([[[1.0, 0.0]], [[1.0, 0.0]]])
    found = ex.faithfulness(Stub(), X, explanation, share=0.5)

    def sigma(x):
        return 1 / (1 + np.exp(-x))

    # first: logit 1, with the first cell alone 2, without it −1; class 1 stays
    # second: class 0 at logit 1; with the first cell alone it is −1, without it 2
    p, kept, without = sigma(1), np.array([sigma(2), sigma(-1)]), np.array([sigma(-1), sigma(2)])
    expected = {
        "AI": 0.5,
        "AD": np.mean([0, (p - kept[1]) / p]),
        "AG": np.mean([(kept[0] - p) / (1 - p), 0]),
        "FF": np.mean(p - without),
        "Fid-In": 0.5,
    }
    assert found.to_dict() == pytest.approx(expected, abs=1e-6)


def test_the_right_explanation_makes_deletion_fall_and_insertion_rise_early(linear, X):
    targets = [1] * 5
    areas = {}
    for method in ("integrated gradients", "random"):
        values = ex.explain(linear, X, targets, method, steps=4)
        curves = ex.hide_and_show(linear, X, targets, values)
        areas[method] = curves[["deletion", "insertion"]].mean()
        full, none = curves.iloc[0], curves.iloc[-1]
        assert full["deletion"] == pytest.approx(none["insertion"])
        assert full["insertion"] == pytest.approx(none["deletion"])
    assert areas["integrated gradients"]["deletion"] < areas["random"]["deletion"]
    assert areas["integrated gradients"]["insertion"] > areas["random"]["insertion"]


def test_scores_of_several_explanations_are_kept(linear, X, tmp_path, monkeypatch):
    cache, targets = ArrayCache(tmp_path), linear(torch.tensor(X)).argmax(dim=1).numpy()
    maps = {m: ex.explain(linear, X, targets, m, steps=2) for m in ex.METHODS}
    scores, curves = ex.score_explanations(linear, X, targets, maps, baseline=-1.0, cache=cache)
    for name, values in maps.items():
        expected = ex.faithfulness(linear, X, values, baseline=-1.0)
        assert scores.loc[name].to_dict() == expected.to_dict()
        part = curves[curves["explanation"] == name].drop(columns="explanation")
        expected = ex.hide_and_show(linear, X, targets, values, baseline=-1.0)
        np.testing.assert_array_equal(part, expected)
    monkeypatch.setattr(ex, "faithfulness", None)
    again = ex.score_explanations(linear, X, targets, maps, baseline=-1.0, cache=cache)
    assert again[0].equals(scores)
    assert again[1].equals(curves)
    with pytest.raises(TypeError):
        ex.score_explanations(linear, X, targets, maps, baseline=0.0, cache=cache)


def test_scores_against_a_truth():
    rng = np.random.default_rng(3)
    truth = rng.random((4, 6, 7)) < 0.3
    values = rng.normal(size=truth.shape) + truth
    table = ex.truth_scores(values, truth)
    for row, cells, explanation in zip(table.itertuples(), truth, values, strict=True):
        assert row.auc == pytest.approx(roc_auc_score(cells.ravel(), explanation.ravel()))
        assert row.chance == pytest.approx(cells.mean())
        top = np.sort(explanation.ravel())[-cells.sum()]
        assert row.rank == pytest.approx(cells[explanation >= top].mean())
    perfect = ex.truth_scores(truth.astype(float), truth)
    assert (perfect[["mass", "rank", "auc"]] == 1).all(axis=None)
    noise = ex.truth_scores(rng.normal(size=(300, 20, 20)), rng.random((20, 20)) < 0.2)
    assert abs(noise["auc"].mean() - 0.5) < 0.01
    assert abs((noise["mass"] - noise["chance"]).mean()) < 0.01
    assert ex.truth_scores(values[:1], np.ones((6, 7))).iloc[0].isna().sum() == 3
    assert np.isnan(ex.truth_scores(-np.ones((1, 6, 7)), truth[0])["mass"][0])


def test_shuffling_destroys_layer_after_layer_and_leaves_the_network_alone(X):
    torch.manual_seed(2)
    network = RecurrentClassifier(12, 10, 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    original = ex.explain(network, X, [0] * 5, steps=4)
    names, changed = [], []
    for name, shuffled in ex.shuffled_layers(network, X, seed=0):
        names.append(name)
        states = shuffled.state_dict()
        changed.append(sum(not torch.equal(states[n], before[n]) for n in before))
        for n, value in before.items():
            assert torch.equal(states[n].flatten().sort()[0], value.flatten().sort()[0])
        last = ex.explain(shuffled, X, [0] * 5, steps=4)
    assert names[0] == "output"
    assert changed == sorted(changed)
    assert changed[-1] == len(before)
    assert ex.rank_similarity(original, last).mean() < 0.5
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_layers_are_shuffled_in_the_order_of_use_not_of_definition(X):
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.output = nn.Linear(7, 2)
            self.hidden = nn.Linear(120, 7)

        def forward(self, x):
            return self.output(self.hidden(x.flatten(1)))

    names = [name for name, _ in ex.shuffled_layers(Backwards(), X)]
    assert names == ["output", "hidden"]


def test_rank_similarity_is_spearmans_correlation(X):
    other = X + np.random.default_rng(4).normal(size=X.shape)
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(X, other, strict=True)]
    np.testing.assert_allclose(ex.rank_similarity(X, other), expected, atol=1e-12)
    np.testing.assert_allclose(ex.rank_similarity(X, -X), -1)
    assert ex.rank_similarity(np.zeros_like(X), X).tolist() == [0] * 5  # no values to rank


def test_masked_sound_keeps_what_the_mask_shows():
    sr, n_fft, hop = 16000, 512, 256
    t = np.arange(sr) / sr
    low, high = np.sin(2 * np.pi * 300 * t), np.sin(2 * np.pi * 3000 * t)
    options = {"sr": sr, "n_fft": n_fft, "hop_length": hop}
    everything = ex.masked_sound(low + high, np.ones((40, 63)), **options)
    np.testing.assert_allclose(everything[512:-512], (low + high)[512:-512], atol=1e-3)
    mask = np.zeros((40, 63))
    mask[:20] = 1  # bands up to about 1.6 kHz
    kept = ex.masked_sound(low + high, mask, **options)
    np.testing.assert_allclose(kept[512:-512], low[512:-512], atol=0.03)
    assert not ex.masked_sound(low, np.zeros((40, 63)), **options).any()


def test_unusable_input(linear, X):
    with raises(DetailedError, "unusable_input"):
        ex.explain(linear, X[0], [0])
    with raises(DetailedError, "unusable_input"):
        ex.explain(linear, np.full_like(X, np.nan), [0] * 5)
    with raises(DetailedError, "unknown_method"):
        ex.explain(linear, X, [0] * 5, "tea leaves")
