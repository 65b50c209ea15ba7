"""Syncopation of notated patterns, compared with published tables and worked examples."""

import numpy as np
import pytest
from expect import raises

from groove_utils.rhythm import (
    RhythmError,
    lhl_syncopation,
    metrical_weights,
    witek_syncopation,
)


def steps(text):
    return np.array([letter != "." for letter in text])


# Longuet-Higgins & Lee's measure of six clave and bell patterns, from the definition over
# weights 0 −4 −3 −4 −2 … (Toussaint's survey of 4/4 time lines orders them the same way)
TIME_LINES = {
    "x...x.x...x.x...": 2,  # shiko
    "x..x..x...x.x...": 4,  # son
    "x..x...x..x.x...": 5,  # rumba
    "x..x..x...xx....": 6,  # soukous
    "x..x..x...x...x.": 5,  # gahu
    "x..x..x...x..x..": 6,  # bossa nova
}


def test_weights_halve_level_by_level():
    expected = [0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4]
    assert metrical_weights(16).tolist() == expected


def test_weights_of_compound_metre():
    expected = [0, -3, -2, -3, -2, -3, -1, -3, -2, -3, -2, -3]
    assert metrical_weights(12, (2, 3, 2)).tolist() == expected


@pytest.mark.parametrize(("pattern", "value"), TIME_LINES.items())
def test_time_lines(pattern, value):
    assert lhl_syncopation(steps(pattern)) == value


@pytest.mark.parametrize("pattern", ["x...x...x...x...", "x" * 16, "." * 16, "x......."])
def test_unsyncopated_patterns_have_none(pattern):
    assert lhl_syncopation(steps(pattern)) == 0


def test_offbeat_quavers_by_hand():
    # eight steps; strokes of weight −3 before rests of −2, −1, −2 and 0
    assert lhl_syncopation(steps(".x.x.x.x")) == 1 + 2 + 1 + 3


def test_bars_are_read_one_after_the_other():
    bars = np.stack([steps("x..x..x...x.x...")] * 3)
    assert lhl_syncopation(bars) == 3 * 4
    tied = np.stack([steps("x.............x."), steps("........x.......")])
    assert (
        lhl_syncopation(tied) == 3
    )  # over the bar line: −3 to 0; the third beat is not syncopated


def test_witek_plain_rock_counts_the_backbeat_once():
    # only the snare on four precedes a stronger position: the downbeat with kick and hi-hat
    kick, snare, hat = (
        steps("x.......x......."),
        steps("....x.......x..."),
        steps("x.x.x.x.x.x.x.x."),
    )
    assert witek_syncopation(kick, snare, hat) == (0 - -1) + 1


def test_witek_weights_by_what_sounds_at_the_heavier_place():
    kick, silent = steps("x..x............"), steps("." * 16)
    on_beat = steps("....x...........")
    # from step 3 (−3); its next stroke is the downbeat, the first place of weight −1 is step 4
    assert witek_syncopation(kick, silent, silent) == 2 + 6
    assert witek_syncopation(kick, silent, on_beat) == 2 + 5
    # the snare on step 4 is itself syncopated against the downbeat: 1 + 1
    assert witek_syncopation(kick, on_beat, on_beat) == (2 + 2) + (1 + 1)


def test_witek_moves_up_as_a_kick_leaves_the_beat():
    snare, hat = steps("....x.......x..."), steps("x.x.x.x.x.x.x.x.")
    values = [
        witek_syncopation(steps(kick), snare, hat)
        for kick in ("x.......x.......", "x.....x.........", "x..x..x.........", "x..x..x..x.x....")
    ]
    assert values == sorted(values)
    assert len(set(values)) == 4


def test_witek_does_not_depend_on_hat_where_kick_and_snare_are_on_the_beats():
    kick, snare = steps("x...x...x...x..."), steps("....x.......x...")
    values = {witek_syncopation(kick, snare, steps(h)) for h in ("x" * 16, "x...x...x...x...")}
    assert len(values) == 1


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: metrical_weights(12), "divisions"),
        (lambda: metrical_weights(12, (2, 3)), "divisions"),
        (lambda: metrical_weights(0), "divisions"),
        (lambda: lhl_syncopation([]), "shape"),
        (lambda: lhl_syncopation([1, 0, 0, 0], weights=[0, -1]), "weights"),
        (lambda: witek_syncopation(np.zeros(16), np.zeros((2, 16)), np.zeros(16)), "shapes"),
        (lambda: witek_syncopation(np.zeros(8), np.zeros(8), np.zeros(8)), "steps"),
    ],
)
def test_patterns_that_do_not_fit_are_refused(call, kind):
    with raises(RhythmError, kind):
        call()
