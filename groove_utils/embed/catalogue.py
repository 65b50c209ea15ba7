"""Which models there are, what each is, and whether it can run here."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pandas as pd

from groove_utils.embed.adapters import Adapter, ModelUnavailableError, check_adapter
from groove_utils.embed.models.musicnn import taggers
from groove_utils.embed.weights import consented, find_weights

__all__ = [
    "CATALOGUE",
    "ModelCard",
    "list_models",
    "make_adapter",
    "model_card",
    "register_model",
    "registered_models",
    "unregister_model",
]


@dataclass(frozen=True)
class ModelCard:
    """What is to be known about a model before its numbers are believed.

    Attributes
    ----------
    name : str
    architecture, training : str
        What the network is; on what data and for which task it was trained.
    licence : str
        Of the weights.
    research_only : bool or None
        Whether the licence forbids commercial use; None where it is to be looked up.
    paper : str
    sample_rate : int
        Hz.
    window, hop : float
        Seconds.
    layers : dict of str to int or None
        Dimensions of each layer; None where they are those of the published vectors.
    parameters : int or None
        Of what is run, such as the audio tower: counted in the loaded network for what comes with a
        package, in one built from the published configuration for what comes from the hub; None
        where neither was done.
    source : str
        Where the weights come from.
    revision : str
        The exact version of the weights.
    factory : str
        ``module:class`` of its adapter.
    needs : tuple of str
        Importable packages that it needs.
    install : str
        The command that installs them, or the step that gets its vectors.
    repository : str
        On the Hugging Face hub; empty for what comes with a package.
    opt_in : bool
        Whether it runs code of its authors, which has to be allowed by name.
    in_paper : bool
        Whether it is one of the seven of Marmoret et al. (2026).
    files : tuple of str
        Files that a load needs beside the weights, as patterns.
    weights : str
        Name of the weights file at that revision.
    text_files : tuple of str
        Files that :func:`groove_utils.embed.embed_text` needs besides.
    parts : tuple of str
        Repositories whose ``config.json`` a load needs besides; their revision is not pinned.
    note : str
        What else there is to know about its revision or its requirements.
    """

    name: str
    architecture: str
    training: str
    licence: str
    research_only: bool | None
    paper: str
    sample_rate: int
    window: float
    hop: float
    layers: dict[str, int | None]
    parameters: int | None
    source: str
    revision: str
    factory: str
    needs: tuple[str, ...] = ()
    install: str = ""
    repository: str = ""
    opt_in: bool = False
    in_paper: bool = False
    files: tuple[str, ...] = ("config.json",)
    weights: str = "model.safetensors or pytorch_model.bin"
    text_files: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    note: str = ""

    @property
    def terms(self) -> str:
        """Whether the weights may be used commercially, in words; empty where they may."""
        return {True: "research only", False: "", None: "terms not recorded here"}[
            self.research_only
        ]

    def availability(self) -> tuple[bool, str, str]:
        """Whether it can run here and now.

        Returns
        -------
        available : bool
        state : {'installed', 'cached', 'needs a download', 'needs an extra', 'needs consent',
                'through embeddings/', 'fails'}
        how : str
            The one command, or step, that makes it available; empty where it is.
        """
        if not self.factory:
            state = "fails" if self.name in _REGISTERED else "through embeddings/"
            return False, state, self.install
        if any(not importlib.util.find_spec(package) for package in self.needs):
            return False, "needs an extra", self.install
        if self.opt_in and self.name not in consented():
            return False, "needs consent", f"export GROOVE_REMOTE_CODE={self.name}"
        if not self.repository:
            return True, "installed", ""
        if find_weights(self) is None:
            return False, "needs a download", f"python -m groove_utils.embed fetch {self.name}"
        return True, "cached", ""


_TAGS = {"mtt": "MagnaTagATune (19 k clips)", "msd": "Million Song Dataset (200 k songs)"}


def _tagger(data: str, kind: str) -> ModelCard:
    musicnn = kind == "musicnn"
    return ModelCard(
        name=f"{data}-{kind}",
        architecture="CNN with musically motivated kernels" if musicnn else "VGG-like CNN",
        training=f"{_TAGS[data]}; supervised, 50 tags",
        licence="ISC",
        research_only=False,
        paper="Pons & Serra (2019), arXiv:1909.06654",
        sample_rate=16000,
        window=3.008,
        hop=2.976,
        layers=dict(taggers.MUSICNN_LAYERS if musicnn else taggers.VGG_LAYERS),
        parameters=787_159 if musicnn else 605_748,
        source="Python package musicnn",
        revision="0.1.0",
        factory="groove_utils.embed.models.musicnn.taggers:Tagger",
        needs=("musicnn",),
        install="pip install --no-deps musicnn==0.1.0",
    )


_BASIC_PITCH = ModelCard(
    name="basic-pitch",
    architecture="CNN on a harmonic constant-Q transform",
    training="GuitarSet, iKala, MAESTRO, MedleyDB, Slakh; supervised, note transcription",
    licence="Apache-2.0",
    research_only=False,
    paper="Bittner et al. (2022), ICASSP",
    sample_rate=22050,
    window=43844 / 22050,
    hop=36164 / 22050,
    layers={"note": 176, "onset": 176, "contour": 528},
    parameters=16_700,
    source="Python package basic-pitch",
    revision="0.4.0",
    factory="groove_utils.embed.models.basic_pitch:BasicPitch",
    needs=("basic_pitch", "onnxruntime"),
    install="pip install onnxruntime && pip install --no-deps basic-pitch==0.4.0",
)


def _untrained(card: ModelCard) -> ModelCard:
    fields = {field: getattr(card, field) for field in card.__dataclass_fields__}
    fields |= {
        "name": f"{card.name}-untrained",
        "training": "none: seeded random weights",
        "source": "drawn at random",
        "revision": "seed",
    }
    return ModelCard(**fields)


_IN_PACKAGE = [
    _tagger("msd", "musicnn"),
    _tagger("mtt", "musicnn"),
    _tagger("msd", "vgg"),
    _tagger("mtt", "vgg"),
    _BASIC_PITCH,
]


def _hidden(n_layers: int, dim: int) -> dict[str, int]:
    return {f"layer_{i:02d}": dim for i in range(n_layers)}


def _hub(name: str, repository: str, revision: str, factory: str, **facts) -> ModelCard:
    facts = {
        "window": 10.0,
        "research_only": False,
        "needs": ("transformers",),
        "install": "pip install transformers",
        "source": "Hugging Face hub",
    } | facts
    return ModelCard(
        name=name,
        repository=repository,
        revision=revision,
        hop=facts["window"],
        factory=factory and f"groove_utils.embed.models.{factory}",
        **facts,
    )


def _brought(name: str, architecture: str, training: str, paper: str, **facts) -> ModelCard:
    """A model whose vectors come through the study's ``embeddings/`` folder."""
    return ModelCard(
        name=name,
        architecture=architecture,
        training=training,
        paper=paper,
        source="published vectors, osf.io/p2wzr, or your own",
        revision="as published",
        factory="",
        install=(
            f"put vectors into embeddings/{name}/ of the study (STUDY=marmoret2026 fetches the "
            "published ones), or register an adapter"
        ),
        in_paper=True,
        **facts,
    )


