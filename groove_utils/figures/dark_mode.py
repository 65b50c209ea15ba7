"""Versions of figures for dark pages, with a dark background and the same hues."""

from __future__ import annotations

import colorsys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.cm import ScalarMappable
from matplotlib.collections import Collection, QuadMesh
from matplotlib.colors import ListedColormap, to_rgba, to_rgba_array
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Annotation, Text

__all__ = ["dark_colour", "draw_dark"]

GROUND = "#121212"  # replaces white; background of the book theme's dark pages
INK = "#e8eaed"  # replaces black
NEUTRAL = 0.12  # colours whose RGB channels differ by less than this are treated as greys
FEW = 20  # a colour map with at most this many colours represents categories
PARTS = {
    Text: ("color",),
    Line2D: ("color", "markerfacecolor", "markeredgecolor"),
    Patch: ("facecolor", "edgecolor"),
    Collection: ("facecolor", "edgecolor"),
}
CONTRAST = 3.0  # minimum contrast between graphics and background (WCAG 2.2, criterion 1.4.11)


def draw_dark(figure: plt.Figure) -> None:
    """Recolour a drawn figure for a dark page, in place.

    Greys are inverted: black becomes nearly white, and white becomes the page's background colour.
    Hues do not change, so colour names in captions remain correct, but colours that are too dark
    for the background become lighter. Images, continuous colour maps, and text in front of images
    or coloured bars are not changed.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure. It must already have been drawn or saved, since drawing positions its text.
    """
    unchanged = {
        id(text) for axes in figure.axes for text in axes.texts if _is_on_colour(text, axes)
    }
    for artist in figure.findobj(Artist):
        if id(artist) not in unchanged:
            _recolour(artist)
            if isinstance(artist, Annotation) and artist.arrow_patch is not None:
                _recolour(artist.arrow_patch)


def dark_colour(colour: object) -> tuple[float, float, float, float]:
    """Convert a colour for use on a dark page.

    Parameters
    ----------
    colour : colour
        Colour in any format that matplotlib accepts.

    Returns
    -------
    (float, float, float, float)
        Red, green, blue and opacity, from 0 to 1.

    Examples
    --------
    >>> from matplotlib.colors import to_hex
    >>> [to_hex(dark_colour(colour)) for colour in ("white", "black", "#E69F00")]
    ['#121212', '#e8eaed', '#e69f00']
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
    """Return the contrast ratio between a colour and the dark background, as defined in WCAG 2."""
    light, dark = (
        sum(
            weight * (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4)
            for weight, c in zip((0.2126, 0.7152, 0.0722), colour, strict=True)
        )
        for colour in (rgb, to_rgba(GROUND)[:3])
    )
    return (max(light, dark) + 0.05) / (min(light, dark) + 0.05)


def _recolour(artist: Artist) -> None:
    parts = next((parts for kind, parts in PARTS.items() if isinstance(artist, kind)), ())
    colour_map = getattr(artist, "cmap", None) if _is_mapped(artist) else None
    if isinstance(colour_map, ListedColormap) and colour_map.N <= FEW:
        artist.set_cmap(ListedColormap([dark_colour(colour) for colour in colour_map.colors]))
    if colour_map is not None:
        return
    # read all colours before setting any, since setting one may change another
    current = {part: getattr(artist, f"get_{part}")() for part in parts}
    for part, colours in current.items():
        if isinstance(artist, Collection):
            if len(colours := to_rgba_array(colours)):
                dark = [dark_colour(colour) for colour in colours]
                getattr(artist, f"set_{part}")(dark)
        elif not (isinstance(colours, str) and colours in {"none", "auto"}):
            getattr(artist, f"set_{part}")(dark_colour(colours))


def _is_mapped(artist: Artist) -> bool:
    return isinstance(artist, ScalarMappable) and artist.get_array() is not None


def _is_on_colour(text: Text, axes: plt.Axes) -> bool:
    """Return True if a text object is in front of an image, a coloured mesh or a coloured patch."""
    box = text.get_window_extent()
    centre = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    pictures = [image.get_window_extent() for image in axes.images]
    pictures += [axes.bbox for mesh in axes.collections if isinstance(mesh, QuadMesh)]
    if any(extent.contains(*centre) for extent in pictures):
        return True
    bars = [patch for patch in axes.patches if patch.contains_point(centre)]
    return any(np.ptp(to_rgba(bar.get_facecolor())[:3]) >= NEUTRAL for bar in bars)
