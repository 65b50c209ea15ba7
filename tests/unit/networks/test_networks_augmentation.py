import numpy as np
import pytest
import torch

from groove_utils.networks import augmentation

N, BANDS, FRAMES = 40, 24, 30


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.rand(N, BANDS, FRAMES) + 1.0, torch.arange(N) % 4


def test_masks_hide_at_most_the_share_and_nothing_else(batch):
    x, target = batch
    hidden, same = augmentation.mask(x, target, bands=0.25, frames=0.2)
    changed = hidden != x
    assert torch.equal(same, target)
    assert torch.all(hidden[changed] == hidden[changed][0])
    whole_bands, whole_frames = changed.all(dim=2).sum(dim=1), changed.all(dim=1).sum(dim=1)
    assert whole_bands.max() <= 6
    assert whole_frames.max() <= 6
    assert changed.any(dim=(1, 2)).float().mean() > 0.9


def test_mixed_examples_and_answers_have_the_same_proportion(batch):
    _, target = batch
    x = torch.nn.functional.one_hot(target, 4).float()[:, :, None]  # features equal to the label
    mixed, answers = augmentation.mixup(x, target, n_classes=4)
    torch.testing.assert_close(mixed[:, :, 0], answers)
    torch.testing.assert_close(answers.sum(dim=1), torch.ones(N))


def test_shifted_bands_equal_numpy_roll_above_the_filled_ones(batch):
    x, target = batch
    moved, _ = augmentation.shift_bands(x, target, most=5)
    steps = set()
    for before, after in zip(x.numpy(), moved.numpy(), strict=True):
        fits = [k for k in range(6) if np.array_equal(np.roll(before, k, axis=0)[k:], after[k:])]
        assert len(fits) == 1
        assert np.all(after[: fits[0]] == before.min())
        steps.add(fits[0])
    assert steps == set(range(6))


def test_time_is_stretched_linearly():
    ramp = torch.arange(100.0).expand(50, 1, 100)
    torch.manual_seed(1)
    played, _ = augmentation.stretch_time(ramp, torch.zeros(50), most=0.25)
    rates = played[:, 0, 1]  # the second frame shows the rate
    assert rates.min() >= 0.8 - 1e-6
    assert rates.max() <= 1.25 + 1e-6
    assert rates.std() > 0.05
    expected = (rates[:, None] * torch.arange(100)) % 99
    torch.testing.assert_close(played[:, 0], expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("change", [augmentation.mask, augmentation.shift_bands,
                                    augmentation.stretch_time])  # fmt: skip
def test_changes_repeat_with_torchs_seed(batch, change):
    torch.manual_seed(4)
    first = change(*batch)[0]
    torch.manual_seed(4)
    assert torch.equal(first, change(*batch)[0])
    assert not torch.equal(first, change(*batch)[0])
    assert first.shape == batch[0].shape
