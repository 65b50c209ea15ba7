"""Small models with known outputs."""

import os
import time

import numpy as np
import torch

SR = 16000
calls: list[
    int
] = []  # windows of each forward pass; class attributes would be part of a model's key


def noise(n, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n).astype(np.float32)


def noises(n_tracks, *seconds):
    """Generate tracks of noise, cycling through the given lengths."""
    lengths = [round(seconds[i % len(seconds)] * SR) for i in range(n_tracks)]
    return {f"t{i}": (noise(n, i), SR) for i, n in enumerate(lengths)}


class Frames:
    """Model that returns the mean and first of every 100 samples, and the mean of each window."""

    sample_rate = SR
    window = 1.0
    layers = {"frames": 2, "window": 1}  # noqa: RUF012

    def load(self):
        return None

    def forward(self, network, batch, n_valid):
        calls.append(len(batch))
        return self.layers_of(batch.unfold(1, 100, 100), n_valid)

    def layers_of(self, frames, n_valid):
        window = frames.sum((1, 2))[:, None] / n_valid[:, None]
        return {"frames": torch.stack([frames.mean(2), frames[..., 0]], 2), "window": window}


class Prepared(Frames):
    """Model for windows of any length, which are cut into frames in advance."""

    any_length = True

    def prepare(self, samples, n_valid):
        return samples.reshape(-1, 100)

    def forward(self, network, batch, n_valid):
        return self.layers_of(batch, n_valid)


class Slow(Frames):
    """Slow model that can be interrupted, and that counts its calls in a file."""

    def forward(self, network, batch, n_valid):
        time.sleep(0.05)
        if "GROOVE_COUNT" in os.environ:
            with open(os.environ["GROOVE_COUNT"], "a") as file:
                file.write(f"{len(batch)}\n")
        return super().forward(network, batch, n_valid)
