"""The single list of descriptors, and their titles."""

from groove_utils.descriptors import (
    BASELINE,
    DESCRIPTORS,
    PORTRAIT,
    axis_titles,
    descriptor_table,
    prose_titles,
    published_correlations,
)


def test_names_and_order_of_the_baseline():
    bands = [f"band_{band}_flux" for band in range(1, 11)]
    expected = ["event_density", "rms", "rms_sd", "spectral_flux", *bands, "pulse_clarity",
                "pulse_clarity_attack"]  # fmt: skip
    assert list(BASELINE) == expected
    assert list(DESCRIPTORS[:16]) == expected


def test_every_descriptor_has_a_card():
    cards = descriptor_table()
    assert list(cards.index) == list(DESCRIPTORS)
    assert (cards[["title", "formula", "source"]].map(len) >= 3).all(axis=None)
    assert cards.index.is_unique
    assert cards.at["rms", "unit"] == "full-scale amplitude"


def test_titles_for_axes_and_for_sentences():
    axes, prose = axis_titles(), prose_titles()
    assert axes["tempo"] == "Tempo (BPM)"
    assert axes["rms"] == "RMS"  # its unit is too long for an axis
    assert axes["swing_ratio"] == "Swing ratio"
    assert prose["rms_sd"] == "RMS variability"
    assert prose["pulse_clarity"] == "pulse clarity"
    assert list(axes.index) == list(prose.index) == list(DESCRIPTORS)


def test_published_correlations_are_of_classical_descriptors():
    published = published_correlations()
    assert set(published.index) < set(BASELINE)
    assert published["rms_sd"] == published.max() == 0.57  # Stupacher, Hove & Janata (2014)
    assert set(PORTRAIT) < set(DESCRIPTORS)
