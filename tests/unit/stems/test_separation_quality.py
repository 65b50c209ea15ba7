"""SI-SDR compared with its formula, and checks of stems without references."""

import numpy as np
import pandas as pd
import pytest
from expect import raises

from groove_utils.audio import AudioError
from groove_utils.errors import DetailedError
from groove_utils.stems import separate, separation_checks, separation_quality


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(3)
    s = rng.normal(size=(2, 6000))
    s[1] = np.convolve(s[1], np.hanning(9), "same")
    e = s + 0.3 * rng.normal(size=s.shape) + 0.2 * np.roll(s[::-1], 3, axis=1)
    e[0] = np.convolve(e[0], [1, 0.6, -0.3])[:6000]
    return dict(zip(("drums", "bass"), e)), dict(zip(("drums", "bass"), s))


def test_si_sdr_is_the_published_formula_and_does_not_see_scale(pair):
    estimates, references = pair
    table = separation_quality(estimates, references, 8000).set_index("stem")
    for stem, e in estimates.items():
        s = references[stem]
        alpha = e @ s / (s @ s)
        expected = 10 * np.log10(np.sum((alpha * s) ** 2) / np.sum((alpha * s - e) ** 2))
        assert table.loc[stem, "si_sdr"] == pytest.approx(expected, abs=1e-5)
    scaled = separation_quality({k: -7 * e for k, e in estimates.items()}, references, 8000)
    np.testing.assert_allclose(scaled["si_sdr"], table["si_sdr"], atol=1e-4)
    assert table["seconds"].tolist() == [0.75, 0.75]


def test_known_noise_gives_the_known_ratio():
    n = 4096
    s = np.sin(2 * np.pi * 64 * np.arange(n) / n)
    noise = 0.1 * np.cos(2 * np.pi * 200 * np.arange(n) / n)  # orthogonal to it, 20 dB lower
    table = separation_quality({"a": s + noise}, {"a": s}, 8000)
    assert table["si_sdr"].item() == pytest.approx(20, abs=1e-4)
    # both channels have the same factor, and energies are added: 10 log10(2 / 0.01)
    both = separation_quality({"a": np.stack([s + noise, s])}, {"a": np.stack([s, s])}, 8000)
    assert both["si_sdr"].item() == pytest.approx(10 * np.log10(200), abs=1e-4)


def test_perfect_and_silent_stems():
    s = np.random.default_rng(0).normal(size=3000)
    none = np.zeros(3000)
    table = separation_quality(
        {"same": s, "lost": none, "made": s, "both": none},
        {"same": s, "lost": s, "made": none, "both": none},
        8000,
    ).set_index("stem")
    assert table.loc["same", "si_sdr"] > 100
    assert table.loc["lost", "si_sdr"] == -np.inf
    assert table.loc[["made", "both"], "si_sdr"].isna().all()


def test_percussive_part_is_nearer_to_the_drums_than_the_mix_is(demo):
    (track,) = demo.tracks["track_id"]
    mix, sr = demo.load(track, mono=False)
    stems = {s: demo.load_stem(track, s, mono=False)[0] for s in demo.stem_paths(track)}
    truth = {"percussive": stems["drums"], "harmonic": mix - stems["drums"]}
    before = separation_quality(dict.fromkeys(truth, mix), truth, sr)
    after = separation_quality(separate(mix, sr, "hpss"), truth, sr)
    assert (after["si_sdr"].to_numpy() > before["si_sdr"].to_numpy() + 1).all()


def test_checks_without_references():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 8000)) / 10
    mix = a + 2 * b
    table = separation_checks(mix, {"a": a, "b": 2 * b, "c": 1e-4 * a}, 8000).set_index("stem")
    power = pd.Series({"a": a @ a, "b": 4 * b @ b, "c": 1e-8 * a @ a})
    np.testing.assert_allclose(table["energy_share"], power / power.sum(), rtol=1e-5)
    np.testing.assert_allclose(table["level_db"], 10 * np.log10(power / (mix @ mix)), atol=1e-4)
    assert table["silent"].to_dict() == {"a": False, "b": False, "c": True}
    expected = 10 * np.log10(power["c"] / (mix @ mix))
    np.testing.assert_allclose(table["residual_db"], expected, atol=0.1)
    assert (
        separation_checks(mix, {"a": a, "b": 1e-4 * b}, 8000, silent_below=-99)["silent"].sum() == 0
    )


def test_checks_of_silence_and_of_a_missing_part():
    y = np.random.default_rng(0).normal(size=(2, 1000))
    table = separation_checks(y, {"a": y, "b": 0 * y}, 8000).set_index("stem")
    assert table["silent"].to_dict() == {"a": False, "b": True}
    assert table["energy_share"].tolist() == [1, 0]
    half = separation_checks(y, {"a": y / 2}, 8000)
    assert half["residual_db"].item() == pytest.approx(20 * np.log10(0.5), abs=1e-4)
    silent = separation_checks(0 * y, {"a": 0 * y}, 8000)
    assert silent["silent"].all()
    assert silent[["energy_share", "residual_db"]].isna().all(axis=None)


def test_what_cannot_be_compared_is_refused():
    y = np.ones(9)
    # resampling may change the length by one sample, which is more than 10 ms at 80 Hz
    assert len(separation_quality({"a": y}, {"a": y[:8]}, 8000)) == 1
    assert len(separation_checks(y[:8], {"a": y}, 8000)) == 1
    with raises(DetailedError, "no_stems"):
        separation_quality({"percussive": y}, {"drums": y}, 8000)
    with raises(DetailedError, "different_shapes", value=((9,), (8,))):
        separation_quality({"a": y}, {"a": y[:8]}, 80)
    with raises(AudioError, "not_finite"):
        separation_quality({"a": y}, {"a": y * np.nan}, 8000)
    with raises(DetailedError, "different_shapes", value=((8,), (9,))):
        separation_checks(y[:8], {"a": y}, 80)
