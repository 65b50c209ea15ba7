"""Run Demucs over signals of any length, in constant memory.

Demucs cuts a song into overlapping segments, separates each, and cross-fades them with triangular
weights (Défossez 2021; Rouard, Massa & Défossez 2023); but it holds the song and all its stems at
once, some 10 GB for an hour. Here each segment is added as soon as it is there, and what no later
segment reaches is passed on. The result is the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from groove_utils.stems.demucs_weights import Package, load_package
from groove_utils.stems.signals import StreamBuffer, fit_length, resample_blocks

__all__ = ["Demucs"]

EPSILON = 1e-8  # keeps a signal of one value from being divided by 0, as in Demucs


class Demucs:
    """A Demucs network with its settings.

    Parameters
    ----------
    package : Package
    device : str, optional
    shifts, seed, overlap, segment
        As in :func:`groove_utils.stems.separate`.

    Notes
    -----
    A block is one step of a segment: 5.85 s of the 7.8 s that ``htdemucs`` sees, with the other
    1.95 s as cross-fade. Level and offset are those of the whole signal, as in Demucs, so the
    signal is read twice.
    """

    uses_all_cores = True

    def __init__(
        self,
        package: Package,
        device: str | None = None,
        shifts: int = 0,
        seed: int = 0,
        overlap: float = 0.25,
        segment: float | None = None,
    ):
        self.package, self.device = package, device
        self.shifts, self.seed, self.overlap, self.segment = shifts, seed, overlap, segment

    @property
    def stems(self) -> tuple[str, ...]:
        """The network's sources."""
        return tuple(load_package(self.package).sources)

    def fingerprint(self) -> str:
        """What the result depends on, besides signal and settings."""
        return self.package.fingerprint()

    def settings(self) -> dict:
        """Settings that change the result."""
        settings = {"overlap": float(self.overlap), "shifts": int(self.shifts)}
        if self.segment is not None:
            settings["segment"] = float(self.segment)
        return settings | ({"seed": int(self.seed)} if self.shifts else {})

    def stream(self, signal) -> Iterator[np.ndarray]:
        """The stems in blocks, (n_stems, n_channels, n), as long as the signal in all."""
        model = load_package(self.package)
        networks, shares = _networks(model)
        if signal.n_channels > 2:
            raise ValueError(
                f"{signal.name}: has {signal.n_channels} channels, Demucs takes mono or stereo. "
                "Mix it down, for instance with `ffmpeg -i IN -ac 2 OUT.flac`."
            )
        facts = _first_pass(_prepared(signal, model), signal)
        if facts.silent:  # nothing to separate; a network would make its rounding errors of it
            yield from _silence(len(model.sources), signal.n_channels, facts.n_in)
            return
        blocks = self._separated(signal, model, networks, shares, facts)
        n_stems, n_channels = len(model.sources), model.audio_channels
        if signal.n_channels == 1 and n_channels > 1:
            blocks = (block.mean(axis=1, keepdims=True) for block in blocks)
            n_channels = 1
        width = n_stems * n_channels
        flat = (block.reshape(width, -1) for block in blocks)
        flat = resample_blocks(flat, width, model.samplerate, signal.sr)
        for block in fit_length(flat, width, facts.n_in):
            yield block.reshape(n_stems, n_channels, -1)

    def check(self) -> None:
        """Refuse settings that the network cannot take.

        Raises
        ------
        ValueError
            If segments are longer than it was trained with, if they overlap all but wholly, or if
            the device is not there.
        SeparatorUnavailableError
            If the network cannot be loaded.
        """
        from groove_utils.embed.engine import choose_device

        choose_device(self.device)
        networks, _ = _networks(load_package(self.package))
        # hybrid transformers pad to the length that they were trained with
        fixed = [n.segment for n in networks if getattr(n, "use_train_segment", False)]
        if self.segment is not None and fixed and self.segment > min(fixed):
            raise ValueError(
                f"segment is {self.segment} s, but {self.package.name} was trained with segments "
                f"of {float(min(fixed)):g} s and takes no longer ones."
            )
        if min(_stride(n, self.segment, self.overlap)[1] for n in networks) < 1:
            raise ValueError(
                f"overlap {self.overlap} of a segment leaves no sample from one segment to the "
                "next; lower it."
            )

    def _separated(self, signal, model, networks, shares, facts) -> Iterator[np.ndarray]:
        """Stems at the network's rate, (n_stems, audio_channels, n)."""
        from groove_utils.embed.engine import choose_device

        device = choose_device(self.device)
        model.to(device)
        blocks = ((b - facts.mean) / facts.scale for b in _prepared(signal, model))
        tape = StreamBuffer(blocks, model.audio_channels)
        parts = []
        rng = np.random.default_rng(self.seed)
        for network, share in zip(networks, shares, strict=True):
            begins = [0]
            if self.shifts:
                furthest = int(0.5 * network.samplerate)
                begins = rng.integers(-furthest, 0, size=self.shifts, endpoint=True).tolist()
            for begin in begins:
                pieces = _segments(
                    *(network, tape, begin, facts.n, device), self.overlap, self.segment
                )
                parts.append((_Pieces(pieces), share[:, None, None] / len(begins)))
        lengths, strides = zip(*(_stride(n, self.segment, self.overlap) for n in networks))
        for start in range(0, facts.n, max(strides)):
            n = min(max(strides), facts.n - start)
            total = sum(share * pieces.take(n) for pieces, share in parts)
            tape.forget(start - 2 * max(lengths) - model.samplerate)
            yield (total * facts.scale + facts.mean).astype(np.float32)


