"""The listening map: a plane of songs on the page, each of which can be heard (chapter 05)."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
from IPython.display import HTML, display

from groove_utils.book.chapter import in_book
from groove_utils.book.players import web_sounds
from groove_utils.figures.theme import style_palette

__all__ = ["listening_map"]


def listening_map(
    songs: pd.DataFrame,
    maps: Mapping[str, np.ndarray],
    ratings: pd.DataFrame,
    *,
    seconds: float = 8.0,
) -> None:
    """Show maps of songs on which each dot can be heard, by mouse and by keyboard.

    Parameters
    ----------
    songs : DataFrame
        One row a song: ``label``, ``style`` and ``path`` of its sound file.
    maps : mapping of str to ndarray, shape (n_songs, 2)
        Name, such as a model's → positions.
    ratings : DataFrame, shape (n_songs, n_queries)
        Mean ratings that may colour the dots, in the order of `songs`.
    seconds : float
        How much of each song is played.

    Notes
    -----
    The page needs ``book/_static/listening-map.js`` and no server and no network. In somebody's
    Jupyter, where that script is not at hand, a sentence says where the map is to be seen.
    """
    if not in_book():
        display(HTML("<p>The listening map is part of the built book: <code>make book</code>.</p>"))
        return
    places = {}
    for name, xy in maps.items():
        xy = np.asarray(xy, dtype=float)
        low, span = xy.min(axis=0), np.ptp(xy, axis=0)
        places[name] = ((xy - low) / np.where(span > 0, span, 1)).round(4).tolist()
    sounds = web_sounds(songs["path"], seconds=seconds)
    data = {
        "songs": [
            {"label": row.label, "style": row.style, "sound": sound}
            for row, sound in zip(songs.itertuples(), sounds, strict=True)
        ],
        "colours": style_palette(list(dict.fromkeys(songs["style"]))),
        "maps": places,
        "ratings": {query: ratings[query].round(2).tolist() for query in ratings},
    }
    text = json.dumps(data, ensure_ascii=False).replace("</", "<\\/")
    note = html.escape("With JavaScript switched off, see the static maps above.")
    display(
        HTML(
            f'<div class="listening-map"><script type="application/json">{text}</script>'
            f"<noscript><p>{note}</p></noscript></div>"
        )
    )
