"""Count how often known effects are found, missed or falsely found: ``make bench-demo``.

The demo study is simulated with many seeds. For each seed, new songs and listeners are drawn:

- 200 studies without audio: features are computed from new scores, except the low-frequency level,
  which is drawn from a normal distribution as in the demo study;
- ten sets of songs with audio, which are rendered and embedded with two taggers and their untrained
  twins; for each set, listeners and the songs' random effects are drawn five times.

Embeddings are cached by band, so that an interrupted run can be continued. The tables for the page
"The demo study and its known effects" are written to ``analysis/expected/``.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import re
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
from musicnn.configuration import MSD_LABELS, MTT_LABELS
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from tqdm import tqdm

from groove_utils import probe
from groove_utils.cache import VERSIONS, ArrayCache, cache_key
from groove_utils.embed import embed_models
from groove_utils.files import hash_bytes, write_if_changed
from groove_utils.mixed import LmmWarning, fit_lmm, noise_ceiling
from groove_utils.paths import cache_folder
from groove_utils.stats import permutation_p, permute
from groove_utils.synth import (
    compose,
    default_effects,
    effects_as_rated,
    groove_score,
    render,
    score_features,
    simulate_listeners,
    song_covariates,
)
from groove_utils.synth.features import level_features
from groove_utils.synth.questionnaire import CONTROLS, fixed_effects
from groove_utils.synth.soundfont import SAMPLE_RATE

FOLDER = Path(__file__).parents[2] / "analysis" / "expected"
N_BANDS, SONGS_PER_BAND = 48, 3
TAGGERS = ("msd-musicnn", "mtt-musicnn")
# mean and SD of low_frequency_db by style in the rendered demo study
LOW = {"funk": (-2.6, 0.7), "pop": (-3.2, 0.9), "rock": (-4.1, 0.6)}
CAUSES = {
    "tempo": "tempo", "event_density": "event density", "syncopation": "syncopation",
    "microtiming_ms": "microtiming", "bass_drum_coupling": "bass–drum coupling",
    "low_frequency_db": "low-frequency level",
}  # fmt: skip
TERMS = {
    "syncopation_z": "syncopation", "syncopation_z2": "syncopation, inverted U",
    "density_z": "event density", "tempo_off2": "tempo away from 110 BPM",
    "microtiming_x": "microtiming above 8 ms", "low_z": "low-frequency level",
    "coupling_z": "bass–drum coupling",
}  # fmt: skip
MIXED = (
    f"rating ~ {' + '.join(TERMS)} + dance_inclination_z + syncopation_z:musicianship_z "
    "+ (1 + syncopation_z || listener_id) + (1 | listener_id:style) + (1 | track_id)"
)
LISTENER_TERMS = {
    "dance_inclination_z": "inclination to dance",
    "musicianship_z:syncopation_z": "musicianship × syncopation",
}
PROTOCOL = probe.Protocol(n_repeats=1)
N_PERMUTATIONS = 199


# ---- studies ----


def draw_songs(seed: int) -> pd.DataFrame:
    """Draw the songs of a study without audio; return their true features."""
    rng = np.random.default_rng([seed, 4])
    rows = []
    for song in compose_all(seed):
        low = rng.normal(*LOW[song.band.style])
        rows.append(describe_song(song) | {"low_frequency_db": low})
    return pd.DataFrame(rows)


def compose_all(seed: int) -> list:
    """Compose all songs of a study, band by band."""
    pairs = [(band, song) for band in range(N_BANDS) for song in range(SONGS_PER_BAND)]
    return [compose(seed, *pair) for pair in pairs]


def describe_song(song) -> dict:
    """Return a song's names, and the features computed from its score."""
    names = {"track_id": song.track_id, "artist": song.band.name, "style": song.band.style}
    return names | score_features(song)


