"""Each task is solved by the module that suits it, and not by another."""

import numpy as np
import pytest
import torch

from groove_utils.cache import ArrayCache
from groove_utils.networks import build_module, compare_modules, summarise_scores
from groove_utils.synth.listening_tasks import draw_tasks

# task, module that solves it, module that does not, and least difference between the two
PLANTED = [
    ("tom", "dense", "convolution", 0.25),
    ("chord", "convolution", "dense", 0.40),
    ("swing", "recurrent", "attention", 0.25),
    ("repeat", "attention", "recurrent", 0.50),
]


def check_planted(tasks, name, finds, fails, margin, seeds):
    scores = compare_modules({name: tasks[name]}, [finds, fails], seeds=seeds)
    wide = scores.pivot(index="seed", columns="module", values="accuracy")
    assert (wide[finds] > 0.85).mean() >= 0.9, wide
    assert (wide[finds] - wide[fails] > margin).mean() >= 0.9, wide


@pytest.fixture(scope="module")
def tasks():
    return draw_tasks()


@pytest.mark.parametrize("planted", PLANTED[:2], ids=lambda planted: planted[0])
def test_a_planted_answer(tasks, planted):
    check_planted(tasks, *planted, seeds=[0])


@pytest.mark.weekly
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted[0])
def test_planted_answers_in_nine_of_ten_seeds(tasks, planted):
    check_planted(tasks, *planted, seeds=range(10))


def test_the_cache_gives_the_same_scores(tasks, tmp_path):
    store = ArrayCache(tmp_path, namespace="training")
    first = compare_modules({"tom": tasks["tom"]}, ["dense"], seeds=[0, 1], cache=store)
    again = compare_modules({"tom": tasks["tom"]}, ["dense"], seeds=[0, 1], cache=store)
    plain = compare_modules({"tom": tasks["tom"]}, ["dense"], seeds=[0, 1])
    assert first.equals(again)
    assert first.equals(plain)


def test_intervals_over_seeds_by_hand(tasks):
    scores = compare_modules({"tom": tasks["tom"]}, ["dense"], seeds=[0, 1])
    scores["accuracy"] = [0.50, 0.52]
    row = summarise_scores(scores).iloc[0]
    half = 12.706205 * np.std([0.50, 0.52], ddof=1) / np.sqrt(2)  # t(1) at 97.5%
    assert row["high"] - row["accuracy"] == pytest.approx(half, rel=1e-6)


def test_a_convolution_does_not_know_where_its_pattern_stands():
    torch.manual_seed(0)
    network = build_module("convolution", (30, 8), 3).eval()
    x = torch.zeros(1, 30, 8)
    x[0, 10:14, 3] = 1.0
    moved = torch.roll(x, (5, 1), dims=(1, 2))
    torch.testing.assert_close(network(x), network(moved))


def test_attention_weights_add_up_to_one():
    network = build_module("attention", (24, 6), 5)
    weights = network.attention_weights(torch.randn(3, 24, 6))
    assert weights.shape == (3, 6)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_recurrent_cells_in_both_directions(cell):
    network = build_module("recurrent", (12, 9), 2, cell=cell, both_directions=True)
    assert network(torch.zeros(4, 12, 9)).shape == (4, 2)


def test_tasks_are_the_same_for_a_seed_and_balanced():
    draws = (draw_tasks(s, share=0.075).values() for s in (3, 3, 4))
    for first, again, other in zip(*draws, strict=True):
        np.testing.assert_array_equal(first.X, again.X)
        assert not np.array_equal(first.X, other.X)
        assert first.X.dtype == np.float32
        assert np.isfinite(first.X).all()
        assert set(first.y) <= set(range(len(first.classes)))
