"""MuQ-MuLan and AudioMAE, fetched from a fake hub and loaded by the real code.

Neither the package ``muq`` nor AudioMAE's code is installed. Small fakes with the same interfaces
take their place; the one of ``muq`` fails where the package would fetch something.
"""

import dataclasses
import fnmatch
import json
import os
import shutil
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
import torch
from expect import raises
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from groove_utils.embed import (
    ModelRefusedError,
    ModelUnavailableError,
    embed_audio,
    forget_models,
    load_model,
    model_card,
)
from groove_utils.embed.__main__ import main
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.weights import availability, offline

MUQ = {
    "muq/__init__.py": """
        import dataclasses, torch
        from torch import nn

        @dataclasses.dataclass
        class MuQConfig:
            dim: int = 12
            w2v2_config: dict = dataclasses.field(default_factory=dict)

        SPOILT = []  # what the next network is built with, in place of its frequencies

        class Conformer(nn.Module):
            def __init__(self, config):
                super().__init__()
                self.norm = nn.BatchNorm1d(config.dim)
                frequencies = SPOILT.pop() if SPOILT else torch.linspace(0.1, 1, config.dim)
                self.register_buffer("inv_freq", frequencies, persistent=False)

            def forward(self, x):
                from types import SimpleNamespace
                x = self.norm(x.transpose(1, 2)).transpose(1, 2) * self.inv_freq
                return SimpleNamespace(last_hidden_state=x)

        class Inner(nn.Module):
            def __init__(self, config):
                super().__init__()
                assert config.w2v2_config["_attn_implementation"] == "eager"
                self.conv = nn.Linear(240, config.dim)
                self.conformer = Conformer(config)

            def preprocessing(self, x, features):
                return {features[0]: x.unfold(1, 240, 240)}

            def normalize(self, x):
                return {key: (value - 0.01) / 0.2 for key, value in x.items()}

        class MuQ(nn.Module):
            def __init__(self, config):
                super().__init__()
                self.model = Inner(config)
    """,
    "muq/muq_mulan/__init__.py": "",
    "muq/muq_mulan/models/__init__.py": "",
    "muq/muq_mulan/models/audio.py": """
        from torch import nn

        class AudioSpectrogramTransformerPretrained(nn.Module):
            def __init__(self, model_name, model_dim, use_layer_idx, frozen_pretrained, dim,
                         tf_depth, heads):
                super().__init__()
                self.dim, self.layer = dim, use_layer_idx
                self._init_pretrained_model(model_name)
                self.proj = nn.Linear(model_dim, dim)

            def _init_pretrained_model(self, model_name):
                raise AssertionError("would fetch from the hub")

            def forward(self, x):
                return self.proj(self._forward_pretrained_model(x)[self.layer]).mean(1)
    """,
    "muq/muq_mulan/models/mulan.py": """
        from torch import nn

        class MuLanModel(nn.Module):
            def __init__(self, audio, text, dim_latent, **_):
                super().__init__()
                self.audio, self.text = audio, text
                self.text_to_latents = nn.Linear(text.dim, dim_latent)
                self.audio_to_latents = nn.Linear(audio.dim, dim_latent)

            def get_audio_latents(self, wavs):
                return nn.functional.normalize(self.audio_to_latents(self.audio(wavs)), dim=-1)
    """,
}
MUQ_CONFIG = {
    "mulan": {"sr": 24000, "clip_secs": 10, "dim_latent": 512},
    "audio_model": {"name": "OpenMuQ/MuQ-large-msd-iter", "model_dim": 12, "use_layer_idx": -1},
    "text_model": {"name": "xlm-roberta-base", "model_dim": None, "use_layer_idx": -1},
    "audio_transformer": {"dim": 8, "tf_depth": 0, "heads": 2},
    "text_transformer": {"dim": 6, "tf_depth": 1},
}

