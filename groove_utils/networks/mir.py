"""Common tasks in music information retrieval, with suitable network outputs and losses."""

from __future__ import annotations

import pandas as pd

__all__ = ["mir_tasks"]

# task, unit of prediction, typical duration of the unit (s), subjectivity (0–3), output, loss
_TASKS = [
    ("onset detection", "frame", 0.01, 0, "sigmoid per frame", "binary cross-entropy"),
    ("pitch (f0)", "frame", 0.02, 0, "softmax over pitch bins per frame", "cross-entropy"),
    ("transcription", "note", 0.3, 0, "sigmoid per key and frame", "binary cross-entropy"),
    ("beat tracking", "beat", 0.5, 1, "sigmoid per frame, then a decoder", "binary cross-entropy"),
    ("chord recognition", "beat", 1.0, 1, "softmax per beat", "cross-entropy"),
    ("structure", "section", 20.0, 2, "sigmoid per bar", "binary cross-entropy"),
    ("tempo", "song", 60.0, 1, "softmax over tempo bins", "cross-entropy"),
    ("key", "song", 180.0, 1, "softmax over 24 keys", "cross-entropy"),
    ("instruments", "song", 180.0, 0, "sigmoid per instrument", "binary cross-entropy"),
    ("genre", "song", 180.0, 2, "softmax over genres", "cross-entropy"),
    ("tags, mood", "song", 180.0, 3, "sigmoid per tag", "binary cross-entropy"),
    ("groove rating", "song", 180.0, 3, "one number", "squared error"),
]


def mir_tasks() -> pd.DataFrame:
    """List common tasks in music information retrieval, with a suitable output and loss for each.

    Returns
    -------
    DataFrame
        One row per task, indexed by ``task``. Columns: ``answer`` (number of predictions, such as
        “one per frame”), ``seconds`` (typical duration covered by one prediction), ``subjectivity``
        (our own rating, from 0 for measurable facts to 3 for matters of opinion), ``output`` (a
        suitable output layer) and ``loss`` (a suitable loss function).

    References
    ----------
    Choi, Fazekas, Cho & Sandler (2017), arXiv:1709.04396, section 2.
    """
    columns = ["task", "answer", "seconds", "subjectivity", "output", "loss"]
    table = pd.DataFrame(_TASKS, columns=columns).set_index("task")
    table["answer"] = "one per " + table["answer"]
    return table
