"""Experiments that train several classifiers on several tasks and compare their accuracies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import torch
from joblib import delayed
from scipy import stats

from groove_utils.cache import ArrayCache, cache_key, describe_function, run_cached_jobs
from groove_utils.networks.modules import build_module
from groove_utils.networks.size import count_multiply_adds, count_parameters
from groove_utils.networks.training import (
    Augment,
    TrainingSettings,
    fit,
    one_torch_thread,
    predict,
)

__all__ = [
    "compare_modules",
    "holdout_accuracy",
    "summarise_scores",
    "task_accuracy",
    "train_and_test",
]

DEFAULTS = TrainingSettings()


def train_and_test(
    name: str,
    X: np.ndarray,
    y: np.ndarray,
    held_out: np.ndarray,
    settings: TrainingSettings = DEFAULTS,
    *,
    cache: ArrayCache | None = None,
    augment: Augment | None = None,
    scale_on_all: bool = False,
    **options,
) -> np.ndarray:
    """Train a small classifier on some examples and predict class probabilities for the others.

    Inputs are standardised using a single mean and a single standard deviation, computed over all
    values in the training examples.

    Parameters
    ----------
    name : str
        Name of the classifier; see :func:`~groove_utils.networks.build_module`.
    X : ndarray, shape (n, n_bands, n_frames)
    y : ndarray of int, shape (n,)
        Class of each example, numbered from 0.
    held_out : ndarray of bool, shape (n,)
        True for test examples.
    settings : TrainingSettings
        Training settings. The seed also determines the initial weights.
    cache : ArrayCache, optional
        Cache for predictions; by default, predictions are not cached. If the predictions are found
        in the cache, the classifier is not trained.
    augment : callable, optional
        Augmentation function; see :func:`~groove_utils.networks.train_epoch`. It must be a
        module-level function or a `functools.partial` of one.
    scale_on_all : bool
        Include the test examples when computing the mean and standard deviation. Use this only to
        demonstrate data leakage.
    **options
        Options passed to the classifier, such as ``width``.

    Returns
    -------
    ndarray of float32, shape (n_test, n_classes)
        Class probabilities for the test examples.
    """
    X, y = np.ascontiguousarray(X, dtype=np.float32), np.asarray(y, dtype=np.int64)
    facts = {
        "module": name, "options": options, "augment": describe_function(augment),
        "leak": scale_on_all, **asdict(settings),
    }  # fmt: skip
    arrays = (X.tobytes(), y.tobytes(), np.asarray(held_out, bool).tobytes())
    key = cache_key("training", json.dumps(facts, sort_keys=True), *arrays)
    if cache is not None and (entry := cache.get(key)) is not None:
        return entry["probabilities"]
    reference = X if scale_on_all else X[~held_out]
    scaled = torch.from_numpy((X - reference.mean()) / reference.std())
    with one_torch_thread(), torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = build_module(name, X.shape[1:], int(y.max()) + 1, **options)
        fit(network, scaled[~held_out], y[~held_out], settings, augment=augment)
        probabilities = predict(network, scaled[held_out])
    if cache is not None:
        cache.put(key, {"probabilities": probabilities})
    return probabilities


def holdout_accuracy(
    X: np.ndarray,
    y: np.ndarray,
    held_out: np.ndarray,
    name: str,
    seed: int,
    cache: ArrayCache | None = None,
    augment: Augment | None = None,
    *,
    epochs: int = DEFAULTS.epochs,
    scale_on_all: bool = False,
    **options,
) -> float:
    """Train a small classifier and compute its accuracy on held-out examples.

    Parameters
    ----------
    X, y, held_out, name, cache, augment, scale_on_all, **options
        As in :func:`train_and_test`.
    seed, epochs : int
        See :class:`~groove_utils.networks.TrainingSettings`.

    Returns
    -------
    float
        Proportion of correct predictions, between 0 and 1.
    """
    settings = TrainingSettings(epochs=epochs, seed=seed)
    probabilities = train_and_test(
        name, X, y, held_out, settings,
        cache=cache, augment=augment, scale_on_all=scale_on_all, **options,
    )  # fmt: skip
    return float((probabilities.argmax(axis=1) == y[held_out]).mean())


def task_accuracy(
    task,
    name: str,
    seed: int,
    cache: ArrayCache | None = None,
    augment: Augment | None = None,
    *,
    n_train: int | None = None,
    **options,
) -> float:
    """Train a small classifier on a task and compute its accuracy on the test examples.

    Parameters
    ----------
    task : ListeningTask
        Task with training and test examples; see :mod:`groove_utils.synth.listening_tasks`.
    name, seed, cache, augment, **options
        As in :func:`holdout_accuracy`.
    n_train : int, optional
        Number of training examples to use, starting with the first; by default, all of them.

    Returns
    -------
    float
        Proportion of correct predictions, between 0 and 1.
    """
    use = np.concatenate([np.arange(n_train or task.n_train), np.arange(task.n_train, len(task.y))])
    held_out = use >= task.n_train
    return holdout_accuracy(
        task.X[use], task.y[use], held_out, name, seed, cache, augment, **options
    )


def compare_modules(
    tasks: Mapping[str, object],
    modules: Iterable[str] = ("dense", "convolution", "recurrent", "attention"),
    *,
    seeds: Iterable[int] = range(5),
    settings: TrainingSettings = DEFAULTS,
    cache: ArrayCache | None = None,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Train each classifier on each task with several seeds and compute the test accuracies.

    Parameters
    ----------
    tasks : mapping of str to ListeningTask
        Tasks by name; see :mod:`groove_utils.synth.listening_tasks`.
    modules : iterable of str
        Names of classifiers; see :func:`~groove_utils.networks.build_module`.
    seeds : iterable of int
        Random seeds. Each classifier is trained on each task once per seed.
    settings : TrainingSettings
        Training settings, except for the seed, which is taken from `seeds`.
    cache : ArrayCache, optional
        As in :func:`train_and_test`.
    n_jobs : int
        Number of processes.

    Returns
    -------
    DataFrame
        One row per task, classifier and seed: ``task, module`` (the classifier), ``seed, accuracy,
        chance`` (proportion of the test examples that belong to the most frequent class),
        ``parameters, multiply_adds``.
    """
    modules, seeds = list(modules), list(seeds)
    jobs = [(t, m, s) for t in tasks for m in modules for s in seeds]
    trainings = (
        delayed(train_and_test)(
            module, tasks[task].X, tasks[task].y, _held_out(tasks[task]),
            replace(settings, seed=seed),
        )
        for task, module, seed in jobs
    )  # fmt: skip
    results = run_cached_jobs(trainings, cache, n_jobs)
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
    """Compute mean accuracies over seeds, with t-based confidence intervals clipped to [0, 1].

    Parameters
    ----------
    scores : DataFrame
        Output of :func:`compare_modules`.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        One row per task and classifier: ``task, module, accuracy, low, high, n`` (number of seeds),
        ``chance, parameters, multiply_adds, verdict``. The verdict says whether the classifier
        found what the task asks for: it is ``found`` if the whole interval lies above the midpoint
        between chance and 1, ``not found`` if the whole interval lies below the midpoint, and
        ``unclear`` otherwise. With only one seed, there is no interval, and the verdict is based on
        the accuracy itself.
    """
    groups = scores.groupby(["task", "module"], sort=False)
    table = groups.agg(
        accuracy=("accuracy", "mean"), sd=("accuracy", "std"), n=("accuracy", "size"),
        chance=("chance", "first"), parameters=("parameters", "first"),
        multiply_adds=("multiply_adds", "first"),
    )  # fmt: skip
    half = stats.t.ppf(0.5 + level / 2, table["n"] - 1) * table["sd"] / np.sqrt(table["n"])
    table.insert(1, "low", (table["accuracy"] - half).clip(lower=0))
    table.insert(2, "high", (table["accuracy"] + half).clip(upper=1))
    middle = (1 + table["chance"]) / 2
    low, high = (table[bound].fillna(table["accuracy"]) for bound in ("low", "high"))
    table["verdict"] = np.select([low > middle, high < middle], ["found", "not found"], "unclear")
    return table.drop(columns="sd").reset_index()


def _held_out(task) -> np.ndarray:
    return np.arange(len(task.y)) >= task.n_train


def _sizes(module: str, task) -> dict[str, int]:
    shape = task.X.shape[1:]
    network = build_module(module, shape, len(task.classes))
    return {
        "parameters": count_parameters(network),
        "multiply_adds": count_multiply_adds(network, shape),
    }
