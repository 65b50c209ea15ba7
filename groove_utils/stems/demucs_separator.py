"""Source separation with Demucs (Défossez 2021; Rouard et al. 2023) for songs of any length."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from groove_utils.audio import AudioError
from groove_utils.audio.streams import Source, fit_length, map_pieces, resample_blocks
from groove_utils.errors import DetailedError
from groove_utils.stems.demucs_weights import Weights, load_network

__all__ = ["Demucs"]

EPSILON = 1e-8  # avoids division by 0 for a constant signal, as in Demucs
PIECE = 240  # seconds separated at once, to limit memory use: one hour of audio would need 10 GB


@dataclass
class Demucs:
    """Separator that applies a Demucs network to songs of any length.

    Parameters
    ----------
    weights : Weights
        Weights of the network.
    device, shifts, seed, overlap, segment
        As in :func:`groove_utils.stems.separate`.

    Notes
    -----
    Songs longer than four minutes are separated in pieces. The pieces start at segment boundaries,
    and complete neighbouring segments are added as context, so the result equals Demucs's output
    for the complete song. As in Demucs, signals are normalised using the mean and standard
    deviation of the complete song, so the song is read twice.
    """

    weights: Weights
    device: str | None = None
    shifts: int = 0
    seed: int = 0
    overlap: float = 0.25
    segment: float | None = None
    uses_all_cores = True

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems that the network separates."""
        return tuple(load_network(self.weights).sources)

    def recipe(self) -> dict:
        """Return the weights' fingerprint and the settings, which determine the cache key."""
        recipe = {"separator": self.weights.fingerprint(), "overlap": float(self.overlap)}
        recipe |= {"shifts": int(self.shifts)} | ({"seed": int(self.seed)} if self.shifts else {})
        return recipe | ({} if self.segment is None else {"segment": float(self.segment)})

    def check(self) -> None:
        """Check that the network can be loaded and supports the settings.

        Raises
        ------
        DetailedError
            If segments are too long for the network or overlap almost completely
            (``kind="out_of_range"``), or the device does not exist.
        SeparatorUnavailableError
            If the network cannot be loaded.
        """
        from demucs.htdemucs import HTDemucs

        from groove_utils.networks import choose_device

        choose_device(self.device)
        network = load_network(self.weights)
        # hybrid transformers pad segments to the length used in training
        networks = [n for n in getattr(network, "models", [network]) if isinstance(n, HTDemucs)]
        longest = min((float(n.segment) for n in networks), default=math.inf)
        for column, value, valid, expected in (
            ("segment", self.segment, (self.segment or 0) <= longest, f"up to {longest:g} s"),
            ("overlap", self.overlap, self._stride(network)[1] >= 1, "a smaller overlap"),
        ):
            if not valid:
                message = f"{column} is {value}; expected {expected} for {self.weights.name}."
                raise DetailedError(message, kind="out_of_range", column=column, value=value)

    def stream(self, source: Source) -> Iterator[np.ndarray]:
        """Yield the stems in blocks of shape (n_stems, n_channels, n).

        The concatenated blocks have the sample rate and the length of the source.

        Raises
        ------
        AudioError
            If the source has more than two channels (``kind="channels"``), or cannot be decoded.
        """
        network = load_network(self.weights)
        if source.n_channels > 2:
            raise AudioError(
                f"{source.name} has {source.n_channels} channels, but Demucs supports only mono "
                "and stereo. Mix it down, for instance with `ffmpeg -i IN -ac 2 OUT.flac`.",
                kind="channels",
                value=source.n_channels,
            )
        n, mean, std = _statistics(source, network.samplerate)
        rate, channels = network.samplerate, network.audio_channels
        blocks = (
            (np.broadcast_to(b[rate], (channels, b[rate].shape[1])) - mean) / (std + EPSILON)
            for b in resample_blocks(source.blocks(mono=False), source.sr, [rate])
        )
        length, stride = self._stride(network)
        piece = stride * math.ceil(PIECE * network.samplerate / stride)
        separate = partial(self._separate, network)
        stems = (
            y * std + mean
            for y in map_pieces(separate, blocks, piece, stride * math.ceil(length / stride))
        )
        if source.n_channels < network.audio_channels:
            stems = (y.mean(axis=1, keepdims=True) for y in stems)
        shape = len(network.sources), source.n_channels, -1
        flat = (y.reshape(-1, y.shape[-1]) for y in stems)
        flat = (y[source.sr] for y in resample_blocks(flat, network.samplerate, [source.sr]))
        for y in fit_length(flat, n):
            yield y.reshape(shape)

    def _stride(self, network) -> tuple[int, int]:
        """Return the segment length and the distance between segment starts, in samples."""
        seconds = [n.segment for n in getattr(network, "models", [network])]
        length = int(network.samplerate * (self.segment or max(seconds)))
        return length, int((1 - self.overlap) * length)

    def _separate(self, network, y: np.ndarray) -> np.ndarray:
        """Separate a normalised signal into stems of shape (n_stems, n_channels, n)."""
        import torch
        from demucs.apply import apply_model

        from groove_utils.networks import choose_device

        options = {"overlap": self.overlap, "segment": self.segment, "shifts": 0}
        options["device"] = choose_device(self.device)
        shifts = [0]
        if self.shifts:  # same shifts for all pieces, to align their segments
            rng = np.random.default_rng(self.seed)
            longest = int(0.5 * network.samplerate)
            shifts = rng.integers(0, longest, size=self.shifts, endpoint=True)
        total = 0
        for shift in shifts:
            shifted = torch.nn.functional.pad(torch.from_numpy(y)[None], (int(shift), 0))
            # on a GPU, use full float32 precision and deterministic algorithms
            with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
                total += apply_model(network, shifted, **options)[0, ..., shift:]
        return (total / len(shifts)).numpy()


def _statistics(source: Source, sr: int) -> tuple[int, np.float32, np.float32]:
    """Return the length of a source, and the mean and SD of its mono mix resampled to `sr`."""
    n_in, sums = 0, np.zeros(3)

    def counted() -> Iterator[np.ndarray]:
        nonlocal n_in
        for block in source.blocks(mono=False):
            n_in += block.shape[1]
            yield block

    for blocks in resample_blocks(counted(), source.sr, [sr]):
        mono = blocks[sr].mean(axis=0, dtype=np.float64)
        sums += mono.size, mono.sum(), mono @ mono
    n, total, squares = sums
    variance = (squares - total**2 / n) / (n - 1) if n > 1 else 0.0
    return n_in, np.float32(total / n), np.float32(math.sqrt(max(variance, 0.0)))
