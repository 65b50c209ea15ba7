"""Measure the speed and accuracy of mixed models: ``python tests/bench/bench_mixed.py``.

Processor time and log-likelihood are compared with stored values of lme4, with mixedlm, glmm and
statsmodels, and with lme4 itself if R is installed. One data set has 28,000 rows, with random
slopes. Coverage and type I error rate of each effect are estimated over repeated simulations, also
for the demo study's songs. Each value is printed with its bar; the exit status is 1 if a bar is
missed. A rate misses its bar if its whole 95% interval is outside; ``--redraws 400`` gives narrow
intervals.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))
from crossed_ratings import (
    DEMO_FORMULA,
    DEMO_NAMES,
    demo_rows,
    demo_songs,
    quiet_fit,
    simulate_ratings,
)

from groove_utils.mixed import fit_lmm
from groove_utils.paths import build_folder
from groove_utils.synth import default_effects, effects_as_rated

GOLDEN = Path(__file__).parents[1] / "golden" / "lmm"
FORMULAS = {
    "int": "rating ~ genre * x + (1 | listener) + (1 | stimulus)",
    "slope": "rating ~ genre * x + (1 + x | listener) + (1 | stimulus)",
}
LME4 = """
suppressPackageStartupMessages({library(lmerTest); library(jsonlite)})
a <- commandArgs(trailingOnly = TRUE)
d <- read.csv(a[1], stringsAsFactors = TRUE)
t <- system.time({m <- lmer(as.formula(a[2]), d); s <- coef(summary(m))})
write_json(list(seconds = t[["user.self"]], loglik = as.numeric(logLik(m)), df = unname(s[, "df"])),
           a[3], digits = 12, auto_unbox = TRUE)
"""
TRUTH = {
    "effect": 0.35,
    "style_effects": (0.2, 0.0, -0.1),
    "sd_listener": 0.6,
    "sd_song": 0.45,
    "sd_slope": 0.25,
    "correlation": 0.3,
    "sd_residual": 1.0,
}


def data_sets() -> dict[str, pd.DataFrame]:
    """Return three data sets: small and medium golden data, and a large one with 28,000 rows.

    In the large one, each of 700 listeners rates 40 of 200 songs.
    """
    large = simulate_ratings(700, 200, 40, seed=0, **TRUTH).rename(
        columns={"listener_id": "listener", "track_id": "stimulus", "style": "genre"}
    )
    sets = {size: pd.read_csv(GOLDEN / f"{size}.csv.gz") for size in ("small", "medium")}
    return sets | {"large": large}


def timed(call, repeats: int):
    """Return the shortest processor time of several runs, after one to warm up, and the result."""
    call()
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        best = min(best, time.process_time() - start)
    return best, result


def ours(formula, data) -> float:
    """Fit with `fit_lmm`, with standard errors and degrees of freedom; return log-likelihood."""
    result = fit_lmm(formula, data)
    result.fixed_effects()
    return result.loglik


def by_mixedlm(formula, data) -> float:
    """Fit with mixedlm; return log-likelihood."""
    import mixedlm

    return -mixedlm.lmer(formula, data, REML=True).deviance / 2


def by_glmm(formula, data) -> float:
    """Fit with glmm, with degrees of freedom; return log-likelihood."""
    import glmm

    return glmm.fit(data, formula, reml=True, satterthwaite=True).loglik


def by_statsmodels(_, data) -> float:
    """Fit with statsmodels' MixedLM (crossed intercepts as variance components of one group)."""
    model = sm.MixedLM.from_formula(
        "rating ~ genre * x",
        data.assign(all=1),
        groups="all",
        re_formula="0",
        vc_formula={"listener": "0 + C(listener)", "stimulus": "0 + C(stimulus)"},
    )
    return model.fit(reml=True).llf