_NON_COMMERCIAL = {"licence": "CC-BY-NC-4.0", "research_only": True}
_TO_LOOK_UP = {"licence": "see its model page", "research_only": None}
_PREPARED = ("config.json", "preprocessor_config.json")
_TOKENIZER = ("tokenizer_config.json", "vocab.json", "merges.txt")
_SAME_TORCH = (
    "torchaudio and torchvision have to be built for the torch that is installed; for a torch "
    "without CUDA on Linux, take them from PyTorch's own index of CPU wheels"
)
_SPEECH = "huggingface.speech:SpeechEncoder"
_LIBRISPEECH = "LibriSpeech 960 h; self-supervised"
_HTSAT = {"stage_0": 96, "stage_1": 192, "stage_2": 384, "stage_3": 768, "stage_4": 768}
_HTSAT_LARGE = {"stage_0": 128, "stage_1": 256, "stage_2": 512, "stage_3": 1024, "stage_4": 1024}

_FROM_HUB = [
    _hub(
        "mert-v1-95m",
        "m-a-p/MERT-v1-95M",
        "12af15fef9d0ac838c3f475bfbbf26d2060dd4f5",
        _SPEECH,
        architecture="HuBERT-shaped transformer on the waveform",
        training="music, 20 k hours; self-supervised with acoustic and musical (CQT) teachers",
        paper="Li et al. (2024), arXiv:2306.00107",
        sample_rate=24000,
        window=5.0,
        layers=_hidden(13, 768),
        parameters=94_371_712,
        in_paper=True,
        **_NON_COMMERCIAL,
        files=_PREPARED,
        weights="pytorch_model.bin",
        note="a file model.safetensors is at revision 90c43c289969c1e8c20ea55bd1938a88b2d961aa",
    ),
    _hub(
        "mert-v1-330m",
        "m-a-p/MERT-v1-330M",
        "0e06c986db0527c0fd1b47181c40f006805e3de0",
        _SPEECH,
        architecture="HuBERT-large-shaped transformer on the waveform",
        training="music, 160 k hours; self-supervised with acoustic and musical (CQT) teachers",
        paper="Li et al. (2024), arXiv:2306.00107",
        sample_rate=24000,
        window=5.0,
        layers=_hidden(25, 1024),
        parameters=315_438_720,
        **_NON_COMMERCIAL,
        files=_PREPARED,
    ),
    _hub(
        "clap-htsat-unfused",
        "laion/clap-htsat-unfused",
        "8fa0f1c6d0433df6e97c127f64b2a1d6c0dcda8a",
        "huggingface.clap:CLAP",
        architecture="HTSAT audio tower, RoBERTa text tower",
        training="LAION-Audio-630K and AudioSet; contrastive, audio with text",
        licence="Apache-2.0",
        paper="Wu et al. (2023), arXiv:2211.06687",
        sample_rate=48000,
        layers={**_HTSAT, "pooled": 768, "audio_embeds": 512},
        parameters=28_190_872,
        in_paper=True,
        files=_PREPARED,
        text_files=_TOKENIZER,
    ),
    _hub(
        "larger-clap-music",
        "laion/larger_clap_music",
        "a0b4534a14f58e20944452dff00a22a06ce629d1",
        "huggingface.clap:CLAP",
        architecture="larger HTSAT audio tower, RoBERTa text tower",
        training="music with captions; contrastive, audio with text",
        licence="Apache-2.0",
        paper="Wu et al. (2023), arXiv:2211.06687",
        sample_rate=48000,
        layers={**_HTSAT_LARGE, "pooled": 1024, "audio_embeds": 512},
        parameters=68_611_864,
        files=_PREPARED,
        text_files=_TOKENIZER,
    ),
    _hub(
        "ast",
        "MIT/ast-finetuned-audioset-10-10-0.4593",
        "f826b80d28226b62986cc218e5cec390b1096902",
        "huggingface.spectrogram_transformer:AudioSpectrogramTransformer",
        architecture="vision transformer on mel patches",
        training="ImageNet, then AudioSet; supervised, 527 sound classes",
        licence="BSD-3-Clause",
        paper="Gong, Chung & Glass (2021), arXiv:2104.01778",
        sample_rate=16000,
        window=10.24,
        layers={**_hidden(13, 768), "cls": 768},
        parameters=86_189_568,
        files=_PREPARED,
    ),
    _hub(
        "wav2vec2-base",
        "facebook/wav2vec2-base",
        "0b5b8e868dd84f03fd87d01f9c4ff0f080fecfe8",
        _SPEECH,
        architecture="convolutions and a transformer on the waveform",
        training=f"{_LIBRISPEECH}, contrastive",
        licence="Apache-2.0",
        paper="Baevski et al. (2020), arXiv:2006.11477",
        sample_rate=16000,
        layers=_hidden(13, 768),
        parameters=94_371_712,
        files=_PREPARED,
    ),
    _hub(
        "hubert-base",
        "facebook/hubert-base-ls960",
        "dba3bb02fda4248b6e082697eee756de8fe8aa8a",
        _SPEECH,
        architecture="convolutions and a transformer on the waveform",
        training=f"{_LIBRISPEECH}, predicting clusters",
        licence="Apache-2.0",
        paper="Hsu et al. (2021), arXiv:2106.07447",
        sample_rate=16000,
        layers=_hidden(13, 768),
        parameters=94_371_712,
        files=_PREPARED,
    ),
    _hub(
        "wavlm-base-plus",
        "microsoft/wavlm-base-plus",
        "4c66d4806a428f2e922ccfa1a962776e232d487b",
        _SPEECH,
        architecture="convolutions and a transformer with gated relative positions",
        training="94 k hours of speech; self-supervised, denoising",
        **_TO_LOOK_UP,
        paper="Chen et al. (2022), arXiv:2110.13900",
        sample_rate=16000,
        layers=_hidden(13, 768),
        parameters=94_381_936,
        files=_PREPARED,
    ),
    _hub(
        "whisper-large-v3-turbo",
        "openai/whisper-large-v3-turbo",
        "41f01f3fe87f28c78e2fbf8b568835947dd65ed9",
        "huggingface.whisper:WhisperEncoder",
        architecture="transformer encoder on a mel spectrogram",
        training="5 M hours of speech; supervised, transcription and translation",
        licence="MIT",
        paper="Radford et al. (2023), arXiv:2212.04356",
        sample_rate=16000,
        window=30.0,
        layers=_hidden(33, 1280),
        parameters=636_968_960,
        files=_PREPARED,
    ),
    _hub(
        "encodec-24khz",
        "facebook/encodec_24khz",
        "c1dbe2ae3f1de713481a3b3e7c47f357092ee040",
        "huggingface.codecs:Codec",
        architecture="convolutional encoder with an LSTM",
        training="speech, sounds and music; reconstruction",
        **_TO_LOOK_UP,
        paper="Défossez et al. (2023), arXiv:2210.13438",
        sample_rate=24000,
        layers={"latent": 128},
        parameters=7_425_792,
    ),
    _hub(
        "dac-44khz",
        "descript/dac_44khz",
        "c1bc521685adf9cfe247bc39a5ca58917eda1ac4",
        "huggingface.codecs:Codec",
        architecture="convolutional encoder with snake activations",
        training="speech, sounds and music; reconstruction",
        licence="MIT",
        paper="Kumar et al. (2023), arXiv:2306.06546",
        sample_rate=44100,
        layers={"latent": 1024},
        parameters=22_299_200,
    ),
    _hub(
        "muq-mulan",
        "OpenMuQ/MuQ-MuLan-large",
        "2e01c796b71dca71b45251384c04cd7b237c9020",
        "muq_mulan:MuQMuLan",
        architecture="MuQ conformer and a text tower",
        training="music with texts; contrastive, on a self-supervised encoder",
        paper="Zhu et al. (2025), arXiv:2501.01108",
        sample_rate=24000,
        layers={"audio_embeds": 512},
        parameters=None,
        needs=("muq", "torchaudio"),
        install="pip install -c requirements.lock muq==0.1.0",
        in_paper=True,
        **_NON_COMMERCIAL,
        parts=("OpenMuQ/MuQ-large-msd-iter",),
        note=f"only the audio tower is built, and no code from the hub runs; {_SAME_TORCH}",
    ),
    _hub(
        "audiomae",
        "hance-ai/audiomae",
        "c137996",
        "audiomae:AudioMAE",
        architecture="vision transformer on mel patches",
        training="AudioSet; self-supervised, masked patches",
        licence="MIT",
        paper="Huang et al. (2022), arXiv:2207.06405",
        sample_rate=16000,
        layers={"bands": 6144},
        parameters=85_648_128,
        needs=("transformers", "timm", "einops", "torchaudio"),
        install="pip install -c requirements.lock timm einops torchaudio",
        opt_in=True,
        in_paper=True,
        files=("config.json", "*.py"),
        note=(
            "only the short form of its revision is known; the download looks up the whole. Its "
            f"authors' code may need more than what is named here; {_SAME_TORCH}"
        ),
    ),
    _brought(
        "m2d-clap",
        "vision transformer on mel patches, text tower",
        "AudioSet with captions; masked modelling and contrastive",
        "Niizumi et al. (2024), arXiv:2406.02032",
        licence="see its repository",
        research_only=True,
        sample_rate=16000,
        window=10.0,
        hop=10.0,
        layers={"audio_embedding": None},
        parameters=None,
    ),
    _brought(
        "matpac-plus",
        "vision transformer on mel patches",
        "AudioSet; masked latent prediction and clustering",
        "Quelennec et al. (2025), arXiv:2508.12709",
        licence="see its repository",
        research_only=None,
        sample_rate=16000,
        window=10.0,
        hop=10.0,
        layers={"audio_embedding": None},
        parameters=None,
    ),
    _brought(
        "musicfm",
        "conformer on a mel spectrogram",
        "Million Song Dataset; self-supervised, random-projection tokens",
        "Won, Hung & Le (2024), arXiv:2311.03318",
        licence="MIT",
        research_only=False,
        sample_rate=24000,
        window=30.0,
        hop=30.0,
        layers={"audio_embedding": None},
        parameters=None,
    ),
]
CATALOGUE: dict[str, ModelCard] = {
    card.name: card for card in [*_IN_PACKAGE, *map(_untrained, _IN_PACKAGE), *_FROM_HUB]
}


