import numpy as np
import pytest
import torch
from expect import raises
from torch import nn

from groove_utils.errors import DetailedError
from groove_utils.networks import TrainingSettings, build_module, fit, predict, training

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 6, 4)).astype(np.float32)
Y = (X[:, 0].sum(axis=1) > 0).astype(np.int64)
SHORT = TrainingSettings(epochs=6, batch_size=16)


def network(seed=0):
    torch.manual_seed(seed)
    return build_module("convolution", (6, 4), 2, width=8, kernel=(3, 2))


def same(first, second):
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_loss_falls_and_the_rule_is_learnt():
    torch.manual_seed(0)
    dense = build_module("dense", (6, 4), 2)
    history = fit(dense, X, Y, TrainingSettings(epochs=40))
    assert history["loss"].iloc[-1] < 0.5 * history["loss"].iloc[0]
    assert (predict(dense, X).argmax(axis=1) == Y).mean() > 0.95


def test_the_same_seed_gives_the_same_weights():
    first, second, third = network(), network(), network()
    fit(first, X, Y, SHORT)
    fit(second, X, Y, SHORT)
    fit(third, X, Y, TrainingSettings(epochs=6, batch_size=16, seed=1))
    assert same(first, second)
    assert not same(first, third)


def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    whole, cut = network(), network()
    fit(whole, X, Y, SHORT, valid=(X, Y))
    real, calls = training.train_epoch, []

    def stop_in_the_fourth(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(training, "train_epoch", stop_in_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        fit(cut, X, Y, SHORT, valid=(X, Y), checkpoint=tmp_path / "run.pt")
    monkeypatch.undo()
    again = network(seed=5)  # its weights are replaced by those of the checkpoint
    history = fit(again, X, Y, SHORT, valid=(X, Y), checkpoint=tmp_path / "run.pt")
    assert same(whole, again)
    assert list(history["epoch"]) == list(range(6))


def test_early_stopping_keeps_the_best_epoch():
    wrong = (X, 1 - Y)  # the better the training fit, the worse the score on these
    settings = TrainingSettings(epochs=30, patience=3)
    history = fit(network(), X, Y, settings, valid=wrong)
    best = history["valid_loss"].idxmin()
    assert len(history) == best + 4
    trained = network()
    fit(trained, X, Y, settings, valid=wrong)
    p = predict(trained, X)[np.arange(60), 1 - Y]
    assert -np.log(p).mean() == pytest.approx(history["valid_loss"].min(), rel=1e-5)


def test_no_batch_has_a_single_example():
    sizes = []

    def note(x, target):
        sizes.append(len(x))
        return x, target

    fit(network(), X[:33], Y[:33], TrainingSettings(epochs=1, batch_size=16), augment=note)
    assert sorted(sizes) == [11, 11, 11]


def test_probabilities_as_targets():
    soft = np.stack([1 - Y, Y], axis=1).astype(np.float32)
    hard, mixed = network(), network()
    fit(hard, X, Y, SHORT)
    fit(mixed, X, soft, SHORT)
    for a, b in zip(hard.parameters(), mixed.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_the_generator_of_the_caller_is_left_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    fit(nn.Sequential(nn.Flatten(), nn.Linear(24, 2)), X, Y, SHORT)
    state = torch.get_rng_state()
    torch.manual_seed(3)
    nn.Linear(24, 2)  # draws only weights
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(before, state)


def test_half_precision_changes_rounding_only_and_is_undone():
    from accelerate import Accelerator

    full, half = network(), network()
    fit(full, X, Y, SHORT, valid=(X, Y))
    fit(half, X, Y, SHORT, valid=(X, Y), engine=Accelerator(cpu=True, mixed_precision="bf16"))
    assert not same(full, half)
    for a, b in zip(full.parameters(), half.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0.05, atol=0.05)
    assert half(torch.tensor(X)).dtype == torch.float32
    assert "forward" not in vars(half)


def test_what_cannot_be_trained_is_refused():
    with raises(DetailedError, "wrong_length"):
        fit(network(), X, Y[:5])
    with raises(DetailedError, "wrong_length"):
        fit(network(), X[:0], Y[:0])
    with raises(DetailedError, "missing_argument", column="valid"):
        fit(network(), X, Y, TrainingSettings(patience=2))
    with raises(DetailedError, "out_of_range", column="epochs"):
        TrainingSettings(epochs=0)
    with raises(DetailedError, "unknown_choice", column="name"):
        build_module("convoluted", (6, 4), 2)
    with raises(DetailedError, "unknown_choice", column="cell"):
        build_module("recurrent", (6, 4), 2, cell="gro")
