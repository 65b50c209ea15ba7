import pytest

from groove_utils.embed import ModelUnavailableError, embed_audio, list_models, model_card
from groove_utils.embed.__main__ import main
from groove_utils.embed.cards import catalogued_models

PAPER = {"audiomae", "clap-htsat-unfused", "m2d-clap", "matpac-plus", "mert-v1-95m"}
PAPER |= {"muq-mulan", "musicfm"}


def test_every_row_is_complete():
    table = list_models()
    assert table.index.is_unique
    assert set(table.index[table["in_paper"]]) == PAPER
    for column in ("architecture", "training", "licence", "paper", "source", "revision", "state"):
        assert table[column].str.len().gt(0).all(), column
    for name, card in catalogued_models().items():
        assert card.name == name
        assert card.layers
        assert card.parameters is None or card.parameters > 1000
        assert 0 < card.hop <= card.window
        # what cannot run says by which one step it can
        assert table.loc[name, "available"] == (table.loc[name, "how"] == "")
        if card.repository:
            assert len(card.revision) == 40 or name == "audiomae"


@pytest.mark.parametrize(
    ("name", "restricted"), [("mert-v1-95m", True), ("muq-mulan", True), ("ast", False)]
)
def test_research_only_licences_are_flagged(name, restricted):
    assert model_card(name).research_only == restricted
    assert model_card(name).terms == ("research only" if restricted else "")


def test_a_licence_to_be_looked_up_does_not_look_free():
    to_look_up = {name for name, card in catalogued_models().items() if card.research_only is None}
    assert to_look_up == {"wavlm-base-plus", "encodec-24khz", "matpac-plus"}
    assert model_card("encodec-24khz").terms == "terms not recorded here"


def test_parameters_are_those_of_the_published_configurations():
    import torch
    import transformers

    large = {"depths": [2, 2, 12, 2], "hidden_size": 1024, "patch_embeds_hidden_size": 128}
    dac = {"encoder_hidden_size": 64, "downsampling_ratios": [2, 4, 8, 8], "hop_length": 512}
    with torch.device("meta"):
        towers = {}
        for name, audio in (("clap-htsat-unfused", {}), ("larger-clap-music", large)):
            config = transformers.ClapConfig(audio_config=audio).audio_config
            config.projection_dim = 512
            towers[name] = transformers.ClapAudioModelWithProjection(config)
        towers["dac-44khz"] = transformers.DacModel(transformers.DacConfig(**dac)).encoder
    for name, tower in towers.items():
        assert model_card(name).parameters == sum(p.numel() for p in tower.parameters())


def test_models_that_come_as_vectors_say_so():
    with pytest.raises(ModelUnavailableError, match=r"musicfm.*embeddings/musicfm/.*adapter"):
        embed_audio([0.0] * 24000, 24000, "musicfm")


def test_unknown_names_list_the_known():
    with pytest.raises(ValueError, match=r"no model 'clap'.*clap-htsat-unfused.*register_model"):
        model_card("clap")


def test_command_line(capsys, monkeypatch):
    assert main(["list"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "research only" in rows["mert-v1-95m"]
    assert "yes" in rows["mert-v1-95m"].split()
    assert "research only" not in rows["ast"]
    assert "yes" not in rows["ast"].split()
    assert main(["card", "mert-v1-95m"]) == 0
    out = capsys.readouterr().out
    assert "CC-BY-NC-4.0" in out
    assert "12af15fef9d0ac838c3f475bfbbf26d2060dd4f5" in out
    assert main(["card", "nothing"]) == 1
    assert "no model 'nothing'" in capsys.readouterr().err
    assert main(["fetch", "msd-vgg"]) == 0
    assert "comes with Python package musicnn" in capsys.readouterr().out
    assert main(["fetch", "msd-vgg-untrained"]) == 0
    assert "nothing to fetch, its weights are drawn at random." in capsys.readouterr().out
    assert main(["fetch", "musicfm"]) == 1
    told = capsys.readouterr()
    assert "embeddings/musicfm/ of the study" in told.err
    assert not told.out


def test_a_failed_download_says_what_to_do_instead(monkeypatch, capsys):
    import huggingface_hub

    def offline(self, *args, **options):
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", offline)
    assert main(["fetch", "ast"]) == 1
    message = capsys.readouterr().err
    assert "could not be fetched (ConnectionError: no route)" in message
    assert "copy the files of MIT/ast-finetuned" in message


def test_a_download_asks_for_the_pinned_revision_and_no_more(monkeypatch, tmp_path, capsys):
    import huggingface_hub

    asked = {}
    for file in ("config.json", "model.safetensors", "preprocessor_config.json"):
        (tmp_path / file).touch()

    def snapshot(repository, **options):
        asked.update(options, repository=repository)
        return str(tmp_path)

    files = ["config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5"]
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda *a, **k: files)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert main(["fetch", "ast"]) == 0
    assert asked["revision"] == model_card("ast").revision
    assert "*.safetensors" in asked["allow_patterns"]
    unwanted = ("bin", "h5", "py")  # no code of any authors, where the model needs none
    assert not any(kind in pattern for pattern in asked["allow_patterns"] for kind in unwanted)
    (tmp_path / "preprocessor_config.json").unlink()
    assert main(["fetch", "ast"]) == 1
    assert "was fetched, but lacks preprocessor_config.json" in capsys.readouterr().err
