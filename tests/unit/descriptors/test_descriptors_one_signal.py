"""Descriptors of one signal: complete, independent of gain, with reasons for missing values."""

import numpy as np
import pandas as pd
import pytest
from descriptor_signals import SR, click_track, noise, play, sine
from expect import raises

from groove_utils.descriptors import (
    BASELINE,
    DESCRIPTORS,
    DescriptorError,
    analyse,
    describe,
    descriptor_table,
)


@pytest.fixture(scope="module")
def clicks_row():
    y = click_track(2.0, 8.0) + noise(8, amplitude=0.003)
    return y, describe(y, SR)


def test_row_of_a_click_track(clicks_row):
    _, row = clicks_row
    assert list(row.index) == [*DESCRIPTORS, "reason"]
    assert row["event_density"] == pytest.approx(2, abs=0.1)
    assert row["pulse_clarity"] > 0.9
    assert np.isfinite(row[list(BASELINE)].astype(float)).all()


def test_gain_moves_just_what_the_cards_say(clicks_row):
    y, row = clicks_row
    quiet = describe(0.1 * y, SR)
    for name, card in descriptor_table().iterrows():
        if np.isfinite(row[name]):
            factor = 1.0 if card["gain_invariant"] else 0.1
            assert quiet[name] == pytest.approx(factor * row[name], rel=0.02, abs=1e-6), name


def test_mono_and_stereo_are_one(clicks_row):
    y, row = clicks_row
    stereo = describe(np.stack([y, y]), SR)
    pd.testing.assert_series_equal(stereo, row)


def test_silence():
    row = describe(np.zeros(5 * SR), SR)
    assert row["rms"] == row["spectral_flux"] == row["event_density"] == 0
    assert np.isnan(row["pulse_clarity"])
    assert "silent" in row["reason"]


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (noise(0.05), "0.05 s is shorter than 0.1 s"),
        (noise(1.0), "1 s is shorter than 3 s"),
    ],
)
def test_what_cannot_be_measured_is_nan_with_a_reason(y, reason):
    row = describe(y, SR)
    assert reason in row["reason"]
    missing = [name for name in DESCRIPTORS if np.isnan(row[name])]
    assert missing
    assert row["reason"].startswith("all") or all(name in row["reason"] for name in missing)


@pytest.mark.parametrize(
    "y",
    [
        np.ones(5 * SR) * 0.3,  # direct current
        np.r_[np.zeros(2 * SR), 0.5, np.zeros(2 * SR)],  # one click
        np.r_[np.zeros(2 * SR), 0.5, np.zeros(2 * SR), -0.5, np.zeros(SR)],
        np.tile([1.0, -1.0], 2 * SR),  # the Nyquist frequency, full scale
        np.clip(50 * noise(5), -1, 1),  # clipped
        np.full(5 * SR, 2e-5),
        noise(3.0),
    ],
    ids=["dc", "click", "two clicks", "nyquist", "clipped", "faint", "three seconds"],
)
@pytest.mark.parametrize("sr", [8000, 44100])
def test_odd_signals_never_raise(y, sr):
    row = describe(y, sr)
    values = row[list(DESCRIPTORS)].astype(float)
    assert not np.isinf(values).any()
    for name in values.index[values.isna()]:
        assert name in row["reason"]


@pytest.mark.parametrize("sr", [7999 // 2, 1_000_000])
def test_unusable_rate_is_named(sr):
    with raises(DescriptorError, "out_of_range", column="sr", value=sr):
        describe(noise(1), sr)


def test_no_swing_ratio_without_sixteenths():
    row = describe(play("rock")[0], SR)
    assert np.isnan(row["swing_ratio"])
    assert row["reason"].startswith("swing_ratio:")
    seconds = 6 * 2.4 + 0.4
    assert row["density_low"] == pytest.approx(3 * 6 / seconds, abs=0.2)
    assert row["density_high"] == pytest.approx(8 * 6 / seconds, abs=0.2)
    assert row["microtiming_percent"] == pytest.approx(
        row["microtiming_spread"] / (60_000 / row["tempo"]) * 100
    )


def test_low_descriptors():
    low, high = (analyse(sine(hz, 2), SR) for hz in (80, 2000))
    assert low.low_energy > 0.99 > 0.01 > high.low_energy
    kick, hat = (analyse(play(drum)[0], SR) for drum in ("kicks", "hats"))
    assert kick.low_flux.mean() > 10 * hat.low_flux.mean()
