"""HTML of listening maps, which ``book/_static/listening-map.js`` draws."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import numpy as np

from groove_utils.book.markdown import MystText, escape_text

__all__ = ["map_markup", "read_map", "to_square"]

DATA = re.compile(r'class="listening-map".*?<script type="application/json">(.*?)</script>', re.S)


def map_markup(data: dict, note: str, figure: str = "") -> MystText:
    """Return a listening map as one line of HTML that contains the data as JSON.

    Parameters
    ----------
    data : dict
        Data of the map, as assembled by :func:`groove_utils.book.listening.listening_map`.
    note : str
        Sentence that is shown if JavaScript is disabled, as HTML.
    figure : str
        Label of the static figure that the map replaces; empty if there is none.
    """
    # "<" is escaped, so that no song title can close the script element
    text = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return MystText(
        f'<div class="listening-map" data-figure="{escape_text(figure)}">'
        f'<script type="application/json">{text}</script><p class="map-note">{note}</p></div>'
    )


def read_map(page: Path) -> dict | None:
    """Read the data of the first listening map in a chapter's executed notebook.

    Parameters
    ----------
    page : pathlib.Path
        The chapter's executed notebook.

    Returns
    -------
    dict or None
        The data, or None if the notebook does not exist or has no map.
    """
    if not page.is_file():
        return None
    for cell in nbformat.read(page, as_version=4).cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if match := DATA.search(html):
                return json.loads(match[1])
    return None


def to_square(xy: np.ndarray) -> np.ndarray:
    """Scale each column of positions to the range from 0 to 1; constant columns become 0.5.

    Parameters
    ----------
    xy : ndarray, shape (n_songs, 2)
        Positions of the songs.

    Examples
    --------
    >>> to_square(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[0.0, 0.5], [1.0, 0.5]]
    """
    low, span = xy.min(axis=0), np.ptp(xy, axis=0)
    return np.where(span > 0, (xy - low) / np.where(span > 0, span, 1), 0.5)
