"""Contrastive pretraining: learning from recordings without labels.

The network learns to place two views of the same item (such as two excerpts of a song, or two of
its stems) close to each other and far from all other views in the batch. The choice of views
determines what the network learns to ignore. Training uses :func:`groove_utils.networks.fit` and is
treated as classification: the “class” of each view is the position of its partner (the other view
of the same item) in the batch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn
from torch.nn import functional

from groove_utils.cache import ArrayCache, cache_key
from groove_utils.errors import DetailedError
from groove_utils.genre.architectures import build_network
from groove_utils.genre.inputs import Clips
from groove_utils.genre.trained_networks import TrainedNetwork
from groove_utils.networks.augmentation import mask, stretch_time
from groove_utils.networks.training import TrainingSettings, fit, one_torch_thread
from groove_utils.probe.scaling import ClippedStandardScaler
from groove_utils.stats.threads import one_thread

__all__ = [
    "ContrastiveNetwork",
    "accuracy_by_band",
    "draw_labelled",
    "draw_views",
    "label_curve",
    "nt_xent",
    "pair_logits",
    "pretrain_network",
    "song_views",
]

PRETRAINING = TrainingSettings(epochs=40, batch_size=72, learning_rate=4e-3)
GAIN_DB = 6.0  # maximum change in the level of a view
LOSS = "loss per epoch"  # key under which the training loss is cached


def pair_logits(z: torch.Tensor, temperature: float = 0.5) -> torch.Tensor:
    """Compute cosine similarities between all pairs of views, divided by a temperature.

    Parameters
    ----------
    z : Tensor, shape (n, d)
        Vectors that represent all views (such as excerpts of songs) in a batch.
    temperature : float

    Returns
    -------
    Tensor, shape (n, n)
        Similarities, with −∞ on the diagonal, because a view is not compared with itself.
    """
    z = functional.normalize(z, dim=1)
    return (z @ z.T / temperature).masked_fill(torch.eye(len(z), dtype=torch.bool), -torch.inf)


def nt_xent(a: torch.Tensor, b: torch.Tensor, temperature: float = 0.5) -> torch.Tensor:
    """Compute the normalised temperature-scaled cross-entropy loss (NT-Xent).

    Parameters
    ----------
    a, b : Tensor, shape (n, d)
        Vectors that represent views. Corresponding rows represent views of the same item.
    temperature : float

    Returns
    -------
    Tensor
        Scalar: mean loss over all views, in nats.

    References
    ----------
    Chen et al. (2020), "A simple framework for contrastive learning", ICML; for music, Spijkervet
    & Burgoyne (2021), "Contrastive learning of musical representations", ISMIR.

    Examples
    --------
    For two orthogonal pairs of identical views, the loss is log(1 + 2 exp(−1/0.5)).

    >>> views = torch.eye(2, dtype=torch.float64)
    >>> round(float(nt_xent(views, views)), 6)
    0.239545
    """
    return functional.cross_entropy(pair_logits(torch.cat([a, b]), temperature), _partners(len(a)))


def _partners(n: int) -> torch.Tensor:
    return (torch.arange(2 * n) + n) % (2 * n)


class ContrastiveNetwork(nn.Module):
    """Backbone plus projection head; the logits are similarities between views in a batch.

    If training examples are augmented by :func:`draw_views`, the cross-entropy computed by
    :func:`groove_utils.networks.train_epoch` is equal to :func:`nt_xent`.

    Parameters
    ----------
    backbone : torch.nn.Module
        Network whose method ``embed(x)`` maps spectrograms, shape (n, n_mels, n_frames), to
        features, shape (n, dim). It is trained in place.
    dim : int
        Number of features that the backbone returns.
    projection : int
        Number of outputs of the projection head. During training, these outputs are used to compare
        views; after training, the head is discarded.
    temperature : float
        As in :func:`nt_xent`.
    """

    def __init__(self, backbone: nn.Module, dim: int, projection: int = 64, temperature=0.5):
        super().__init__()
        self.backbone, self.temperature = backbone, temperature
        layers = nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, projection)
        self.head = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (2n, 2n) for n pairs of views, shape (n, 2, n_mels, n_frames)."""
        z = self.head(self.backbone.embed(torch.cat([x[:, 0], x[:, 1]])))
        return pair_logits(z, self.temperature)