class _Facts:
    """Length, mean and standard deviation of a signal, gathered block by block."""

    def __init__(self):
        self.n_in = self.n = 0
        self._sum = self._squares = 0.0
        self.silent = True

    def add(self, block: np.ndarray) -> None:
        self.silent = self.silent and not block.any()
        ref = block.mean(axis=0, dtype=np.float64)
        self.n += len(ref)
        self._sum += ref.sum()
        self._squares += ref @ ref

    @property
    def mean(self) -> np.float32:
        return np.float32(self._sum / self.n)

    @property
    def scale(self) -> np.float32:
        if self.n < 2:
            return np.float32(EPSILON)
        variance = (self._squares - self._sum**2 / self.n) / (self.n - 1)
        return np.float32(math.sqrt(max(variance, 0.0)) + EPSILON)


def _first_pass(prepared: Iterator[np.ndarray], signal) -> _Facts:
    facts = _Facts()
    for block in prepared:
        facts.add(block)
    facts.n_in = sum(block.shape[1] for block in signal.blocks())
    return facts


def _prepared(signal, model) -> Iterator[np.ndarray]:
    """The signal at the network's rate and number of channels."""
    blocks = resample_blocks(signal.blocks(), signal.n_channels, signal.sr, model.samplerate)
    for block in blocks:
        if block.shape[0] != model.audio_channels:
            mono = block.mean(axis=0, keepdims=True)
            block = np.repeat(mono, model.audio_channels, axis=0)
        yield block


def _silence(n_stems: int, n_channels: int, n: int, size: int = 1 << 18) -> Iterator[np.ndarray]:
    for start in range(0, n, size):
        yield np.zeros((n_stems, n_channels, min(size, n - start)), np.float32)


def _networks(model) -> tuple[list, list[np.ndarray]]:
    """The networks of a bag, and the share of each in each source."""
    if not hasattr(model, "models"):
        return [model], [np.ones(len(model.sources), np.float32)]
    weights = np.array(model.weights, dtype=np.float64)
    shares = (weights / weights.sum(axis=0)).astype(np.float32)
    return list(model.models), list(shares)


def _stride(network, segment: float | None, overlap: float) -> tuple[int, int]:
    """Samples of a segment, and from one segment's start to the next."""
    length = int(network.samplerate * (network.segment if segment is None else segment))
    return length, int((1 - overlap) * length)


def _segments(
    network,
    tape: StreamBuffer,
    begin: int,
    n: int,
    device: str,
    overlap: float,
    segment: float | None,
) -> Iterator[np.ndarray]:
    """A network's output from sample 0 to `n`, segment by segment, the first at `begin` ≤ 0."""
    import torch
    from demucs.apply import TensorChunk, apply_model

    length, stride = _stride(network, segment, overlap)
    ramp = torch.cat(
        [torch.arange(1, length // 2 + 1), torch.arange(length - length // 2, 0, -1)]
    ).float()
    ramp /= ramp.max()
    held = torch.zeros(len(network.sources), network.audio_channels, length)
    weight = torch.zeros(length)
    for start in range(begin, n, stride):
        size = min(length, n - start)
        # a network that pads takes what is around the segment, so that is handed over, too
        around = torch.from_numpy(tape.read(start - length, start + size + length))[None]
        chunk = TensorChunk(around, length, size)
        # on a GPU, full float32 and the same sums every time
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            out = apply_model(network, chunk, shifts=0, split=False, device=device, segment=segment)
        held[..., :size] += ramp[:size] * out[0].cpu()
        weight[:size] += ramp[:size]
        ready = min(stride, size)
        piece = held[..., :ready] / weight[:ready]
        if start + ready > 0:
            yield piece[..., max(0, -start) :].numpy()
        held = torch.nn.functional.pad(held[..., stride:], (0, stride))
        weight = torch.nn.functional.pad(weight[stride:], (0, stride))


class _Pieces:
    """Arrays (..., n) of whatever length, given out in the lengths asked for."""

    def __init__(self, pieces: Iterator[np.ndarray]):
        self._pieces, self._held = pieces, None

    def take(self, n: int) -> np.ndarray:
        parts = [] if self._held is None else [self._held]
        size = sum(part.shape[-1] for part in parts)
        while size < n:
            parts.append(next(self._pieces))
            size += parts[-1].shape[-1]
        joined = np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
        self._held = joined[..., n:]
        return joined[..., :n]
