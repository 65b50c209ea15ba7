"""Tables about the demo study: effects found in repeated simulations, and tags predicted by models.

The results are computed separately, by ``make bench-demo``, and saved in ``analysis/expected/``,
since computing them takes longer than building the book.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from groove_utils.book.markdown import MystText, markdown_table
from groove_utils.stats.wording import join_words

__all__ = ["demo_results"]

SEEDS, TAGS = "demo_seeds.csv", "demo_tags.csv"


def demo_results(folder: Path) -> dict[str, MystText | str]:
    """Return tables for the page on the demo study, and sentences about them, as Markdown.

    Parameters
    ----------
    folder : pathlib.Path
        Folder with ``demo_seeds.csv`` and ``demo_tags.csv``. The first line of each file begins
        with ``#`` and describes how the file was created.

    Returns
    -------
    dict of str to str
        The tables ``effects``, ``controls``, ``training`` and ``tags``; the sentences ``covered``,
        ``falsely_found``, ``gains``, ``twins`` and ``recognised``; and ``made``, which describes
        how the simulations were run. Entries that depend on a missing file are empty strings.
    """
    tables = ("effects", "controls", "training", "tags")
    sentences = ("covered", "falsely_found", "gains", "twins", "recognised")
    results = dict.fromkeys((*tables, *sentences, "made"), "")
    if (folder / SEEDS).is_file():
        seeds = pd.read_csv(folder / SEEDS, comment="#")
        is_control = seeds["target"].str.startswith(("placebo", "style_only"))
        unknown = seeds["truth"] == "unknown"
        results["effects"] = _effects(seeds[~is_control & ~unknown])
        results["controls"] = _controls(seeds[is_control & (seeds["truth"] != "value")])
        results["training"] = _training(seeds[unknown])
        results["covered"] = _describe_coverage(seeds)
        results["falsely_found"] = _describe_false_positives(seeds[seeds["truth"] == "absent"])
        results["gains"] = _describe_gains(seeds[unknown & ~is_control])
        results["twins"] = _describe_twins(seeds[unknown])
        first = (folder / SEEDS).read_text(encoding="utf-8").partition("\n")[0]
        results["made"] = first.removeprefix("#").strip()
    if (folder / TAGS).is_file():
        tags = pd.read_csv(folder / TAGS, comment="#")
        results["tags"], results["recognised"] = markdown_table(tags), _describe_tags(tags)
    return results


def _effects(rows: pd.DataFrame) -> MystText:
    table = _counts(rows, ["found", "missed", "falsely_found"])
    table["share found"] = _shares(rows["found"] / rows["n"], rows["low"], rows["high"])
    covered = rows["covered"], rows["covered_low"], rows["covered_high"]
    table["share of intervals that contain the true value"] = _shares(*covered)
    return markdown_table(table.rename(columns={"falsely_found": "wrong sign"}))


def _controls(rows: pd.DataFrame) -> MystText:
    table = _counts(rows, [])
    present = rows["truth"] == "present"
    table["true"] = present.map({True: "yes", False: "no"})
    n_found = rows["found"].where(present, rows["falsely_found"]).astype(int)
    table["found"] = n_found
    table["share found"] = _shares(n_found / rows["n"], rows["low"], rows["high"])
    return markdown_table(table)


def _training(rows: pd.DataFrame) -> MystText:
    names = {"found": "clear gain", "missed": "unclear", "falsely_found": "clear loss"}
    table = _counts(rows, list(names)).rename(columns=names)
    table["share with a gain"] = _shares(rows["found"] / rows["n"], rows["low"], rows["high"])
    return markdown_table(table)


def _describe_coverage(rows: pd.DataFrame) -> str:
    """Describe what share of intervals contain the true value, and how this varies between rows."""
    covered = rows.dropna(subset="covered")
    if covered.empty:
        return ""
    share = (covered["covered"] * covered["n"]).sum() / covered["n"].sum()
    low, high = covered["covered"].min(), covered["covered"].max()
    return (
        f"Of all intervals in this table, {share:.1%} contain the true value (from {low:.0%} to "
        f"{high:.0%} in individual rows)."
    )


def _describe_false_positives(rows: pd.DataFrame) -> str:
    """Describe the share of tests that find an effect where there is none."""
    if rows.empty:
        return ""
    n_found, n = int(rows["falsely_found"].sum()), int(rows["n"].sum())
    pooled = (
        f"An effect was found in {n_found} of {n:,} tests for effects that do not exist "
        f"({n_found / n:.1%})"
    )
    lenient = rows[rows["low"] > 0.05]
    if lenient.empty:
        return f"{pooled}, and in no row does the 95% interval of this share lie above 0.05."
    named = [
        f"{row.method}, {row.target} ({row.falsely_found:.0f} of {row.n}; 95% CI of the share "
        f"{row.low:.2f} to {row.high:.2f})".replace("_", " ")
        for row in lenient.itertuples()
    ]
    return (
        f"{pooled}, but this total hides differences between methods. The 95% interval of the "
        f"share lies above 0.05 in {len(lenient)} of {len(rows)} rows: {'; '.join(named)}. By "
        "chance alone, this would happen on average in at most one row out of forty."
    )


def _describe_tags(tags: pd.DataFrame) -> str:
    """Describe which styles each tagger recognises.

    A tagger recognises a style if it gives the style's own tag a higher probability for this style
    than for any other. The table lists only the most probable tags for each style; an unlisted tag
    is at most as probable as the style's least probable listed tag.
    """
    kinds: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for tagger, rows in tags.groupby("tagger", sort=False):
        listed = {
            style: {tag: float(p) for tag, p in (item.rsplit(" ", 1) for item in text.split(", "))}
            for style, text in zip(rows["style"], rows["highest tags"])
        }
        for style in listed:
            if style in listed[style]:
                kinds[_is_highest(style, listed)].append(f"{style} ({tagger})")
    words = {
        True: "By this criterion, the tagger in brackets recognises {}.",
        False: "By this criterion, the tagger in brackets does not recognise {}.",
        None: "The listed tags do not show whether the tagger in brackets recognises {}.",
    }
    return " ".join(words[kind].format(join_words(names)) for kind, names in kinds.items() if names)


def _is_highest(style: str, listed: dict[str, dict[str, float]]) -> bool | None:
    """Return True if a style's own tag is more probable for this style than for any other.

    Return None if this cannot be decided from the listed tags.
    """
    highest = listed[style][style]
    others = [tags for name, tags in listed.items() if name != style]
    if any(tags.get(style, 0.0) >= highest for tags in others):
        return False
    return True if all(tags.get(style, min(tags.values())) < highest for tags in others) else None


def _describe_gains(rows: pd.DataFrame) -> str:
    """List the causes of groove that training clearly makes more predictable in most song sets."""
    # targets that depend on listeners have a larger n: they are simulated repeatedly per song set
    causes = rows[rows["n"] == rows["n"].min()]
    if causes.empty:
        return ""
    names = [method.partition(",")[0] for method in causes["method"].unique()]
    gains = causes.astype({"found": int}).groupby("target", sort=False)["found"].agg(list)
    gains = gains.loc[gains.map(sum).sort_values(ascending=False, kind="stable").index]
    n = causes["n"].min()
    frequent = [cause for cause in gains.index if min(gains[cause]) > n / 2]
    counts = [f"{cause} ({join_words(map(str, gains[cause]))})" for cause in frequent]
    listed = join_words(counts, "no cause")
    return (
        f"We repeated the comparison of trained and untrained networks with {n} sets of songs, for "
        f"{join_words(names)}. In more than half of the sets (numbers of sets in brackets), the "
        f"95% interval of the gain in R² lay above zero for {listed}; these intervals are not "
        "corrected for the number of causes."
    )


def _describe_twins(rows: pd.DataFrame) -> str:
    """State how often training improves the prediction of groove in the simulated studies.

    Each network is compared with its untrained twin, which is the same network with random weights.
    """
    groove = rows[rows["target"] == "groove"]
    counts = [
        f"in {count:.0f} of {n:.0f} studies for {method.partition(',')[0]}"
        for method, count, n in zip(groove["method"], groove["found"], groove["n"])
    ]
    if not counts:
        return ""
    return (
        "We simulated further studies with new songs and listeners. The trained network predicted "
        f"groove clearly better than its untrained twin {join_words(counts)}."
    )


def _counts(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    table = rows[["method", "target", "n", *columns]].astype(dict.fromkeys(columns, "Int64"))
    table["target"] = table["target"].str.replace("_", " ")
    return table.rename(columns={"n": "studies"})


def _shares(*columns: pd.Series) -> list[str | None]:
    """Format estimates with their intervals; missing estimates become None."""
    return [
        f"{value:.2f} ({low:.2f} to {high:.2f})" if pd.notna(value) else None
        for value, low, high in zip(*columns)
    ]