def draw_views(stretch: float = 0.0, gain: float = 0.5) -> Callable:
    """Create a function that draws two views of each example and augments both.

    Parameters
    ----------
    stretch : float
        Maximum relative change in the tempo of a view; if 0, the tempo is not changed.
    gain : float
        Maximum change in the level of a view, in the units of the input (dB for log-mel
        spectrograms).

    Returns
    -------
    callable
        Function ``augment(x, target) -> (views, partners)`` to be passed to
        :func:`groove_utils.networks.train_epoch`. It takes ``x``, shape (n, n_views, n_mels,
        n_frames), draws two different views of each example, changes their tempo and level, and
        masks consecutive mel bands and frames. ``views`` has the shape (n, 2, n_mels, n_frames).
        ``partners``, shape (2n,), contains the index of each view's partner: the other view of the
        same example.
    """

    def augment(x, target):
        order = torch.rand(x.shape[:2]).argsort(dim=1)[:, :2]
        x = x[torch.arange(len(x))[:, None], order].flatten(0, 1)
        if stretch:
            x, _ = stretch_time(x, target, stretch)
        x, _ = mask(x, target)
        x = x + gain * (2 * torch.rand(len(x), 1, 1) - 1)
        return x.unflatten(0, (-1, 2)), _partners(len(x) // 2)

    return augment


def song_views(clips: Clips, rows: np.ndarray) -> np.ndarray:
    """Group clips by song, so that contrastive pretraining can use a song's clips as its views.

    Parameters
    ----------
    clips : Clips
    rows : ndarray of int
        Row numbers of the clips; all songs must have the same number of clips.

    Returns
    -------
    ndarray of float32, shape (n_songs, n_clips, n_mels, n_frames)

    Raises
    ------
    DetailedError
        If songs differ in their number of clips, or have only one clip each.
    """
    songs = clips.table["song_id"].to_numpy()[rows]
    order = np.argsort(songs, kind="stable")
    counts = np.unique(songs, return_counts=True)[1]
    if len(set(counts)) != 1 or counts[0] < 2:
        raise DetailedError(
            f"songs have {sorted(set(counts.tolist()))} clips; expected the same number of "
            "clips for each song, and at least two, because two excerpts of a song are compared.",
            kind="wrong_length", column="rows", value=sorted(set(counts.tolist())),
        )  # fmt: skip
    return clips.X[rows[order]].reshape(len(counts), counts[0], *clips.X.shape[1:])


def pretrain_network(
    name: str, views: np.ndarray, settings: TrainingSettings = PRETRAINING, *,
    stretch: float = 0.0, cache: ArrayCache | None = None, progress: bool = False,
) -> TrainedNetwork:  # fmt: skip
    """Pretrain a network to match views of the same song, or load it if it is cached.

    Parameters
    ----------
    name : str
        Name of the network; a key of :data:`groove_utils.genre.architectures.NETWORKS`.
    views : ndarray of float32, shape (n_songs, n_views, n_mels, n_frames)
        Log-mel spectrograms in dB, such as those returned by :func:`song_views`.
    settings : TrainingSettings
        Training settings. The seed also determines the initial weights.
    stretch : float
        As in :func:`draw_views`.
    cache : ArrayCache, optional
        Cache to use; by default, the project's cache ``genre-networks``.
    progress : bool
        Show a progress bar.

    Returns
    -------
    TrainedNetwork
        Use only the features of this network (``embed``), because its last layer is not trained.
    """
    cache = ArrayCache(namespace="genre-networks") if cache is None else cache
    facts = {"pretrained": name, "stretch": stretch, **asdict(settings)}
    key = cache_key("genre-networks", json.dumps(facts, sort_keys=True), views.tobytes())
    n_mels, n_frames = views.shape[2:]
    backbone = build_network(name, 2, n_mels=n_mels, n_frames=n_frames, seed=settings.seed)
    if (entry := cache.get(key)) is None:
        backbone.scale_by(views)
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            network = ContrastiveNetwork(backbone, backbone.output.in_features)
        augment = draw_views(stretch, gain=GAIN_DB)
        with one_torch_thread():
            history = fit(
                network, views, np.zeros(len(views), int), settings, augment=augment,
                progress=progress,
            )  # fmt: skip
        entry = {name: value.numpy() for name, value in backbone.state_dict().items()}
        cache.put(key, {**entry, LOSS: history["loss"].to_numpy()})
        return TrainedNetwork(backbone.eval(), history, cache)
    history = pd.DataFrame({"loss": entry.pop(LOSS)}).rename_axis("epoch").reset_index()
    backbone.load_state_dict({name: torch.from_numpy(value) for name, value in entry.items()})
    return TrainedNetwork(backbone.eval(), history, cache)


def draw_labelled(
    y: np.ndarray, bands: Sequence, rows: np.ndarray, n_bands: int, draw: int = 0, seed: int = 0
) -> np.ndarray:
    """Draw bands (artists) from each class at random and return the row numbers of their clips.

    Increasing `n_bands` adds bands to those drawn with a smaller value. To compare methods fairly,
    train them on the same draws.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Class of each clip.
    bands : sequence, shape (n,)
        Band of each clip.
    rows : ndarray of int
        Row numbers of the clips to draw from.
    n_bands : int
        Number of bands per class.
    draw, seed : int
        Index of the draw, and random seed shared by all draws.

    Returns
    -------
    ndarray of int
        A subset of `rows`, in the same order.

    Raises
    ------
    DetailedError
        If a class has fewer than `n_bands` bands.
    """
    y, bands = np.asarray(y), np.asarray(bands)
    by_class = [np.unique(bands[rows][y[rows] == k]) for k in np.unique(y)]
    fewest = min(map(len, by_class))
    if n_bands > fewest:
        raise DetailedError(
            f"n_bands is {n_bands}, but a class has only {fewest} bands to draw from; expected at "
            f"most {fewest}.",
            kind="too_few", column="n_bands", value=n_bands,
        )  # fmt: skip
    rng = np.random.default_rng([seed, draw])
    drawn = np.concatenate([rng.permutation(names)[:n_bands] for names in by_class])
    return rows[np.isin(bands[rows], drawn)]


@one_thread
def label_curve(
    features: np.ndarray, y: np.ndarray, bands: Sequence, train: np.ndarray, test: np.ndarray, *,
    n_bands: Sequence[int], n_draws: int = 5, seed: int = 0, cache: ArrayCache | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Compute the accuracy of linear probes that are trained on only a few bands per class.

    Parameters
    ----------
    features : ndarray, shape (n, dim)
        Features of each clip.
    y : ndarray of int, shape (n,)
        Class of each clip.
    bands : sequence, shape (n,)
        Band (artist) of each clip; either all or none of a band's clips are labelled.
    train, test : ndarray of int
        Row numbers of the training clips, from which labelled bands are drawn, and of the test
        clips.
    n_bands : sequence of int
        Numbers of labelled bands per class to try.
    n_draws, seed : int
        Number of random draws of labelled bands, and random seed; see :func:`draw_labelled`. To
        compare different features on the same draws, use the same seed.
    cache : ArrayCache, optional
        Cache for results; by default, results are not cached.

    Returns
    -------
    DataFrame
        One row for each combination of number of labelled bands, draw and test band: ``bands``
        (number of labelled bands per class), ``draw``, ``n_clips`` (number of labelled clips),
        ``artist`` (the test band) and ``accuracy`` (on the clips of the test band). If all bands
        are labelled, there is only one draw.

    Raises
    ------
    DetailedError
        If a number in `n_bands` exceeds the number of training bands in a class.
    """
    y, bands = np.asarray(y), np.asarray(bands)
    model = make_pipeline(ClippedStandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    facts = ["by band", repr(model), list(n_bands), n_draws, seed, bands.tolist()]
    arrays = [np.ascontiguousarray(array).tobytes() for array in (features, y, train, test)]
    key = cache_key("genre-networks", repr(facts), *arrays)
    if cache is not None and (entry := cache.get(key)) is not None:
        return pd.DataFrame(entry)
    tables = []
    for count in n_bands:
        for draw in range(n_draws):
            labelled = draw_labelled(y, bands, train, count, draw, seed)
            if draw and len(labelled) == len(train):
                continue  # all bands are labelled, as in the first draw
            model.fit(features[labelled], y[labelled])
            right = model.predict(features[test]) == y[test]
            row = {"bands": count, "draw": draw, "n_clips": len(labelled)}
            tables.append(accuracy_by_band(right, bands[test], **row))
    table = pd.concat(tables, ignore_index=True)
    if cache is not None:
        entry = {name: column.to_numpy() for name, column in table.items()}
        cache.put(key, entry | {"artist": entry["artist"].astype(str)})
    return table


def accuracy_by_band(right: np.ndarray, bands: np.ndarray, /, **facts) -> pd.DataFrame:
    """Compute the accuracy of a classifier for each band (artist).

    Parameters
    ----------
    right : ndarray of bool, shape (n,)
        True for clips that were classified correctly.
    bands : ndarray, shape (n,)
        Band of each clip.
    **facts
        Additional columns with constant values.

    Returns
    -------
    DataFrame
        One row per band: the columns in `facts`, followed by ``artist`` and ``accuracy``.
    """
    accuracy = pd.Series(right).groupby(np.asarray(bands)).mean()
    return pd.DataFrame({**facts, "artist": accuracy.index, "accuracy": accuracy.to_numpy()})
