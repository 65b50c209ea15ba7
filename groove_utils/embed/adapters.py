"""The interface between models and the engine, and how a reader adds a model.

An adapter is any object with the attributes of :class:`Adapter`. Twenty lines are enough::

    from groove_utils.embed import embed_audio, register_model


    class Loudness:
        sample_rate = 16000  # Hz; audio is decoded, mixed to mono and resampled to it
        window = 5.0  # seconds
        layers = {"level": 1}  # name -> number of dimensions

        def load(self):
            return None  # a torch module, or whatever forward() needs

        def forward(self, network, batch, n_valid):
            # batch: torch float32 (n_windows, n_samples); n_valid: samples that are signal.
            # (n_windows, n_frames, dim) is pooled over the valid frames; (n_windows, dim) is kept
            return {"level": batch.unfold(1, 400, 400).square().mean(2, keepdim=True).sqrt()}


    register_model("loudness", Loudness)
    embed_audio(y, sr, "loudness")

Registered from a notebook or a plain file, such a model is cached, batched and pooled like any
other. The page "How to adapt" shows one.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from groove_utils.errors import DetailedError, ErrorDetails

__all__ = ["Adapter", "EmbedError", "ModelRefusedError", "ModelUnavailableError", "check_adapter"]


class EmbedError(DetailedError):
    """Error raised for unusable settings, models, tracks or precomputed vectors."""


class ModelUnavailableError(ErrorDetails, RuntimeError):
    """Error raised if a model cannot be loaded here; the message gives the command that helps."""


class ModelRefusedError(ErrorDetails, RuntimeError):
    """A model whose weights, outputs or fingerprint are not the expected ones."""


@runtime_checkable
class Adapter(Protocol):
    """Interface of a model to the engine.

    Attributes
    ----------
    sample_rate : int
        Sample rate in Hz.
    window : float
        Duration in seconds of the audio in one forward pass.
    layers : dict of str to int
        Dimensions of each layer returned by :meth:`forward`.
    hop : float, optional
        Seconds from one window's start to the next; `window` by default.
    lead : float, optional
        Seconds of silence before the signal; 0 by default. It is needed if frames are centred on
        their time stamps.
    any_length : bool, optional
        True if :meth:`forward` accepts windows shorter than `window`; False by default. Last
        windows are then padded only to the next eighth.
    prepare : callable, optional
        ``prepare(samples, n_valid)`` computes the network's input from one padded window, in a
        shape that depends only on ``len(samples)``. It runs in the reading threads, and
        :meth:`forward` receives batches of its results.
    batch_size : int, optional
        Number of windows per batch on a CPU; 8 by default.
    concurrent : bool, optional
        True if several threads may call :meth:`forward` at the same time, which is faster on a CPU;
        False by default. Set it only if :meth:`forward` keeps no state between calls, unlike, for
        example, a hook that stores activations.
    version : str, optional
        Version of the weights and of the adapter's own processing; change it when either changes.
    trained : bool, optional
        False for an untrained twin; True by default.
    seed : int, optional
        Seed of an untrained twin's random weights; it is part of the cache key.
    files : callable, optional
        ``files()`` lists the files of the weights; the model is checked again when one changes.
    """

    sample_rate: int
    window: float
    layers: dict[str, int]

    def load(self) -> Any:
        """Return the network: a torch module, or any object that :meth:`forward` understands."""

    def forward(self, network: Any, batch: Any, n_valid: Any) -> dict[str, Any]:
        """Return the layers of a batch of windows.

        Parameters
        ----------
        network : object
            The result of :meth:`load`.
        batch : Tensor of float32, shape (n_windows, n_samples)
            On the network's device. Each window is zero after its valid samples.
        n_valid : Tensor of int, shape (n_windows,)
            Samples of each window before the signal's end.

        Returns
        -------
        dict of str to array
            (n_windows, dim), or (n_windows, n_frames, dim) to be pooled over the frames that begin
            before the end and contain no NaN.
        """


def check_adapter(name: str, adapter: object) -> None:
    """Raise an EmbedError that lists everything an object lacks to be an adapter."""
    rate, window = getattr(adapter, "sample_rate", None), getattr(adapter, "window", None)
    hop, lead = getattr(adapter, "hop", window), getattr(adapter, "lead", 0)
    layers = getattr(adapter, "layers", None)
    problems = []
    if not isinstance(rate, (int, np.integer)) or not 1000 <= rate <= 768_000:
        problems.append(f"sample_rate is {rate!r}, expected whole Hz")
        rate = 1000
    if not isinstance(window, (int, float)) or not window * rate >= 1:
        problems.append(f"window is {window!r}, expected seconds, at least those of one sample")
    elif not isinstance(hop, (int, float)) or not 1 <= hop * rate <= window * rate:
        problems.append(f"hop is {hop!r}, expected seconds, from those of a sample to the window")
    if not isinstance(lead, (int, float)) or lead < 0:
        problems.append(f"lead is {lead!r}, expected seconds ≥ 0")
    if not isinstance(layers, dict) or not layers:
        problems.append(f"layers is {layers!r}, expected a dict of name to dimensions")
    elif not all(isinstance(layer, str) and layer not in ("", "peak") for layer in layers):
        problems.append(f"layers is {layers!r}, expected names as text, other than 'peak'")
    for method in ("load", "forward"):
        if not callable(getattr(adapter, method, None)):
            problems.append(f"there is no method {method}()")
    if problems:
        message = f"model {name!r} is not an adapter: {'; '.join(problems)}."
        raise EmbedError(message, kind="not_an_adapter", value=problems)
