"""Measure the speed of groove_utils.probe, the calibration of its tests and the coverage.

Run this file as a script; it prints each value next to its bar, and fails if a bar is missed. A
rate misses its bar if its whole 95% interval is outside; ``--studies 400`` gives narrow intervals.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
from joblib import Parallel, delayed
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import Pipeline

from groove_utils.probe import (
    DEFAULT_ALPHAS,
    ClippedStandardScaler,
    Protocol,
    bootstrap_scores,
    compare_models,
    nested_ridge,
    permutation_test,
)
from groove_utils.probe.folds import nested_splits, outer_folds
from groove_utils.probe.ridge import make_plan, run_ridge
from groove_utils.probe.songs import as_songs

STUDY = {"n": 100, "n_artists": 65, "dim": 60, "slope": 1.2, "artist_share": 0.3}


def draw_study(rng, n, n_artists, dim, slope, artist_share):
    """Draw songs; those of an artist have similar features and ratings, and ten features matter."""
    artist = rng.integers(0, n_artists, n)
    X = np.sqrt(0.4) * rng.standard_normal((n_artists, dim))[artist]
    X = X + np.sqrt(0.6) * rng.standard_normal((n, dim))
    habit = rng.standard_normal(n_artists)[artist]
    noise = np.sqrt(artist_share) * habit + np.sqrt(1 - artist_share) * rng.standard_normal(n)
    return X, slope * X[:, :10].sum(axis=1) / np.sqrt(10) + noise, artist


def true_r2(study, seed, n_new=3000):
    """Compute R² on songs of new artists, averaged over the models of a study's outer folds."""
    rng = np.random.default_rng([seed, 1])
    X, y, artist = draw_study(rng, **study)
    new_X, new_y, _ = draw_study(rng, **{**study, "n": n_new, "n_artists": 2000})
    songs, protocol = as_songs(y, artist), Protocol(n_repeats=1, seed=seed)
    test = np.arange(len(y), len(y) + n_new)
    splits = nested_splits(songs, outer_folds(songs, protocol), protocol)
    splits = [replace(split, test=test) for split in splits]
    plan = make_plan({"x": X}, protocol)
    fits = run_ridge({"x": np.vstack([X, new_X])}, np.r_[y, new_y][:, None], splits, plan)
    return np.mean([1 - ((new_y - f["predicted"][:, 0]) ** 2).mean() / new_y.var() for f in fits])


def coverage(n_studies=200, study=None, seed=0, n_jobs=1):
    """Compute the share of simulated studies whose 95% interval contains the true R²."""
    study = STUDY if study is None else study

    def simulate(number):
        X, y, artist = draw_study(np.random.default_rng([seed, 2, number]), **study)
        result = nested_ridge(X, y, artist, protocol=Protocol(seed=number))
        intervals = {}
        for method in ("refit", "bca"):
            refit = method == "refit"
            table = bootstrap_scores(result, scores=["r2"], refit=refit, n_boot=1000)
            intervals[method] = table[["low", "high", "estimate"]].to_numpy()[0]
        return true_r2(study, seed * 100_000 + number), intervals

    rows = Parallel(n_jobs)(delayed(simulate)(number) for number in range(n_studies))
    truth = np.mean([row[0] for row in rows])
    shares = {
        method: np.mean([r[method][0] <= truth <= r[method][1] for _, r in rows])
        for method in ("refit", "bca")
    }
    return {"truth": truth, "mean": np.mean([r["refit"][2] for _, r in rows]), **shares}


def null_rate(n_studies=200, n_permutations=199, seed=0, n_jobs=1, **options):
    """Compute the share of p < .05, and mean R², if ratings are unrelated to the features."""

    def simulate(number):
        rng = np.random.default_rng([seed, 3, number])
        n = 60
        artist = rng.integers(0, 40, n)
        style = np.array(["funk", "pop", "rock"])[rng.integers(0, 3, 40)][artist]
        X = {name: rng.standard_normal((n, 20)) for name in "ab"}
        y = rng.standard_normal(n)
        table = permutation_test(
            {"model": X}, y, artist, style, Protocol(n_repeats=1, seed=number),
            n_permutations=n_permutations, within_style=True, **options,
        )  # fmt: skip
        return table[["p", "r2"]].to_numpy()[0]

    rows = np.array(Parallel(n_jobs)(delayed(simulate)(number) for number in range(n_studies)))
    return {"rate": (rows[:, 0] < 0.05).mean(), "mean_r2": rows[:, 1].mean()}