def list_models() -> pd.DataFrame:
    """All models, one row each, with those that :func:`register_model` made known behind.

    Returns
    -------
    pandas.DataFrame, indexed by name
        The facts of :class:`ModelCard`, with `n_layers`, `dims`, and what
        :meth:`ModelCard.availability` says: `available` (bool), `state`, `how`.
    """
    rows = []
    for card in [*CATALOGUE.values(), *map(_own_card, _REGISTERED)]:
        available, state, how = card.availability()
        row = asdict(card)
        row["n_layers"] = len(card.layers)
        row["dims"] = _span(card.layers.values())
        rows.append(row | {"available": available, "state": state, "how": how})
    table = pd.DataFrame(rows).set_index("name")
    technical = ["layers", "factory", "needs", "install", "opt_in"]
    return table.drop(columns=[*technical, "files", "weights", "text_files"])


def _span(sizes) -> str:
    sizes = sorted({size for size in sizes if size is not None})
    if not sizes:
        return "as published"
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]}–{sizes[-1]}"


def model_card(name: str) -> ModelCard:
    """What is known about a model.

    Raises
    ------
    ValueError
        If there is no such model; the message lists those that there are.
    """
    if name in _REGISTERED:
        return _own_card(name)
    if name not in CATALOGUE:
        raise ValueError(_unknown(name))
    return CATALOGUE[name]


