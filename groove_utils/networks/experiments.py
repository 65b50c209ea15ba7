"""Train several modules on several questions, and say who found the answer (chapter 03)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from scipy import stats

from groove_utils.cache import ArrayCache, cache_key
from groove_utils.networks.modules import build_module
from groove_utils.networks.size import count_multiply_adds, count_parameters
from groove_utils.networks.training import TrainingSettings, fit, one_thread, predict

__all__ = ["compare_modules", "summarise_scores", "train_and_test"]


def train_and_test(
    name: str,
    X: np.ndarray,
    y: np.ndarray,
    n_train: int,
    settings: TrainingSettings = TrainingSettings(),  # noqa: B008 -- it is frozen
    cache: ArrayCache | None = None,
    **options,
) -> np.ndarray:
    """Train a module on the first examples, and return its class probabilities for the others.

    Features are scaled by mean and standard deviation over the training examples.

    Parameters
    ----------
    name : str
        As in :func:`~groove_utils.networks.build_module`.
    X : ndarray of float32, shape (n, n_bands, n_frames)
    y : ndarray of int, shape (n,)
    n_train : int
    settings : TrainingSettings
        Its seed draws the initial weights, too.
    cache : ArrayCache, optional
    **options
        Of the module.

    Returns
    -------
    ndarray of float32, shape (n − n_train, n_classes)
    """
    facts = {"module": name, "n_train": n_train, "options": options, **asdict(settings)}
    key = cache_key("training", json.dumps(facts, sort_keys=True), X.tobytes(), y.tobytes())
    if cache is not None and (entry := cache.get(key)) is not None:
        return entry["probabilities"]
    mean, sd = X[:n_train].mean(), X[:n_train].std()
    scaled = torch.from_numpy((X - mean) / sd)
    with one_thread(), torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = build_module(name, X.shape[1:], int(y.max()) + 1, **options)
        fit(network, scaled[:n_train], y[:n_train], settings)
        probabilities = predict(network, scaled[n_train:])
    if cache is not None:
        cache.put(key, {"probabilities": probabilities})
    return probabilities


def compare_modules(
    tasks: Mapping[str, object],
    modules: Iterable[str] = ("dense", "convolution", "recurrent", "attention"),
    *,
    seeds: Iterable[int] = range(5),
    settings: TrainingSettings = TrainingSettings(),  # noqa: B008 -- it is frozen
    cache: ArrayCache | None = None,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Train every module on every task with several seeds.

    Parameters
    ----------
    tasks : mapping of str to ListeningTask
        See :mod:`groove_utils.synth.listening_tasks`.
    modules : iterable of str
    seeds : iterable of int
    settings : TrainingSettings
        Its seed is replaced by each of `seeds`.
    cache : ArrayCache, optional
        What has been trained is not trained again.
    n_jobs : int
        Processes.

    Returns
    -------
    DataFrame
        One row per task, module and seed: ``task, module, seed, accuracy, chance, parameters,
        multiply_adds``. Chance is the share of the most frequent class in testing.
    """
    modules, seeds = list(modules), list(seeds)
    jobs = [(t, m, s) for t in tasks for m in modules for s in seeds]
    results = Parallel(n_jobs=n_jobs)(
        delayed(train_and_test)(
            module, tasks[task].X, tasks[task].y, tasks[task].n_train,
            TrainingSettings(**{**asdict(settings), "seed": seed}), cache,
        )
        for task, module, seed in jobs
    )  # fmt: skip
    sizes = {(t, m): _sizes(m, tasks[t]) for t in tasks for m in modules}
    rows = []
    for (task, module, seed), probabilities in zip(jobs, results, strict=True):
        truth = tasks[task].y[tasks[task].n_train :]
        rows.append(
            {
                "task": task,
                "module": module,
                "seed": seed,
                "accuracy": float((probabilities.argmax(axis=1) == truth).mean()),
                "chance": float(np.bincount(truth).max() / len(truth)),
                **sizes[task, module],
            }
        )
    return pd.DataFrame(rows)


def summarise_scores(scores: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Mean accuracy over seeds with a t interval.

    Parameters
    ----------
    scores : DataFrame
        From :func:`compare_modules`.
    level : float

    Returns
    -------
    DataFrame
        One row per task and module: ``task, module, accuracy, low, high, n, chance, parameters,
        multiply_adds``. With one seed, `low` and `high` are NaN.
    """
    groups = scores.groupby(["task", "module"], sort=False)
    table = groups.agg(
        accuracy=("accuracy", "mean"), sd=("accuracy", "std"), n=("accuracy", "size"),
        chance=("chance", "first"), parameters=("parameters", "first"),
        multiply_adds=("multiply_adds", "first"),
    )  # fmt: skip
    half = stats.t.ppf(0.5 + level / 2, table["n"] - 1) * table["sd"] / np.sqrt(table["n"])
    table.insert(1, "low", table["accuracy"] - half)
    table.insert(2, "high", table["accuracy"] + half)
    return table.drop(columns="sd").reset_index()


def _sizes(module: str, task) -> dict[str, int]:
    shape = task.X.shape[1:]
    network = build_module(module, shape, len(task.classes))
    return {
        "parameters": count_parameters(network),
        "multiply_adds": count_multiply_adds(network, shape),
    }