def lme4(formula, data):
    """Return time of lmer and lmerTest's summary, log-likelihood and df; None without R."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        table, out = Path(folder) / "data.csv", Path(folder) / "out.json"
        data.to_csv(table, index=False)
        done = subprocess.run(
            ["Rscript", "-e", LME4, str(table), formula, str(out)], capture_output=True
        )
        return json.loads(out.read_text()) if done.returncode == 0 else None


def covered(table: pd.DataFrame, truth: pd.Series) -> dict:
    """Return, by term, whether the interval contains the true value."""
    table = table.set_index("term")
    truth = truth[table.index]
    return ((table["low"] <= truth) & (truth <= table["high"])).to_dict()


def rejected(table: pd.DataFrame) -> dict:
    """Return, by term except the intercept, whether the effect is significant at the 5% level."""
    p = table.set_index("term")["p"].drop("Intercept")
    return (p < 0.05).to_dict()


def redraw(seed: int) -> dict:
    """Fit one simulated study with effects, and one without."""
    formula = "rating ~ style + x + (1 + x | listener_id) + (1 | track_id)"
    funk, pop, rock = TRUTH["style_effects"]
    truth = {"Intercept": 4.0 + funk, "style[pop]": pop - funk, "style[rock]": rock - funk}
    truth["x"] = TRUTH["effect"]
    drawn = simulate_ratings(120, 96, 24, seed=seed, **TRUTH)
    no_effects = TRUTH | {"effect": 0.0, "style_effects": (0.0, 0.0, 0.0)}
    null = simulate_ratings(120, 96, 24, seed=10_000 + seed, **no_effects)
    return {
        "coverage": covered(quiet_fit(formula, drawn).fixed_effects(), pd.Series(truth)),
        "type I": rejected(quiet_fit(formula, null).fixed_effects()),
    }


def made_songs() -> pd.DataFrame:
    """Return features of the demo study's songs, or of similar songs if it does not exist."""
    path = build_folder("demo") / "study" / "truth" / "songs.csv"
    if path.is_file():
        songs = pd.read_csv(path)
        if "style" not in songs:
            tracks = pd.read_csv(path.parents[1] / "tracks.csv")
            songs = songs.merge(tracks[["track_id", "style"]], on="track_id")
        return songs
    return demo_songs()


VERDICTS = {True: "met", False: "SHORT"}
SPREADS = ["listener", "slope_syncopation", "style_bias", "song", "residual"]


def redraw_demo(songs: pd.DataFrame, seed: int) -> dict:
    """Fit one simulation with the demo study's effects, and one in which all effects are 0."""
    effects = default_effects()
    null = effects.without(*effects.fixed.index.drop("intercept"))
    with_effects = quiet_fit(DEMO_FORMULA, demo_rows(songs, effects, seed, False))
    without = quiet_fit(DEMO_FORMULA, demo_rows(songs, null, 10_000 + seed, False))
    return {
        "coverage": covered(
            with_effects.fixed_effects(), effects.fixed["dance"].rename(DEMO_NAMES)
        ),
        "type I": rejected(without.fixed_effects()),
    }


def redraw_rated(songs: pd.DataFrame, truth: pd.Series, seed: int, spreads: bool) -> dict:
    """Fit rounded and clipped ratings, and compare with the output of `effects_as_rated`."""
    result = quiet_fit(DEMO_FORMULA, demo_rows(songs, default_effects(), seed, True))
    checks = {"coverage": covered(result.fixed_effects(), truth.rename(DEMO_NAMES))}
    if spreads:
        table = result.variance_components("profile").assign(term=SPREADS)
        checks["coverage of SDs"] = covered(table, truth)
    return checks


def print_redraws(title: str, drawn: list[dict], seconds: float, bars: list) -> None:
    """Print rates with their intervals, and append the bars to `bars`."""
    print(f"\n{title}: {len(drawn)} simulations in {seconds:.0f} s", flush=True)
    limits = {"coverage": (0.90, 0.98), "type I": (0.025, 0.085)}
    for what in drawn[0]:
        table = pd.DataFrame([checks[what] for checks in drawn if what in checks])
        print(f"  {what} ({len(table)})")
        for name in table:
            rate = float(table[name].mean())
            ends = stats.binomtest(int(table[name].sum()), len(table)).proportion_ci()
            print(f"    {name:30} {rate:.3f} [{ends.low:.3f}, {ends.high:.3f}]")
            if what in limits:
                low, high = limits[what]
                bar = f"{title}: {what} of {name}"
                met = ends.low <= high and ends.high >= low
                verdict = "met" if low <= rate <= high else "unclear" if met else "SHORT"
                bars.append((bar, rate, verdict, f"{low}–{high}"))