_REGISTERED: dict[str, Callable[..., Adapter]] = {}
_REGISTRATIONS: dict[str, int] = {}  # how often a name was given to a model


def register_model(name: str, factory: Callable[..., Adapter], *, replace: bool = False) -> None:
    """Make a model of one's own known by a name.

    Parameters
    ----------
    name : str
        What :func:`groove_utils.embed.embed_study` and the others will call it.
    factory : callable
        The adapter's class, or any function without required arguments that makes an adapter.
    replace : bool
        Allow to replace a model that was registered under the same name, as re-running a
        notebook cell does.

    Raises
    ------
    ValueError
        If the name is taken, or what the factory makes is not an adapter; the message says what
        it lacks.
    """
    if name in CATALOGUE:
        raise ValueError(
            f"register_model: the catalogue has a model {name!r} already. Choose another name."
        )
    if name in _REGISTERED and not replace:
        raise ValueError(
            f"register_model: there is a model {name!r} already. To register it anew, say "
            "replace=True; else choose another name."
        )
    if not callable(factory):
        raise ValueError(
            f"register_model: got an object of type {type(factory).__name__} for {name!r}; "
            "expected the adapter's class, or a function that makes an adapter."
        )
    check_adapter(name, factory())
    _REGISTERED[name] = factory
    _REGISTRATIONS[name] = _REGISTRATIONS.get(name, 0) + 1