def embed_songs(seed: int, cache: ArrayCache) -> tuple[pd.DataFrame, dict[str, dict]]:
    """Render and embed the songs of a study, one band at a time.

    Return the songs' features, and the layers of each model, (n_songs, dim).
    """
    models = [name for tagger in TAGGERS for name in (tagger, f"{tagger}-untrained")]
    songs, rows, parts = compose_all(seed), [], []
    for first in tqdm(range(0, len(songs), SONGS_PER_BAND), f"seed {seed}", mininterval=20):
        band = songs[first : first + SONGS_PER_BAND]
        scores = [f"{song!r} {song.notes!r} {song.band!r}" for song in band]
        embeddings = cache_key("embeddings", "pooled over frames", *models)
        key = hash_bytes(cache_key("rendering", *scores), embeddings)
        entry = cache.get(key)
        if entry is None:
            entry = _embed_band(band, models)
            cache.put(key, entry)
        parts.append(entry)
        for song, low in zip(band, entry["low"]):
            rows.append(describe_song(song) | {"low_frequency_db": float(low)})
    layers: dict[str, dict] = {model: {} for model in models}
    for name in parts[0]:
        if name != "low":
            model, layer = name.split("/")
            layers[model][layer] = np.concatenate([part[name] for part in parts])
    return pd.DataFrame(rows), layers


def _embed_band(band, models) -> dict[str, np.ndarray]:
    sounds = {song.track_id: render(song) for song in band}
    low = [level_features(stems)["low_frequency_db"] for stems in sounds.values()]
    mixes = {
        track: ((stems["mix"] / 32768).astype(np.float32), SAMPLE_RATE)
        for track, stems in sounds.items()
    }
    embedded = embed_models(mixes, models, progress=False)
    arrays = {
        f"{model}/{layer}": np.asarray(values)
        for model, embedding in embedded.items()
        for layer, values in embedding.layers.items()
    }
    return arrays | {"low": np.array(low)}


def song_means(ratings: pd.DataFrame, songs: pd.DataFrame) -> pd.DataFrame:
    """Return the mean rating by song (in the order of `songs`) and question."""
    wide = ratings.pivot_table(index="track_id", columns="query", values="rating")
    return wide.loc[songs["track_id"]].rename_axis(columns=None)


# ---- verdicts of methods on one study ----


def verdict(method, target, truth, said, covered=np.nan) -> dict:
    """Return one row; `said` is 1 (effect found), 0 (not found) or −1 (opposite found)."""
    return {"method": method, "target": target, "truth": truth, "said": int(said),
            "covered": covered}  # fmt: skip


def sign_of(low, high, expected=1.0) -> int:
    """Return 1 for an interval on the expected side of 0, −1 for the other side, 0 for neither."""
    return int(np.sign(expected) * ((low > 0) - (high < 0)))


def judge_regression(songs, means, known) -> list[dict]:
    """Regress song means on style and the true causes, with intervals clustered by band."""
    styles = pd.get_dummies(songs["style"], drop_first=True).to_numpy(float)
    X = pd.DataFrame(sm.add_constant(styles), columns=["one", "pop", "rock"])
    X = X.join(song_covariates(songs).reset_index(drop=True))
    groups = songs["artist"].astype("category").cat.codes.to_numpy()
    fit = sm.OLS(means["groove"].to_numpy(), X).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    rows = []
    for term, label in TERMS.items():
        low, high = fit.conf_int().loc[term]
        said = sign_of(low, high, known[term])
        covered = low <= known[term] <= high
        method = "regression on the exact causes"
        rows.append(verdict(method, f"groove: {label}", "present", said, covered))
    return rows


