from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from expect import raises
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn

from groove_utils.cache import ArrayCache
from groove_utils.errors import DetailedError
from groove_utils.genre import self_supervision as ssl
from groove_utils.genre.inputs import Clips
from groove_utils.networks.training import TrainingSettings, fit, train_epoch
from groove_utils.probe import ClippedStandardScaler


class Backbone(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.layer = nn.Linear(8 * 20, dim)

    def embed(self, x):
        return torch.relu(self.layer(x.flatten(1)))


def by_hand(a, b, temperature):
    z = [v / np.linalg.norm(v) for v in [*a, *b]]
    losses = []
    for i in range(len(z)):
        partner = (i + len(a)) % len(z)
        similar = [np.exp(z[i] @ z[j] / temperature) for j in range(len(z)) if j != i]
        losses.append(-np.log(np.exp(z[i] @ z[partner] / temperature) / sum(similar)))
    return np.mean(losses)


def test_nt_xent_equals_its_definition():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 7, 5))
    for temperature in (0.1, 0.5, 2.0):
        found = ssl.nt_xent(torch.tensor(a), torch.tensor(b), temperature)
        assert float(found) == pytest.approx(by_hand(a, b, temperature), abs=1e-12)


def test_the_shared_training_loop_minimises_nt_xent():
    torch.manual_seed(0)
    network = ssl.ContrastiveNetwork(Backbone(), 16)
    x = torch.randn(12, 2, 8, 20)
    augment = ssl.draw_views(gain=0)
    seen = {}

    def record(x, target):
        seen["x"], seen["target"] = augment(x, target)
        with torch.inference_mode():
            z = network.head(network.backbone.embed(torch.cat([*seen["x"].unbind(1)])))
            seen["loss"] = float(ssl.nt_xent(*z.chunk(2)))
        return seen["x"], seen["target"]

    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimiser)
    loss = train_epoch(network, x, torch.zeros(12), optimiser, schedule, 12, record)
    assert loss == pytest.approx(seen["loss"], rel=1e-5)


