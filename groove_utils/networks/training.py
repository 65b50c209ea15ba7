"""Training loop for all networks trained in the book.

:func:`train_epoch` trains for one epoch and is short enough to be printed in a chapter. :func:`fit`
calls it repeatedly, with a learning-rate schedule, early stopping and checkpoints. On any one
machine, the same seed always gives the same weights, even if training is interrupted and resumed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional
from tqdm import trange

from groove_utils.errors import DetailedError
from groove_utils.files import atomic_path
from groove_utils.networks.devices import training_precision

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = [
    "TrainingSettings",
    "choose_accelerator",
    "fit",
    "one_torch_thread",
    "predict",
    "train_epoch",
]

Augment = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class TrainingSettings:
    """Settings for a training run.

    Attributes
    ----------
    epochs : int
    batch_size : int
    learning_rate : float
        Maximum learning rate of the one-cycle schedule (Smith & Topin 2018). The learning rate
        rises to this maximum over the first 30% of the steps and then falls; both phases follow a
        cosine curve.
    weight_decay : float
        Weight decay of AdamW (Loshchilov & Hutter 2019).
    patience : int, optional
        Stop training if the validation loss has not reached a new minimum for this many consecutive
        epochs. This requires validation data. By default, all epochs are run.
    seed : int
        Seed for dropout, augmentation and the order of examples. It does not affect the initial
        weights, which are set by the caller.
    """

    epochs: int = 15
    batch_size: int = 64
    learning_rate: float = 6e-3
    weight_decay: float = 1e-2
    patience: int | None = None
    seed: int = 0

    def __post_init__(self):
        for name in ("epochs", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise DetailedError(
                    f"{name} is {getattr(self, name)}; expected a positive number.",
                    kind="out_of_range", column=name, value=getattr(self, name),
                )  # fmt: skip


@contextmanager
def one_torch_thread():
    """Limit torch to one thread, for reproducible results and faster training of small networks."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_epoch(
    network: nn.Module,
    X: torch.Tensor,
    y: torch.Tensor,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    batch_size: int = 64,
    augment: Augment | None = None,
) -> float:
    """Train a network for one epoch, with the examples in random order.

    Parameters
    ----------
    network : torch.nn.Module
    X : Tensor, shape (n, ...)
    y : Tensor of int64, shape (n,), or of float, shape (n, n_classes)
        Class indices, or class probabilities.
    optimiser, schedule
        Optimiser and learning-rate schedule, both advanced once per batch.
    batch_size : int
        Maximum batch size. The examples are divided into batches of nearly equal size.
    augment : callable, optional
        Function ``augment(x, target) -> (x, target)``, applied to each batch.

    Returns
    -------
    float
        Mean cross-entropy over the examples, in nats.
    """
    network.train()
    total = 0.0
    for batch in torch.randperm(len(X)).tensor_split(-(-len(X) // batch_size)):
        x, target = X[batch], y[batch]
        if augment is not None:
            x, target = augment(x, target)
        loss = functional.cross_entropy(network(x), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        total += loss.item() * len(batch)
    return total / len(X)


@one_torch_thread()
def fit(
    network: nn.Module,
    X: np.ndarray | torch.Tensor,
    y: np.ndarray | torch.Tensor,
    settings: TrainingSettings = TrainingSettings(),
    *,
    valid: tuple[np.ndarray, np.ndarray] | None = None,
    augment: Augment | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool = False,
    engine: Accelerator | None = None,
) -> pd.DataFrame:
    """Train a network in place and return the loss for each epoch.

    If `valid` is given, the weights from the epoch with the lowest validation loss are kept.

    Parameters
    ----------
    network : torch.nn.Module
    X : array-like, shape (n, ...)
    y : array-like of int, shape (n,)
    settings : TrainingSettings
    valid : pair of array-like, optional
        Validation examples and their classes. Do not use the test set here.
    augment : callable, optional
        As in :func:`train_epoch`.
    checkpoint : path-like, optional
        File in which the training state is saved after each epoch. If the file already exists,
        training resumes from that state.
    progress : bool
        Show a progress bar.
    engine : accelerate.Accelerator, optional
        Output of :func:`choose_accelerator`; by default, training runs in the current process, on
        the CPU and in float32. If there are multiple processes, each batch is divided among them,
        and each process computes batch-normalisation statistics from its own part of the batch.

    Returns
    -------
    DataFrame
        One row per epoch: ``epoch, loss`` and, if `valid` is given, ``valid_loss, valid_accuracy``.

    Raises
    ------
    DetailedError
        If `X` is empty, `X` and `y` differ in length, or `patience` is set without `valid`.
    """
    # copied, because arrays from other processes are read-only and torch would warn about that
    X, y = (array if torch.is_tensor(array) else torch.tensor(array) for array in (X, y))
    _check_data(X, y, settings, valid)
    prepared = network
    if engine is not None:
        prepared, X, y = engine.prepare_model(network), X.to(engine.device), y.to(engine.device)
        augment = partial(_take_share, augment=augment, engine=engine)
    optimiser, schedule = _create_optimiser(network, settings, len(X))
    parts = {"network": network, "optimiser": optimiser, "schedule": schedule}
    history, best = _resume(checkpoint, parts)
    for epoch in trange(len(history), settings.epochs, desc="Training", disable=not progress):
        if _out_of_patience(history, settings.patience):
            break
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed * 100_003 + epoch)  # same random numbers after resuming
            loss = train_epoch(prepared, X, y, optimiser, schedule, settings.batch_size, augment)
        row = {"epoch": epoch, "loss": loss}
        if valid is not None:
            row |= _validate(network, *valid)
        row = row if engine is None else _synchronise(network, row, engine)
        if valid is not None and row["valid_loss"] < min(
            (earlier["valid_loss"] for earlier in history), default=np.inf
        ):
            best = {k: v.detach().clone() for k, v in network.state_dict().items()}
        history.append(row)
        if checkpoint is not None and (engine is None or engine.is_main_process):
            _save(checkpoint, parts, history, best)
    if engine is not None:
        engine.unwrap_model(prepared, keep_fp32_wrapper=False)
        vars(network).pop("forward", None)  # remove the wrapper around the class's method
        engine.wait_for_everyone()
    if best is not None:
        network.load_state_dict(best)
    return pd.DataFrame(history)


@one_torch_thread()
def predict(network: nn.Module, X: np.ndarray | torch.Tensor, batch_size: int = 256) -> np.ndarray:
    """Predict class probabilities with a network.

    Parameters
    ----------
    network : torch.nn.Module
        Network that returns logits; it is switched to evaluation mode.
    X : array-like, shape (n, ...)
    batch_size : int

    Returns
    -------
    ndarray of float32, shape (n, n_classes)
    """
    network.eval()
    device = next((p.device for p in network.parameters()), "cpu")
    with torch.inference_mode():
        logits = [network(x.to(device)).cpu() for x in torch.as_tensor(X).split(batch_size)]
    return torch.cat(logits).float().softmax(dim=1).numpy()


def choose_accelerator(device: str | None = None) -> Accelerator | None:
    """Return an accelerator for training on a GPU or in multiple processes.

    On a GPU, matrix products are computed in bfloat16. To use multiple processes, start the script
    with ``torchrun --nproc-per-node N script.py`` or ``accelerate launch script.py``.

    Parameters
    ----------
    device : str, optional
        As in :func:`choose_device`.

    Returns
    -------
    accelerate.Accelerator or None
        None if there is only one process and it does not use a CUDA GPU.

    Examples
    --------
    >>> choose_accelerator("cpu") is None
    True
    """
    gpu = training_precision(device) == "bfloat16"
    if not gpu and int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return None
    from accelerate import Accelerator

    return Accelerator(cpu=not gpu, mixed_precision="bf16" if gpu else "no")


def _check_data(X, y, settings, valid) -> None:
    if len(X) == 0 or len(X) != len(y):
        raise DetailedError(
            f"there are {len(X)} examples and {len(y)} labels; expected one label per example, and "
            "at least one example.",
            kind="wrong_length",
        )  # fmt: skip
    if settings.patience is not None and valid is None:
        raise DetailedError(
            "patience is set, but there are no validation examples; pass them as `valid`.",
            kind="missing_argument", column="valid",
        )  # fmt: skip


def _take_share(x, target, augment, engine) -> tuple[torch.Tensor, torch.Tensor]:
    """Augment a batch identically in all processes, and return this process's part of it."""
    if augment is not None:
        x, target = augment(x, target)
    n, k = engine.num_processes, engine.process_index
    return x.tensor_split(n)[k], target.tensor_split(n)[k]


def _synchronise(network, row: dict, engine) -> dict:
    """Average the loss over processes; copy the buffers and scores of the first to the others."""
    from accelerate.utils import broadcast, broadcast_object_list

    for buffer in network.buffers():  # batch-normalisation statistics
        broadcast(buffer)
    loss = engine.reduce(torch.tensor(row["loss"], device=engine.device), "mean")
    return broadcast_object_list([row | {"loss": loss.item()}])[0]


def _validate(network, X, y) -> dict[str, float]:
    p, y = predict(network, X), np.asarray(y)
    loss = -np.log(np.maximum(p[np.arange(len(y)), y], 1e-12)).mean()
    accuracy = (p.argmax(axis=1) == y).mean()
    return {"valid_loss": float(loss), "valid_accuracy": float(accuracy)}


def _out_of_patience(history: list[dict], patience: int | None) -> bool:
    if patience is None or not history:
        return False
    losses = [row["valid_loss"] for row in history]
    return len(losses) - 1 - int(np.argmin(losses)) >= patience


def _create_optimiser(network, settings: TrainingSettings, n_examples: int):
    """Create an AdamW optimiser and a one-cycle schedule for its learning rate."""
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = settings.epochs * -(-n_examples // settings.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=steps
    )
    return optimiser, schedule


def _save(checkpoint, parts, history: list[dict], best: dict | None) -> None:
    """Save everything needed to resume training."""
    states = {name: part.state_dict() for name, part in parts.items()}
    with atomic_path(Path(checkpoint)) as unfinished:
        torch.save({"states": states, "history": history, "best": best}, unfinished)


def _resume(checkpoint, parts) -> tuple[list[dict], dict | None]:
    """Load a checkpoint, if there is one; return the history and the best weights so far."""
    if checkpoint is None or not Path(checkpoint).is_file():
        return [], None
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(saved["states"][name])
    return saved["history"], saved["best"]
