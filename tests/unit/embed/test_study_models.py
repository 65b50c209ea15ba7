import numpy as np
import pandas as pd
import pytest

from groove_utils.embed.study_models import OFFLINE, models_for, precomputed_sums, twins_of
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


def test_stems_that_a_study_brings(study):
    add_vectors(study, "m", "m/vocals", "m/drums+bass", "m/drums", "m/other+vocals")
    assert precomputed_sums(study, "m") == ["drums", "vocals", "drums+bass", "other+vocals"]
    assert precomputed_sums(study, "another") == []


def test_twins_need_audio_and_an_architecture(study):
    assert twins_of(study, ["msd-vgg"]) == []
    table = pd.read_csv(study.path / "tracks.csv").assign(audio="a.wav")
    table.to_csv(study.path / "tracks.csv", index=False)
    assert twins_of(Study(study.path), ["msd-vgg", "zebra"]) == ["msd-vgg-untrained"]
