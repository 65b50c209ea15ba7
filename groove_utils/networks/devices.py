"""Selection of the device and the numerical precision for computations in torch."""

from __future__ import annotations

import contextlib
import os
import warnings

import torch

from groove_utils.errors import DetailedError

__all__ = ["choose_autocast", "choose_device", "precision", "training_precision"]


def choose_device(requested: str | None = None) -> str:
    """Choose the device on which to run computations.

    Parameters
    ----------
    requested : str, optional
        Name of a device, such as ``cpu`` or ``cuda:1``; by default, the value of the environment
        variable ``GROOVE_DEVICE``. If neither is given, or the name is ``auto``, a GPU is used if
        one is available, and the CPU otherwise.

    Returns
    -------
    str
        Name of the device.

    Raises
    ------
    DetailedError
        If the requested device is not available.

    Examples
    --------
    >>> choose_device("cpu")
    'cpu'
    """
    requested = requested or os.environ.get("GROOVE_DEVICE") or "auto"
    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present.insert(0, "cuda")
    if requested == "auto":
        return present[0]
    if requested.partition(":")[0] not in present:
        raise DetailedError(
            f"device {requested!r} is not available; expected one of: auto, {', '.join(present)}.",
            kind="no_device",
            value=requested,
        )
    return requested


def choose_autocast(requested: bool, device: str | None = None) -> bool:
    """Decide whether to compute in half precision (bfloat16).

    If half precision is requested on a CPU without hardware support for bfloat16, the function
    issues a warning and returns False, because emulated bfloat16 is slower than float32.

    Parameters
    ----------
    requested : bool
        Whether to use half precision if the device supports it.
    device : str, optional
        As in :func:`choose_device`.

    Returns
    -------
    bool
        True for bfloat16, False for float32.
    """
    if not requested or choose_device(device) != "cpu":
        return requested
    capabilities = torch.cpu.get_capabilities()
    if any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16")):
        return True
    warnings.warn(
        "autocast: this processor does not support bfloat16; computing in float32.",
        RuntimeWarning,
        stacklevel=3,
    )
    return False


def precision(device: str, autocast: bool = False) -> contextlib.AbstractContextManager:
    """Return a context manager for computing in bfloat16 if `autocast` is True, else in float32.

    For float32 on a CUDA GPU, the context manager also makes convolutions deterministic and
    prevents torch from rounding their inputs to 10-bit mantissas (TF32).
    """
    if autocast:
        return torch.autocast(device.partition(":")[0], dtype=torch.bfloat16)
    if device.startswith("cuda"):
        return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    return contextlib.nullcontext()


def training_precision(device: str | None = None) -> str:
    """Return the numerical precision used for matrix products during training.

    Parameters
    ----------
    device : str, optional
        As in :func:`choose_device`.

    Returns
    -------
    str
        ``bfloat16`` on a CUDA GPU, otherwise ``float32``.

    Examples
    --------
    >>> training_precision("cpu")
    'float32'
    """
    return "bfloat16" if choose_device(device).startswith("cuda") else "float32"
