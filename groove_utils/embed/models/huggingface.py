"""Models from the Hugging Face hub, through the native classes of ``transformers``.

No remote code runs: each class below is part of the library. A load is strict (a missing,
unexpected or misshapen tensor is an error), and what was loaded is held to the file, tensor by
tensor, since libraries have been seen to report a clean load of random weights. Chapters 05 to 07
use those that are named in their parameters, or whose vectors a study brings along; else the
offline ones (:mod:`groove_utils.embed.model_selection`).
"""

from __future__ import annotations

import contextlib
import functools
import re
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from groove_utils.embed.adapters import ModelRefusedError, ModelUnavailableError
from groove_utils.embed.catalogue import CATALOGUE, model_card
from groove_utils.embed.integrity import check_buffers, check_weights
from groove_utils.embed.weights import (
    offline,
    read_json,
    read_tensors,
    weight_files,
    weights_folder,
)

__all__ = [
    "CLAP",
    "AudioSpectrogram",
    "Codec",
    "HubModel",
    "SpeechEncoder",
    "WhisperEncoder",
    "embed_text",
]


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


class MaskedGroupNorm(nn.GroupNorm):
    """Group norm over the valid frames only.

    The first layer of these encoders normalises each channel over time. Zeros after the signal's
    end would shift its mean and spread; left out, a padded window gives what the signal alone does.
    """

    batch = threading.local()  # each thread's: the valid frames of the windows that it runs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (n, channels, n_frames) to the same."""
        lengths = getattr(self.batch, "lengths", None)
        if lengths is None:
            return super().forward(x)
        rows = []
        for row, length in zip(x[:, None], lengths.tolist()):
            normed, beyond = super().forward(row[..., :length]), x.shape[2] - length
            rows.append(nn.functional.pad(normed, (0, beyond)) if beyond else normed)
        return torch.cat(rows) if len(rows) > 1 else rows[0]


