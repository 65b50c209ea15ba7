import importlib.util

import numpy as np
import pandas as pd
import pytest
from expect import raises

from groove_utils.embed import ModelUnavailableError, study_models
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.study_models import (
    OFFLINE,
    TASKS,
    models_for,
    precomputed_sums,
    stem_models,
    twins_of,
)
from groove_utils.study import Study


@pytest.fixture
def study(tmp_path):
    table = pd.DataFrame({"track_id": ["a"], "title": "A", "artist": "x", "style": "funk"})
    table.to_csv(tmp_path / "tracks.csv", index=False)
    return Study(tmp_path)


def add_vectors(study, *places):
    for place in places:
        folder = study.path / "embeddings" / place
        folder.mkdir(parents=True)
        np.savez(folder / "a.npz", layer=np.ones(3, np.float32))


def give_audio(study):
    table = pd.read_csv(study.path / "tracks.csv").assign(audio="a.wav")
    table.to_csv(study.path / "tracks.csv", index=False)
    study.__dict__.pop("tracks", None)


def test_offline_models_where_a_study_brings_none(study):
    assert models_for(study) == list(OFFLINE)
    (study.path / "embeddings" / "empty").mkdir(parents=True)
    assert models_for(study) == list(OFFLINE)


def test_a_study_brings_its_own_in_the_order_of_the_catalogue(study):
    add_vectors(study, "zebra", "muq-mulan", "mert-v1-95m", "muq-mulan/drums", "only-stems/bass")
    assert models_for(study) == ["mert-v1-95m", "muq-mulan", "zebra"]


def test_named_models_come_before_all(study):
    add_vectors(study, "muq-mulan")
    assert models_for(study, ["msd-vgg"]) == ["msd-vgg"]


@pytest.fixture
def states(monkeypatch):
    """Fake states of models on this machine."""
    states = {"mert-v1-95m": "cached", "clap-htsat-unfused": "cached", "muq-mulan": "cached"}
    states |= {"audiomae": "needs an extra"}  # but not before its code is allowed
    monkeypatch.delenv("GROOVE_REMOTE_CODE", raising=False)

    def availability(card):
        state = states.get(card.name, "through embeddings/")
        return state == "cached", state, "do this"

    monkeypatch.setattr(study_models, "availability", availability)
    return states


def test_paper_stands_for_its_models_that_run_or_have_vectors(study, states):
    papers = ["mert-v1-95m", "clap-htsat-unfused", "muq-mulan"]
    give_audio(study)
    with pytest.warns(RuntimeWarning, match=r"4 of .* \(audiomae: .*m2d-clap: .*musicfm: "):
        assert models_for(study, "paper") == papers
    add_vectors(study, "m2d-clap", "audiomae")
    with pytest.warns(RuntimeWarning, match=r"2 of "):
        models = models_for(study, ["msd-vgg", "paper", "mert-v1-95m"])
    assert models == ["msd-vgg", "mert-v1-95m", "clap-htsat-unfused", "muq-mulan", "audiomae",
                      "m2d-clap"]  # fmt: skip


def test_paper_without_its_weights_names_the_command(study, states, monkeypatch):
    states |= {"mert-v1-95m": "needs a download", "muq-mulan": "needs an extra"}
    give_audio(study)
    missing = ["mert-v1-95m", "muq-mulan"]
    with raises(ModelUnavailableError, "models_missing", column="models", value=missing) as caught:
        models_for(study, "paper")
    assert "fetch --paper" in str(caught.value)
    monkeypatch.setenv("GROOVE_REMOTE_CODE", "audiomae")
    with raises(ModelUnavailableError, "models_missing", value=[*missing, "audiomae"]):
        models_for(study, "paper")


def test_paper_without_audio_is_what_the_study_brings(study, states):
    with raises(ModelUnavailableError, "models_missing"):
        models_for(study, "paper")
    add_vectors(study, "musicfm")
    with pytest.warns(RuntimeWarning, match="6 of "):
        assert models_for(study, "paper") == ["musicfm"]


def test_a_name_alone_is_a_model(study):
    assert models_for(study, "msd-vgg") == ["msd-vgg"]


def test_stems_that_a_study_brings(study):
    add_vectors(study, "m", "m/vocals", "m/drums+bass", "m/drums", "m/other+vocals")
    assert precomputed_sums(study, "m") == ["drums", "vocals", "drums+bass", "other+vocals"]
    assert precomputed_sums(study, "another") == []


def test_models_of_stems_run_here_or_have_vectors_of_stems(study):
    add_vectors(study, "alpha", "beta", "beta/drums", "msd-vgg")
    assert stem_models(study, ["alpha", "beta"]) == ["beta"]
    give_audio(study)
    study = Study(study.path)
    assert stem_models(study, ["alpha", "beta", "msd-vgg"])[0] == "msd-vgg"
    assert stem_models(study, ["alpha"])[0] == "msd-vgg"
    assert set(stem_models(study, ["alpha"])) == set(OFFLINE)


def test_twins_need_audio_and_an_architecture(study):
    assert twins_of(study, ["msd-vgg"]) == []
    give_audio(study)
    assert twins_of(Study(study.path), ["msd-vgg", "zebra"]) == ["msd-vgg-untrained"]


def test_models_that_cannot_run_are_named_with_the_command_that_adds_them(study, monkeypatch):
    models = ["beatnet", "vibenet"]
    assert study_models.runnable_models(study, models) == (
        [], "The study has no audio, so no other models can be run."
    )  # fmt: skip
    give_audio(study)
    assert study_models.runnable_models(study, models)[0] == models
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "vibenet" else find(name)
    )
    assert study_models.runnable_models(study, models)[0] == ["beatnet"]
    _, note = study_models.runnable_models(study, models)
    assert "vibenet==0.1.0" in note
    assert "BeatNet" not in note


def test_each_task_has_a_catalogued_model():
    packaged = {name for name, card in catalogued_models().items() if "package" in card.source}
    assert set(TASKS) == packaged
    assert set(OFFLINE) <= set(TASKS)