def judge_controls(songs, means, seed) -> list[dict]:
    """Test effects of causes within styles, and of style, on the controls, permuting bands."""
    rows = []
    style_of = songs["style"].to_numpy()
    X = song_covariates(songs).to_numpy()
    X = X - pd.DataFrame(X).groupby(style_of).transform("mean").to_numpy()
    Q = np.linalg.qr(X)[0]
    within = permute(N_PERMUTATIONS, len(songs), clusters=songs["artist"], strata=style_of,
                     seed=seed)  # fmt: skip
    across = permute(N_PERMUTATIONS, len(songs), clusters=songs["artist"], seed=seed)
    dummies = np.linalg.qr(pd.get_dummies(songs["style"]).to_numpy(float))[0]
    for question in CONTROLS:
        y = means[question].to_numpy()
        y = y - y.mean()
        centred = y - pd.Series(y).groupby(style_of).transform("mean").to_numpy()
        causes = explained_p(centred, Q, within)
        style = explained_p(y, dummies, across)
        method = "permutation of bands, exact causes"
        rows.append(verdict(method, f"{question}: causes within styles", "absent", causes < 0.05))
        truth = "present" if CONTROLS[question] == "style" else "absent"
        rows.append(verdict(method, f"{question}: style", truth, style < 0.05))
    return rows


def explained_p(y, Q, orders) -> float:
    """Test whether orthonormal columns explain more of `y` than of permutations of `y`."""
    return float(permutation_p(((y @ Q) ** 2).sum(), ((y[orders] @ Q) ** 2).sum(axis=1)))


def judge_ceiling(ratings, drawn) -> list[dict]:
    """Check whether the noise ceiling's interval contains the R² of the true song means."""
    rows = []
    true = drawn.truth["songs"].set_index("track_id").filter(like="mean_")
    true.columns = true.columns.str.removeprefix("mean_")
    true["groove"] = groove_score(true)
    for question in ("groove", "placebo"):
        part = ratings[ratings["query"] == question]
        table = noise_ceiling(part, n_splits=2, n_boot=2).set_index("method")
        observed = part.groupby("track_id")["rating"].mean()
        reached = np.corrcoef(true[question].loc[observed.index], observed)[0, 1] ** 2
        row = table.loc["song means"]
        covered = row["low"] <= reached <= row["high"]
        rows.append(verdict("noise ceiling", f"{question}: R² of true means", "value", 0, covered))
    return rows


