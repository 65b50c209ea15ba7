"""Plots of mixed models agree with their tables."""

import numpy as np
import pandas as pd

from groove_utils import figures


def test_power_frames_the_cells_that_reach_the_target():
    table = pd.DataFrame(
        [(20, 24, 0.5), (20, 48, 0.85), (40, 24, 0.8), (40, 48, 0.95)],
        columns=["n_listeners", "n_songs", "power"],
    )
    axes = figures.plot_power(table).axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.50", "0.85", "0.80", "0.95"]
    corners = [(int(patch.get_x()), int(patch.get_y())) for patch in axes.patches]
    assert corners == [(1, 0), (0, 1), (1, 1)]


def test_recovery_puts_the_truth_on_the_line_of_its_estimate():
    rows = [
        (term, kind, data, estimate)
        for estimate, (term, kind, data) in enumerate(
            (t, k, d) for t, k in (("a", "effects"), ("b", "effects"), ("c", "SDs"))
            for d in ("rated", "new")
        )
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["term", "kind", "data", "estimate"])
    table = table.assign(low=table["estimate"] - 1, high=table["estimate"] + 1)
    table["truth"] = table["estimate"] + 0.5
    effects, sds = figures.plot_recovery(table).axes
    for axes, terms in ((effects, ["a", "b"]), (sds, ["c"])):
        assert [tick.get_text() for tick in axes.get_yticklabels()] == terms
        diamonds = [line.get_xydata() for line in axes.lines if line.get_marker() == "D"]
        for bars, truth in zip(axes.containers, diamonds, strict=True):
            np.testing.assert_allclose(truth - bars.lines[0].get_xydata(), [[0.5, 0]] * len(terms))
