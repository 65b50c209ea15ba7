import subprocess
import sys

import pytest
from expect import raises

from groove_utils.embed import EmbedError, ModelUnavailableError, list_models, model_card
from groove_utils.embed.__main__ import main
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.catalogue import make_adapter

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
        # a model that cannot run names the step that makes it run
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


def test_untrained_twins_share_all_but_the_training():
    card, twin = model_card("msd-vgg"), model_card("msd-vgg-untrained")
    assert (twin.layers, twin.parameters, twin.factory) == (
        card.layers,
        card.parameters,
        card.factory,
    )
    assert "none" in twin.training


def test_models_that_come_as_vectors_have_no_adapter():
    with raises(ModelUnavailableError, "no_adapter", value="musicfm"):
        make_adapter("musicfm")


def test_unknown_names_are_refused():
    with raises(EmbedError, "unknown_model", value="clap") as caught:
        model_card("clap")
    assert "clap-htsat-unfused" in str(caught.value)


def test_command_line(capsys):
    assert main(["list"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "research only" in rows["mert-v1-95m"]
    assert "yes" in rows["mert-v1-95m"].split()
    assert "research only" not in rows["ast"]
    assert "yes" not in rows["ast"].split()
    assert main(["card", "mert-v1-95m"]) == 0
    assert "12af15fef9d0ac838c3f475bfbbf26d2060dd4f5" in capsys.readouterr().out
    assert main(["card", "nothing"]) == 1
    assert "nothing" in capsys.readouterr().err
    for name in ("msd-vgg", "msd-vgg-untrained"):
        assert main(["fetch", name]) == 0
    assert main(["fetch", "musicfm"]) == 1
    streams = capsys.readouterr()
    assert "embeddings/musicfm/" in streams.err


@pytest.mark.parametrize("module", ["embed", "embed.study_models", "embed.extract"])
def test_imports_are_light(module):
    code = (
        f"import sys, groove_utils.{module}\n"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'dask'} & set(sys.modules)\n"
        "heavy |= {m for m in sys.modules if m.startswith('groove_utils.embed.engine')}\n"
        "heavy |= {m for m in sys.modules if m.startswith('groove_utils.embed.models')}\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
