"""Figures for dark pages keep their hues, and text and lines contrast with the background."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import ListedColormap, to_rgba

from groove_utils.figures.dark_mode import GROUND, INK, dark_colour, draw_dark
from groove_utils.figures.theme import OKABE_ITO

WHITE, BLACK = to_rgba("white"), to_rgba("black")


def luminance(colour):
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return np.dot((0.2126, 0.7152, 0.0722), linear)


def contrast(colour):
    light, dark = sorted((luminance(colour), luminance(to_rgba(GROUND))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture
def drawn():
    figure, (left, right) = plt.subplots(ncols=2)
    left.plot([0, 1], [0, 1], color="black", marker="o", markeredgecolor="white", label="line")
    left.scatter([0, 1], [1, 0], color="#D55E00", edgecolor="white")
    left.plot([0], [0.2], "D", color="black", label="marker")
    left.scatter([0], [0.3], marker="x", color="black")
    left.bar([0.5], [1], color="#0072B2")
    left.text(0.5, 0.5, "on a bar", color="white", ha="center")
    left.text(0.0, 0.9, "on the ground", color="black", ha="right")
    left.annotate("arrow", (0, 0), (0.0, 0.4), arrowprops={"color": "black"})
    left.set_title("title")
    left.legend()
    right.pcolormesh(np.eye(2), cmap="coolwarm")
    right.text(0.5, 0.5, "on a map", color="black")
    figure.canvas.draw()
    draw_dark(figure)
    yield figure
    plt.close(figure)


def test_black_and_white_change_places():
    assert dark_colour("white") == pytest.approx(to_rgba(GROUND))
    assert dark_colour("black") == pytest.approx(to_rgba(INK))
    assert dark_colour((1, 1, 1, 0.5))[3] == 0.5


@pytest.mark.parametrize("colour", [*OKABE_ITO, "#404040", "navy", "darkred", "#00008050"])
def test_every_colour_that_stands_out_from_white_stands_out_from_the_ground(colour):
    assert contrast(dark_colour(colour)) >= 3


@pytest.mark.parametrize("colour", OKABE_ITO[:-1])
def test_hues_are_kept(colour):
    before, after = to_rgba(colour)[:3], dark_colour(colour)[:3]
    assert np.argsort(before).tolist() == np.argsort(after).tolist()


def test_lines_dots_and_words_are_recoloured(drawn):
    left = drawn.axes[0]
    line, marker = left.lines
    assert to_rgba(line.get_color()) == pytest.approx(to_rgba(INK))
    assert to_rgba(line.get_markeredgecolor()) == pytest.approx(to_rgba(GROUND))
    assert to_rgba(marker.get_markerfacecolor()) == pytest.approx(to_rgba(INK))
    dots, cross = left.collections
    assert cross.get_edgecolor()[0] == pytest.approx(to_rgba(INK))
    assert dots.get_facecolor()[0] == pytest.approx(dark_colour("#D55E00"))
    assert dots.get_edgecolor()[0] == pytest.approx(to_rgba(GROUND))
    words = [left.title, left._left_title, *left.get_xticklabels(), *left.legend_.texts]
    assert all(contrast(to_rgba(word.get_color())) > 7 for word in words)
    assert to_rgba(left.get_facecolor()) == pytest.approx(to_rgba(GROUND))
    assert to_rgba(left.texts[2].arrow_patch.get_edgecolor()) == pytest.approx(to_rgba(INK))


def test_words_on_bars_and_maps_are_left_alone(drawn):
    left, right = drawn.axes
    colours = {
        text.get_text(): to_rgba(text.get_color()) for axes in (left, right) for text in axes.texts
    }
    assert colours["on a bar"] == WHITE
    assert colours["on a map"] == BLACK
    assert colours["on the ground"] == pytest.approx(to_rgba(INK))


def test_colour_maps_of_categories_follow_their_legend():
    figure, axes = plt.subplots()
    mesh = axes.pcolormesh(np.eye(2), cmap=ListedColormap(["white", "#0072B2"]))
    figure.canvas.draw()
    draw_dark(figure)
    plt.close(figure)
    expected = [dark_colour("white"), dark_colour("#0072B2")]
    np.testing.assert_allclose(mesh.get_cmap().colors, expected)


def test_colour_maps_are_left_alone(drawn):
    (mesh,) = drawn.axes[1].collections
    assert mesh.get_cmap().name == "coolwarm"
    assert mesh.get_facecolor().reshape(-1, 4)[0] == pytest.approx(plt.get_cmap("coolwarm")(1.0))
