"""Functions that show numbers, texts, figures and tables on the page, and save them to files."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown, display
from matplotlib.transforms import Bbox
from PIL import Image

from groove_utils.book.chapter import Chapter, current_chapter
from groove_utils.book.errors import BookError
from groove_utils.book.markdown import escape_text, markdown_table
from groove_utils.book.page_media import dark_twin
from groove_utils.book.verdicts import pick_verdict
from groove_utils.figures.dark_mode import GROUND, draw_dark
from groove_utils.figures.theme import shorten_texts
from groove_utils.files import atomic_path, write_if_changed
from groove_utils.stats.wording import format_number
from groove_utils.study import Study

__all__ = [
    "format_value",
    "report_counts",
    "report_effects",
    "report_percentages",
    "report_texts",
    "report_value",
    "report_values",
    "show_figure",
    "show_table",
]

FIGURE_DPI = 144
LARGEST_WEBP = 16383  # largest width or height of a WebP image, in pixels
FULL = "_full"  # appended to a value's name for the text that includes interval and sample size


def report_value(
    name: str,
    value: float,
    *,
    ci: tuple[float, float] | None = None,
    n: int | None = None,
    unit: str = "",
    fmt: str = ".2f",
    tolerance: float | None = None,
) -> None:
    """Report a number, with its interval and sample size, on the page and in ``values.json``.

    Write ``{glue:text}`name``` to insert the number into the text, or ``{glue:text}`name_full``` to
    insert it with its interval and sample size. The command ``make check`` compares the values of
    the demo study with expected values.

    Parameters
    ----------
    name : str
        Name of the value: a lower-case letter, followed by lower-case letters, digits, ``-`` and
        ``_``. Both the name and the name with ``_full`` appended must be unique in the chapter.
    value : float
        Number to report; must be finite.
    ci : (float, float), optional
        95% interval.
    n : int, optional
        Sample size, such as the number of songs.
    unit : str
        Unit, appended to the number.
    fmt : str
        Format specification for the number and its interval.
    tolerance : float, optional
        Largest absolute deviation from the expected value that ``make check`` accepts. The default
        is 5% of the value or half the width of the interval, whichever is smaller, but at least
        1e-6.

    Raises
    ------
    BookError
        If the value or the interval is not finite, or the name is invalid or already in use.
    """
    if not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise BookError(
            f"report_value({name!r}): expected a finite number, got {value!r}.",
            kind="not_finite",
            column=name,
            value=value,
        )
    if ci is not None and not all(math.isfinite(bound) for bound in ci):
        raise BookError(
            f"report_value({name!r}): expected an interval of two finite numbers, got {ci!r}; "
            "omit ci if there is no interval.",
            kind="not_finite",
            column=name,
            value=ci,
        )
    low, high = (None, None) if ci is None else (float(ci[0]), float(ci[1]))
    n = None if n is None else int(n)  # n is a float if it was taken from a row of a table
    entry = {
        "value": float(value),
        "low": low,
        "high": high,
        "n": n,
        "tolerance": tolerance,
        **format_value(value, ci=ci, n=n, unit=unit, fmt=fmt),
    }
    if _record(name, entry):
        _glue(name, entry["text"])
        _glue(name + FULL, entry["full"])


def format_value(value, *, ci=None, n=None, unit="", fmt=".2f") -> dict[str, str]:
    """Format a number for the page; see :func:`report_value` for the parameters.

    Returns
    -------
    dict
        ``text``: the number with its unit; ``full``: the number with its unit, interval and sample
        size.

    Examples
    --------
    >>> format_value(-0.5, ci=(-0.9, 0.1), n=8)["full"]
    '−0.50 (95% CI −0.90 to 0.10, n = 8)'
    >>> format_value(99.8, ci=(99.6, 100), fmt=".0f", unit="%")["full"]
    '>99% (95% CI >99 to 100)'
    """
    text = _format_number(value, unit, fmt) + unit
    details = []
    if ci is not None:
        low, high = (_format_number(bound, unit, fmt) for bound in ci)
        details.append(f"95% CI {low} to {high}")
    if n is not None:
        details.append(f"n = {n:,}")
    return {"text": text, "full": f"{text} ({', '.join(details)})" if details else text}


def _format_number(value, unit: str, fmt: str) -> str:
    """Format a number; never round a percentage below 100 up to 100."""
    text = format_number(value, fmt)
    total = 1 if fmt.endswith("%") else 100
    if (unit == "%" or total == 1) and value < total and text == format_number(total, fmt):
        decimals = len(text.rstrip("%").partition(".")[2])
        return ">" + format_number(total - total / 100 / 10**decimals, fmt)
    return text


def report_counts(**counts: float) -> None:
    """Report several integers with :func:`report_value`, using the keywords as names."""
    for name, count in counts.items():
        report_value(name, count, fmt=".0f")


def report_percentages(
    shares: Mapping[str, float], n: int | None = None, tolerance: float | None = None
) -> None:
    """Report several proportions with :func:`report_value`, as whole percentages.

    Parameters
    ----------
    shares : mapping of name to float
        Proportions, from 0 to 1.
    n : int, optional
        Sample size for each proportion.
    tolerance : float, optional
        As in :func:`report_value`, in percentage points.
    """
    values = {name: 100 * share for name, share in shares.items()}
    report_values(values, n, fmt=".0f", unit="%", tolerance=tolerance)


def report_texts(*, varies: bool | Sequence[str] = False, **texts: str) -> None:
    """Report computed words or sentences, such as verdicts that follow from the numbers.

    Parameters
    ----------
    varies : bool or sequence of str
        Set this to True if the texts follow from numbers that differ between machines by more than
        rounding errors, such as the accuracy of a network that is trained in the chapter. The
        command ``make check`` then accepts any text or, if `varies` is a sequence, its elements.
    **texts : str
        Strings without markup. The keywords are used as names; see :func:`report_value` for the
        rules on names.
    """
    for name, text in texts.items():
        entry = {"text": text, "full": text}
        if varies:
            entry["varies"] = True if varies is True else list(varies)
        if _record(name, entry):
            _glue(name, text)


def report_values(values: Mapping[str, float], n: int | None = None, **form) -> None:
    """Report several numbers with :func:`report_value`.

    Parameters
    ----------
    values : mapping of name to float, or Series
        Numbers to report; names are converted like the row names in :func:`report_effects`.
    n : int, optional
        Sample size for each number.
    **form
        The parameters `unit`, `fmt` and `tolerance` of :func:`report_value`.

    Raises
    ------
    BookError
        If two names are equal after conversion, or a name has no Latin letters or digits.
    """
    names = _name_rows(key for key, _ in values.items())
    for name, (_, value) in zip(names, values.items()):
        report_value(name, value, n=n, **form)


def report_effects(
    effects: Mapping[str, Mapping] | pd.DataFrame,
    n: int | str | None = None,
    *,
    prefix: str = "",
    value: str = "estimate",
    interval: tuple[str, str] = ("low", "high"),
    scale: float = 1.0,
    words: tuple[str, str, str] | None = None,
    reference: float = 0.0,
    p: str | None = None,
    **form,
) -> None:
    """Report several estimates and their intervals with :func:`report_value`.

    Parameters
    ----------
    effects : DataFrame, or mapping of name to row
        Estimates and intervals, one row per reported value; intervals that are not finite are
        omitted. Names are derived from the index of the DataFrame; for example, the row
        ``"mel-cnn + MLP"`` is reported as ``mel-cnn_mlp``. The keys of a mapping are not changed.
    n : int or str, optional
        Sample size for each estimate, or the column that contains it.
    prefix : str
        Prefix for all names.
    value : str
        Column with the estimates.
    interval : (str, str)
        Columns with the lower and upper bounds.
    scale : float
        Factor applied to estimates and bounds, such as 100 for percentages.
    words : (str, str, str), optional
        Verdicts for an interval that lies above, lies below or contains the reference. The verdict
        for each row is reported as ``<name>_verdict``. If a `tolerance` is given, ``make check``
        accepts each of these verdicts.
    reference, p
        As in :func:`groove_utils.book.verdicts.pick_verdict`.
    **form
        The parameters `unit`, `fmt` and `tolerance` of :func:`report_value`.

    Raises
    ------
    BookError
        If two names are equal after conversion, or a name has no Latin letters or digits.
    """
    is_table = isinstance(effects, pd.DataFrame)
    rows = [row for _, row in effects.iterrows()] if is_table else effects.values()
    for key, row in zip(_name_rows(effects.index) if is_table else effects, rows):
        name = prefix + key
        low, high = (row[end] for end in interval)
        ends = (scale * low, scale * high) if math.isfinite(low) and math.isfinite(high) else None
        units = row[n] if isinstance(n, str) else n
        report_value(name, scale * row[value], ci=ends, n=units, **form)
        if words is not None:
            bounds = {**row, "low": low, "high": high}
            verdict = pick_verdict(bounds, *words, reference=reference, p=p)
            varies = () if form.get("tolerance") is None else words
            report_texts(varies=varies, **{f"{name}_verdict": verdict})


def _name_rows(keys: Iterable[object]) -> list[str]:
    """Convert row names to value names; raise a BookError if a result is empty or not unique."""
    keys_by_name: dict[str, object] = {}
    for key in keys:
        name = _name_row(key)
        if not name:
            raise BookError(
                f"{key!r}: expected a name with Latin letters or digits, since other characters "
                "are removed. Rename the row.",
                kind="invalid_name",
                value=key,
            )
        if name in keys_by_name:
            raise BookError(
                f"{key!r} and {keys_by_name[name]!r} would both be reported as {name!r}; expected "
                "different names. Rename one of the rows.",
                kind="taken_name",
                value=name,
            )
        keys_by_name[name] = key
    return list(keys_by_name)


def _name_row(key: object) -> str:
    """Convert the name of a table row to a value name.

    Examples
    --------
    >>> _name_row("tagger + linear"), _name_row(("Occlusion", "AUC − 0.5"))
    ('tagger_linear', 'occlusion_auc_0_5')
    """
    levels = key if isinstance(key, tuple) else (key,)
    return re.sub("[^a-z0-9-]+", "_", "_".join(map(str, levels)).lower()).strip("_")


def show_figure(
    figure: plt.Figure,
    name: str,
    caption: str,
    alt: str,
    table: pd.DataFrame | None = None,
    *,
    simulated: bool = True,
) -> None:
    """Show a figure with a caption, a label and alternative text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure; it is closed afterwards.
    name : str
        Name of the figure. Its label is ``fig-<name>``; refer to it with ``{numref}`fig-<name>```.
    caption : str
        Caption in MyST, in which the names of the study's questions, styles and models are escaped.
        For a simulated study, “Simulated study.” is appended.
    alt : str
        Alternative text: a description of the figure in one or two sentences, with at least five
        words.
    table : pandas.DataFrame, optional
        The plotted data, which are saved as a CSV file and offered for download.
    simulated : bool
        Set to False if the figure does not show the study's data. The caption is then neither
        escaped nor marked as simulated.

    Raises
    ------
    BookError
        If `alt` has fewer than five words, or the name is invalid or already in use.
    """
    if len(alt.split()) < 5:
        raise BookError(
            f"show_figure({name!r}): alt should describe the figure in at least five words; "
            f"got {alt!r}.",
            kind="alt_text",
            column=name,
            value=alt,
        )
    shorten_texts(figure)
    chapter = current_chapter()
    if chapter is None or not chapter.in_book:
        display(figure)
        display(Markdown(f"*{caption}*"))
        plt.close(figure)
        return
    _reserve_names(chapter, name, f"fig-{name}")
    stem = f"{chapter.name}-{name}"
    folder = chapter.build / "book" / "figures"
    _save_figure(figure, folder / f"{stem}.webp")
    width = f"{Image.open(folder / f'{stem}.webp').width * 96 // FIGURE_DPI}px"
    plt.close(figure)
    caption = _escape_names(caption, chapter.study) if simulated else caption
    if simulated and chapter.study.simulated:
        caption = f"{caption.rstrip()} Simulated study."
    if table is not None:
        write_if_changed(folder / f"{stem}.csv", table.to_csv(index=_has_index(table)))
        caption = f"{caption} {{download}}`The plotted numbers <figures/{stem}.csv>`."
    # shown at its width in inches, so that text has the same size in all figures
    options = {"name": f"fig-{name}", "alt": alt, "width": width}
    _display_myst("figure", f"figures/{stem}.webp", options, caption)


def _save_figure(figure: plt.Figure, path: Path) -> None:
    """Write a figure and its dark version as lossless WebP files, which are smaller than PNG files.

    The layout is computed only once, since this is the slowest part of drawing.
    """
    figure.set_dpi(FIGURE_DPI)
    figure.draw_without_rendering()
    edges = figure.get_tightbbox().padded(plt.rcParams["savefig.pad_inches"])
    figure.set_dpi(min(FIGURE_DPI, LARGEST_WEBP / (max(edges.size) + 1)))
    with plt.rc_context({"figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)  # no engine in this context, so positions stay fixed
        _write_webp(figure, path, edges, "white")
        draw_dark(figure)
        _write_webp(figure, dark_twin(path), edges, GROUND)


def _write_webp(figure: plt.Figure, path: Path, edges: Bbox, ground: str) -> None:
    options = {"dpi": figure.dpi, "bbox_inches": edges, "facecolor": ground}
    with atomic_path(path) as part:
        figure.savefig(part, format="webp", pil_kwargs={"lossless": True, "method": 2}, **options)


def show_table(
    frame: pd.DataFrame,
    name: str,
    caption: str,
    fmt: str = "{:.2f}",
    *,
    simulated: bool = True,
) -> None:
    """Show a table with a caption and a label.

    Parameters
    ----------
    frame : pandas.DataFrame
        Table to show, preferably with only a few rows.
    name : str
        Name of the table. Its label is ``tab-<name>``.
    caption : str
        As in :func:`show_figure`.
    fmt : str
        Format string for floating-point numbers. P-values (columns named ``p`` or ``p_…``) always
        have three decimals.
    simulated : bool
        As in :func:`show_figure`.
    """
    chapter = current_chapter()
    shown = frame.reset_index() if _has_index(frame) else frame
    if chapter is None or not chapter.in_book:
        display(shown)
        display(Markdown(f"*{caption}*"))
        return
    _reserve_names(chapter, name, f"tab-{name}")
    caption = _escape_names(caption, chapter.study) if simulated else caption
    if simulated and chapter.study.simulated:
        caption = f"{caption.rstrip()} Simulated study."
    _display_myst("table", caption, {"name": f"tab-{name}"}, markdown_table(shown, fmt))


def _has_index(frame: pd.DataFrame) -> bool:
    return frame.index.name is not None or frame.index.nlevels > 1


def _reserve_names(chapter: Chapter, name: str, *names: str) -> None:
    """Check `name`, the name of a value, figure or table, and reserve the `names` derived from it.

    Raises
    ------
    BookError
        If `name` is invalid, or one of `names` is already in use.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise BookError(
            f"{name!r}: expected a lower-case letter, followed by lower-case letters, digits, - "
            "and _.",
            kind="invalid_name",
            value=name,
        )
    if clashes := sorted(chapter.names.intersection(names)):
        raise BookError(
            f"{name!r} needs the name {clashes[0]!r}, which is already in use in this chapter. (A "
            f"value needs two names: NAME and, with its interval and sample size, NAME{FULL}.) "
            "Choose another name.",
            kind="taken_name",
            value=clashes[0],
        )
    chapter.names.update(names)


