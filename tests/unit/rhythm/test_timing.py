"""Metrical grid, deviations from the grid, swing and density of onsets with known times."""

import numpy as np
import pytest

from groove_utils.rhythm import (
    Grid,
    deviations,
    microtiming,
    onset_density,
    swing_ratio,
    swung_bars,
)


@pytest.fixture
def grid():
    """Twelve bars at 100 BPM: a beat lasts 600 ms, a sixteenth 150 ms."""
    return Grid(100.0, 0.1 + 0.6 * np.arange(48), downbeat=2)


def test_places_count_from_the_downbeat(grid):
    assert grid.steps.size == grid.places.size == 4 * 48 - 3
    assert grid.places[4 * grid.downbeat] == 0
    assert grid.places[0] == 8
    np.testing.assert_allclose(np.diff(grid.steps), 0.15)


@pytest.mark.parametrize("ratio", [1.0, 1.3, 2.0])
def test_a_laid_grid_and_a_scores_grid_swing_alike(ratio):
    bars = swung_bars(3, tempo=100, swing_ratio=ratio, start=0.1)
    assert bars.shape == (3, 16)
    late = (ratio - 1) / (ratio + 1)
    grid = Grid(100.0, bars[:, ::4].ravel(), 0, late, swung=True)
    np.testing.assert_allclose(grid.steps, bars.ravel()[:-3])
    assert swing_ratio(grid) == pytest.approx(ratio)
    assert np.isnan(swing_ratio(Grid(100.0, grid.beats, 0)))


def test_deviations_of_known_onsets(grid):
    shift = np.array([0.0, 0.01, -0.02, 0.07])
    late, step = deviations(grid.steps[[4, 8, 12, 20]] + shift, grid)
    np.testing.assert_allclose(
        late, shift[:3], atol=1e-9
    )  # the last onset is nearly halfway between steps
    np.testing.assert_array_equal(step, [4, 8, 12])
    assert np.isnan(microtiming(grid.steps[:5], grid)).all()


def test_microtiming_spread_of_known_deviations(grid):
    late = np.random.default_rng(0).normal(0, 0.012, grid.steps.size)
    mean, spread, percent = microtiming(grid.steps + late, grid)
    assert np.isnan(mean)
    assert spread == pytest.approx(12, rel=0.15)
    assert percent == pytest.approx(spread / 6)


def test_microtiming_mean_is_the_lag_behind_the_bass_drum(grid):
    kicks, others = grid.steps[::8], grid.steps[4::8] + 0.015
    mean, _, _ = microtiming(np.sort(np.r_[kicks, others]), grid, kicks[::-1])
    assert mean == pytest.approx(15)
    assert np.isnan(microtiming(others, grid, kicks)[0])


def test_density_counts_moments_once():
    assert onset_density([0.0, 0.5, 0.5, 1.0], 2.0) == 1.5
    assert onset_density([], 2.0) == 0