def unregister_model(name: str) -> None:
    """Forget a model that :func:`register_model` made known."""
    _REGISTERED.pop(name, None)


def _own_card(name: str) -> ModelCard:
    """What can be said of a reader's own model: what it says of itself."""
    facts = {"architecture": "–", "sample_rate": 0, "window": 0.0, "hop": 0.0, "layers": {}}
    try:
        adapter = _REGISTERED[name]()
    except Exception as error:  # whatever a reader's code raises; the other models have rows, too
        said = f"mend what makes it, which fails: {type(error).__name__}: {error}"
        facts |= {"factory": "", "install": said, "revision": "–"}
    else:
        facts |= {
            "architecture": type(adapter).__name__,
            "sample_rate": adapter.sample_rate,
            "window": adapter.window,
            "hop": getattr(adapter, "hop", adapter.window),
            "layers": dict(adapter.layers),
            "revision": str(getattr(adapter, "version", "–")),
            "factory": ":",
        }
    return ModelCard(
        name=name,
        training="a model of your own",
        licence="–",
        research_only=False,
        paper="–",
        parameters=None,
        source="register_model()",
        **facts,
    )


def registered_models() -> dict[str, Callable[..., Adapter]]:
    """The factories of all registered models, by name."""
    return dict(_REGISTERED)


def registration(name: str) -> int:
    """How often a model was registered under a name; another number is another model."""
    return _REGISTRATIONS.get(name, 0)


def make_adapter(name: str, seed: int = 0) -> Adapter:
    """The adapter of a catalogued or registered model.

    Parameters
    ----------
    name : str
    seed : int
        Of an untrained twin's weights; the others ignore it.
    """
    factories = registered_models()
    if name in factories:
        adapter = factories[name]()
        check_adapter(name, adapter)
        return adapter
    card = model_card(name)
    _, state, how = card.availability()
    if state in ("through embeddings/", "needs an extra", "needs consent"):
        raise ModelUnavailableError(f"{name}: {state}. Do this: {how}.")
    module, _, attribute = card.factory.partition(":")
    return getattr(importlib.import_module(module), attribute)(name, seed)


def _unknown(name: str) -> str:
    known = ", ".join([*CATALOGUE, *registered_models()])
    return f"there is no model {name!r}. Known are {known}; add yours with register_model()."