def difference_rate(n_studies=200, seed=0, n_jobs=1):
    """Compute the share of p < .05 for the difference between two equally good models."""

    def simulate(number):
        rng = np.random.default_rng([seed, 4, number])
        X, _, artist = draw_study(rng, **STUDY)
        other, _, _ = draw_study(rng, **STUDY)
        y = (X[:, :10] + other[:, :10]).sum(axis=1) / np.sqrt(10) + rng.standard_normal(len(X))
        pair = {name: nested_ridge(x, y, artist, protocol=Protocol(seed=number)) for name, x in
                (("a", X), ("b", other))}  # fmt: skip
        return compare_models(pair, n_boot=200)["p"][0]

    p = Parallel(n_jobs)(delayed(simulate)(number) for number in range(n_studies))
    return np.mean(np.array(p) < 0.05)


def speed(n=148, dim=9984, n_targets=4, n_permutations=250, n_jobs=2):
    """Time a permutation, and the same by GridSearchCV, extrapolated from one fold."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((n, dim)), rng.standard_normal((n, n_targets))
    artist, style = rng.integers(0, 110, n), rng.integers(0, 3, n)
    start = time.perf_counter()
    permutation_test({"model": X}, Y, artist, style, n_permutations=n_permutations, n_jobs=n_jobs)
    ours = time.perf_counter() - start
    result = nested_ridge(X, Y, artist, style)
    split = nested_splits(as_songs(Y, artist, style), result.folds, Protocol())[0]
    start = time.perf_counter()
    search = GridSearchCV(
        Pipeline([("scale", ClippedStandardScaler()), ("ridge", Ridge())]),
        {"ridge__alpha": DEFAULT_ALPHAS},
        scoring="neg_mean_squared_error",
        cv=PredefinedSplit(split.inner),
    ).fit(X[split.train], Y[split.train, 0])
    predicted = search.predict(X[split.test])
    theirs = (time.perf_counter() - start) * 20 * n_targets
    difference = np.abs(predicted - result.predicted[0, split.test, 0]).max()
    return {"seconds": ours / n_permutations, "grid_search": theirs,
            "ratio": theirs / (ours / n_permutations), "difference": difference}  # fmt: skip


def main(argv=None):
    """Print all values with their bars; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=100, help="simulated studies per rate")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args(argv)
    missed = []

    def judge(what, value, ok, bar, verdict="met"):
        verdict = verdict if ok else "MISSED"
        print(f"{what:<58}{value:>12.4g}   bar: {bar:<16}{verdict}", flush=True)
        if not ok:
            missed.append(what)

    def judge_rate(what, rate, n, low, high):
        ends = stats.binomtest(round(rate * n), n).proportion_ci()
        verdict = "met" if low <= rate <= high else "unclear"
        judge(what, rate, ends.low <= high and ends.high >= low, f"{low}–{high}", verdict)

    fast = speed(n_jobs=args.jobs)
    seconds = 1000 * fast["seconds"]
    judge("1,000 permutations, 148 × 9,984, 4 targets (s)", seconds, seconds <= 60, "≤ 60")
    judge("speed of a permutation relative to GridSearchCV", fast["ratio"], fast["ratio"] >= 50,
          "≥ 50")  # fmt: skip
    judge("largest difference in predictions", fast["difference"], fast["difference"] < 1e-8,
          "< 1e-8")  # fmt: skip
    null = null_rate(args.studies, n_jobs=args.jobs)
    judge_rate("null studies: rate of p < .05", null["rate"], args.studies, 0.025, 0.085)
    judge("null studies: mean R²", null["mean_r2"], null["mean_r2"] <= 0, "≤ 0")
    pooled = []
    for name, change in {
        "100 songs, 65 artists, true R² ≈ .23": {},
        "80 songs, 50 artists, true R² ≈ 0": {"n": 80, "n_artists": 50, "dim": 40, "slope": 0.6},
        "100 songs, 65 artists, true R² ≈ .76": {"dim": 30, "slope": 2.5, "artist_share": 0.2},
    }.items():
        n = 3 * args.studies
        cover = coverage(n, {**STUDY, **change}, n_jobs=args.jobs)
        judge_rate(f"coverage, {name}", cover["refit"], n, 0.90, 0.98)
        pooled.append(cover["refit"])
        print(f"    true {cover['truth']:.3f}, mean estimate {cover['mean']:.3f}; "
              f"coverage with fixed predictions: {cover['bca']:.3f}")  # fmt: skip
    mean = np.mean(pooled)
    judge_rate("coverage, mean of the three", mean, 3 * n, 0.90, 0.98)
    rate = difference_rate(args.studies, n_jobs=args.jobs)
    judge_rate("two equal models: rate of p < .05", rate, args.studies, 0.0, 0.085)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