AUDIOMAE = """
    import torch
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel

    SPOILT = []

    class Config(PretrainedConfig):
        model_type = "audiomae"

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.dim = nn.Linear(256, 768)
            bands = SPOILT.pop() if SPOILT else torch.linspace(0.5, 1, 8)
            self.register_buffer("bands", bands, persistent=False)

        def waveform_to_melspec(self, waveform):
            frames = waveform[0].unfold(0, 400, 160)[:1024, :128]
            return nn.functional.pad(frames, (0, 0, 0, 1024 - len(frames)))

        def forward_features(self, mel):
            patches = mel[:, 0].unfold(1, 16, 16).unfold(2, 16, 16).flatten(3)
            tokens = (self.dim(patches) * self.bands[:, None]).flatten(1, 2)
            return torch.cat([torch.full_like(tokens[:, :1], 99.0), tokens], 1)

    class Model(PreTrainedModel):
        config_class = Config

        def __init__(self, config):
            super().__init__(config)
            self.encoder = Encoder()
"""


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Fake hub: the folder with its repositories, and the recorded requests."""
    remote, cache, asked = tmp_path / "remote", tmp_path / "hub", []
    commits = {"hance-ai/audiomae": ["0" * 40, "c137996" + "a" * 33]}

    def model_info(self, repository, revision, files_metadata):
        assert len(revision) == 40  # the hub takes no short form
        names = [file.name for file in (remote / repository).iterdir()]
        files = [SimpleNamespace(rfilename=name, size=9, lfs=None) for name in names]
        return SimpleNamespace(siblings=files)

    def download(repository, revision=None, allow_patterns=()):
        asked.append((repository, revision))
        snapshot = revision or "b" * 40
        folder = cache / f"models--{repository.replace('/', '--')}"
        to = folder / "snapshots" / snapshot
        to.mkdir(parents=True, exist_ok=True)
        for file in (remote / repository).iterdir():
            if any(fnmatch.fnmatch(file.name, pattern) for pattern in allow_patterns):
                shutil.copy(file, to)
        if revision is None:
            (folder / "refs").mkdir(exist_ok=True)
            (folder / "refs" / "main").write_text(snapshot)
        return str(to)

    def list_commits(self, repository):
        return [SimpleNamespace(commit_id=commit) for commit in commits[repository]]

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_commits", list_commits)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    monkeypatch.setenv("GROOVE_MODELS", str(tmp_path / "own"))
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GROOVE_REMOTE_CODE", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    forget_models()
    yield remote, asked, commits
    forget_models()
    for name in [n for n in sys.modules if n.partition(".")[0] in ("muq", "transformers_modules")]:
        del sys.modules[name]


def need_only(monkeypatch, name, *needs):
    card = dataclasses.replace(catalogued_models()[name], packages=needs)
    monkeypatch.setitem(catalogued_models(), name, card)


def noise(seconds, sr):
    return (0.1 * np.random.default_rng(0).standard_normal(round(seconds * sr))).astype("float32")


@pytest.fixture
def muq(hub, tmp_path, monkeypatch):
    """Fake package ``muq``, and a tiny MuQ-MuLan on the fake hub."""
    remote, asked, _ = hub
    for file, text in MUQ.items():
        path = tmp_path / "packages" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(tmp_path / "packages")
    need_only(monkeypatch, "muq-mulan", "muq")
    import muq
    from muq.muq_mulan.models import audio, mulan

    class Tower(audio.AudioSpectrogramTransformerPretrained):
        def _init_pretrained_model(self, _name):
            self.model = muq.MuQ(muq.MuQConfig(w2v2_config={"_attn_implementation": "eager"}))

    torch.manual_seed(0)
    model, text = MUQ_CONFIG["audio_model"], torch.nn.Identity()
    text.dim = 6
    tower = Tower(model["name"], 12, -1, False, **MUQ_CONFIG["audio_transformer"])
    network = mulan.MuLanModel(tower, text, 512)
    tower.model.model.conformer.norm.running_mean.normal_()
    state = {f"mulan.{key}": value for key, value in network.state_dict().items()}
    state["mulan.text.model.word"] = torch.zeros(3)  # not needed, not loaded
    whole, part = remote / "OpenMuQ/MuQ-MuLan-large", remote / "OpenMuQ/MuQ-large-msd-iter"
    for folder, content in ((whole, MUQ_CONFIG), (part, {"dim": 12, "unknown": 1})):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(content))
    torch.save(state, whole / "pytorch_model.bin")
    (part / "pytorch_model.bin").write_bytes(b"large, and not needed")
    return muq, asked


def test_muq_loads_from_what_the_command_fetches(muq, capsys):
    assert availability(model_card("muq-mulan"))[1] == "needs a download"
    assert main(["fetch", "muq-mulan"]) == 0
    _, asked = muq
    revision = model_card("muq-mulan").revision
    assert asked == [("OpenMuQ/MuQ-MuLan-large", revision), ("OpenMuQ/MuQ-large-msd-iter", None)]
    part = Path(os.environ["GROOVE_MODELS"]).parent / "hub/models--OpenMuQ--MuQ-large-msd-iter"
    assert [file.name for file in part.glob("snapshots/*/*")] == ["config.json"]
    assert availability(model_card("muq-mulan")) == (True, "cached", "")
    for seconds in (10, 4, 0.001):
        vector = embed_audio(noise(seconds, 24000), 24000, "muq-mulan")["audio_embeds"]
        assert vector.shape == (1, 512)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_muq_repeats_a_short_clip_once_as_its_package_does(muq):
    main(["fetch", "muq-mulan"])
    y = noise(7, 24000)
    ours = embed_audio(y, 24000, "muq-mulan")["audio_embeds"]
    network = load_model("muq-mulan").network
    with torch.inference_mode():
        clip = torch.from_numpy(np.concatenate([y, y[: 3 * 24000]]))
        expected = network.get_audio_latents(clip[None]).numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_muq_names_its_missing_files(muq, tmp_path):
    with raises(ModelUnavailableError, "missing_files", path="muq-mulan") as caught:
        load_model("muq-mulan")
    for part in ("python -m groove_utils.embed fetch muq-mulan", "OpenMuQ/MuQ-large-msd-iter"):
        assert part in str(caught.value)
    main(["fetch", "muq-mulan"])
    shutil.rmtree(tmp_path / "hub" / "models--OpenMuQ--MuQ-large-msd-iter")
    assert availability(model_card("muq-mulan"))[1] == "needs a download"
    own = tmp_path / "own" / "muq-mulan" / "MuQ-large-msd-iter"
    own.mkdir(parents=True)
    (own / "config.json").write_text(json.dumps({"dim": 12}))
    assert load_model("muq-mulan").fingerprint


def test_muq_with_a_spoilt_buffer_is_refused_at_first_use(muq, monkeypatch):
    package, _ = muq
    main(["fetch", "muq-mulan"])
    package.SPOILT.append(torch.full((12,), 1e-30))
    with raises(ModelRefusedError, "uninitialised_buffer"):
        load_model("muq-mulan")
    original = torch.nn.Module.load_state_dict

    def leave_a_buffer(self, state, *args, **options):
        result = original(self, state, *args, **options)
        dict(self.named_buffers())["audio.model.model.conformer.norm.running_mean"].zero_()
        return result

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Module, "load_state_dict", leave_a_buffer)
        with raises(ModelRefusedError, "not_loaded"):
            load_model("muq-mulan")
    assert load_model("muq-mulan").fingerprint  # neither fingerprint was recorded


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("audio_model", {"name": "m-a-p/MERT-v1-330M"}),  # would run code from the hub
        ("audio_model", {"use_layer_idx": 6}),
        ("mulan", {"sr": 16000}),
    ],
)
def test_muq_of_another_build_is_refused(muq, hub, section, change):
    changed = MUQ_CONFIG | {section: MUQ_CONFIG[section] | change}
    (hub[0] / "OpenMuQ/MuQ-MuLan-large/config.json").write_text(json.dumps(changed))
    main(["fetch", "muq-mulan"])
    with raises(ModelRefusedError, "other_model", column=f"{section}.{next(iter(change))}"):
        load_model("muq-mulan")


def test_muq_that_does_not_import_says_what_to_install(muq, tmp_path):
    main(["fetch", "muq-mulan"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "muq"]:
        del sys.modules[name]
    (tmp_path / "packages/muq/__init__.py").write_text("raise OSError('libc10_cuda.so')")
    with raises(ModelUnavailableError, "not_importable", value="libc10_cuda.so") as caught:
        load_model("muq-mulan")
    assert model_card("muq-mulan").install in str(caught.value)


@pytest.fixture
def audiomae(hub, monkeypatch):
    """A tiny AudioMAE with its code on the fake hub."""
    remote, asked, commits = hub
    need_only(monkeypatch, "audiomae", "transformers")
    folder = remote / "hance-ai/audiomae"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(textwrap.dedent(AUDIOMAE))
    config = {"model_type": "audiomae", "auto_map": {"AutoModel": "model.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    weights = {"encoder.dim.weight": torch.randn(768, 256), "encoder.dim.bias": torch.randn(768)}
    save_file(weights, folder / "model.safetensors")
    return folder, asked, commits


def test_audiomae_is_fetched_only_where_its_code_is_allowed(audiomae, monkeypatch, capsys):
    folder, asked, _ = audiomae
    assert availability(model_card("audiomae"))[1:] == (
        "needs consent",
        "export GROOVE_REMOTE_CODE=audiomae",
    )
    assert main(["fetch", "audiomae"]) == 1
    assert "export GROOVE_REMOTE_CODE=audiomae" in capsys.readouterr().err
    assert asked == []
    monkeypatch.setenv("GROOVE_REMOTE_CODE", "another, audiomae")
    assert main(["fetch", "audiomae"]) == 0
    assert asked == [("hance-ai/audiomae", "c137996" + "a" * 33)]
    assert availability(model_card("audiomae")) == (True, "cached", "")
    for seconds in (10, 3.7, 0.001):
        y = noise(seconds, 16000)
        bands = embed_audio(y, 16000, "audiomae")["bands"]
        assert bands.shape == (1, 6144)
    # 768 × 8: mean over times with signal, without the class token
    weights = load_file(folder / "model.safetensors")
    for seconds, n_times in ((10, 64), (5, 32)):
        y = noise(seconds, 16000)
        mel = torch.from_numpy(y).unfold(0, 400, 160)[:1024, :128]
        mel = torch.nn.functional.pad(mel, (0, 0, 0, 1024 - len(mel)))
        patches = mel.unfold(0, 16, 16).unfold(1, 16, 16).flatten(2)[:n_times]
        maps = patches @ weights["encoder.dim.weight"].T + weights["encoder.dim.bias"]
        expected = (maps * torch.linspace(0.5, 1, 8)[:, None]).mean(0).T.flatten()
        found = embed_audio(y, 16000, "audiomae")["bands"][0]
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)
    monkeypatch.delenv("GROOVE_REMOTE_CODE")
    forget_models()
    with raises(ModelUnavailableError, "needs_consent"):
        load_model("audiomae")


def test_audiomae_without_its_code_is_not_available(audiomae, tmp_path, monkeypatch, capsys):
    folder, _, commits = audiomae
    monkeypatch.setenv("GROOVE_REMOTE_CODE", "audiomae")
    (folder / "model.py").rename(tmp_path / "model.py")
    assert main(["fetch", "audiomae"]) == 1
    assert "was fetched, but lacks *.py" in capsys.readouterr().err
    assert availability(model_card("audiomae"))[1] == "needs a download"
    commits["hance-ai/audiomae"] = ["0" * 40]
    assert main(["fetch", "audiomae"]) == 1
    assert "0 of its 1 commits begin with c137996" in capsys.readouterr().err


def test_audiomae_is_held_to_its_file_and_its_code(audiomae, monkeypatch):
    folder, _, _ = audiomae
    monkeypatch.setenv("GROOVE_REMOTE_CODE", "audiomae")
    weights = load_file(folder / "model.safetensors")
    surplus = weights | {"encoder.head": torch.ones(2)}
    for tensors in (surplus, {"encoder.dim.bias": weights["encoder.dim.bias"]}):
        save_file(tensors, folder / "model.safetensors")
        main(["fetch", "audiomae"])
        with raises(ModelRefusedError, "other_model") as caught:
            load_model("audiomae")
        assert [len(keys) for keys in caught.value.value.values()] == [1]
    save_file(weights, folder / "model.safetensors")
    config = {"model_type": "audiomae", "auto_map": {"AutoModel": "other/repository--model.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    main(["fetch", "audiomae"])
    with raises(ModelRefusedError, "other_model", column="auto_map"):
        load_model("audiomae")


def test_audiomae_with_an_uninitialised_buffer_is_refused(audiomae, monkeypatch):
    folder, _, _ = audiomae
    monkeypatch.setenv("GROOVE_REMOTE_CODE", "audiomae")
    code = (folder / "model.py").read_text()
    (folder / "model.py").write_text(
        code.replace("SPOILT = []", "SPOILT = [torch.full((8,), torch.nan)]")
    )
    main(["fetch", "audiomae"])
    with raises(ModelRefusedError, "uninitialised_buffer"):
        load_model("audiomae")


def test_a_load_that_asks_the_hub_is_refused():
    before = constants.HF_HUB_OFFLINE
    with raises(ModelUnavailableError, "missing_files", value="ast"), offline("ast"):
        huggingface_hub.hf_hub_download("nobody/nothing", "config.json")
    assert before == constants.HF_HUB_OFFLINE
