import pytest

from groove_utils.embed import ModelUnavailableError, embed_audio, list_models, model_card
from groove_utils.embed.__main__ import main
from groove_utils.embed.catalogue import CATALOGUE

PAPER = {"audiomae", "clap-htsat-unfused", "m2d-clap", "matpac-plus", "mert-v1-95m"}
PAPER |= {"muq-mulan", "musicfm"}


def test_every_row_is_complete():
    table = list_models()
    assert table.index.is_unique
    assert set(table.index[table["in_paper"]]) == PAPER
    for column in ("architecture", "training", "licence", "paper", "source", "revision", "state"):
        assert table[column].str.len().gt(0).all(), column
    for name, card in CATALOGUE.items():
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


def test_models_that_come_as_vectors_say_so():
    with pytest.raises(ModelUnavailableError, match=r"musicfm.*embeddings/musicfm/.*adapter"):
        embed_audio([0.0] * 24000, 24000, "musicfm")


def test_unknown_names_list_the_known():
    with pytest.raises(ValueError, match=r"no model 'clap'.*clap-htsat-unfused.*register_model"):
        model_card("clap")


def test_command_line(capsys, monkeypatch):
    assert main(["list"]) == 0
    assert "mert-v1-95m" in capsys.readouterr().out
    assert main(["card", "mert-v1-95m"]) == 0
    out = capsys.readouterr().out
    assert "CC-BY-NC-4.0" in out
    assert "12af15fef9d0ac838c3f475bfbbf26d2060dd4f5" in out
    assert main(["card", "nothing"]) == 1
    assert "no model 'nothing'" in capsys.readouterr().err
    assert main(["fetch", "msd-vgg"]) == 0
    assert "comes with Python package musicnn" in capsys.readouterr().out


def test_a_failed_download_says_what_to_do_instead(monkeypatch, capsys):
    import huggingface_hub

    def offline(self, *args, **options):
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", offline)
    assert main(["fetch", "ast"]) == 1
    message = capsys.readouterr().err
    assert "could not be fetched (ConnectionError: no route)" in message
    assert "copy its files into" in message


def test_a_download_asks_for_the_pinned_revision_and_no_more(monkeypatch, tmp_path, capsys):
    import huggingface_hub

    asked = {}

    def snapshot(repository, **options):
        asked.update(options, repository=repository)
        return str(tmp_path)

    files = ["config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5"]
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda *a, **k: files)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert main(["fetch", "ast"]) == 0
    assert asked["revision"] == model_card("ast").revision
    assert "*.safetensors" in asked["allow_patterns"]
    assert not any("bin" in pattern or "h5" in pattern for pattern in asked["allow_patterns"])
