"""Interface between models and the extraction engine, with an example of a user-defined model.

An adapter is any object with the attributes of :class:`Adapter`. A complete example::

    from groove_utils.embed import embed_audio, register_model


    class Loudness:
        sample_rate = 16000  # Hz; audio is decoded, mixed to mono and resampled to this rate
        window = 5.0  # seconds
        layers = {"level": 1}  # name -> number of dimensions

        def load(self):
            return None  # or a torch module, or any object that forward() uses

        def forward(self, network, batch, n_valid):
            # batch: float32 tensor of shape (n_windows, n_samples); n_valid: number of samples
            # before the padding of each window. The engine averages the result over valid frames.
            return {"level": batch.unfold(1, 400, 400).square().mean(2, keepdim=True).sqrt()}


    register_model("loudness", Loudness)
    embed_audio(y, sr, "loudness")

A model can be registered in a notebook or in a file. Its windows are batched and its embeddings
pooled and cached in the same way as for any other model. The page "How to run and adapt" has
another example.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from groove_utils.errors import DetailedError, ErrorDetails

__all__ = ["Adapter", "EmbedError", "ModelRefusedError", "ModelUnavailableError", "check_adapter"]


class EmbedError(DetailedError):
    """Error raised for unusable settings, models, tracks or precomputed vectors."""


class ModelUnavailableError(ErrorDetails, RuntimeError):
    """Error raised if a model cannot be loaded on this machine; the message says how to fix it."""


class ModelRefusedError(ErrorDetails, RuntimeError):
    """Error raised if a model's weights, outputs or fingerprint differ from the expected ones."""


@runtime_checkable
class Adapter(Protocol):
    """Interface that a model must implement for the engine to extract its embeddings.

    Attributes
    ----------
    sample_rate : int
        Sample rate in Hz that the model expects.
    window : float
        Duration in seconds of the audio in one forward pass.
    layers : dict of str to int
        Number of dimensions of each layer returned by :meth:`forward`.
    hop : float, optional
        Seconds between the starts of consecutive windows; `window` by default.
    lead : float, optional
        Seconds of silence to insert before the signal; 0 by default. A model needs a lead if its
        frames are centred on their time stamps.
    any_length : bool, optional
        True if :meth:`forward` accepts windows shorter than `window`; False by default. The last
        window of a signal is then padded only to the next multiple of an eighth of `window`.
    prepare : callable, optional
        Function ``prepare(samples, n_valid)`` that computes the network's input from one padded
        window. The shape of its result must depend only on ``len(samples)``. The function is called
        in the threads that read audio, and :meth:`forward` receives batches of its results.
    batch_size : int, optional
        Number of windows per batch on a CPU; 8 by default.
    concurrent : bool, optional
        True if multiple threads may call :meth:`forward` at the same time, which is faster on a
        CPU; False by default. Set it to True only if :meth:`forward` keeps no state, such as
        activations stored by a hook.
    version : str, optional
        Version of the weights and of the adapter's processing; change it when either changes.
    trained : bool, optional
        False for an untrained twin, which is the same network with random weights; True by default.
    seed : int, optional
        Seed for an untrained twin's random weights; part of the cache key.
    files : callable, optional
        Function ``files()`` that returns the paths of the weights files. If one of these files
        changes, the model is verified again.
    """

    sample_rate: int
    window: float
    layers: dict[str, int]

    def load(self) -> Any:
        """Return the network: a torch module, or any other object that :meth:`forward` accepts."""

    def forward(self, network: Any, batch: Any, n_valid: Any) -> dict[str, Any]:
        """Compute the layer outputs for a batch of windows.

        Parameters
        ----------
        network : object
            Result of :meth:`load`.
        batch : Tensor of float32, shape (n_windows, n_samples)
            Windows on the network's device, padded with zeros after the end of the signal; or, if
            the adapter has a `prepare` method, a batch of the results of that method.
        n_valid : Tensor of int, shape (n_windows,)
            Number of samples in each window that precede the end of the signal.

        Returns
        -------
        dict of str to array
            Output of each layer, of shape (n_windows, dim) or (n_windows, n_frames, dim). In the
            second case, the engine averages over the frames that begin before the end of the
            signal, ignoring NaN.
        """


def check_adapter(name: str, adapter: object) -> None:
    """Check that an object is a valid adapter; raise an EmbedError that lists all problems."""
    rate, window = getattr(adapter, "sample_rate", None), getattr(adapter, "window", None)
    hop, lead = getattr(adapter, "hop", window), getattr(adapter, "lead", 0)
    layers = getattr(adapter, "layers", None)
    problems = []
    if not isinstance(rate, (int, np.integer)) or not 1000 <= rate <= 768_000:
        problems.append(f"sample_rate is {rate!r}, expected an integer from 1000 to 768000 Hz")
        rate = 1000
    if not isinstance(window, (int, float)) or not window * rate >= 1:
        problems.append(f"window is {window!r}, expected a duration (s) of at least one sample")
    elif not isinstance(hop, (int, float)) or not 1 <= hop * rate <= window * rate:
        problems.append(f"hop is {hop!r}, expected a duration (s) from one sample to window")
    if not isinstance(lead, (int, float)) or lead < 0:
        problems.append(f"lead is {lead!r}, expected seconds ≥ 0")
    if not isinstance(layers, dict) or not layers:
        problems.append(f"layers is {layers!r}, expected a dict that maps layer names to sizes")
    elif not all(isinstance(layer, str) and layer not in ("", "peak") for layer in layers):
        problems.append(f"layers is {layers!r}, expected non-empty str keys other than 'peak'")
    for method in ("load", "forward"):
        if not callable(getattr(adapter, method, None)):
            problems.append(f"it has no method {method}()")
    if problems:
        message = f"model {name!r} is not an adapter: {'; '.join(problems)}."
        raise EmbedError(message, kind="not_an_adapter", value=problems)