class SpeechEncoder(HubModel):
    """wav2vec 2.0, HuBERT, WavLM and MERT: convolutions over the waveform, then a transformer.

    MERT is trained on music; its network has HuBERT's shape, so HuBERT's class loads it. Layers
    are the input of the transformer (``layer_00``) and the output of each of its blocks.
    """

    any_length = True
    ignored = r"(lm_head|quantizer|project_hid|project_q|final_proj|label_embs_concat)\b"
    model_types = ("mert_model", "hubert", "wav2vec2", "wavlm")

    def _read_config(self):
        import transformers

        raw = self._raw_config()
        kind = raw.pop("model_type")
        for key in ("architectures", "auto_map", "transformers_version", "torch_dtype", "dtype"):
            raw.pop(key, None)
        if kind == "mert_model":
            if raw.get("feature_extractor_cqt") or raw.get("deepnorm"):
                raise ModelRefusedError(
                    f"{self.name}: refused. {self.folder} describes a MERT with a constant-Q input "
                    "or deep normalisation, which HuBERT's class does not have."
                )
            kind = "hubert"
        if kind == "hubert":
            return transformers.HubertConfig(**raw)
        return transformers.AutoConfig.for_model(kind, **raw)

    def _name_layers(self) -> dict[str, int]:
        n_layers = self.config.num_hidden_layers + 1
        return {f"layer_{i:02d}": self.config.hidden_size for i in range(n_layers)}

    def load(self) -> nn.Module:
        """The network in evaluation mode, see :class:`HubModel`."""
        import transformers

        self.normalise = bool(self.preprocessing().get("do_normalize", True))
        kinds = {
            "hubert": transformers.HubertModel,
            "wav2vec2": transformers.Wav2Vec2Model,
            "wavlm": transformers.WavLMModel,
        }
        kind = kinds[self.config.model_type]
        if kind is transformers.WavLMModel:  # it hands PyTorch masks of two types
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
        if self._raw_config()["model_type"] == "mert_model":  # HuBERT's, some under other names
            network = self._load_built(lambda: kind(self.config), self._tensors())
        else:
            network = self._load_native(kind, self.config)
        for layer in network.feature_extractor.conv_layers:
            norm = getattr(layer, "layer_norm", None)
            if isinstance(norm, nn.GroupNorm):
                norm.__class__ = MaskedGroupNorm
        return network

    def _tensors(self) -> dict[str, torch.Tensor]:
        tensors = read_tensors(self.name, self.folder)
        prefix = next((p for p in ("hubert.", "mert_model.") if any(map(_begins(p), tensors))), "")
        return {key.removeprefix(prefix): value for key, value in tensors.items()}

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Hidden states, (n_windows, n_frames, dim) by layer; frames beyond the end are NaN."""
        batch, n_valid = _at_least(batch, n_valid, _receptive_field(self.config))
        mask = torch.arange(batch.shape[1], device=batch.device) < n_valid[:, None]
        if self.normalise:
            count = n_valid[:, None].to(batch.dtype)
            mean = batch.sum(1, keepdim=True) / count
            variance = ((batch - mean).square() * mask).sum(1, keepdim=True) / count
            batch = (batch - mean) * torch.rsqrt(variance + 1e-7) * mask
        first = network.feature_extractor.conv_layers[0]
        norm = getattr(first, "layer_norm", None)
        if isinstance(norm, MaskedGroupNorm):
            stride, kernel = self.config.conv_stride[0], self.config.conv_kernel[0]
            norm.batch.lengths = (n_valid - kernel) // stride + 1
        try:
            states = network(batch, attention_mask=mask.long(), output_hidden_states=True)
        finally:
            if isinstance(norm, MaskedGroupNorm):
                norm.batch.lengths = None
        lengths = network._get_feat_extract_output_lengths(n_valid)
        frames = torch.arange(states.hidden_states[0].shape[1], device=batch.device)
        beyond = (frames >= lengths[:, None])[..., None]
        return {
            f"layer_{i:02d}": state.masked_fill(beyond, torch.nan)
            for i, state in enumerate(states.hidden_states)
        }


def _begins(prefix: str):
    return lambda key: key.startswith(prefix)


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


def _receptive_field(config) -> int:
    """Samples that one frame of the convolutions sees."""
    size = 1
    for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride)):
        size = (size - 1) * stride + kernel
    return size


def _at_least(batch, n_valid, n_samples: int):
    """Room and credit for one frame, where a window holds less than one."""
    if batch.shape[1] < n_samples:
        batch = nn.functional.pad(batch, (0, n_samples - batch.shape[1]))
    return batch, n_valid.clamp(min=n_samples)


class _Prepared(HubModel):
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


def _embed_patches(embeddings: nn.Module, spectrograms: torch.Tensor) -> torch.Tensor:
    """AST's first layer on the beginning of a window: (n, n_frames, n_mels) to (n, n_tokens, dim).

    The network knows one length, and adds a position to each patch. Of a window that has been cut
    to what it holds, the patches that are there keep theirs.
    """
    patches = embeddings.patch_embeddings(spectrograms)
    shape = embeddings.get_shape(embeddings.config)  # bands and columns of a whole window
    first, places = embeddings.position_embeddings.tensor_split([2], 1)
    places = places.unflatten(1, shape)[:, :, : patches.shape[1] // shape[0]].flatten(1, 2)
    tokens = torch.cat([embeddings.cls_token, embeddings.distillation_token], 1) + first
    return torch.cat([tokens.expand(len(patches), -1, -1), patches + places], 1)


class AudioSpectrogram(_Prepared):
    """AST: a vision transformer on patches of a mel spectrogram.

    Layers are the transformer's input and each block's output, averaged over frequency, frame by
    frame, and ``cls``, the mean of its two class tokens. Patches that begin after the signal's end
    are masked: no token attends to them.
    """

    extractor, input_name = "ASTFeatureExtractor", "input_values"
    frame_length, hop_length = 400, 160  # samples of the extractor's frames
    any_length = True
    ignored = r"classifier\."
    model_types = ("audio-spectrogram-transformer",)

    def _read_config(self):
        import transformers

        self._raw_config()
        return transformers.ASTConfig.from_pretrained(self.folder)

    def _name_layers(self) -> dict[str, int]:
        n_layers = self.config.num_hidden_layers + 1
        layers = {f"layer_{i:02d}": self.config.hidden_size for i in range(n_layers)}
        return {**layers, "cls": self.config.hidden_size}

    def load(self) -> nn.Module:
        """The network in evaluation mode, see :class:`HubModel`."""
        import transformers

        given, wanted = self._extractor().max_length, self.config.max_length
        if given != wanted:  # else the rest of each window would be cut away unseen
            raise self._other_preprocessing(f"cuts at {given} frames", f"{wanted} as the network")
        network = self._load_native(transformers.ASTModel, self.config)
        network.embeddings.forward = functools.partial(_embed_patches, network.embeddings)
        return network

    def _n_columns(self, n_samples: torch.Tensor) -> torch.Tensor:
        """Columns of patches that begin within so many samples; at least one."""
        n_frames = (n_samples - self.frame_length) // self.hop_length + 1
        most = (self.config.max_length - self.config.patch_size) // self.config.time_stride + 1
        return (-(-n_frames // self.config.time_stride)).clamp(1, most)

    def prepare(self, samples: np.ndarray, n_valid: int) -> np.ndarray:
        """The network's input for one window, cut to the patches that `samples` has room for."""
        n_columns = int(self._n_columns(torch.tensor(len(samples))))
        n_frames = (n_columns - 1) * self.config.time_stride + self.config.patch_size
        n_filled = max(n_valid, self.frame_length)  # the extractor fails on less than a frame
        filled = np.pad(samples[:n_valid], (0, n_filled - n_valid))
        return super().prepare(filled, n_filled)[:n_frames]

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Patch tokens averaged over frequency, (n_windows, n_frames, dim), and ``cls``.

        Frames are columns of patches; those that begin beyond the signal's end are NaN.
        """
        n_bands, _ = network.embeddings.get_shape(self.config)
        n_places = -(-self.config.max_length // self.config.time_stride)  # one each 100 ms
        n_columns = (batch.shape[1] - self.config.patch_size) // self.config.time_stride + 1
        within = torch.arange(n_columns, device=batch.device) < self._n_columns(n_valid)[:, None]
        mask = nn.functional.pad(within.repeat(1, n_bands), (2, 0), value=True)
        output = network(batch, attention_mask=mask, output_hidden_states=True)
        layers = {}
        for i, state in enumerate(output.hidden_states):
            columns = state[:, 2:].unflatten(1, (n_bands, -1)).mean(1)
            columns = columns.masked_fill(~within[..., None], torch.nan)
            filled = nn.functional.pad(columns, (0, 0, 0, n_places - n_columns), value=torch.nan)
            layers[f"layer_{i:02d}"] = filled
        return {**layers, "cls": output.pooler_output}


class CLAP(_Prepared):
    """The audio tower of CLAP: a hierarchical transformer that shares a space with text.

    Layers are the stages of the transformer averaged over time and frequency, ``pooled``, and
    ``audio_embeds`` in the shared space. A last window that is shorter is repeated until it fills
    ten seconds, as in training; the extractor's own random crop is never reached.
    """

    extractor, input_name = "ClapFeatureExtractor", "input_features"
    ignored = r"(text_model\.|text_projection\.|logit_scale|.*position_ids|.*position_index)"
    model_types = ("clap",)

    def _read_config(self):
        import transformers

        self._raw_config()
        return transformers.ClapConfig.from_pretrained(self.folder)

    def _name_layers(self) -> dict[str, int]:
        audio = self.config.audio_config
        n_stages = len(audio.depths)
        sizes = [
            audio.patch_embeds_hidden_size * 2 ** min(i, n_stages - 1) for i in range(n_stages + 1)
        ]
        stages = {f"stage_{i}": size for i, size in enumerate(sizes)}
        return {**stages, "pooled": sizes[-1], "audio_embeds": self.config.projection_dim}

    def load(self) -> nn.Module:
        """The audio tower in evaluation mode, see :class:`HubModel`."""
        import transformers

        extractor = self._extractor()
        if extractor.truncation != "rand_trunc" or self.config.audio_config.enable_fusion:
            raise ModelRefusedError(
                f"{self.name}: refused. {self.folder} describes a CLAP with feature fusion; its "
                "windows would be mixed with random crops. Use an unfused checkpoint."
            )
        if extractor.nb_max_samples < round(self.window * self.sample_rate):
            raise ModelRefusedError(
                f"{self.name}: refused. Its extractor crops at {extractor.nb_max_samples} samples, "
                f"at random, but windows hold {round(self.window * self.sample_rate)}."
            )
        audio = self.config.audio_config
        audio.projection_dim = self.config.projection_dim
        return self._load_native(transformers.ClapAudioModelWithProjection, audio)

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Stages, pooled and projected vectors, (n_windows, dim)."""
        output = network.audio_model(input_features=batch, output_hidden_states=True)
        stages = {
            f"stage_{i}": state.flatten(2).mean(2) for i, state in enumerate(output.hidden_states)
        }
        embeds = network.audio_projection(output.pooler_output)
        return {**stages, "pooled": output.pooler_output, "audio_embeds": embeds}


