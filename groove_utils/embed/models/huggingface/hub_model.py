"""Strict loading of models from the Hugging Face hub through native classes of ``transformers``.

No remote code runs. A missing, unexpected or misshapen tensor is an error, and every loaded tensor
is compared with the weights file, because libraries have been seen to report a clean load of
random weights. Chapters 05 to 07 use the models that their parameters name.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from groove_utils.embed.adapters import ModelRefusedError, ModelUnavailableError
from groove_utils.embed.catalogue import model_card
from groove_utils.embed.integrity import check_buffers, check_weights
from groove_utils.embed.weights import read_json, read_tensors, weight_files, weights_folder

__all__ = ["HubModel", "PreparedHubModel"]


class HubModel:
    """What all models from the hub share.

    Parameters
    ----------
    name : str
        In the catalogue, which knows repository, revision and sample rate.
    seed : int
        Has no effect.
    """

    batch_size = 1  # on a CPU; the feature maps of more do not fit its caches
    concurrent = True
    ignored = ""  # pattern of tensors in the file that the encoder does not need
    model_types: tuple[str, ...] = ()  # what its config.json may say; any where there are none

    def __init__(self, name: str, seed: int = 0):
        card = model_card(name)
        self.name = name
        self.sample_rate, self.window = card.sample_rate, card.window
        self.repository, self.version = card.repository, card.revision
        self._config: Any = None
        self._layers: dict[str, int] | None = None

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return weights_folder(model_card(self.name))

    def files(self) -> list[Path]:
        """The files that the numbers depend on."""
        return [*sorted(self.folder.glob("*config.json")), *weight_files(self.folder)]

    @property
    def config(self):
        """The model's configuration, as its folder has it."""
        if self._config is None:
            self._config = self._read_config()
        return self._config

    def _raw_config(self) -> dict:
        """What ``config.json`` says, if it is of a model of this kind.

        Raises
        ------
        ModelRefusedError
            If the file is damaged or of another kind of model.
        """
        path = self.folder / "config.json"
        raw = read_json(self.name, path)
        found = raw.get("model_type")
        if self.model_types and found not in self.model_types:
            raise ModelRefusedError(
                f"{self.name}: refused. {path} describes a model of type {found!r}, expected "
                f"{' or '.join(map(repr, self.model_types))}. The files are of another model; "
                f"fetch the pinned revision with `python -m groove_utils.embed fetch {self.name}`."
            )
        return raw

    @property
    def layers(self) -> dict[str, int]:
        """Dimensions of each layer, by the configuration, or else by the model's card."""
        if self._layers is None:
            self._layers = self._name_layers()
        return self._layers

    def _name_layers(self) -> dict[str, int]:
        return model_card(self.name).layers

    def preprocessing(self) -> dict:
        """What ``preprocessor_config.json`` says.

        Raises
        ------
        ModelUnavailableError
            If the file is missing.
        ModelRefusedError
            If it is for audio of another sample rate.
        """
        path = self.folder / "preprocessor_config.json"
        if not path.is_file():
            raise ModelUnavailableError(
                f"{self.name}: {path} is missing; it says how the audio is to be prepared. Fetch "
                f"it with `python -m groove_utils.embed fetch {self.name}`."
            )
        given = read_json(self.name, path)
        rate = given.get("sampling_rate", self.sample_rate)
        if rate != self.sample_rate:
            raise self._other_preprocessing(f"takes {rate} Hz", f"{self.sample_rate} Hz")
        return given

    def _other_preprocessing(self, found: str, expected: str) -> ModelRefusedError:
        return ModelRefusedError(
            f"{self.name}: refused. {self.folder / 'preprocessor_config.json'} {found}, expected "
            f"{expected}. The file is of another model; fetch the pinned revision with "
            f"`python -m groove_utils.embed fetch {self.name}`."
        )

    def _not_importable(self, what: str, error: Exception) -> ModelUnavailableError:
        """The error for code that is there, but does not import."""
        card = model_card(self.name)
        return ModelUnavailableError(
            f"{self.name}: {what} cannot be imported ({type(error).__name__}: {error}). Do this: "
            f"{card.install}. Mind that {card.note}."
        )

    def _load_native(self, kind: type, config) -> nn.Module:
        """A network of a native class, strictly loaded and held to the file."""
        stored = read_tensors(self.name, self.folder)  # first, since it knows a damaged file
        with _quiet():
            network, info = kind.from_pretrained(
                self.folder,
                config=config,
                dtype=torch.float32,
                local_files_only=True,
                ignore_mismatched_sizes=True,  # they are listed, and refused below
                output_loading_info=True,
            )
        self._check_keys(
            missing=info["missing_keys"],
            unexpected=info["unexpected_keys"],
            misshapen=[key for key, *_ in info.get("mismatched_keys", ())],
        )
        return self._held(network, stored, lambda: kind(network.config))

    def _load_built(self, build: Callable[[], nn.Module], stored: dict) -> nn.Module:
        """A network that `build` makes, filled with these tensors: strictly, and held to them."""
        network = build()
        wanted = network.state_dict()
        stored = {_current_name(key, wanted): value for key, value in stored.items()}
        self._check_keys(
            missing=wanted.keys() - stored.keys(),
            unexpected=stored.keys() - wanted.keys(),
            misshapen=[k for k, v in wanted.items() if k in stored and stored[k].shape != v.shape],
        )
        network.load_state_dict({key: stored[key] for key in wanted}, strict=True)
        return self._held(network.float(), stored, build)

    def _held(self, network: nn.Module, stored: dict, build: Callable[[], nn.Module]) -> nn.Module:
        """A loaded network in evaluation mode, if it passes; else the gate's error."""
        check_weights(self.name, network, stored)
        check_buffers(self.name, network, stored, build)
        return network.eval()

    def _check_keys(self, missing=(), unexpected=(), misshapen=()) -> None:
        pattern = re.compile(self.ignored) if self.ignored else None
        unexpected = [key for key in unexpected if not (pattern and pattern.match(key))]
        faults = {"missing": missing, "unexpected": unexpected, "of another shape": misshapen}
        said = [
            f"{len(keys)} {what} (first: {sorted(keys)[0]})"
            for what, keys in faults.items()
            if keys
        ]
        if said:
            raise ModelRefusedError(
                f"{self.name}: refused. Of the tensors in {self.folder}, {', '.join(said)}. The "
                "file is of another model or version; fetch the pinned revision with "
                f"`python -m groove_utils.embed fetch {self.name}`."
            )