def judge_mixed(songs, drawn, known) -> list[dict]:
    """Fit the mixed model that generated the ratings to single ratings of groove."""
    data = drawn.ratings[drawn.ratings["query"] == "groove"]
    data = data.join(song_covariates(songs), on="track_id")
    data = data.merge(songs[["track_id", "style"]]).merge(drawn.truth["listeners"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)
        table = fit_lmm(MIXED, data).fixed_effects().set_index("term")
    table = table.rename({"syncopation_z:musicianship_z": "musicianship_z:syncopation_z"})
    rows = []
    for term, label in {**TERMS, **LISTENER_TERMS}.items():
        low, high = table.loc[term, ["low", "high"]]
        covered = low <= known[term] <= high
        said = sign_of(low, high, known[term])
        rows.append(verdict("mixed model", f"groove: {label}", "present", said, covered))
    return rows


def judge_probes(songs, layers, means, seed) -> list[dict]:
    """Probe the taggers by permutation tests, and compare them with their untrained twins."""
    rows = []
    groups = songs["artist"].to_numpy(), songs["style"].to_numpy()
    targets = means[["groove", *CONTROLS]].reset_index(drop=True)
    options = {"n_permutations": N_PERMUTATIONS}
    for within in (True, False):
        score = "within_r" if within else "r2"
        table = probe.permutation_test(
            layers, targets, *groups, PROTOCOL, within_style=within, score=score, **options
        )
        for row in table.itertuples():
            what = "order within styles" if within else "anything"
            truth = "present"
            if row.target in CONTROLS and (within or CONTROLS[row.target] == "none"):
                truth = "absent"
            said = row.p < 0.05
            target = f"{row.target}: {what}"
            rows.append(verdict(f"probe of {row.model}", target, truth, said))
    truth = songs[list(CAUSES)].rename(columns=CAUSES)
    results = probe.nested_ridges(layers, targets.join(truth), *groups, PROTOCOL)
    pairs = [(tagger, f"{tagger}-untrained") for tagger in TAGGERS]
    compared = probe.compare_models(results, pairs=pairs, n_boot=1000, seed=seed)
    for row in compared.itertuples():
        said = sign_of(row.low, row.high)
        method = f"{row.first}, trained − untrained"
        truth = "absent" if row.target in CONTROLS else "unknown"
        rows.append(verdict(method, row.target, truth, said))
    return rows


# ---- tables ----

SONG_SETS = (2026, *range(1, 10))  # seeds; the first is that of the book's demo
N_DRAWS = 5  # of listeners, for each set of songs with audio
TAGS = {"msd-musicnn": MSD_LABELS, "mtt-musicnn": MTT_LABELS}


def judge_silent(seed: int, known, mixed: bool) -> list[dict]:
    """Return the verdicts of all methods that need no audio on one new study."""
    songs = draw_songs(seed)
    drawn = simulate_listeners(songs, seed=[seed, 5])
    means = song_means(drawn.ratings, songs)
    rows = judge_regression(songs, means, known) + judge_controls(songs, means, seed)
    rows += judge_ceiling(drawn.ratings, drawn)
    if mixed:
        rows += judge_mixed(songs, drawn, known)
    return rows


def judge_sounding(seed: int, cache: ArrayCache) -> list[dict]:
    """Return the verdicts of the probes on one set of songs, for several draws of ratings.

    Scores of causes do not depend on the ratings, so they count only once.
    """
    songs, layers = embed_songs(seed, cache)
    rows = []
    for draw in range(N_DRAWS):
        drawn = simulate_listeners(songs, seed=[seed, 5, draw])
        means = song_means(drawn.ratings, songs)
        judged = judge_probes(songs, layers, means, seed + draw)
        rows += [row for row in judged if draw == 0 or row["target"] not in CAUSES.values()]
    return rows


def kept(kind: str, seed: int, judge) -> pd.DataFrame:
    """Return the verdicts on one study, from an earlier run of the same code if there is one."""
    code = re.search("FOLDER = .*# ---- tables", Path(__file__).read_text(), re.DOTALL)[0]
    effects = default_effects().table().to_csv(index=False)
    versions = VERSIONS["rendering"] + VERSIONS["embeddings"]
    name = hash_bytes(kind, str(seed), code, effects, versions)
    path = cache_folder() / "demo-seeds" / f"{name}.csv"
    if not path.is_file():
        write_if_changed(path, pd.DataFrame(judge()).to_csv(index=False))
    return pd.read_csv(path)


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Count verdicts over studies, with 95% Clopper–Pearson intervals.

    Returns
    -------
    DataFrame
        ``method, target, truth, n``; ``found, missed, falsely_found`` (for an unknown truth: a
        clear gain, no clear difference, a clear loss); ``low, high`` of the share found, or falsely
        found if there is no effect; ``covered, covered_low, covered_high``: share of intervals that
        contain the true value.
    """
    rows = rows.assign(target=rows["target"].str.replace(": anything", ": R² over all songs"))
    table = []
    for (method, target, truth), part in rows.groupby(["method", "target", "truth"], sort=False):
        n, yes, opposite = len(part), (part["said"] == 1).sum(), (part["said"] == -1).sum()
        absent = truth == "absent"
        row = {"method": method, "target": target, "truth": truth, "n": n}
        row["found"] = 0 if absent else yes
        row["missed"] = 0 if absent else n - yes - opposite
        row["falsely_found"] = yes + opposite if absent else opposite
        counted = row["falsely_found"] if absent else row["found"]
        row["low"], row["high"] = proportion_confint(counted, n, method="beta")
        if truth == "value":
            row |= dict.fromkeys(("found", "missed", "falsely_found", "low", "high"))
        covered = part["covered"].dropna().astype(float)
        if len(covered):
            inside = int(covered.sum())
            row["covered"] = inside / len(covered)
            ends = proportion_confint(inside, len(covered), method="beta")
            row["covered_low"], row["covered_high"] = ends
        table.append(row)
    counts = ["found", "missed", "falsely_found"]
    return pd.DataFrame(table).astype(dict.fromkeys(counts, "Int64"))


def tag_activations(songs: pd.DataFrame, layers: dict[str, dict]) -> pd.DataFrame:
    """Return one row per song and tag: ``tagger, style, tag, activation``."""
    tables = []
    for tagger, names in TAGS.items():
        wide = pd.DataFrame(layers[tagger]["taggram"], columns=names)
        wide = wide.assign(style=songs["style"].to_numpy(), tagger=tagger)
        tables.append(wide.melt(["tagger", "style"], names, "tag", "activation"))
    return pd.concat(tables)


def top_tags(activations: pd.DataFrame, n: int = 5) -> pd.DataFrame:
    """List the tags with the highest mean activation, and the rank of the style's own tag."""
    means = activations.groupby(["tagger", "style", "tag"])["activation"].mean()
    rows = []
    for (tagger, style), part in means.groupby(["tagger", "style"]):
        ordered = part.droplevel(["tagger", "style"]).sort_values(ascending=False)
        tags = ", ".join(f"{tag} {value:.2f}" for tag, value in ordered.head(n).items())
        place = list(ordered.index).index(style) + 1 if style in ordered else "no such tag"
        row = {"tagger": tagger, "style": style, "highest tags": tags}
        rows.append(row | {"place of the style's own tag": place})
    return pd.DataFrame(rows)


def write_table(table: pd.DataFrame, name: str, origin: str) -> None:
    """Write a table; its first line describes how and when it was made."""
    text = table.to_csv(index=False, float_format="%.3f", lineterminator="\n")
    write_if_changed(FOLDER / name, f"# {origin}\n{text}")


def main() -> int:
    """Run all studies and print the table; return 1 if there are too many false findings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--silent", type=int, default=200, help="studies without sound")
    parser.add_argument("--mixed", type=int, default=40, help="mixed models among them")
    parser.add_argument(
        "--sounding", type=int, default=10, help="sets of songs with sound, at most ten"
    )
    parser.add_argument("--write", action="store_true", help="write analysis/expected/")
    options = parser.parse_args()
    start, vectors = time.perf_counter(), ArrayCache(namespace="demo-seeds")
    known = fixed_effects(effects_as_rated(draw_songs(0)), "groove")
    tables, tags = [], []
    for seed in SONG_SETS[: options.sounding]:
        judge = functools.partial(judge_sounding, seed, vectors)
        tables.append(kept(f"sounding {N_DRAWS}", seed, judge))
        tags.append(tag_activations(*embed_songs(seed, vectors)))
    for seed in tqdm(range(1, options.silent + 1), "studies without sound", mininterval=20):
        mixed = seed <= options.mixed
        judge = functools.partial(judge_silent, seed, known, mixed)
        tables.append(kept(f"silent {mixed}", seed, judge))
    table = summarise(pd.concat(tables))
    if options.write:
        origin = (
            f"made by make bench-demo on {datetime.date.today().isoformat()}; studies without "
            f"sound: {options.silent}; sets of songs with sound: {len(tags)}; draws of listeners "
            f"for each: {N_DRAWS}"
        )
        write_table(table, "demo_seeds.csv", origin)
        if tags:
            write_table(top_tags(pd.concat(tags)), "demo_tags.csv", origin)
    print(table.to_string(index=False, float_format="%.2f"))
    print(f"{time.perf_counter() - start:.0f} s")
    absent = table[table["truth"] == "absent"]
    too_many = absent["falsely_found"] > stats.binom.ppf(0.999, absent["n"], 0.05)
    return int(too_many.any())


if __name__ == "__main__":
    sys.exit(main())