def _record(name: str, entry: dict) -> bool:
    """In a build, store a reported value and return True; otherwise, return False.

    In Jupyter, the value is displayed below the cell.
    """
    chapter = current_chapter()
    if chapter is None or not chapter.in_book:
        if chapter is not None:
            display(Markdown(f"`{name}`: {entry['full']}"))
        return False
    _reserve_names(chapter, name, name, name + FULL)
    chapter.reported[name] = entry
    return True


def _glue(name: str, text: str) -> None:
    # The output that myst-nb's {glue:text} role looks up. The role evaluates the text as Python, so
    # 0.20 without quotation marks would be shown as 0.2.
    display(
        {"application/papermill.record/text/plain": repr(text)},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}},
    )


def _escape_names(caption: str, study: Study) -> str:
    """Escape names of questions, styles and models in a caption, in case they contain markup."""
    models = (path.name for path in (study.path / "embeddings").glob("[!.]*"))
    for name in {*study.queries, *study.controls, *study.styles, *models}:
        if re.search(r"\w", name):
            caption = caption.replace(name, escape_text(name))
    return caption


def _option(value: str) -> str:
    """Format the value of a directive's option, with quotes if YAML could misread it."""
    line = " ".join(value.split())
    return line if re.fullmatch(r"[^\W_][^#]*", line) else "'" + line.replace("'", "''") + "'"


def _display_myst(directive: str, argument: str, options: dict[str, str], body: str) -> None:
    fence = "~" * 4  # unlike a fence of backticks, its first line may contain `code`
    lines = [f"{fence}{{{directive}}} {argument}"]
    lines += [f":{key}: {_option(value)}" for key, value in options.items()]
    display(Markdown("\n".join([*lines, "", body, fence])))
