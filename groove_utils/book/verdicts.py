"""Verbal verdicts, based on intervals and tests, never on point estimates alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from groove_utils.stats.wording import format_number, join_words

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "clear_rows",
    "describe_additions",
    "describe_difference",
    "describe_differences",
    "describe_gains",
    "describe_ranks",
    "describe_single_feature",
    "describe_tasks",
    "list_estimates",
    "pick_by_p",
    "pick_robust_shape",
    "pick_shape",
    "pick_verdict",
]


def pick_verdict(
    row,
    positive: str,
    negative: str,
    unclear: str,
    *,
    reference: float = 0.0,
    margin: float | None = None,
    equal: str | None = None,
    p: str | None = None,
) -> str:
    """Choose a verdict, depending on where an interval lies relative to a reference value.

    Parameters
    ----------
    row : Series or mapping
        Interval with the keys ``low`` and ``high``. If they are NaN because the interval could not
        be computed, the verdict is `unclear`.
    positive, negative, unclear : str
        Verdicts for an interval that lies above, lies below or contains the reference.
    reference : float
        Reference value to compare the interval with.
    margin : float, optional
        Largest negligible difference from the reference.
    equal : str, optional
        Verdict for an interval inside `reference` ± `margin`. This condition is checked first.
    p : str, optional
        Key in `row` of a p-value that has been corrected for the number of comparisons. If the
        p-value is not below 0.05, the verdict is `unclear`, unless the interval is inside the
        margin.

    Examples
    --------
    >>> pick_verdict({"low": 0.1, "high": 0.3}, "better", "worse", "not clearly different")
    'better'
    >>> pick_verdict({"low": -0.01, "high": 0.02}, "up", "down", "?", margin=0.05, equal="same")
    'same'
    """
    low, high = row["low"] - reference, row["high"] - reference
    if margin is not None and -margin < low <= high < margin:
        return equal
    if p is not None and not row[p] < 0.05:
        return unclear
    return positive if low > 0 else negative if high < 0 else unclear


def pick_by_p(p: float, clear: str, unclear: str, level: float = 0.05) -> str:
    """Choose a verdict, depending on whether a p-value is below a significance level.

    Use this function for tests that have no interval, such as permutation tests, or whose interval
    cannot contain 0, such as tests of variances, which cannot be negative.

    Parameters
    ----------
    p : float
        The p-value.
    clear, unclear : str
        Verdicts for p-values below `level` and for all other p-values.
    level : float
        Significance level.

    Examples
    --------
    >>> pick_by_p(0.004, "differ", "cannot be shown to differ")
    'differ'
    """
    return clear if p < level else unclear


def describe_difference(row, second: str, *, of: str = "", p: str | None = None) -> str:
    """Describe the difference between two scores, in the wording used in all chapters.

    Parameters
    ----------
    row : Series or mapping
        Interval for the difference first − second, with the keys ``low`` and ``high``.
    second : str
        Name of the second score.
    of : str, optional
        Text placed before the verdict, such as ``"the model is "``.
    p : str, optional
        As in :func:`pick_verdict`.

    Examples
    --------
    >>> describe_difference({"low": -0.1, "high": 0.3}, "style alone", of="mtt-vgg is ")
    'mtt-vgg is not clearly different from style alone'
    """
    return of + describe_differences({second: row}, p=p)


def describe_differences(rows: Mapping[str, object], p: str | None = None) -> str:
    """Describe the differences between one score and several others, grouped by verdict.

    Parameters
    ----------
    rows : mapping of str to row
        Name of one of the other scores → interval for the difference between the first score and
        that score, with the keys ``low`` and ``high``.
    p : str, optional
        As in :func:`pick_verdict`.

    Examples
    --------
    >>> ahead, close = {"low": 0.1, "high": 0.3}, {"low": -0.1, "high": 0.2}
    >>> describe_differences({"the twin": ahead, "the descriptors": close, "style alone": ahead})
    'better than the twin and style alone, and not clearly different from the descriptors'
    """
    words = "better than", "worse than", "not clearly different from"
    names: dict[str, list[str]] = {}
    for second, row in rows.items():
        names.setdefault(pick_verdict(row, *words, p=p), []).append(second)
    return ", and ".join(f"{verdict} {join_words(names[verdict])}" for verdict in names)


def describe_additions(effects: Iterable[tuple[str, Sequence[str], object]]) -> str:
    """Describe whether predictors add information to the other predictors of a regression model.

    Parameters
    ----------
    effects : iterable of (subject, others, row)
        One item per regression model: the predictor of interest, phrased as the subject of a
        sentence; the names of the other predictors (if there are none, the model is skipped); and
        the slope of the predictor of interest, with ``estimate``, ``low`` and ``high``.

    Returns
    -------
    str
        One sentence per predictor of interest and verdict, covering all models that share them.

    Examples
    --------
    >>> slope = {"estimate": 0.21, "low": 0.12, "high": 0.3}
    >>> describe_additions([("The prediction", ["style"], slope)])
    'The prediction adds information to style (slope 0.21, 95% CI 0.12 to 0.30).'
    """
    words = (
        "adds information to",
        "has the opposite sign when added to",
        "cannot be shown to add information to",
    )
    sentences: dict[tuple[str, str], list[str]] = {}
    for subject, others, row in effects:
        if others:
            combined = f" combined with {join_words(others[1:])}" if others[1:] else ""
            target = f"{others[0]}{combined} (slope {_interval_text(row)})"
            sentences.setdefault((subject, pick_verdict(row, *words)), []).append(target)
    texts = [f"{' '.join(start)} {join_words(targets)}." for start, targets in sentences.items()]
    return " ".join(texts) or "There is nothing to compare with in this study."


def describe_single_feature(score, leads: pd.DataFrame) -> str:
    """Describe how well a single feature predicts ratings, compared with other models.

    Parameters
    ----------
    score : mapping
        R² of the feature, with ``estimate``, ``low`` and ``high``.
    leads : DataFrame
        Rows for one target from the output of :func:`groove_utils.probe.compare_models`, one per
        model, with ``low``, ``high`` and ``p_holm`` for the R² of the model (column ``first``)
        minus the R² of the feature (column ``second``).

    Examples
    --------
    >>> import pandas as pd
    >>> lead = {"first": "style", "second": "tempo", "low": -0.1, "high": 0.2, "p_holm": 0.4}
    >>> leads = pd.DataFrame([lead])
    >>> describe_single_feature({"estimate": 0.11, "low": -0.05, "high": 0.2}, leads)
    'The R² of tempo is 0.11, 95% CI −0.05 to 0.20; style is not clearly different from tempo.'
    """
    feature = leads["second"].iloc[0]
    models: dict[str, list[str]] = {}
    for row in leads.to_dict("records"):
        verdict = describe_difference(row, feature, p="p_holm")
        models.setdefault(verdict, []).append(row["first"])
    texts = [
        f"{join_words(names)} {'is' if len(names) == 1 else 'are'} {verdict}"
        for verdict, names in models.items()
    ]
    return f"The R² of {feature} is {_interval_text(score)}; {join_words(texts)}."


def list_estimates(rows, label: str, value: str = "estimate") -> str:
    """List labelled estimates and their intervals, as text.

    Parameters
    ----------
    rows : DataFrame
        One row per estimate, with ``low``, ``high`` and the columns named by `label` and `value`.
    label, value : str
        Columns with the labels and with the estimates.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"style": "funk", "estimate": 0.31, "low": 0.18, "high": 0.44}
    >>> list_estimates(pd.DataFrame([row]), "style")
    '0.31 in funk (95% CI 0.18 to 0.44)'
    """
    texts = []
    for _, row in rows.iterrows():
        estimate, _, interval = _interval_text(row, value).partition(", ")
        texts.append(f"{estimate} in {row[label]} ({interval})")
    return join_words(texts)


def describe_ranks(steps: Mapping[tuple[str, str], object]) -> str:
    """Describe the differences between consecutive items in a ranking.

    Parameters
    ----------
    steps : mapping of (str, str) to row
        Names of two consecutive items → the difference first − second, with ``estimate``, ``low``
        and ``high``.

    Examples
    --------
    >>> describe_ranks({("drums", "bass"): {"estimate": 0.14, "low": -0.04, "high": 0.31}})
    'drums and bass: not clearly different (0.14, 95% CI −0.04 to 0.31)'
    """
    texts = []
    for (first, second), row in steps.items():
        words = f"{first} clearly more", f"{second} clearly more", "not clearly different"
        verdict = pick_verdict(row, *words)
        texts.append(f"{first} and {second}: {verdict} ({_interval_text(row)})")
    return "; ".join(texts) or "there is only one"


def _interval_text(row, value: str = "estimate") -> str:
    """Format an estimate with its interval, without brackets."""
    low, high = (format_number(row[end]) for end in ("low", "high"))
    return f"{format_number(row[value])}, 95% CI {low} to {high}"


def pick_shape(lines, hump: str, valley: str, unclear: str) -> str:
    """Choose a verdict on the shape of a curve from the slopes on either side of a break point.

    Parameters
    ----------
    lines : DataFrame
        Output of :func:`groove_utils.probe.two_lines`.
    hump, valley, unclear : str
        Verdicts for a clear rise followed by a clear fall, for a clear fall followed by a clear
        rise, and for all other cases. A rise or fall is clear if the 95% interval of the slope does
        not contain 0.
    """
    signs = [pick_verdict(lines.loc[side], "+", "-", "0") for side in ("below", "above")]
    return {"+-": hump, "-+": valley}.get("".join(signs), unclear)


def pick_robust_shape(
    specifications: Iterable, hump: str, valley: str, unclear: str, depends: str
) -> str:
    """Choose a verdict on the shape of a curve that was fitted with several sets of covariates.

    Parameters
    ----------
    specifications : iterable of DataFrame
        One output of :func:`groove_utils.probe.two_lines` per set of covariates.
    hump, valley, unclear : str
        Verdicts to use if all sets of covariates lead to the same verdict; see :func:`pick_shape`.
    depends : str
        Verdict to use if the result depends on the covariates.

    Examples
    --------
    >>> import pandas as pd
    >>> words = "inverted U", "U", "not shown", "depends on the covariates"
    >>> sides = pd.Index(["below", "above"])
    >>> hump = pd.DataFrame({"low": [0.1, -0.4], "high": [0.3, -0.1]}, index=sides)
    >>> flat = pd.DataFrame({"low": [0.1, -0.4], "high": [0.3, 0.2]}, index=sides)
    >>> pick_robust_shape([hump, hump], *words), pick_robust_shape([hump, flat], *words)
    ('inverted U', 'depends on the covariates')
    """
    shapes = {pick_shape(lines, hump, valley, unclear) for lines in specifications}
    return shapes.pop() if len(shapes) == 1 else depends


def clear_rows(table, p: str = "p_holm", *, value: str | None = None, sign: int = 1, level=0.05):
    """Select the rows of a table whose effects are statistically significant.

    Parameters
    ----------
    table : DataFrame
        One row per effect.
    p : str
        Column with the p-values, which should be corrected for multiple testing if they form a
        family.
    value : str, optional
        Column with the effects. If given, only rows whose effect has the sign given by `sign` are
        selected.
    sign : {1, -1}
        Sign of the effects to select.
    level : float
        Significance level; rows with p-values below it are selected.

    Returns
    -------
    DataFrame
        The selected rows; rows with p = NaN are not selected.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"p_holm": [0.01, 0.02, 0.5], "estimate": [0.3, -0.2, 0.4]})
    >>> clear_rows(table, value="estimate").index.tolist()
    [0]
    """
    clear = table[p] < level
    if value is not None:
        clear &= sign * table[value] > 0
    return table[clear]


def describe_gains(table: pd.DataFrame, causes: Sequence[str]) -> dict[str, str]:
    """Describe the effect of training on how well networks predict each cause of groove.

    Parameters
    ----------
    table : DataFrame
        R² with training minus R² without training, one row per model and cause: ``first`` (the
        model), ``target`` (the cause), ``difference`` and ``p_holm``, corrected for the number of
        rows.
    causes : sequence of str
        Causes of groove, such as syncopation, in the order in which to describe them.

    Returns
    -------
    dict of str to str
        ``training_gains``: the causes with a clear gain in at least one model;
        ``training_unchanged``: the causes without a clear gain; ``training_losses``: the causes
        with a clear loss, each with its model; ``training_medians``: the median differences over
        models, as a sentence without a full stop.
    """
    gained, unchanged, medians = [], [], []
    for cause in causes:
        rows = table[table["target"] == cause]
        clear = clear_rows(rows, value="difference")
        if len(clear):
            models = join_words(clear["first"])
            gained.append(f"{cause} in {len(clear)} of {len(rows)} models ({models})")
        else:
            unchanged.append(cause)
        if len(rows):
            median = format_number(rows["difference"].median(), "+.2f")
            medians.append(f"{median} for {cause}")
    lost = clear_rows(table, value="difference", sign=-1)
    lost = [f"{row.target} in {row.first}" for row in lost.itertuples()]
    if medians:
        sentence = f"The median difference over models is {join_words(medians)}"
    else:
        sentence = "There are no untrained twins to compare with"
    return {
        "training_gains": join_words(gained, "nothing that can be shown"),
        "training_unchanged": join_words(unchanged, "none of the causes"),
        "training_losses": join_words(lost, "none"),
        "training_medians": sentence,
    }


def describe_tasks(table: pd.DataFrame) -> str:
    """List the causes of groove that training makes clearly more predictable, by training task.

    Parameters
    ----------
    table : DataFrame
        R² with training minus R² without training, one row per model and cause: ``task``,
        ``first`` (the model), ``target`` (the cause), ``difference`` and ``p_holm``, corrected for
        the number of rows.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("beats", "beatnet", "tempo", 0.4, 0.01), ("tags", "vgg", "tempo", 0.1, 0.3)]
    >>> columns = ["task", "first", "target", "difference", "p_holm"]
    >>> describe_tasks(pd.DataFrame(rows, columns=columns))
    'beats: tempo; tags: none'
    """
    texts = []
    for task, rows in table.groupby("task", sort=False):
        clear = clear_rows(rows, value="difference").groupby("target", sort=False).size()
        n_models = rows["first"].nunique()
        share = "{} ({} of {} models)" if n_models > 1 else "{}"
        causes = [share.format(cause, n, n_models) for cause, n in clear.items()]
        texts.append(f"{task}: {join_words(causes, 'none')}")
    return "; ".join(texts) or "none, since there are no untrained twins"
