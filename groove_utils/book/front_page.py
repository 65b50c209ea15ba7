"""Figures on the front page: a map of songs that can be played, and a table of R² values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from groove_utils.book.map_markup import map_markup, read_map, to_square
from groove_utils.book.markdown import MystText, escape_text
from groove_utils.stats.wording import format_number

__all__ = ["FrontPage", "front_page", "ladder_table", "small_map"]

MOST_SONGS = 48  # the dots of more songs would overlap on a small map
FEWEST_ARTISTS = 12  # with at least this many artists, one song per artist is enough for a map
# limits of the R² axis; the left limit is the lowest interval bound, clipped to LEFT…0
LEFT, RIGHT = -0.5, 1.0
TICKS = (0.0, 0.5, 1.0)
NOTE = (
    "With JavaScript, songs can be played here. Without JavaScript, "
    'see <a href="05-embeddings.html">the figure</a> of the songs.'
)

NOTHING = MystText()


@dataclass(frozen=True)
class FrontPage:
    """Figures on the front page, as HTML; a figure without data is an empty string.

    Parameters
    ----------
    map, ladder : MystText
        Outputs of :func:`groove_utils.book.map_markup.map_markup` and :func:`ladder_table`.
    model : str
        Name of the model on the map.
    n_songs : int
        Number of songs on the map.
    one_each : bool
        True if the map has one song per artist.
    """

    map: MystText = NOTHING
    ladder: MystText = NOTHING
    model: str = ""
    n_songs: int = 0
    one_each: bool = False


def front_page(sources: Path, values: Mapping[str, Mapping]) -> FrontPage:
    """Create the figures on the front page from the saved results of the chapters.

    Parameters
    ----------
    sources : pathlib.Path
        Folder with the executed chapters and the sub-folder ``figures/``.
    values : mapping of str to mapping
        Reported values, as returned by :func:`groove_utils.book.build.collect_values`.

    Returns
    -------
    FrontPage
    """

    def text(name: str) -> str:
        return values.get(f"06-probing.{name}", {}).get("text", "")

    ladder, file = NOTHING, sources / "figures" / "06-probing-ladder.csv"
    if file.is_file():
        ladder = ladder_table(pd.read_csv(file), text("target"))
    data = read_map(sources / "05-embeddings.ipynb")
    data = data and small_map(data, text("best_model"), text("target"))
    if not data:
        return FrontPage(ladder=ladder)
    artists = [song["artist"] for song in data["songs"]]
    one_each = None not in artists and len(set(artists)) == len(artists)
    model = data["maps"][0]["name"]
    return FrontPage(map_markup(data, NOTE), ladder, model, len(artists), one_each)


def small_map(data: dict, model: str, query: str) -> dict | None:
    """Reduce a listening map to one model, one question and at most 48 songs.

    Parameters
    ----------
    data : dict
        Output of :func:`groove_utils.book.map_markup.read_map`.
    model, query : str
        Names of the model and the question to keep. If the map does not contain one of them, the
        first model or question of the map is kept instead.

    Returns
    -------
    dict or None
        The smaller map, or None if fewer than two songs have a sound file. Songs without a sound
        file are dropped. If more than 48 songs remain, they are reduced to one song per artist (if
        there are at least 12 artists), and then to at most 48 songs.
    """
    songs = data["songs"]
    rows = [k for k, song in enumerate(songs) if song["sound"]]
    if len(rows) > MOST_SONGS:
        first = {songs[k]["artist"]: k for k in reversed(rows)}
        rows = sorted(first.values()) if len(first) >= FEWEST_ARTISTS else rows
    if len(rows) < 2:
        return None
    step = max(len(rows) / MOST_SONGS, 1)
    rows = [rows[int(j * step)] for j in range(min(len(rows), MOST_SONGS))]

    def pick(entries: list[dict], name: str) -> list[dict]:
        return [entry for entry in entries if entry["name"] == name] or entries[:1]

    def cut(entry: dict, key: str) -> dict:
        return entry | {key: [entry[key][k] for k in rows]}

    maps = [cut(chosen, "xy") | {"nearest": None} for chosen in pick(data["maps"], model)]
    for chosen in maps:
        chosen["xy"] = to_square(np.array(chosen["xy"])).round(4).tolist()
    ratings = [cut(chosen, "values") for chosen in pick(data["ratings"], query)]
    return data | {
        "songs": [songs[k] for k in rows], "maps": maps, "ratings": ratings, "groups": [],
    }  # fmt: skip


def ladder_table(rungs: pd.DataFrame, query: str) -> MystText:
    """Draw R² values with 95% intervals as an HTML table, one row per explanation of the ratings.

    Parameters
    ----------
    rungs : DataFrame
        Columns ``explanation`` (such as “style”), ``estimate``, ``low`` and ``high``. Intervals
        that extend beyond the axis end in an arrow.
    query : str
        Name of the question whose ratings are explained.

    Examples
    --------
    >>> rungs = pd.DataFrame({"explanation": ["style"], "estimate": 0.3, "low": 0.1, "high": 0.5})
    >>> html = ladder_table(rungs, "groove")
    >>> '<td class="number">0.30 <span>(0.10 to 0.50)</span></td>' in html
    True
    >>> '<i class="interval" style="left:10.0%;width:40.0%">' in html
    True
    """
    left = max(LEFT, min(0.0, rungs["low"].min()))
    span = RIGHT - left

    def place(value: float) -> float:
        return 100 * (min(max(value, left), RIGHT) - left) / span

    ticks = "".join(f'<i class="tick" style="left:{place(tick):.1f}%"></i>' for tick in TICKS)
    rows = []
    for rung in rungs.itertuples():
        low, high, dot = map(place, (rung.low, rung.high, rung.estimate))
        ends = " beyond-left" * bool(rung.low < left) + " beyond-right" * bool(rung.high > RIGHT)
        estimate, *ends_text = map(format_number, (rung.estimate, rung.low, rung.high))
        mark = f'<b style="left:{dot:.1f}%"></b>' if left <= rung.estimate <= RIGHT else ""
        rows.append(
            f'<tr><th scope="row">{escape_text(rung.explanation)}</th>'
            f'<td class="bar"><span aria-hidden="true">{ticks}<i class="interval{ends}" '
            f'style="left:{low:.1f}%;width:{high - low:.1f}%"></i>{mark}</span></td>'
            f'<td class="number">{estimate} <span>({" to ".join(ends_text)})</span></td></tr>'
        )
    numbers = "".join(f'<em style="left:{place(tick):.1f}%">{tick:g}</em>' for tick in TICKS)
    return MystText(
        f'<table class="ladder" aria-label="R² of explanations of “{escape_text(query)}”">'
        '<thead><tr><th scope="col">explanation</th>'
        f'<td class="bar"><span aria-hidden="true">{numbers}</span></td>'
        f'<th scope="col">R² (95% CI)</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )
