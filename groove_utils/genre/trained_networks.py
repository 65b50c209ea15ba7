"""Training of style-classification networks, with checkpoints and cached results."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from groove_utils.cache import ArrayCache, cache_key, describe_function, run_cached_jobs
from groove_utils.genre.architectures import SpectrogramNetwork, build_network
from groove_utils.genre.inputs import Clips
from groove_utils.genre.network_results import cached_result
from groove_utils.networks.augmentation import mask, mixup
from groove_utils.networks.devices import training_precision
from groove_utils.networks.training import (
    Augment,
    TrainingSettings,
    choose_accelerator,
    fit,
    one_torch_thread,
    predict,
)

__all__ = [
    "SETTINGS",
    "TrainedNetwork",
    "classify_features",
    "mask_and_mix",
    "predict_versions",
    "predictions_table",
    "train_network",
    "train_networks",
]

SETTINGS = TrainingSettings(
    epochs=8, batch_size=32, learning_rate=4e-3, weight_decay=1e-2, patience=8
)


@dataclass(frozen=True)
class TrainedNetwork:
    """Trained network with its training history.

    Attributes
    ----------
    network : SpectrogramNetwork
        The network, on the CPU and in evaluation mode.
    history : DataFrame
        One row per epoch: ``epoch, loss`` and, if there was validation data, ``valid_loss,
        valid_accuracy``. Empty by default.
    cache : ArrayCache, optional
        Cache for predictions and features; by default, nothing is cached.
    """

    network: SpectrogramNetwork
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    cache: ArrayCache | None = None

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predict class probabilities for spectrograms `X`; float32, shape (n, n_classes)."""
        return self._cached("probabilities", X, lambda: predict(self.network, X))

    def embed(self, X: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """Return the input to the last layer for spectrograms `X`; float32, shape (n, dim)."""

        def compute():
            self.network.eval()
            with one_torch_thread(), torch.inference_mode():
                batches = torch.as_tensor(X).split(batch_size)
                return torch.cat([self.network.embed(batch) for batch in batches]).numpy()

        return self._cached("features", X, compute)

    def _cached(self, kind: str, X: np.ndarray, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Compute an output of the network for `X`, or read it from the cache."""
        facts = [kind, np.shape(X)]
        entry = cached_result(
            self.cache,
            "genre-networks",
            self.network,
            facts,
            [np.asarray(X)],
            lambda: {kind: compute()},
        )
        return entry[kind]


def mask_and_mix(
    x: torch.Tensor, target: torch.Tensor, n_classes: int, share: float = 0.15, alpha: float = 0.2
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mask consecutive mel bands and frames (SpecAugment), then mix pairs of examples (mixup).

    Parameters
    ----------
    x : Tensor, shape (batch, n_mels, n_frames)
    target : Tensor of int64, shape (batch,)
        Class of each example.
    n_classes : int
        Number of classes.
    share : float
        Maximum fraction of the mel bands and of the frames to mask.
    alpha : float
        See :func:`groove_utils.networks.augmentation.mixup`.

    Returns
    -------
    x : Tensor, shape (batch, n_mels, n_frames)
    target : Tensor of float, shape (batch, n_classes)
        Class probabilities of each mixed example.
    """
    return mixup(*mask(x, target, share, share), n_classes, alpha)


def train_network(
    name: str,
    clips: Clips,
    split: Mapping[str, np.ndarray],
    settings: TrainingSettings = SETTINGS,
    *,
    augment: Augment | str | None = "mask_and_mix",
    cache: ArrayCache | None = None,
    device: str | None = None,
    progress: bool = False,
    **options,
) -> TrainedNetwork:
    """Train a network on the training clips of a split, or load it if it is cached.

    If the split has validation clips, they are used for early stopping, and the weights from the
    epoch with the lowest validation loss are kept. Otherwise, the weights from the last epoch are
    kept. A checkpoint is written after each epoch, so interrupted training can be resumed without
    changing the result.

    Parameters
    ----------
    name : str
        Name of the network; a key of :data:`groove_utils.genre.architectures.NETWORKS`.
    clips : Clips
    split : mapping
        Row numbers of the training clips (``train``) and, optionally, of the validation clips
        (``valid``); see :func:`groove_utils.genre.split_clips`. If there are no validation clips,
        ``settings.patience`` is ignored.
    settings : TrainingSettings
        Training settings. The seed also determines the initial weights.
    augment : callable, None or 'mask_and_mix'
        Augmentation function; see :func:`groove_utils.networks.train_epoch`. By default,
        :func:`mask_and_mix` is used. If None, clips are not augmented.
    cache : ArrayCache, optional
        Cache to use; by default, the project's cache ``genre-networks``.
    device : str, optional
        Device to train on; see :func:`groove_utils.networks.choose_accelerator`.
    progress : bool
        Show a progress bar.
    **options
        Options passed to the network; see :func:`groove_utils.genre.build_network`.

    Returns
    -------
    TrainedNetwork
    """
    cache = ArrayCache(namespace="genre-networks") if cache is None else cache
    n_classes = len(clips.styles)
    if augment == "mask_and_mix":
        augment = partial(mask_and_mix, n_classes=n_classes)
    parts = [(clips.X[split[k]], clips.y[split[k]]) for k in ("train", "valid") if k in split]
    train, valid = parts if len(parts) == 2 else (parts[0], None)
    if valid is None:
        settings = replace(settings, patience=None)
    facts = {"network": name, "options": options, "augment": describe_function(augment),
             **_named_precision(device), **asdict(settings)}  # fmt: skip
    arrays = [array.tobytes() for part in parts for array in part]
    key = cache_key("genre-networks", json.dumps(facts, sort_keys=True), *arrays)
    shape = {"n_mels": clips.X.shape[1], "n_frames": clips.X.shape[2]}
    network = build_network(name, n_classes, **shape, seed=settings.seed, **options)
    if (entry := cache.get(key)) is None:
        network.scale_by(train[0])
        checkpoint = cache.path(key).with_suffix(".pt")
        history = fit(
            network, *train, settings, valid=valid, augment=augment, checkpoint=checkpoint,
            progress=progress, engine=choose_accelerator(device),
        )  # fmt: skip
        entry = _pack(network.cpu(), history)
        cache.put(key, entry)
        checkpoint.unlink(missing_ok=True)
    return _unpack(network, entry, cache)


def train_networks(
    names: Iterable[str],
    clips: Clips,
    splits: Mapping[int, Mapping[str, np.ndarray]],
    settings: TrainingSettings = SETTINGS,
    *,
    n_jobs: int = 1,
    **options,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train several networks on several splits and classify the validation and test clips.

    Parameters
    ----------
    names : iterable of str
        Names of the networks; see :func:`train_network`.
    clips : Clips
    splits : mapping of int to split
        Splits, keyed by seed, each with ``train``, ``valid`` and ``test``. The seed of a split is
        also used to train the networks on it.
    settings : TrainingSettings
        Training settings, except for the seed, which is taken from `splits`.
    n_jobs : int
        Number of processes.
    **options
        Options passed to :func:`train_network`.

    Returns
    -------
    predictions : DataFrame
        One row per clip, network and seed: ``clip_id, song_id, artist, style, network, seed,
        split`` (``valid`` or ``test``), and ``p_<style>`` for each style.
    histories : DataFrame
        One row per network, seed and epoch: ``network, seed, epoch, loss, valid_loss,
        valid_accuracy``.
    """
    jobs = [(name, seed) for name in names for seed in splits]
    cache = options["cache"] = options.get("cache") or ArrayCache(namespace="genre-networks")
    facts = {
        "jobs": jobs, **asdict(settings), **options, "cache": None, "device": None,
        "progress": None, "augment": _augment_name(options.get("augment", "mask_and_mix")),
        **_named_precision(options.get("device")),
    }  # fmt: skip
    key = _predictions_key(clips.X, clips, splits, facts)
    if (entry := cache.get(key)) is None:
        results = Parallel(n_jobs=n_jobs)(
            delayed(_train_and_predict)(
                name, clips, splits[seed], replace(settings, seed=seed), **options
            )
            for name, seed in jobs
        )
        probabilities, histories = zip(*results, strict=True)
        columns = pd.concat(histories, ignore_index=True).items()
        entry = {name: column.to_numpy() for name, column in columns}
        entry["network"] = entry["network"].astype(str)
        entry["probabilities"] = np.concatenate(probabilities)
        cache.put(key, entry)
    probabilities = entry.pop("probabilities")
    return _predictions(clips, splits, jobs, probabilities), pd.DataFrame(entry)


def predict_versions(
    name: str,
    clips: Clips,
    versions: Mapping[str, Clips],
    splits: Mapping[int, Mapping[str, np.ndarray]],
    settings: TrainingSettings = SETTINGS,
    *,
    n_jobs: int = 1,
    cache: ArrayCache | None = None,
    **options,
) -> pd.DataFrame:
    """Train a network on clips and predict the styles of modified versions of the test clips.

    Parameters
    ----------
    name : str
        As in :func:`train_network`.
    clips : Clips
        Clips to train on; one network is trained per split.
    versions : mapping of str to Clips
        Modified versions of the clips, by name. Each version contains all clips, in the same order
        as in `clips`.
    splits, settings, n_jobs
        As in :func:`train_networks`.
    cache, **options
        As in :func:`train_network`.

    Returns
    -------
    DataFrame
        Predictions for the test clips in each version, as in :func:`train_networks`, with an
        additional column ``version`` (name of the version).
    """
    cache = ArrayCache(namespace="genre-networks") if cache is None else cache
    train = delayed(train_network)
    jobs = [
        train(name, clips, split, replace(settings, seed=seed), **options)
        for seed, split in splits.items()
    ]
    tables = []
    for seed, trained in zip(splits, run_cached_jobs(jobs, cache, n_jobs), strict=True):
        rows = splits[seed]["test"]
        for version, changed in versions.items():
            facts = {"network": name, "seed": seed, "split": "test", "version": version}
            p = trained.predict(changed.X[rows])
            tables.append(predictions_table(changed, rows, p, **facts))
    return pd.concat(tables, ignore_index=True)


def classify_features(
    name: str,
    X: np.ndarray,
    clips: Clips,
    splits: Mapping[int, Mapping],
    model,
    *,
    cache: ArrayCache | None = None,
) -> pd.DataFrame:
    """Fit a scikit-learn classifier to features of the training clips and classify the other clips.

    Parameters
    ----------
    name : str
        Name of the classifier, used in the column ``network`` of the result.
    X : array-like, shape (n, dim)
        Features of all clips, one row per clip.
    clips, splits
        As in :func:`train_networks`.
    model : estimator
        Classifier with a method ``predict_proba``.
    cache : ArrayCache, optional
        As in :func:`train_network`.

    Returns
    -------
    DataFrame
        Predictions as in :func:`train_networks`.
    """
    X = np.ascontiguousarray(X)
    cache = ArrayCache(namespace="genre-networks") if cache is None else cache
    key = _predictions_key(X, clips, splits, {"model": repr(model)})
    if (entry := cache.get(key)) is None:
        parts = []
        with threadpool_limits(1):  # with so few clips, more threads do not speed up boosting
            for split in splits.values():
                fitted = clone(model).fit(X[split["train"]], clips.y[split["train"]])
                parts += [fitted.predict_proba(X[split[part]]) for part in ("valid", "test")]
        entry = {"probabilities": np.concatenate(parts).astype(np.float32)}
        cache.put(key, entry)
    return _predictions(clips, splits, [(name, seed) for seed in splits], entry["probabilities"])


def predictions_table(
    clips: Clips, rows: np.ndarray, probabilities: np.ndarray, **facts
) -> pd.DataFrame:
    """Create a table of predicted probabilities, with one row per clip.

    Parameters
    ----------
    clips : Clips
    rows : ndarray of int
        Row numbers of the clips for which probabilities were predicted.
    probabilities : ndarray, shape (len(rows), n_classes)
    **facts
        Additional columns with constant values, such as ``network`` and ``seed``.

    Returns
    -------
    DataFrame
        Columns ``clip_id, song_id, artist, style``, those in `facts`, and ``p_<style>`` for each
        style.
    """
    table = clips.table.iloc[rows][["clip_id", "song_id", "artist", "style"]].reset_index(drop=True)
    names = [f"p_{style}" for style in clips.styles]
    return pd.concat([table.assign(**facts), pd.DataFrame(probabilities, columns=names)], axis=1)


def _train_and_predict(name, clips, split, settings, **options):
    """Train a network; return predictions for validation and test clips, and the history."""
    trained = train_network(name, clips, split, settings, **options)
    p = trained.predict(clips.X[np.concatenate([split["valid"], split["test"]])])
    history = trained.history
    history.insert(0, "network", name)
    history.insert(1, "seed", settings.seed)
    return p, history


def _predictions(clips, splits, jobs, probabilities) -> pd.DataFrame:
    """Combine the predictions from several training runs in one table."""
    tables, start = [], 0
    for name, seed in jobs:
        for part in ("valid", "test"):
            rows = splits[seed][part]
            p = probabilities[start : start + len(rows)]
            start += len(rows)
            facts = {"network": name, "seed": seed, "split": part}
            tables.append(predictions_table(clips, rows, p, **facts))
    return pd.concat(tables, ignore_index=True)


def _predictions_key(X, clips, splits, facts) -> str:
    rows = [split[part].tobytes() for split in splits.values() for part in sorted(split)]
    text = json.dumps([list(splits), facts], sort_keys=True, default=str)
    return cache_key("genre-networks", text, X.tobytes(), clips.y.tobytes(), *rows)


def _named_precision(device: str | None) -> dict[str, str]:
    """Return the training precision as a dict for cache keys; for float32, the dict is empty."""
    name = training_precision(device)
    return {} if name == "float32" else {"precision": name}


def _augment_name(augment) -> str:
    return augment if isinstance(augment, str) else describe_function(augment)


def _pack(network: torch.nn.Module, history: pd.DataFrame) -> dict[str, np.ndarray]:
    weights = {f"network.{name}": t.numpy() for name, t in network.state_dict().items()}
    return weights | {f"history.{name}": history[name].to_numpy() for name in history}


def _unpack(
    network: SpectrogramNetwork, entry: Mapping[str, np.ndarray], cache: ArrayCache
) -> TrainedNetwork:
    parts = {"network": {}, "history": {}}
    for name, array in entry.items():
        kind, _, rest = name.partition(".")
        parts[kind][rest] = array
    network.load_state_dict({name: torch.from_numpy(a) for name, a in parts["network"].items()})
    return TrainedNetwork(network.eval(), pd.DataFrame(parts["history"]), cache)
