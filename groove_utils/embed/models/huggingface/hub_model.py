"""Base classes for adapters of Hugging Face models; they also check the loaded weights.

Models are built from classes in ``transformers``, without running code from the hub. Loading fails
if a tensor is missing, unexpected or of the wrong shape. Every loaded tensor is compared with the
weights file, because some libraries report success even if weights are random.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from groove_utils.embed.adapters import ModelRefusedError, ModelUnavailableError
from groove_utils.embed.catalogue import model_card
from groove_utils.embed.integrity import check_buffers, check_weights
from groove_utils.embed.weights import read_json, read_tensors, weight_files, weights_folder

__all__ = ["HubModel", "PreparedHubModel", "numbered_layers"]

# names of the weight-normalisation tensors before PyTorch 2, with their names since then
RENAMED = {
    "weight_g": "parametrizations.weight.original0",
    "weight_v": "parametrizations.weight.original1",
}


def numbered_layers(values: Sequence) -> dict:
    """Return values as a dict with the keys ``layer_00``, ``layer_01``, …

    Examples
    --------
    >>> numbered_layers([768, 768])
    {'layer_00': 768, 'layer_01': 768}
    """
    return {f"layer_{i:02d}": value for i, value in enumerate(values)}


class HubModel:
    """Base class for adapters of models from the Hugging Face hub.

    Parameters
    ----------
    name : str
        Name of the model in the catalogue.
    seed : int
        Not used, because these models have no untrained twins.
    """

    batch_size = 1  # on a CPU; the feature maps of larger batches do not fit into its caches
    concurrent = True
    ignored = ""  # regular expression for tensors in the file that the adapter does not need
    model_types: tuple[str, ...] = ()  # allowed model types in config.json; empty: any

    def __init__(self, name: str, seed: int = 0):
        self.name, self.card = name, model_card(name)
        self.sample_rate, self.window = self.card.sample_rate, self.card.window
        self.version = self.card.revision

    @property
    def folder(self) -> Path:
        """Folder that contains the model's files."""
        return weights_folder(self.card)

    def files(self) -> list[Path]:
        """Return the files on which the embedding depends: configuration and weights."""
        return [*sorted(self.folder.glob("*config.json")), *weight_files(self.folder)]

    @cached_property
    def config(self):
        """The model's configuration, a ``transformers.PretrainedConfig``."""
        import transformers

        self.check_model_type()
        return transformers.AutoConfig.from_pretrained(self.folder)

    @cached_property
    def layers(self) -> dict[str, int]:
        """Number of dimensions of each layer."""
        return self.card.layers

    def check_model_type(self) -> dict:
        """Check the model type in ``config.json``, and return the file's content."""
        path = self.folder / "config.json"
        raw = read_json(self.name, path)
        if self.model_types and raw.get("model_type") not in self.model_types:
            raise self.refusal(
                f"{path} describes a model of type {raw.get('model_type')!r}; expected "
                f"{' or '.join(map(repr, self.model_types))}",
                path=path,
                value=raw.get("model_type"),
            )
        return raw

    def preprocessing(self) -> dict:
        """Check the sample rate in ``preprocessor_config.json``, and return the file's content."""
        settings = read_json(self.name, self.folder / "preprocessor_config.json")
        self.check_preprocessing("sampling_rate", settings.get("sampling_rate"), self.sample_rate)
        return settings

    def check_preprocessing(self, column: str, value, expected) -> None:
        """Raise a ModelRefusedError if a preprocessing setting has an unexpected value."""
        if value not in (None, expected):
            path = self.folder / "preprocessor_config.json"
            reason = f"{path} has {column} {value}; expected {expected}"
            raise self.refusal(reason, path=path, column=column, value=value)

    def refusal(self, reason: str, **fields) -> ModelRefusedError:
        """Create an error for files of a different model, with `fields` as extra attributes."""
        return ModelRefusedError(
            f"{self.name}: refused. {reason}. The files belong to another model or version; fetch "
            f"the pinned revision with `python -m groove_utils.embed fetch {self.name}`.",
            kind="other_model",
            **fields,
        )

    def not_importable(self, module: str, error: Exception) -> ModelUnavailableError:
        """Create an error for a module that is installed but cannot be imported."""
        return ModelUnavailableError(
            f"{self.name}: {module} cannot be imported ({type(error).__name__}: {error}). Run "
            f"`{self.card.install}`. Note that {self.card.note}.",
            kind="not_importable",
            value=str(error),
        )

    def load_native(self, kind: type, config) -> nn.Module:
        """Load a network using a class from ``transformers``, and verify its weights.

        The names and shapes of its tensors must match those in the weights file.
        """
        stored = read_tensors(self.name, self.folder)  # before loading, to detect damaged files
        with quiet_transformers():
            network, info = kind.from_pretrained(
                self.folder,
                config=config,
                dtype=torch.float32,
                local_files_only=True,
                ignore_mismatched_sizes=True,  # mismatches are listed in `info` and refused later
                output_loading_info=True,
            )
        self._check_keys(
            missing=info["missing_keys"],
            unexpected=info["unexpected_keys"],
            misshapen=[key for key, *_ in info.get("mismatched_keys", ())],
        )
        return self._verified(network, stored, lambda: kind(network.config))

    def load_built(self, build: Callable[[], nn.Module], stored: dict) -> nn.Module:
        """Build a network, load stored tensors into it, and verify its weights.

        The names and shapes of its tensors must match those of the stored tensors.
        """
        network = build()
        wanted = network.state_dict()
        for old, new in RENAMED.items():
            stored = {k if k in wanted else k.replace(old, new): v for k, v in stored.items()}
        self._check_keys(
            missing=wanted.keys() - stored.keys(),
            unexpected=stored.keys() - wanted.keys(),
            misshapen=[k for k, v in wanted.items() if k in stored and stored[k].shape != v.shape],
        )
        network.load_state_dict({key: stored[key] for key in wanted}, strict=True)
        return self._verified(network.float(), stored, build)

    def _verified(self, network: nn.Module, stored: dict, build: Callable) -> nn.Module:
        check_weights(self.name, network, stored)
        check_buffers(self.name, network, stored, build)
        return network.eval()

    def _check_keys(self, **faults) -> None:
        if self.ignored:
            faults["unexpected"] = [
                k for k in faults["unexpected"] if not re.match(self.ignored, k)
            ]
        problems = [f"{len(v)} {k} (first: {min(v)})" for k, v in faults.items() if v]
        if problems:
            raise self.refusal(
                f"Tensors in {self.folder}: {', '.join(problems)}",
                path=self.folder,
                value={fault: sorted(keys) for fault, keys in faults.items() if keys},
            )


@contextlib.contextmanager
def quiet_transformers():
    """Silence the progress bars and warnings of ``transformers`` within a ``with`` block."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


class PreparedHubModel(HubModel):
    """Base class for adapters that compute spectrograms in the threads that read audio."""

    extractor_class: str  # name of a class in transformers
    input_name: str  # key in the extractor's output

    @cached_property
    def extractor(self):
        """Feature extractor of the model, from ``transformers``."""
        import transformers

        self.preprocessing()
        with quiet_transformers():
            return getattr(transformers, self.extractor_class).from_pretrained(self.folder)

    def prepare(self, samples: np.ndarray, n_valid: int) -> np.ndarray:
        """Compute the network's input from the valid samples of a window."""
        features = self.extractor(
            samples[:n_valid], sampling_rate=self.sample_rate, return_tensors="np"
        )
        return np.asarray(features[self.input_name][0], dtype=np.float32)
