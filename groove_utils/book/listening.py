"""Listening maps: interactive scatter plots of songs that can be played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML, display

from groove_utils.book.chapter import in_book
from groove_utils.book.errors import BookError
from groove_utils.book.map_markup import map_markup, to_square
from groove_utils.book.outputs import show_figure
from groove_utils.book.players import web_sounds
from groove_utils.figures.maps import plot_model_maps
from groove_utils.figures.theme import style_palette

__all__ = ["listening_map"]

UNKNOWN = "unknown"


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
    """Show maps on which songs can be played with the mouse or the keyboard.

    Parameters
    ----------
    songs : DataFrame
        Columns ``label`` and, if known, ``style``, ``artist`` and ``path`` (the sound file).
    maps : mapping of str to ndarray, shape (n_songs, 2)
        Model name → positions of the songs.
    ratings : DataFrame, shape (n_songs, n_queries)
        Mean ratings for colouring the dots, in the order of `songs`; NaN for songs without ratings.
    layers : mapping of str to str, optional
        Model name → name of the layer that is mapped.
    nearest : mapping of str to ndarray of int, shape (n_songs, n_listed), optional
        Model name → for each song, the row indices in `songs` of its nearest neighbours. When a
        song is selected, its neighbours are listed.
    styles : sequence of str
        Styles in the order in which colours are assigned. Unlisted styles come last.
    projection : str
        Projection method named in the captions, such as PCA or UMAP.
    name : str
        Name of the figure; its label is ``fig-<name>``.
    seconds : float
        Duration of each song's excerpt, in seconds.

    Raises
    ------
    BookError
        If a map does not have a finite position for each song, or `nearest` has invalid indices.

    Notes
    -----
    In Jupyter, or if JavaScript is disabled, a static figure is shown instead.
    """
    layers = layers or {}
    maps = {model: _positions(model, xy, len(songs)) for model, xy in maps.items()}
    near = {model: _rows(model, rows, len(songs)) for model, rows in (nearest or {}).items()}
    described = _describe(songs)
    present = dict.fromkeys(song["style"] for song in described if song["style"] is not None)
    styles = list(dict.fromkeys([*(s for s in styles if s in present), *present]))
    _show_static(described, maps, layers, styles, projection, name)
    if not in_book():
        display(HTML("<p>In the built book (<code>make book</code>), each dot can be played.</p>"))
        return
    sounds = iter(web_sounds([song["path"] for song in described if song["path"]], seconds=seconds))
    for song in described:
        song["sound"] = song.pop("path") and next(sounds)
    artists = list(dict.fromkeys(s["artist"] for s in described if s["artist"] is not None))
    data = {
        "songs": described,
        "groups": [
            {"name": group, "colours": list(style_palette(names).items())}
            for group, names in {"style": styles, "artist": artists}.items()
            if names
        ],
        "projection": projection,
        "maps": [
            {
                "name": model,
                "layer": layers.get(model),
                "xy": to_square(xy).round(4).tolist(),
                "nearest": near.get(model),
            }
            for model, xy in maps.items()
        ],
        "ratings": [_rating(query, ratings[query]) for query in ratings],
    }
    note = "The figure above shows these songs; with JavaScript, they can be played there."
    display(HTML(map_markup(data, note, f"fig-{name}")))


def _describe(songs: pd.DataFrame) -> list[dict[str, str | None]]:
    """Return the label, style, artist and path of each song as strings; missing values are None."""

    def texts(column: str) -> list[str | None]:
        if column not in songs:
            return [None] * len(songs)
        return [None if pd.isna(value) else str(value) or None for value in songs[column]]

    columns = zip(*map(texts, ("label", "style", "artist", "path")), strict=True)
    return [
        {"label": label or f"Song {k}", "style": style, "artist": artist, "path": path}
        for k, (label, style, artist, path) in enumerate(columns, start=1)
    ]


def _show_static(songs, maps, layers, styles, projection, name) -> None:
    """Show a static figure of all maps, with a caption and a figure number."""
    shown = pd.DataFrame(
        {
            "label": [song["label"] for song in songs],
            "style": [song["style"] or UNKNOWN for song in songs],
        }
    )
    titles = {model: "\n".join(filter(None, [model, layers.get(model)])) for model in maps}
    table = pd.concat(
        shown.assign(x=xy[:, 0], y=xy[:, 1], map=titles[model]) for model, xy in maps.items()
    )
    unknown = [UNKNOWN] if UNKNOWN in set(shown["style"]) else []
    show_figure(
        plot_model_maps(table, [*styles, *unknown]),
        name,
        f"Maps of {len(songs)} songs, by {projection} of one layer of each model "
        f"({', '.join(maps)}).",
        f"Scatter plots of the same {len(songs)} songs, one plot for each of {len(maps)} models"
        f"{', coloured by style' if len(styles) > 1 else ''}.",
        table.assign(map=table["map"].str.replace("\n", ", ")),
    )


def _positions(model: str, xy: np.ndarray, n_songs: int) -> np.ndarray:
    xy = np.asarray(xy, dtype=float)
    if xy.shape != (n_songs, 2):
        raise BookError(
            f"listening_map: the map of {model!r} has shape {xy.shape}; "
            f"expected {(n_songs, 2)}, one row per song.",
            kind="shape",
            column=model,
            value=xy.shape,
        )
    if n_lost := int((~np.isfinite(xy)).any(axis=1).sum()):
        raise BookError(
            f"listening_map: {n_lost} of {n_songs} songs have no finite position on the map of "
            f"{model!r}. Check the model's embeddings for NaN or infinite values.",
            kind="not_finite",
            column=model,
            value=n_lost,
        )
    return xy


def _rows(model: str, rows: np.ndarray, n_songs: int) -> list[list[int]]:
    rows = np.asarray(rows)
    if len(rows) != n_songs or not np.isin(rows, np.arange(n_songs)).all():
        raise BookError(
            f"listening_map: the nearest songs for {model!r} have shape {rows.shape}; expected "
            f"{n_songs} rows of indices from 0 to {n_songs - 1}.",
            kind="nearest_rows",
            column=model,
            value=rows.shape,
        )
    return rows.tolist()


def _rating(query: str, means: pd.Series) -> dict:
    """Return mean ratings on a question as JSON data, with the number of decimals to show."""
    values = means.to_numpy(dtype=float, na_value=np.nan)
    rated = np.isfinite(values)
    digits = 0 if np.abs(values[rated]).max(initial=0) > 10 else 2
    values = [round(value, 2) if ok else None for value, ok in zip(values.tolist(), rated)]
    return {"name": str(query), "digits": digits, "values": values}