class WhisperEncoder(_Prepared):
    """The encoder of Whisper: trained to transcribe speech, on windows of half a minute."""

    extractor, input_name = "WhisperFeatureExtractor", "input_features"
    ignored = r"proj_out\."
    model_types = ("whisper",)

    def _read_config(self):
        import transformers

        self._raw_config()
        return transformers.WhisperConfig.from_pretrained(self.folder)

    def _name_layers(self) -> dict[str, int]:
        n_layers = self.config.encoder_layers + 1
        return {f"layer_{i:02d}": self.config.d_model for i in range(n_layers)}

    def load(self) -> nn.Module:
        """The encoder in evaluation mode, see :class:`HubModel`."""
        import transformers

        self._extractor()  # which is held to be there before any audio is read
        return self._load_native(transformers.WhisperModel, self.config).encoder

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Hidden states, (n_windows, n_frames, dim) by layer."""
        states = network(batch, output_hidden_states=True).hidden_states
        return {f"layer_{i:02d}": state for i, state in enumerate(states)}


class Codec(HubModel):
    """The encoders of the neural codecs EnCodec and DAC: what is worth keeping of a waveform.

    The one layer, ``latent``, is the continuous code before quantisation.
    """

    any_length = True
    model_types = ("encodec", "dac")

    def _read_config(self):
        import transformers

        self._raw_config()
        return transformers.AutoConfig.from_pretrained(self.folder)

    def _name_layers(self) -> dict[str, int]:
        return {"latent": self.config.hidden_size}

    def load(self) -> nn.Module:
        """The encoder in evaluation mode, see :class:`HubModel`."""
        import transformers

        kinds = {"encodec": transformers.EncodecModel, "dac": transformers.DacModel}
        return self._load_native(kinds[self.config.model_type], self.config).encoder

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """The latent frames, (n_windows, n_frames, dim)."""
        hop = int(
            np.prod(getattr(self.config, "upsampling_ratios", None) or [self.config.hop_length])
        )
        batch = nn.functional.pad(batch, (0, -batch.shape[1] % hop))
        latent = network(batch[:, None]).transpose(1, 2)
        frames = torch.arange(latent.shape[1], device=latent.device)
        beyond = (frames * hop >= n_valid[:, None])[..., None]
        return {"latent": latent.masked_fill(beyond, torch.nan)}


def embed_text(texts: Sequence[str], model: str = "clap-htsat-unfused") -> np.ndarray:
    """Embed sentences in the space that CLAP shares between text and audio.

    Parameters
    ----------
    texts : sequence of str
        For instance ``"music that makes me want to dance"``.
    model : str
        A CLAP of the catalogue.

    Returns
    -------
    ndarray of float32, shape (n_texts, 512)
        Compare them with the layer ``audio_embeds`` by cosine similarity.

    Raises
    ------
    ValueError
        If there are no sentences, or the model is no CLAP.
    ModelUnavailableError, ModelRefusedError
        As in :func:`groove_utils.embed.load_model`. The weights are held to the file; there is no
        probe, which is a sound.
    """
    if isinstance(texts, str):
        raise ValueError(f"embed_text: expected a list of sentences, got the string {texts!r}.")
    texts = list(texts)
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(f"embed_text: expected non-empty sentences, got {texts!r}.")
    network, tokenizer = _text_tower(model)
    with torch.inference_mode():
        tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        return network(**tokens).text_embeds.float().numpy()


_KEPT_TEXT_TOWERS = 2  # the one that was used longest ago goes first
_TEXT_TOWERS: OrderedDict[tuple, tuple] = OrderedDict()
_TEXT_LOCK = threading.Lock()


def _text_tower(model: str) -> tuple[nn.Module, Any]:
    """A CLAP's text tower and its tokenizer, kept for the next call while its files are the same.

    Raises
    ------
    ValueError, ModelUnavailableError, ModelRefusedError
    """
    known = [name for name, card in CATALOGUE.items() if card.text_files]
    if model not in known:
        raise ValueError(f"embed_text: {model!r} embeds no text. Known are {', '.join(known)}.")
    adapter = CLAP(model)
    folder = adapter.folder
    absent = [file for file in model_card(model).text_files if not (folder / file).is_file()]
    # one file may stand for vocabulary and merges
    if absent and not (folder / "tokenizer.json").is_file():
        raise ModelUnavailableError(
            f"{model}: {folder} lacks {', '.join(absent)}, without which no text can be "
            f"embedded. Run `python -m groove_utils.embed fetch {model}`, or copy them there."
        )
    status = [file.stat() for file in sorted(folder.iterdir()) if file.is_file()]
    key = model, str(folder), tuple((s.st_size, s.st_mtime_ns) for s in status)
    with _TEXT_LOCK:
        if key not in _TEXT_TOWERS:
            with torch.inference_mode(False):
                _TEXT_TOWERS[key] = _load_text_tower(adapter)
        _TEXT_TOWERS.move_to_end(key)
        while len(_TEXT_TOWERS) > _KEPT_TEXT_TOWERS:
            _TEXT_TOWERS.popitem(last=False)
        return _TEXT_TOWERS[key]


def _load_text_tower(adapter: CLAP) -> tuple[nn.Module, Any]:
    import transformers

    if not isinstance(getattr(adapter.config, "text_config", None), transformers.PretrainedConfig):
        raise ModelRefusedError(f"{adapter.name}: {adapter.folder} describes no text tower.")
    adapter.ignored = r"(audio_model\.|audio_projection\.|logit_scale|.*position_ids)"
    config = adapter.config.text_config
    config.projection_dim = adapter.config.projection_dim
    network = adapter._load_native(transformers.ClapTextModelWithProjection, config)
    with offline(adapter.name):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            adapter.folder, local_files_only=True
        )
    return network, tokenizer