@contextlib.contextmanager
def _quiet():
    """No progress bars and no warnings of the library: the gate says what there is to say."""
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


def _current_name(key: str, wanted: dict) -> str:
    """A stored tensor's name where weight normalisation has been renamed since, or back."""
    pairs = [("weight_g", "parametrizations.weight.original0")]
    pairs += [("weight_v", "parametrizations.weight.original1")]
    for old, new in pairs:
        for one, other in ((old, new), (new, old)):
            if key.endswith(f".{one}"):
                renamed = key.removesuffix(one) + other
                if key not in wanted and renamed in wanted:
                    return renamed
    return key


class PreparedHubModel(HubModel):
    """A model whose input is a spectrogram, which the reading threads prepare."""

    def _extractor(self):
        import transformers

        if getattr(self, "_made", None) is None:
            self.preprocessing()  # says what to do where the file is missing or damaged
            with _quiet():
                self._made = getattr(transformers, self.extractor).from_pretrained(self.folder)
        return self._made

    def prepare(self, samples: np.ndarray, n_valid: int) -> np.ndarray:
        """The network's input for one window, cut at its end: never longer than a window."""
        given = self._extractor()(
            samples[:n_valid], sampling_rate=self.sample_rate, return_tensors="np"
        )
        return np.asarray(given[self.input_name][0], dtype=np.float32)
