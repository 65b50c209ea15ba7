"""Figures for dark pages: the same figure on a dark ground, with its hues unchanged."""

from __future__ import annotations

import colorsys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import Collection, QuadMesh
from matplotlib.colors import to_rgba, to_rgba_array
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Annotation, Text

__all__ = ["dark_colour", "draw_dark"]

GROUND = "#14181e"  # the ground of the theme's dark pages, for white
INK = "#e8eaed"  # for black
NEUTRAL = 0.12  # largest difference between the channels of a grey
CONTRAST = 3.0  # of graphics with their ground, WCAG 2.2, success criterion 1.4.11


def draw_dark(figure: plt.Figure) -> None:
    """Recolour a drawn figure for a dark page, in place.

    Greys change places: black becomes nearly white, and white the ground of the page. Hues stay, so
    that captions which name colours hold; those too dark for the ground become lighter. Images,
    colour maps, and text in front of images or bars are left alone.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        It has been drawn or saved once, so that the places of its texts are known.
    """
    kept = {id(text) for axes in figure.axes for text in axes.texts if _is_on_colour(text, axes)}
    for artist in figure.findobj(Artist):
        if id(artist) not in kept:
            _recolour(artist)
            if isinstance(artist, Annotation) and artist.arrow_patch is not None:
                _recolour(artist.arrow_patch)


def dark_colour(colour: object) -> tuple[float, float, float, float]:
    """Return the colour that takes the place of another one on a dark page.

    Parameters
    ----------
    colour : colour
        Anything that matplotlib reads.

    Returns
    -------
    (float, float, float, float)
        Red, green, blue and opacity, from 0 to 1.

    Examples
    --------
    >>> from matplotlib.colors import to_hex
    >>> [to_hex(dark_colour(colour)) for colour in ("white", "black", "#E69F00")]
    ['#14181e', '#e8eaed', '#e69f00']
    """
    red, green, blue, opacity = to_rgba(colour)
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    if max(red, green, blue) - min(red, green, blue) < NEUTRAL:
        ends = zip(to_rgba(INK)[:3], to_rgba(GROUND)[:3], strict=True)
        return (*(ink + lightness * (ground - ink) for ink, ground in ends), opacity)
    while _contrast((red, green, blue)) < CONTRAST and lightness < 1:
        lightness = min(lightness + 0.02, 1)
        red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
    return (red, green, blue, opacity)


def _contrast(rgb: tuple[float, float, float]) -> float:
    """Contrast of a colour with the dark ground, after WCAG 2."""
    light, dark = (
        sum(
            weight * (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4)
            for weight, c in zip((0.2126, 0.7152, 0.0722), colour, strict=True)
        )
        for colour in (rgb, to_rgba(GROUND)[:3])
    )
    return (max(light, dark) + 0.05) / (min(light, dark) + 0.05)


def _recolour(artist: Artist) -> None:
    if isinstance(artist, Text):
        artist.set_color(dark_colour(artist.get_color()))
    elif isinstance(artist, Line2D):
        artist.set_color(dark_colour(artist.get_color()))
        for part in ("markerfacecolor", "markeredgecolor"):
            colour = getattr(artist, f"get_{part}")()
            if not isinstance(colour, str) or colour.lower() not in {"none", "auto"}:
                getattr(artist, f"set_{part}")(dark_colour(colour))
    elif isinstance(artist, Patch):
        face, edge = artist.get_facecolor(), artist.get_edgecolor()
        artist.set_facecolor(dark_colour(face))
        artist.set_edgecolor(dark_colour(edge))
    elif isinstance(artist, Collection):
        mapped = artist.get_array() is not None
        for part in ("facecolor", "edgecolor"):
            colours = to_rgba_array(getattr(artist, f"get_{part}")())
            if len(colours) and not mapped:
                dark = np.array([dark_colour(colour) for colour in colours])
                getattr(artist, f"set_{part}")(dark)


def _is_on_colour(text: Text, axes: plt.Axes) -> bool:
    """Check whether an image, a coloured mesh or a coloured patch lies behind a text."""
    box = text.get_window_extent()
    centre = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    pictures = [image.get_window_extent() for image in axes.images]
    pictures += [axes.bbox for mesh in axes.collections if isinstance(mesh, QuadMesh)]
    if any(extent.contains(*centre) for extent in pictures):
        return True
    bars = [patch for patch in axes.patches if patch.contains_point(centre)]
    return any(np.ptp(to_rgba(bar.get_facecolor())[:3]) >= NEUTRAL for bar in bars)
