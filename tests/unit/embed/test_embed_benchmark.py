import platform

import pytest
import soundfile
from toy_models import SR, Frames, noise

from groove_utils.embed import Embedding, embed_tracks
from groove_utils.embed.adapters import ModelUnavailableError
from groove_utils.embed.benchmark import _cost_here, measure_cost
from groove_utils.embed.provenance import model_facts


def test_cost_is_measured_in_a_process_of_its_own(register, tmp_path):
    frames = register(Frames)
    soundfile.write(tmp_path / "a.wav", noise(2 * SR), SR)
    table = measure_cost({"a": tmp_path / "a.wav"}, [frames, "musicfm", "of-a-reader"])
    table = table.set_index("model")
    assert table.loc[frames, "numbers"] == 3
    assert 0 < table.loc[frames, "seconds_per_second"] < 10
    assert 100 < table.loc[frames, "peak_MiB"] < 5000
    assert table.loc[["musicfm", "of-a-reader"]].isna().all(axis=None)
    assert measure_cost({}, [frames])["numbers"].isna().all()


def test_cost_is_found_again_in_another_folder_and_a_failure_is_not_kept(
    register, tmp_path, monkeypatch
):
    frames, costs = register(Frames), []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "a.wav", noise(SR), SR)
        monkeypatch.setattr(platform, "node", lambda folder=folder: folder)
        costs.append(measure_cost({"a": tmp_path / folder / "a.wav"}, [frames]))
    assert costs[0].equals(costs[1])  # two measurements would differ
    with pytest.raises(ModelUnavailableError):
        _cost_here({}, "musicfm", None)


def test_facts_of_computed_and_of_brought_vectors(cache):
    computed = embed_tracks({"a": (noise(SR), SR)}, "basic-pitch", cache=cache, progress=False)
    brought = Embedding("musicfm", ["a"], {}, source="embeddings/musicfm")
    table = model_facts({"basic-pitch": computed, "musicfm": brought}).set_index("model")
    assert table.loc["basic-pitch", "fingerprint"].isalnum()
    assert table.loc["basic-pitch", "licence"] == "Apache-2.0"
    assert table.loc["musicfm", ["source", "fingerprint"]].to_list() == [
        "vectors of the study",
        "–",
    ]