def compare_engines(bars: list) -> None:
    """Print times and log-likelihoods of all programs, and append the bars to `bars`."""
    rows = []
    for size, data in data_sets().items():
        for model, formula in FORMULAS.items():
            engines = {"ours": ours, "mixedlm": by_mixedlm, "glmm": by_glmm}
            if size == "small" and model == "int":
                engines["statsmodels"] = by_statsmodels
            for name, engine in engines.items():
                repeats = 1 if name == "statsmodels" else 5 if name == "ours" else 3
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    seconds, loglik = timed(lambda: engine(formula, data), repeats)  # noqa: B023
                rows.append((size, model, len(data), name, seconds, loglik))
            if (live := lme4(formula, data)) is not None:
                rows.append((size, model, len(data), "lme4", live["seconds"], live["loglik"]))
            stored = GOLDEN / f"lme4_{'small' if size == 'small' else 'medium'}_{model}.json"
            values = json.loads(stored.read_text())
            seconds, loglik, name = values["time_median"], values["reml_loglik"], "lme4, stored"
            if size == "large":
                seconds, loglik, name = seconds * len(data) / 6000, np.nan, "lme4, by rows"
            rows.append((size, model, len(data), name, seconds, loglik))
    table = pd.DataFrame(rows, columns=["data", "model", "rows", "program", "seconds", "loglik"])
    print(table.to_string(index=False, float_format=lambda v: f"{v:.9g}"))
    if not (table["program"] == "lme4").any():
        print("R with lmerTest is not installed; lme4's times were measured on another machine.")
    for (size, model), part in table.groupby(["data", "model"]):
        part = part.set_index("program")
        for name, row in part.drop("ours").iterrows():
            gap = abs(row["loglik"] - part.loc["ours", "loglik"])
            limit = 1e-6 if name.startswith("lme4") else 1e-3
            if np.isfinite(gap):
                bars.append(
                    (
                        f"log-likelihood of {name}, {size} {model}",
                        gap,
                        VERDICTS[gap <= limit],
                        limit,
                    )
                )
            if (size, model) == ("large", "slope"):
                ratio = part.loc["ours", "seconds"] / row["seconds"]
                limit = 0.15 if name.startswith("lme4") else 1.0
                title = f"processor time over that of {name}, 28,000 rows with slopes"
                bars.append((title, ratio, VERDICTS[ratio <= limit], f"≤ {limit}"))


def main(argv: list[str] | None = None) -> int:
    """Print all tables and bars; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redraws", type=int, default=60, help="simulations per rate")
    parser.add_argument("--jobs", type=int, default=2, help="processes for simulations")
    chosen = parser.parse_args(argv)
    bars: list = []
    start = time.perf_counter()
    compare_engines(bars)
    print(f"-- engines: {time.perf_counter() - start:.0f} s", flush=True)

    songs, n_spreads = made_songs(), chosen.redraws // 4  # profiles take ten times as long as fits
    rated = effects_as_rated(songs).query("question == 'dance'").set_index("term")["value"]
    for title, simulate in (
        ("180 listeners × 24 of 96 songs", redraw),
        ("listeners of the demo", lambda seed: redraw_demo(songs, seed)),
        (
            "listeners of the demo on the scale",
            lambda seed: redraw_rated(songs, rated, seed, seed < n_spreads),
        ),
    ):
        start = time.perf_counter()
        drawn = joblib.Parallel(n_jobs=chosen.jobs)(
            joblib.delayed(simulate)(seed) for seed in range(chosen.redraws)
        )
        print_redraws(title, drawn, time.perf_counter() - start, bars)
    print()
    for name, value, verdict, bar in bars:
        print(f"{verdict:8}{name}: {value:.4g} (bar {bar})")
    return 1 if "SHORT" in [verdict for _, _, verdict, _ in bars] else 0


if __name__ == "__main__":
    sys.exit(main())
