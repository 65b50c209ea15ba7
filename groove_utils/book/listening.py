"""The listening map: a plane of songs on the page, each of which can be heard (chapter 05)."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML, display

from groove_utils.book.chapter import in_book
from groove_utils.book.outputs import show_figure
from groove_utils.book.players import web_sounds
from groove_utils.figures.maps import plot_model_maps
from groove_utils.figures.theme import style_palette

__all__ = ["listening_map"]

NOT_KNOWN = "not known"


def listening_map(
    songs: pd.DataFrame,
    maps: Mapping[str, np.ndarray],
    ratings: pd.DataFrame,
    *,
    layers: Mapping[str, str] | None = None,
    nearest: Mapping[str, np.ndarray] | None = None,
    styles: Sequence[str] = (),
    projection: str = "PCA",
    name: str = "listening-map",
    seconds: float = 8.0,
) -> None:
    """Show maps of songs on which each dot can be heard, by mouse and by keyboard.

    Parameters
    ----------
    songs : DataFrame
        One row a song: ``label`` and, where the study has them, ``style``, ``artist`` and
        ``path`` of its sound file.
    maps : mapping of str to ndarray, shape (n_songs, 2)
        A model's name → positions of the songs.
    ratings : DataFrame, shape (n_songs, n_queries)
        Mean ratings that may colour the dots, in the order of `songs`; NaN where a song has none.
    layers : mapping of str to str, optional
        A model's name → the layer that was mapped.
    nearest : mapping of str to ndarray of int, shape (n_songs, n_listed), optional
        A model's name → rows of the songs that are nearest to each song, nearest first. They are
        listed for the song that is picked, and can be played.
    styles : sequence of str
        Order of the styles, on which their colours depend; others follow as they come.
    projection : str
        What made the positions, such as PCA or UMAP.
    name : str
        The label is ``fig-<name>``.
    seconds : float
        How much of each song is played.

    Raises
    ------
    ValueError
        If a map lacks songs, has positions that are not finite, or `nearest` names other songs.

    Notes
    -----
    A static figure of all maps carries the caption and its number. On the page,
    ``book/_static/listening-map.js`` puts the map in its place, with no server and no network; in
    print, without JavaScript, and in somebody's Jupyter, the static figure is what there is.
    """
    n_songs = len(songs)
    maps = {model: _finite(model, xy, n_songs) for model, xy in maps.items()}
    layers = layers or {}
    near = {model: _rows(model, rows, n_songs) for model, rows in (nearest or {}).items()}
    label = [text or f"Song {k + 1}" for k, text in enumerate(_texts(songs, "label"))]
    style, band = _texts(songs, "style"), _texts(songs, "artist")
    order = list(dict.fromkeys([*styles, *style]))
    styles = sorted(set(style) - {None}, key=order.index)

    shown = pd.DataFrame({"label": label, "style": [text or NOT_KNOWN for text in style]})
    titles = {model: "\n".join(filter(None, [model, layers.get(model)])) for model in maps}
    table = pd.concat(
        shown.assign(x=xy[:, 0], y=xy[:, 1], map=titles[model]) for model, xy in maps.items()
    )
    figure = plot_model_maps(table, [*styles, *([NOT_KNOWN] if None in style else [])])
    show_figure(
        figure,
        name,
        f"{n_songs} songs by {projection} of one layer of each model ({', '.join(maps)}).",
        f"Scatter plots of the same {n_songs} songs, one plot for each of {len(maps)} models"
        f"{', coloured by style' if len(styles) > 1 else ''}.",
        table.assign(map=table["map"].str.replace("\n", ", ")),
    )
    if not in_book():
        display(HTML("<p>In the built book (<code>make book</code>), each dot can be heard.</p>"))
        return

    paths = _texts(songs, "path")
    sounds = iter(web_sounds([path for path in paths if path is not None], seconds=seconds))
    bands = [text for text in dict.fromkeys(band) if text is not None]
    data = {
        "songs": [
            {"label": one, "style": s, "band": b, "sound": path and next(sounds)}
            for one, s, b, path in zip(label, style, band, paths, strict=True)
        ],
        "groups": [
            {"name": group, "colours": list(style_palette(names).items())}
            for group, names in {"style": styles, "band": bands}.items()
            if names
        ],
        "projection": projection,
        "maps": [
            {
                "name": model,
                "layer": layers.get(model),
                "xy": _to_square(xy).round(4).tolist(),
                "nearest": near.get(model),
            }
            for model, xy in maps.items()
        ],
        "ratings": [_rating(query, ratings[query]) for query in ratings],
    }
    # no "<", so that no title can end the script
    text = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    note = "The figure above shows these songs; with JavaScript they can be heard there."
    display(
        HTML(
            f'<div class="listening-map" data-figure="fig-{html.escape(name)}">'
            f'<script type="application/json">{text}</script><p class="map-note">{note}</p></div>'
        )
    )


def _finite(model: str, xy: np.ndarray, n_songs: int) -> np.ndarray:
    xy = np.asarray(xy, dtype=float)
    if xy.shape != (n_songs, 2):
        raise ValueError(
            f"listening_map: the map of {model!r} has the shape {xy.shape}; "
            f"expected {(n_songs, 2)}, a row for each song."
        )
    if n_lost := int((~np.isfinite(xy)).any(axis=1).sum()):
        raise ValueError(
            f"listening_map: {n_lost} of {n_songs} songs have no finite position on the map of "
            f"{model!r}. Look for NaN or infinite values in its embeddings."
        )
    return xy


def _rows(model: str, rows: np.ndarray, n_songs: int) -> list[list[int]]:
    rows = np.asarray(rows)
    if len(rows) != n_songs or not np.isin(rows, np.arange(n_songs)).all():
        raise ValueError(
            f"listening_map: the nearest songs of {model!r} have the shape {rows.shape}; expected "
            f"{n_songs} rows of numbers from 0 to {n_songs - 1}."
        )
    return rows.tolist()


def _to_square(xy: np.ndarray) -> np.ndarray:
    """Positions from 0 to 1 in both directions; in the middle where all are alike."""
    low, span = xy.min(axis=0), np.ptp(xy, axis=0)
    return np.where(span > 0, (xy - low) / np.where(span > 0, span, 1), 0.5)


def _texts(songs: pd.DataFrame, column: str) -> list[str | None]:
    """A column as texts, with None where there is none."""
    if column not in songs:
        return [None] * len(songs)
    return [None if pd.isna(value) else str(value) or None for value in songs[column]]


def _rating(query: str, means: pd.Series) -> dict:
    """Mean ratings for JSON, None where missing; whole numbers where the scale is a long one."""
    values = means.to_numpy(dtype=float, na_value=np.nan)
    rated = np.isfinite(values)
    digits = 0 if np.abs(values[rated]).max(initial=0) > 10 else 2
    values = [round(value, 2) if ok else None for value, ok in zip(values.tolist(), rated)]
    return {"name": str(query), "digits": digits, "values": values}
