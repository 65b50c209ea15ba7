"""Font Awesome icons as inline SVG, to avoid loading Font Awesome's 1.5 MB script."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["draw_icon", "read_icons"]

Icon = tuple[str, str, str]  # width, height, and the path


def read_icons(script: Path, names: Iterable[str]) -> dict[str, Icon]:
    """Read the shapes of solid icons from Font Awesome's script.

    Parameters
    ----------
    script : pathlib.Path
        Path to ``fontawesome.js`` in the theme of the HTML pages.
    names : iterable of str
        Names such as ``magnifying-glass``; names that the script does not define are ignored.

    Returns
    -------
    dict of str to (str, str, str)
        Name → width, height and SVG path.
    """
    text = script.read_text(encoding="utf-8")
    icons = {}
    for name in names:
        entry = rf'["{{,]{re.escape(name)}"?:\[(\d+),(\d+),\[[^\]]*\],"[0-9a-f]+","([^"]+)"\]'
        # the last icon set in the script contains the solid icons
        if shapes := re.findall(entry, text):
            icons[name] = shapes[-1]
    return icons


def draw_icon(name: str, icon: Icon) -> str:
    """Return an icon as inline SVG, with the colour and size of the surrounding text."""
    width, height, path = icon
    return (
        f'<svg class="svg-inline--fa fa-{name}" aria-hidden="true" focusable="false" '
        f'viewBox="0 0 {width} {height}"><path fill="currentColor" d="{path}"></path></svg>'
    )
