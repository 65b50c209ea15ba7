"""Training to run in several processes and to kill; imports little, so that it starts quickly."""

import os
import signal

import numpy as np
import torch

from groove_utils.networks import TrainingSettings, build_module, choose_accelerator, fit


def train(path, rank=0, n_processes=1, port=0, kill=None):
    """Train a small network; process number `kill` is killed in the third of five epochs."""
    if n_processes > 1:
        names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
        values = (rank, rank, n_processes, "127.0.0.1", port)
        os.environ.update(zip(names, map(str, values)))
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((64, 6, 4)).astype(np.float32)
    y = (X[:, 0].sum(axis=1) > 0).astype(np.int64)
    n_batches = []

    def augment(x, target):
        n_batches.append(1)
        if len(n_batches) == 11 and rank == kill:
            os.kill(os.getpid(), signal.SIGKILL)
        return x + 0.1 * torch.randn(x.shape), target

    torch.manual_seed(0)
    network = build_module("dense", (6, 4), 2)
    engine = choose_accelerator("cpu")
    assert (engine.num_processes if engine else 1) == n_processes
    settings = TrainingSettings(epochs=5, batch_size=16)
    fit(network, X, y, settings, valid=(X[:20], y[:20]), augment=augment,
        checkpoint=path.with_suffix(".checkpoint"), engine=engine)  # fmt: skip
    if rank == 0:
        torch.save(network.state_dict(), path)
