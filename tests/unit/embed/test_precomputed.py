"""Vectors in the folder ``embeddings/`` of a study."""

import numpy as np
import pandas as pd
import pytest
from expect import raises

from groove_utils.embed import EmbedError, embed_study, model_card
from groove_utils.study import Study


def study_with(folder, model, **by_track):
    """Function that writes a study with vectors and returns it with their folder."""
    (folder / "embeddings" / model).mkdir(parents=True)
    for track, layers in by_track.items():
        np.savez(folder / "embeddings" / model / f"{track}.npz", **layers)
    pd.DataFrame({"track_id": list(by_track)}).to_csv(folder / "tracks.csv", index=False)
    return Study(folder), folder / "embeddings" / model


def test_precomputed_vectors_are_used(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(3, 5, 8)).astype(np.float32)
    rows = {
        f"s{i}": {"last": v, "first": v[0], "song_id": np.array(f"s{i}")}
        for i, v in enumerate(vectors)
    }
    study, folder = study_with(tmp_path, "theirs", **rows)
    embedding = embed_study(study, "theirs")
    np.testing.assert_allclose(embedding.layer("last"), vectors.mean(1), rtol=1e-6)
    np.testing.assert_array_equal(embedding.layer("first"), vectors[:, 0])
    assert embedding.source == str(folder)
    np.savez(folder / "s1.npz", last=np.zeros(7), first=np.zeros(8))
    with raises(EmbedError, "damaged_vectors", path="theirs", value=["s1"]):
        embed_study(study, "theirs")
    assert {path.name for path in study.files_read} == {"tracks.csv", "s0.npz", "s1.npz", "s2.npz"}
    (folder / "s1.npz").unlink()
    with raises(EmbedError, "missing_vectors", path="theirs", value=["s1"]):
        embed_study(study, "theirs")


def write_damaged(path, kind):
    content = path.read_bytes()
    if kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "npy":
        np.save(path.with_suffix(".npy"), np.zeros(4))
        path.with_suffix(".npy").replace(path)
    elif kind == "page":
        path.write_bytes(b"<html>not found</html>")
    elif kind == "flipped":
        at = content.index(b"NUMPY") + 130
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    else:
        values = {
            "objects": np.array([{}, 1], dtype=object),
            "no numbers": np.array("text"),
            "no rows": np.zeros((0, 4)),
            "nothing": np.zeros(0),
            "three axes": np.zeros((2, 2, 4)),
            "too large": np.array([1e300, 0, 0, 0]),
            "missing": np.full(4, np.nan),
        }
        np.savez(path, last=values[kind])


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("cut", ".npz"),
        ("empty", "0 bytes"),
        ("npy", ".npz"),
        ("page", ".npz"),
        ("flipped", "'last'"),
        ("objects", "no numeric array"),
        ("no numbers", "no numeric array"),
        ("no rows", "(0, 4)"),
        ("nothing", "(0,)"),
        ("three axes", "(2, 2, 4)"),
        ("too large", "infinite"),
        ("missing", "NaN"),
    ],
)
def test_damaged_vectors_are_named_with_the_reason(tmp_path, kind, word):
    study, folder = study_with(tmp_path, "theirs", a={"last": np.ones(4)}, b={"last": np.ones(4)})
    write_damaged(folder / "b.npz", kind)
    with raises(EmbedError, "damaged_vectors", path="theirs", value=["b"]) as caught:
        embed_study(study, "theirs")
    assert word in str(caught.value)


def test_of_many_damaged_vectors_some_are_named_and_all_counted(tmp_path):
    rows = {f"s{i}": {"last": np.full(4, np.nan if i else 1)} for i in range(9)}
    study, _ = study_with(tmp_path, "theirs", **rows)
    with raises(EmbedError, "damaged_vectors") as caught:
        embed_study(study, "theirs")
    assert caught.value.value == [f"s{i}" for i in range(1, 9)]
    assert "s5.npz" in str(caught.value)
    assert "s6.npz" not in str(caught.value)


def test_whole_numbers_are_vectors_and_a_single_one_is_a_fact(tmp_path):
    codes = np.arange(12).reshape(3, 4)
    row = {"codes": codes, "bytes": codes[0].astype(np.uint8), "song_id": np.array(17)}
    study, _ = study_with(tmp_path, "theirs", a=row)
    layers = embed_study(study, "theirs").layers
    assert {name: values.dtype for name, values in layers.items()} == {
        "codes": np.float32,
        "bytes": np.float32,
    }
    np.testing.assert_array_equal(layers["codes"], [[4, 5, 6, 7]])
    np.testing.assert_array_equal(layers["bytes"], [[0, 1, 2, 3]])


@pytest.mark.parametrize(("model", "n"), [("mert-v1-95m", 13), ("mert-v1-330m", 25)])
def test_published_rows_of_a_model_with_numbered_layers_are_its_layers(tmp_path, model, n):
    dim = model_card(model).layers["layer_00"]
    values = np.random.default_rng(0).normal(size=(2, n, dim)).astype(np.float32)
    rows = {t: {"audio_embedding": v, "song_id": np.array(t)} for t, v in zip("ab", values)}
    study, _ = study_with(tmp_path / "as published", model, **rows)
    layers = embed_study(study, model).layers
    assert list(layers) == [f"layer_{i:02d}" for i in range(n)]
    np.testing.assert_array_equal(np.stack(list(layers.values()), 1), values)
    # windows of another model, name or number are averaged as usual
    for place, name, key, array in [
        ("another model", "theirs", "audio_embedding", values[0]),
        ("another name", model, "windows", values[0]),
        ("another number", model, "audio_embedding", values[0, 1:]),
        ("other layers", "ast", "audio_embedding", values[0]),
    ]:
        study, _ = study_with(tmp_path / place, name, a={key: array})
        layers = embed_study(study, name).layers
        assert list(layers) == [key]
        np.testing.assert_allclose(layers[key][0], array.mean(0), rtol=1e-5, atol=1e-6)


def test_options_that_vectors_cannot_follow_are_refused_or_reported(tmp_path, recwarn):
    study, _ = study_with(tmp_path, "theirs", a={"last": np.ones(4)})
    with raises(EmbedError, "precomputed_means", column="pooling"):
        embed_study(study, "theirs", pooling="mean+std")
    embed_study(study, "theirs", pooling="mean", seed=0, autocast=False, device="cpu")
    assert not recwarn
    with pytest.warns(RuntimeWarning, match="seed and autocast") as warned:
        embed_study(study, "theirs", seed=3, autocast=True)
    assert warned[0].filename == __file__