def test_views_are_two_different_ones_and_stretch_only_if_asked():
    x = torch.arange(5.0)[:, None, None, None] * 10 + torch.arange(4.0)[None, :, None, None]
    x = x.expand(5, 4, 8, 20).contiguous()
    torch.manual_seed(1)
    views, partners = ssl.draw_views(gain=0)(x, torch.zeros(5))
    assert views.shape == (5, 2, 8, 20)
    assert partners.tolist() == [*range(5, 10), *range(5)]
    songs = views.flatten(2).median(dim=2)[0]
    assert ((songs // 10) == torch.arange(5)[:, None]).all()
    assert (songs[:, 0] != songs[:, 1]).all()
    ramp = torch.arange(20.0).expand(3, 2, 8, 20).contiguous()
    torch.manual_seed(1)
    stretched, _ = ssl.draw_views(stretch=0.5, gain=0)(ramp, torch.zeros(3))
    steps = stretched.diff(dim=3).flatten(2).median(dim=2)[0]
    assert (steps - 1).abs().max() > 0.1  # the ramp is steeper or flatter
    torch.manual_seed(1)
    plain, _ = ssl.draw_views(gain=0)(ramp, torch.zeros(3))
    assert plain.diff(dim=3).flatten(2).median(dim=2)[0].unique().tolist() == [1]


def pulses(n_songs, n_views, seed):
    """Generate spectrograms of songs that differ in pulse rate and in levels of bands."""
    rng = np.random.default_rng(seed)
    rate = rng.uniform(0.06, 0.2, n_songs)
    phase = rng.random((n_songs, n_views, 1))
    wave = np.cos(2 * np.pi * (rate[:, None, None] * np.arange(40) + phase))
    bands = np.broadcast_to(wave[:, :, None], (n_songs, n_views, 8, 40))
    levels = rng.normal(size=(n_songs, 1, 8, 1))
    noise = 0.3 * rng.normal(size=bands.shape)
    return (bands * np.exp(0.3 * levels) + noise).astype(np.float32), rate


class Waves(nn.Module):
    """Network layer with kernels along time, whose energies are averaged."""

    def __init__(self):
        super().__init__()
        self.kernels = nn.Conv1d(8, 32, 15)

    def embed(self, x):
        return self.kernels(x).square().mean(dim=2).log1p()


def test_time_stretch_makes_a_network_deaf_to_tempo():
    X, rate = pulses(160, 4, 0)
    scores = {}
    for stretch in (0.0, 2.0):
        torch.manual_seed(1)
        backbone = Waves()
        network = ssl.ContrastiveNetwork(backbone, 32)
        settings = TrainingSettings(epochs=60, batch_size=80, learning_rate=1e-2, seed=1)
        fit(network, X, np.zeros(160, int), settings, augment=ssl.draw_views(stretch))
        with torch.inference_mode():
            z = network.head(backbone.embed(torch.tensor(X[:, 0]))).numpy()
        pairs = pdist(z, "cosine"), pdist(rate[:, None])
        scores[stretch] = spearmanr(*pairs).statistic
    assert scores[0.0] > scores[2.0] + 0.1


def test_curves_over_labels():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 40)
    bands = np.arange(120) // 4
    X = rng.normal(size=(120, 6)) + 1.5 * np.eye(6)[y]
    test = np.flatnonzero(bands % 10 >= 7)
    train = np.setdiff1d(np.arange(120), test)
    table = ssl.label_curve(X, y, bands, train, test, n_bands=[1, 3, 7], n_draws=4)
    assert table.groupby("bands")["artist"].value_counts().groupby("bands").unique().map(
        list
    ).to_dict() == {1: [4], 3: [4], 7: [1]}  # fmt: skip
    assert set(table["artist"]) == set(bands[test])
    table = table.groupby(["bands", "draw", "n_clips"], as_index=False)["accuracy"].mean()
    assert table.groupby("bands")["n_clips"].unique().map(list).to_dict() == {
        1: [12], 3: [36], 7: [84]
    }  # fmt: skip
    assert table["bands"].value_counts().to_dict() == {1: 4, 3: 4, 7: 1}
    means = table.groupby("bands")["accuracy"].mean()
    assert means[7] > means[1] > 1 / 3
    with raises(DetailedError, "too_few", value=8):
        ssl.label_curve(X, y, bands, train, test, n_bands=[8])


def test_labelled_bands_are_the_same_for_all_methods():
    y, bands = np.repeat([0, 1], 30), np.repeat(np.arange(20), 3)
    rows = np.flatnonzero(bands % 10 < 8)
    draw = partial(ssl.draw_labelled, y, bands, rows, seed=3)
    two, four = draw(2), draw(4)
    np.testing.assert_array_equal(draw(2), two)
    assert set(two) < set(four) < set(rows)
    assert [len(set(bands[two[y[two] == k]])) for k in (0, 1)] == [2, 2]
    assert len(two) == 12  # all clips of these bands
    assert any(set(draw(2, draw=number)) != set(two) for number in (1, 2))
    np.testing.assert_array_equal(draw(8, draw=1), rows)
    model = make_pipeline(ClippedStandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    X = np.random.default_rng(0).normal(size=(60, 4)) + y[:, None]
    test = np.setdiff1d(np.arange(60), rows)
    table = ssl.label_curve(X, y, bands, rows, test, n_bands=[2], n_draws=2, seed=3)
    for number, part in table.groupby("draw"):
        few = draw(2, draw=number)
        right = model.fit(X[few], y[few]).predict(X[test]) == y[test]
        expected = pd.Series(right).groupby(bands[test]).mean()
        assert dict(zip(part["artist"], part["accuracy"], strict=True)) == expected.to_dict()


def test_views_are_the_clips_of_a_song():
    table = pd.DataFrame({"song_id": list("bbaacc"), "artist": "x", "style": "y"})
    clips = Clips(np.arange(6, dtype=np.float32).reshape(6, 1, 1), table, ["y"])
    views = ssl.song_views(clips, np.array([0, 1, 2, 3]))
    assert views[..., 0, 0].tolist() == [[2, 3], [0, 1]]
    with raises(DetailedError, "wrong_length"):
        ssl.song_views(clips, np.array([0, 1, 2]))
    with raises(DetailedError, "wrong_length"):
        ssl.song_views(clips, np.array([0, 2, 4]))


def test_pretraining_lowers_the_loss_is_repeatable_and_cached(tmp_path):
    rng = np.random.default_rng(0)
    songs = rng.normal(size=(24, 1, 48, 1)) * 10 - 40
    views = (songs + rng.normal(size=(24, 2, 48, 32))).astype(np.float32)
    settings = TrainingSettings(epochs=4, batch_size=24, seed=5)
    cache = ArrayCache(tmp_path, "networks")
    options = {"settings": settings, "cache": cache}
    first = ssl.pretrain_network("mel-cnn", views, **options)
    assert first.history["loss"].iloc[-1] < first.history["loss"].iloc[0]
    assert len(cache) == 1
    read = ssl.pretrain_network("mel-cnn", views, **options)
    fresh = ssl.pretrain_network(
        "mel-cnn", views, settings=settings, cache=ArrayCache(tmp_path, "other")
    )
    for other in (read, fresh):
        np.testing.assert_array_equal(other.embed(views[:, 0]), first.embed(views[:, 0]))
        np.testing.assert_array_equal(other.history["loss"], first.history["loss"])
    stretched = ssl.pretrain_network("mel-cnn", views, stretch=0.5, **options)
    assert len(cache) == 3  # two networks, and the features of one
    assert np.abs(stretched.embed(views[:, 0]) - first.embed(views[:, 0])).max() > 0
