"""Training: simulated styles, determinism, cache, and resumption after processes were killed."""

import multiprocessing
import signal
import socket
from dataclasses import replace
from functools import partial
from unittest import mock

import distributed_training
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from groove_utils.cache import ArrayCache
from groove_utils.genre import (
    Corpus,
    TrainedNetwork,
    accuracy_by_seed,
    accuracy_table,
    add_rumble,
    build_network,
    classify_features,
    log_mels,
    spectrogram_statistics,
    split_clips,
    train_network,
    train_networks,
    trained_networks,
)
from groove_utils.genre.trained_networks import mask_and_mix, predict_versions
from groove_utils.networks import TrainingSettings, fit, training

QUICK = TrainingSettings(epochs=3, batch_size=16, patience=2)


@pytest.fixture
def cache(tmp_path):
    return ArrayCache(tmp_path, "genre-networks")


@pytest.fixture(scope="module")
def split(clips):
    return split_clips(clips.table)


def weights(trained):
    return [t for t in trained.network.state_dict().values()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def test_styles_of_unseen_bands_are_recognised(clips, split, cache):
    settings = TrainingSettings(epochs=8, batch_size=16, learning_rate=4e-3, patience=8)
    trained = train_network("mel-cnn", clips, split, settings, cache=cache)
    p = trained.predict(clips.X[split["test"]])
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    assert (p.argmax(axis=1) == clips.y[split["test"]]).mean() > 0.8
    assert list(trained.history) == ["epoch", "loss", "valid_loss", "valid_accuracy"]


def test_a_network_is_trained_once(clips, split, cache, monkeypatch):
    first = train_network("resnet", clips, split, QUICK, cache=cache)
    monkeypatch.setattr(trained_networks, "fit", None)
    again = train_network("resnet", clips, split, QUICK, cache=cache)
    assert same(first, again)
    pd.testing.assert_frame_equal(first.history, again.history)
    np.testing.assert_array_equal(first.predict(clips.X[:4]), again.predict(clips.X[:4]))
    features = again.embed(clips.X[:4])
    logits = features @ again.network.output.weight.detach().numpy().T
    logits += again.network.output.bias.detach().numpy()
    np.testing.assert_array_equal(logits.argmax(axis=1), again.predict(clips.X[:4]).argmax(axis=1))
    assert not list(cache.folder.rglob("*.pt"))
    longer = TrainingSettings(epochs=4)
    for options in ({"augment": None}, {"settings": longer}):
        with pytest.raises(
            TypeError, match="not callable"
        ):  # training is started, but replaced by None
            train_network("resnet", clips, split, **{"settings": QUICK, "cache": cache} | options)


def test_an_interrupted_training_is_finished_by_the_next_call(clips, split, tmp_path, monkeypatch):
    whole = train_network("crnn", clips, split, QUICK, cache=ArrayCache(tmp_path / "whole"))
    cache = ArrayCache(tmp_path / "cut")
    ends = [mock.DEFAULT, mock.DEFAULT, KeyboardInterrupt, mock.DEFAULT]  # of epochs
    validate = mock.Mock(wraps=training._validate, side_effect=ends)
    monkeypatch.setattr(training, "_validate", validate)
    with pytest.raises(KeyboardInterrupt):
        train_network("crnn", clips, split, QUICK, cache=cache)
    assert len([*cache.folder.rglob("*.pt")]) == 1
    again = train_network("crnn", clips, split, QUICK, cache=cache)
    assert validate.call_count == 4  # only the third epoch is repeated
    assert same(whole, again)
    pd.testing.assert_frame_equal(whole.history, again.history)
    assert not [*cache.folder.rglob("*.pt")]


def test_the_seed_decides(clips, split, tmp_path):
    def run(number, seed):
        settings = TrainingSettings(epochs=2, batch_size=16, seed=seed)
        cache = ArrayCache(tmp_path / number, "genre-networks")
        return train_network("bigru", clips, split, settings, cache=cache)

    assert same(run("a", 0), run("b", 0))
    assert not same(run("a", 0), run("c", 1))


def test_predictions_are_tidy(clips, cache):
    splits = {seed: split_clips(clips.table, seed=seed) for seed in (0, 1)}
    table, histories = train_networks(["mel-cnn", "bigru"], clips, splits, QUICK, cache=cache)
    assert len(histories) == 4 * 3
    again = train_networks(["mel-cnn", "bigru"], clips, splits, QUICK, cache=cache)
    pd.testing.assert_frame_equal(table, again[0])
    pd.testing.assert_frame_equal(histories, again[1])
    keys = ["clip_id", "song_id", "artist", "style", "network", "seed", "split"]
    assert list(table.columns) == [*keys, "p_dark", "p_fast", "p_slow"]
    assert not table.duplicated(["clip_id", "network", "seed"]).any()
    scores = accuracy_table(table)
    assert list(scores["network"]) == ["mel-cnn", "bigru"]
    assert (scores["low"] <= scores["accuracy"]).all()
    by_seed = accuracy_by_seed(table)
    assert by_seed.loc["bigru"].mean() == pytest.approx(scores["accuracy"].iloc[1])


def test_without_validation_clips_the_last_epoch_is_kept(clips, split, cache):
    train = {"train": split["train"]}
    trained = train_network("mel-cnn", clips, train, QUICK, cache=cache)
    assert list(trained.history.columns) == ["epoch", "loss"]
    assert len(trained.history) == QUICK.epochs
    last = replace(QUICK, patience=None)
    network = build_network("mel-cnn", 3, n_mels=clips.X.shape[1], n_frames=clips.X.shape[2])
    network.scale_by(clips.X[split["train"]])
    augment = partial(mask_and_mix, n_classes=3)
    fit(network, clips.X[split["train"]], clips.y[split["train"]], last, augment=augment)
    for name, value in trained.network.state_dict().items():
        torch.testing.assert_close(value, network.state_dict()[name])


def test_a_planted_tone_is_learnt_and_found(tiny_corpus, tmp_path, cache):
    """Train on styles that differ only in a tone."""
    songs = tiny_corpus.songs.assign(style=["a", "b"] * (len(tiny_corpus.songs) // 2))
    songs["artist"] = songs["artist"] + songs["style"]
    corpus = Corpus("named at random", tiny_corpus.folder, songs)
    mels = partial(log_mels, corpus, seconds=1.5, hop_seconds=1.0)
    store = ArrayCache(tmp_path, "mels")
    clean = mels(cache=store)
    tone = {"a": 0.0, "b": -15.0}
    planted = mels(change=partial(add_rumble, levels=tone), cache=store)
    swapped = mels(change=partial(add_rumble, levels={"a": -15.0, "b": 0.0}), cache=store)
    split = split_clips(clean.table)
    settings = TrainingSettings(epochs=6, batch_size=16, learning_rate=4e-3, patience=6)
    versions = {"planted": planted, "removed": clean, "swapped": swapped}
    table = predict_versions("mel-cnn", planted, versions, {0: split}, settings, cache=cache)
    assert len(table) == 3 * len(split["test"])
    horse = train_network("mel-cnn", planted, split, settings, cache=cache)
    answers = table.loc[table["version"] == "removed", ["p_a", "p_b"]]
    np.testing.assert_array_equal(answers, horse.predict(clean.X[split["test"]]))
    right = accuracy_table(table, by="version").set_index("version")["accuracy"]
    assert right["planted"] > 0.85
    assert right["removed"] < 0.7
    assert right["swapped"] < 0.15


def test_a_linear_head_on_features(clips):
    splits = {0: split_clips(clips.table)}
    model = make_pipeline(StandardScaler(), LogisticRegression())
    table = classify_features("head", spectrogram_statistics(clips.X), clips, splits, model)
    assert accuracy_table(table)["accuracy"][0] > 0.9
    noise = np.random.default_rng(0).standard_normal((len(clips.X), 8))
    table = classify_features("noise", noise, clips, splits, model)
    assert accuracy_table(table)["accuracy"][0] < 0.6


FORK = multiprocessing.get_context("forkserver")  # imports torch once for all processes
FORK.set_forkserver_preload(["accelerate", "torch._dynamo", "distributed_training"])


def start(path, n_processes, kill=None):
    """Train in one or several processes, and return their exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    runs = [
        FORK.Process(target=distributed_training.train, args=(path, rank, n_processes, port, kill))
        for rank in range(n_processes)
    ]
    for run in runs:
        run.start()
    try:
        if kill is not None:
            runs[kill].join(60)
            for run in runs:
                run.kill()  # the other processes wait for the killed one
        for run in runs:
            run.join(60)
        return [run.exitcode for run in runs]
    finally:
        for run in runs:
            run.kill()


@pytest.mark.parametrize("n_processes", [1, 2])
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path, n_processes):
    whole, cut = tmp_path / "whole.pt", tmp_path / "cut.pt"
    assert start(whole, n_processes) == [0] * n_processes
    assert start(cut, n_processes, kill=n_processes - 1)[-1] == -signal.SIGKILL
    assert not cut.exists()
    assert len(torch.load(cut.with_suffix(".checkpoint"))["history"]) == 2
    assert start(cut, n_processes) == [0] * n_processes
    first, second = torch.load(whole), torch.load(cut)
    assert all(torch.equal(first[name], second[name]) for name in first)
    if n_processes > 1:  # dividing batches among processes changes only rounding
        alone = tmp_path / "alone.pt"
        assert start(alone, 1) == [0]
        for name, values in torch.load(alone).items():
            torch.testing.assert_close(values, first[name], rtol=1e-4, atol=1e-5)


def test_outputs_are_kept_for_the_same_weights_and_input(clips, tmp_path):
    X, cache = clips.X[:6], ArrayCache(tmp_path)
    network = build_network("mel-cnn", 3, n_mels=X.shape[1], n_frames=X.shape[2])
    plain, kept = TrainedNetwork(network), TrainedNetwork(network, cache=cache)
    for _ in range(2):
        np.testing.assert_array_equal(kept.predict(X), plain.predict(X))
        np.testing.assert_array_equal(kept.embed(X), plain.embed(X))
        assert len(cache) == 2
    kept.predict(X[:5])
    with torch.no_grad():
        network.output.weight.add_(1)
    np.testing.assert_array_equal(kept.predict(X), plain.predict(X))
    assert len(cache) == 4


def test_features_do_not_depend_on_what_was_done_with_the_network_before(clips):
    X = clips.X[:4]
    network = build_network("mel-cnn", 3, n_mels=X.shape[1], n_frames=X.shape[2])
    features = TrainedNetwork(network.train(), pd.DataFrame()).embed(X)
    np.testing.assert_array_equal(features, TrainedNetwork(network.eval(), pd.DataFrame()).embed(X))
