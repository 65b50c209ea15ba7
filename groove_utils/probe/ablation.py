"""Take a mix apart and ask the probe again: which stems carry the score (chapter 07).

«Trained on» can mean two things. A probe that was *trained on the mix* and is given some of the
stems tells what the model uses in a mix; a probe that is *trained on the stems* it is tested on
tells what is there to be heard in them. Both use the folds, the inner choices and the intervals of
:func:`groove_utils.probe.nested_ridge`, so that their score of all stems together is the score of
chapter 06.

The score of no stems at all is that of the training mean of each fold: the probe that hears
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import stats

from groove_utils.cache import ArrayCache, cache_key
from groove_utils.probe.bootstrap import influence_interval
from groove_utils.probe.nested_cv import Split, ridge_splits, run_ridge
from groove_utils.probe.ridge import (
    DEFAULT_ALPHAS,
    artist_codes,
    make_plan,
    nested_ridges,
    outer_folds,
    paper_protocol,
)
from groove_utils.probe.validation import ProbeError, as_blocks, as_songs
from groove_utils.stats.shapley import shapley_values

__all__ = [
    "READINGS",
    "Ablation",
    "ablate",
    "ablation_scores",
    "attribute_songs",
    "contrast",
    "contributions",
    "paper_scores",
]

READINGS = ("mix", "level", "stem")
MEASURES = ("alone", "left out", "Shapley")

Subset = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Ablation:
    """Out-of-fold predictions and scores of one representation from every subset of stems.

    Attributes
    ----------
    reading : {"mix", "level", "stem"}
        What the probe was trained on, see :func:`ablate`.
    stems : tuple of str
    subsets : list of tuple of str
        The empty subset first, then those given.
    ids, artists, styles : ndarray, shape (n,), dtype object
    targets : list of str
    observed : ndarray, shape (n, n_targets)
    predicted : ndarray, shape (n_subsets, n, n_targets)
        Mean over repeats.
    parts : list of str
        ``all``; where there are several styles ``within`` and each style's name.
    r2 : ndarray, shape (n_subsets, n_parts, n_targets)
        Pooled out-of-fold R², mean over repeats.
    influence : ndarray, shape (n_artists, n_subsets, n_parts, n_targets)
        Each artist's influence on `r2`, see :func:`groove_utils.probe.bootstrap.artist_influence`.
    left_out : ndarray of float32, shape (n_artists, n_subsets, n, n_targets)
        What would be predicted had an artist been missing from the training songs.
    """

    reading: str
    stems: Subset
    subsets: list[Subset]
    ids: np.ndarray
    artists: np.ndarray
    styles: np.ndarray
    targets: list[str]
    observed: np.ndarray
    predicted: np.ndarray
    parts: list[str]
    r2: np.ndarray
    influence: np.ndarray = field(repr=False)
    left_out: np.ndarray = field(repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether there is every subset of the stems, so that Shapley values can be had."""
        return len(self.subsets) == 2 ** len(self.stems)

    def place(self, subset: Sequence[str]) -> int:
        """Position of a subset, its stems in any order."""
        for i, one in enumerate(self.subsets):
            if set(one) == set(subset):
                return i
        known = ", ".join("+".join(one) or "(none)" for one in self.subsets)
        raise ProbeError(f"no such subset: {'+'.join(subset)!r}; there are {known}")

    def select(self, targets: Sequence[str]) -> Ablation:
        """The same ablation for some of its targets."""
        unknown = [name for name in targets if name not in self.targets]
        if unknown:
            raise ProbeError(f"no such targets: {unknown}; this ablation has {self.targets}")
        keep = [self.targets.index(name) for name in targets]
        return replace(
            self,
            targets=list(targets),
            observed=self.observed[:, keep],
            predicted=self.predicted[..., keep],
            r2=self.r2[..., keep],
            influence=self.influence[..., keep],
            left_out=self.left_out[..., keep],
        )


def ablate(
    features: Mapping[Subset, object],
    y,
    artists=None,
    styles=None,
    *,
    reading="stem",
    n_splits=4,
    n_repeats=5,
    n_inner=4,
    alphas=DEFAULT_ALPHAS,
    layers="select",
    folds=None,
    seed=0,
    n_jobs=1,
    cache: ArrayCache | None = None,
) -> Ablation:
    """Probe one representation of every subset of stems, on the same folds.

    Parameters
    ----------
    features : mapping of tuple of str → array-like (n, d), or mapping of layer → such arrays
        By subset of stems. The largest is taken as the mix; it must hold every stem.
    y : Series, DataFrame or array-like of shape (n,) or (n, m)
    artists, styles : array-like of shape (n,), optional
        As in :func:`groove_utils.probe.nested_ridge`.
    reading : {"mix", "level", "stem"}
        ``mix``: trained on the mix of the training songs, tested on the stems of the held-out
        ones, with the standardisation, layer and penalty of the mix. ``level``: the same, but
        what all songs of a subset have in common is taken out: the mean prediction for the
        subset's *training* songs is set to their mean rating. ``stem``: trained and tested on the
        subset itself, with choices of its own inside its training folds.
    n_splits, n_repeats, n_inner, alphas, layers, folds, seed
        As in :func:`groove_utils.probe.nested_ridge`; with the same the folds are the same, and
        all stems together score as the mix does there.
    n_jobs : int
        Processes over subsets where each has a probe of its own, else threads over outer folds.
    cache : ArrayCache, optional
        Where results are kept, by the content of features, targets, groups and settings.

    Returns
    -------
    Ablation

    Raises
    ------
    ProbeError
        No subset holds all the stems, one is there twice, or what ``nested_ridge`` refuses.

    Notes
    -----
    A model hears a solo bass as no song that it was ever fitted to. Under ``mix`` its predictions
    are therefore all off by much the same amount, which R² counts as error; ``level`` forgives
    just that, and keeps which songs it puts above which.
    """
    if reading not in READINGS:
        raise ProbeError(f"no such reading: {reading!r}; there are {', '.join(READINGS)}")
    songs = as_songs(y, artists, styles)
    blocks = {tuple(s): as_blocks(X, len(songs), songs.ids) for s, X in features.items()}
    stems, subsets = _check_subsets(blocks)
    settings = {"n_inner": n_inner, "alphas": alphas, "layers": layers, "seed": seed}
    folds = outer_folds(songs, folds, n_splits, n_repeats, seed)
    key = None
    if cache is not None:
        key = _key(reading, blocks, songs, folds, settings)
        if (found := cache.get(key)) is not None:
            return _ablation(reading, stems, subsets, songs, found)
    baseline = _baseline(songs, folds)
    if reading == "stem":
        runs = _train_on_each(blocks, subsets, songs, folds, settings, n_jobs)
    else:
        free = reading == "level"
        runs = _train_on_mix(blocks, stems, subsets, songs, folds, settings, n_jobs, free, baseline)
    parts, member = _parts(songs)
    arrays = {"predicted": [], "r2": [], "influence": [], "left_out": []}
    for predicted, left in [baseline, *runs]:
        r2, influence = _score(songs, parts, member, predicted, left)
        arrays["predicted"].append(predicted.mean(axis=0))
        arrays["left_out"].append(left.mean(axis=1).astype(np.float32))
        arrays["r2"].append(r2)
        arrays["influence"].append(influence)
    on_artists = {"influence", "left_out"}
    found = {k: np.stack(v, axis=1 if k in on_artists else 0) for k, v in arrays.items()}
    if cache is not None:
        cache.put(key, found)
    return _ablation(reading, stems, subsets, songs, found)


def _ablation(reading, stems, subsets, songs, arrays) -> Ablation:
    return Ablation(
        reading=reading,
        stems=stems,
        subsets=[(), *subsets],
        ids=songs.ids,
        artists=songs.artists,
        styles=songs.styles,
        targets=songs.targets,
        observed=songs.ratings,
        parts=_parts(songs)[0],
        **arrays,
    )


def _check_subsets(blocks) -> tuple[Subset, list[Subset]]:
    if not blocks:
        raise ProbeError("no features given; expected one entry for each subset of stems")
    stems = max(blocks, key=len)
    outside = sorted({stem for subset in blocks for stem in subset} - set(stems))
    if outside:
        raise ProbeError(
            f"the largest subset, {'+'.join(stems)}, lacks {', '.join(outside)}; give the features "
            "of the mix under a subset that names every stem"
        )
    if () in blocks:
        raise ProbeError("features of the empty subset are given; a probe hears nothing there")
    if len({frozenset(subset) for subset in blocks}) < len(blocks):
        raise ProbeError(f"a subset is there twice, in two orders: {list(blocks)}")
    rank = {stem: i for i, stem in enumerate(stems)}
    order = sorted(blocks, key=lambda s: (len(s), [rank[stem] for stem in s]))
    return stems, order


def _key(reading, blocks, songs, folds, settings) -> str:
    chunks = [reading, repr(songs.targets), repr(settings["layers"])]
    chunks += [repr(settings["n_inner"]), repr(settings["seed"])]
    chunks += ["\n".join(map(str, part)) for part in (songs.ids, songs.artists, songs.styles)]
    chunks += [np.asarray(settings["alphas"], dtype=np.float64).tobytes()]
    chunks += [np.ascontiguousarray(folds).tobytes(), songs.ratings.tobytes()]
    for subset in sorted(blocks):
        for layer, block in blocks[subset].items():
            chunks += ["+".join(subset), layer, str(block.shape), block.tobytes()]
    return cache_key("ablation", *chunks)


# --- predictions: (n_repeats, n, m), and with each artist missing (g, n_repeats, n, m) ------------


def _baseline(songs, folds):
    """The probe that hears nothing: the mean of the training songs."""
    artist = artist_codes(songs.artists)
    predicted = np.empty((len(folds), *songs.ratings.shape))
    left = np.empty((artist.max() + 1, *predicted.shape))
    for repeat, fold in enumerate(folds):
        for number in range(fold.max() + 1):
            test, train = fold == number, fold != number
            predicted[repeat, test] = songs.ratings[train].mean(axis=0)
            for one in range(len(left)):
                left[one, repeat, test] = songs.ratings[train & (artist != one)].mean(axis=0)
    return predicted, left


def _train_on_each(blocks, subsets, songs, folds, settings, n_jobs):
    """Subset by subset, in processes: the matrices are too small for threads to pay."""
    results = nested_ridges(
        {subset: blocks[subset] for subset in subsets},
        pd.DataFrame(songs.ratings, columns=songs.targets),
        artists=songs.artists, styles=songs.styles, folds=folds, n_jobs=n_jobs, **settings,
    )  # fmt: skip
    return ((result.predicted, result.without) for result in results.values())


def _train_on_mix(blocks, stems, subsets, songs, folds, settings, n_jobs, free, baseline):
    """Rows of all subsets stand behind those of the mix, and are test songs only."""
    n, m = songs.ratings.shape
    mix = blocks[stems]
    for subset in subsets:
        if {k: v.shape for k, v in blocks[subset].items()} != {k: v.shape for k, v in mix.items()}:
            raise ProbeError(
                f"the features of {'+'.join(subset)} and of the mix differ in their layers or "
                "dimensions; a probe of the mix cannot be tested on them"
            )
    stacked = {
        layer: np.concatenate([block, *(blocks[s][layer] for s in subsets)])
        for layer, block in mix.items()
    }
    copies = 1 + len(subsets)
    artist = artist_codes(songs.artists)
    plan = make_plan(
        mix, alphas=settings["alphas"], layers=settings["layers"], pca=None, floor=1e-4, clip=5.0
    )
    splits = ridge_splits(
        folds, songs.artists, songs.styles, n_inner=settings["n_inner"], seed=settings["seed"]
    )
    behind = n * np.arange(1, copies)[:, None]
    # to take out the level, the subsets of training songs are predicted as well
    asked = [np.arange(n) if free else split.test for split in splits]
    wide = [
        Split(s.repeat, s.fold, s.train, (behind + rows).ravel(), s.inner)
        for s, rows in zip(splits, asked, strict=True)
    ]
    fits = run_ridge(
        stacked, np.tile(songs.ratings, (copies, 1)), wide, plan,
        groups=np.tile(artist, copies), n_jobs=n_jobs,
    )  # fmt: skip
    predicted = np.empty((len(subsets), len(folds), n, m))
    left = np.empty((artist.max() + 1, *predicted.shape))
    for split, rows, fit in zip(splits, asked, fits, strict=True):
        values = fit["predicted"].reshape(len(subsets), len(rows), m)
        without = fit["without"].reshape(-1, len(subsets), len(rows), m)
        if free:
            at = split.repeat, split.test[0]
            values = values - values[:, split.train].mean(axis=1, keepdims=True) + baseline[0][at]
            for one in range(len(without)):
                kept = split.train[artist[split.train] != one]
                level = baseline[1][(one, *at)] - without[one][:, kept].mean(axis=1, keepdims=True)
                without[one] += level
            values, without = values[:, split.test], without[:, :, split.test]
        predicted[:, split.repeat, split.test] = values
        left[:, :, split.repeat, split.test] = without
    return zip(predicted, left.swapaxes(0, 1), strict=True)


# --- scores ---------------------------------------------------------------------------------------


def _parts(songs):
    names = list(np.unique(songs.styles.astype(str)))
    member = songs.styles.astype(str)[:, None] == np.array(names)
    return (["all", "within", *names], member) if len(names) > 1 else (["all"], member)


def _score(songs, parts, member, predicted, left):
    """R² of all parts, and each artist's influence on it, in training and in test."""
    artist = artist_codes(songs.artists)
    y = songs.ratings - songs.ratings.mean(axis=0)  # keeps differences of squares accurate
    shift = songs.ratings - y
    estimate = _part_r2(y, predicted - shift, member, np.ones(len(y)), len(parts))
    out = np.stack(
        [
            _part_r2(y, one - shift, member, (artist != number).astype(float), len(parts))
            for number, one in enumerate(left)
        ]
    )
    with np.errstate(invalid="ignore"):
        influence = (len(out) - 1) * (np.nanmean(out, axis=0) - out)
    return estimate, np.nan_to_num(influence)


def _part_r2(y, predicted, member, weight, n_parts):
    error = y - predicted
    squared = (error**2).mean(axis=0)
    found = [1 - _ratio(weight @ squared, _spread(weight, y[None]))]
    if n_parts > 1:
        columns = (member * weight[:, None]).T
        inner = sum(_spread(w, error) for w in columns)
        found.append(1 - _ratio(inner, sum(_spread(w, y[None]) for w in columns)))
        found += [1 - _ratio(w @ squared, _spread(w, y[None])) for w in columns]
    return np.stack(found)


def _spread(weight, values):
    """Weighted sum of squares about the weighted mean of (r, n, m), averaged over r."""
    total = max(weight.sum(), 1e-300)
    return (weight @ values**2 - (weight @ values) ** 2 / total).mean(axis=0)


def _ratio(above, below):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 1e-12, above / below, np.nan)


# --- tables ---------------------------------------------------------------------------------------


def paper_scores(
    features: Mapping[Subset, object], y, artists=None, styles=None, *, cache=None
) -> pd.DataFrame:
    """The published protocol on each of several sums of stems.

    Parameters
    ----------
    features : mapping of tuple of str → array-like (n, d), or mapping of layer → such arrays
    y, artists, styles
        As in :func:`groove_utils.probe.paper_protocol`.
    cache : ArrayCache, optional
        Where scores are kept.

    Returns
    -------
    DataFrame
        One row a subset and target: ``subset, target, fold_r2, fold_r2_sd, n_songs``.
    """
    songs = as_songs(y, artists, styles)
    ratings = pd.DataFrame(songs.ratings, index=songs.ids, columns=songs.targets)
    tables = []
    for subset, X in features.items():
        blocks = as_blocks(X, len(songs), songs.ids)
        settings = {"n_inner": 0, "alphas": [], "layers": "paper protocol", "seed": 0}
        key = _key("paper", {tuple(subset): blocks}, songs, np.empty(0), settings)
        found = None if cache is None else cache.get(key)
        if found is None:
            scores = paper_protocol(blocks, ratings, songs.artists, songs.styles).scores()
            found = {name: scores[name].to_numpy() for name in ("fold_r2", "fold_r2_sd")}
            if cache is not None:
                cache.put(key, found)
        table = pd.DataFrame({"subset": "+".join(subset), "target": songs.targets, **found})
        tables.append(table.assign(n_songs=len(songs)))
    return pd.concat(tables, ignore_index=True)


def ablation_scores(ablation: Ablation, *, n_boot=2000, level=0.95, seed=0) -> pd.DataFrame:
    """R² of every subset of stems with its interval.

    Parameters
    ----------
    ablation : Ablation
    n_boot, level, seed
        Of the interval over artists, see
        :func:`groove_utils.probe.bootstrap.influence_interval`.

    Returns
    -------
    DataFrame
        One row a subset, part and target: ``subset`` (such as ``drums+bass``; ``none`` for the
        training mean), ``part, target, estimate, low, high, n_songs, n_artists``.
    """
    names = ["+".join(subset) or "none" for subset in ablation.subsets]
    frame = _long(ablation, "subset", names, ablation.r2, ablation.influence, n_boot, level, seed)
    frame["high"] = frame["high"].clip(upper=1.0)
    return frame.drop(columns=["se", "p"])


def contributions(ablation: Ablation, *, n_boot=2000, level=0.95, seed=0) -> pd.DataFrame:
    """What each stem is worth: alone, left out, and by its Shapley value.

    Parameters
    ----------
    ablation : Ablation
    n_boot, level, seed
        As in :func:`ablation_scores`.

    Returns
    -------
    DataFrame
        One row a stem, measure, part and target: ``stem, measure, part, target, estimate, low,
        high, se, p, p_holm, n_songs, n_artists``. ``alone`` is the R² of the stem less that of
        nothing, ``left out`` what R² loses without it, ``Shapley`` the mean of what it adds over
        all orders; measures for which subsets are missing are left out. p is from Student's t
        with g − 1 degrees of freedom for g artists; Holm's correction is over the stems and
        targets of one measure and part.
    """
    tables = []
    for measure in MEASURES:
        weights = {stem: w for stem in ablation.stems if (w := _weights(ablation, measure, stem))}
        if not weights:
            continue
        mixing = np.zeros((len(weights), len(ablation.subsets)))
        for row, own in zip(mixing, weights.values(), strict=True):
            for place, weight in own.items():
                row[place] += weight
        r2 = np.einsum("ks,spt->kpt", mixing, ablation.r2)
        influence = np.einsum("ks,gspt->gkpt", mixing, ablation.influence)
        table = _long(ablation, "stem", list(weights), r2, influence, n_boot, level, seed)
        table.insert(1, "measure", measure)
        tables.append(table)
    if not tables:
        raise ProbeError(
            f"of the stems {', '.join(ablation.stems)} only the mix is given; a contribution needs "
            "a stem alone, or the mix without it"
        )
    frame = pd.concat(tables, ignore_index=True)
    adjusted = frame.groupby(["measure", "part"])["p"].transform(_holm)
    frame.insert(list(frame).index("p") + 1, "p_holm", adjusted)
    return frame


def _weights(ablation: Ablation, measure: str, stem: str) -> dict[int, float] | None:
    """Coefficient of each subset's score in a measure of a stem; None where one is missing."""
    places = {frozenset(subset): i for i, subset in enumerate(ablation.subsets)}
    whole = frozenset(ablation.stems)
    if measure == "Shapley":
        if not ablation.is_complete or len(ablation.stems) > 6:
            return None
        unit = np.eye(len(ablation.subsets))
        game = {subset: unit[i] for i, subset in enumerate(ablation.subsets)}
        return dict(enumerate(shapley_values(game, ablation.stems)[stem]))
    pair = (frozenset([stem]), frozenset()) if measure == "alone" else (whole, whole - {stem})
    if not all(one in places for one in pair):
        return None
    return {places[pair[0]]: 1.0, places[pair[1]]: -1.0}


def contrast(
    terms: Sequence[tuple[float, Ablation, Sequence[str]]], *, n_boot=2000, level=0.95, seed=0
) -> pd.DataFrame:
    """A weighted sum of scores, of one ablation or of several on the same songs.

    Parameters
    ----------
    terms : sequence of (weight, Ablation, subset)
        Such as drums and bass beyond what each gives alone: ``[(1, a, ("drums", "bass")), (-1, a,
        ("drums",)), (-1, a, ("bass",)), (1, a, ())]``; or raw against loudness-matched stems:
        ``[(1, raw, s), (-1, matched, s)]``.
    n_boot, level, seed
        As in :func:`ablation_scores`.

    Returns
    -------
    DataFrame
        One row a part and target: ``part, target, estimate, low, high, se, p, n_songs,
        n_artists``. What makes an artist hard for all terms cancels.

    Raises
    ------
    ProbeError
        The ablations differ in songs, artists, targets or observed ratings.
    """
    if not terms:
        raise ProbeError("no terms given; expected (weight, ablation, subset), one or more")
    first = terms[0][1]
    r2, influence = 0.0, 0.0
    for weight, one, subset in terms:
        for what in ("ids", "artists", "targets", "observed"):
            if not np.array_equal(getattr(first, what), getattr(one, what)):
                raise ProbeError(
                    f"the ablations of a contrast differ in their {what}; run them on the same "
                    "songs and targets"
                )
        place = one.place(subset)
        r2 = r2 + weight * one.r2[place]
        influence = influence + weight * one.influence[:, place]
    table = _long(first, "contrast", [""], r2[None], influence[:, None], n_boot, level, seed)
    return table.drop(columns="contrast")


def attribute_songs(
    ablation: Ablation,
    target: str,
    *,
    silent: pd.DataFrame | None = None,
    n_boot=2000,
    level=0.95,
    seed=0,
) -> pd.DataFrame:
    """Which stem pushed a song's predicted rating up, and which down: Shapley values of it.

    Parameters
    ----------
    ablation : Ablation
        With every subset of its stems.
    target : str
    silent : DataFrame of bool, shape (n, n_stems), optional
        Which stems of a song are silent; the index holds the songs' ids, the columns the stems. A
        song's sum then counts as the sum of those of its stems that sound, and as nothing where
        none does, so that a silent stem is given exactly nothing. Otherwise it is given what the
        probe makes of silence.
    n_boot, level, seed
        As in :func:`ablation_scores`. The interval is over the artists that the probe was
        trained on.

    Returns
    -------
    DataFrame
        One row a song and stem: ``track_id, artist, style, stem, estimate, low, high, baseline,
        predicted, observed``. Of a song, ``baseline + sum of the estimates = predicted``; the
        baseline is the mean rating of the songs that the probe was trained on.
    """
    if not ablation.is_complete:
        raise ProbeError(
            f"{len(ablation.subsets)} of {2 ** len(ablation.stems)} subsets are given; the Shapley "
            "values of a song's prediction need them all"
        )
    if target not in ablation.targets:
        raise ProbeError(f"no such target: {target!r}; this ablation has {ablation.targets}")
    one = ablation.targets.index(target)
    predicted = ablation.predicted[..., one]
    left = ablation.left_out[..., one].astype(np.float64)
    if silent is not None:
        predicted, left = predicted.copy(), left.copy()
        for i, mute in enumerate(_silent_stems(ablation, silent)):
            for place, subset in enumerate(ablation.subsets if mute else []):
                sounding = ablation.place([stem for stem in subset if stem not in mute])
                predicted[place, i] = ablation.predicted[sounding, i, one]
                left[:, place, i] = ablation.left_out[:, sounding, i, one]
    influence = (len(left) - 1) * (left.mean(axis=0) - left)
    tables = []
    found = shapley_values(dict(zip(ablation.subsets, predicted)), ablation.stems)
    spread = shapley_values(
        {s: influence[:, i] for i, s in enumerate(ablation.subsets)}, ablation.stems
    )
    for stem in ablation.stems:
        low, high, _ = influence_interval(
            found[stem], spread[stem], n_boot=n_boot, level=level, seed=seed
        )
        tables.append(
            pd.DataFrame(
                {
                    "track_id": ablation.ids,
                    "artist": ablation.artists,
                    "style": ablation.styles,
                    "stem": stem,
                    "estimate": found[stem],
                    "low": low,
                    "high": high,
                    "baseline": predicted[ablation.place(())],
                    "predicted": predicted[ablation.place(ablation.stems)],
                    "observed": ablation.observed[:, one],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _silent_stems(ablation: Ablation, silent: pd.DataFrame) -> list[set[str]]:
    """The silent stems of each song, in the order of the ablation."""
    lacking = sorted(set(ablation.stems) - set(silent.columns))
    unknown = [track for track in ablation.ids if track not in silent.index]
    if lacking or unknown:
        raise ProbeError(
            f"the table of silent stems lacks {(lacking or unknown)[0]!r}; it needs a row for each "
            f"song and a column for each stem ({', '.join(ablation.stems)})"
        )
    table = silent.loc[list(ablation.ids), list(ablation.stems)].to_numpy(dtype=bool)
    return [{stem for stem, mute in zip(ablation.stems, row) if mute} for row in table]


def _long(ablation, label, names, estimate, influence, n_boot, level, seed) -> pd.DataFrame:
    """Rows of (k, parts, targets) with intervals from (g, k, parts, targets)."""
    g = len(influence)
    flat = influence.reshape(g, -1)
    low, high, se = influence_interval(
        estimate.ravel(), flat, n_boot=n_boot, level=level, seed=seed
    )
    value = estimate.ravel()
    t = np.abs(value) / np.maximum(se, 1e-12)  # what is 0 but for rounding is no finding
    index = pd.MultiIndex.from_product(
        [names, ablation.parts, ablation.targets], names=[label, "part", "target"]
    )
    frame = pd.DataFrame({"estimate": value}, index=index).reset_index()
    frame["low"], frame["high"], frame["se"] = low, high, se
    frame["p"] = 2 * stats.t.sf(t, g - 1)
    style = ablation.styles.astype(str)
    for part in ablation.parts:
        own = style == part if part in ablation.parts[2:] else np.ones(len(style), dtype=bool)
        rows = frame["part"] == part
        frame.loc[rows, "n_songs"] = own.sum()
        frame.loc[rows, "n_artists"] = len(set(ablation.artists[own].astype(str)))
    return frame.astype({"n_songs": int, "n_artists": int})


def _holm(p: pd.Series) -> np.ndarray:
    """Holm's adjusted p-values (statsmodels collects garbage at each call, which takes longer)."""
    order = np.argsort(p.to_numpy())
    stepped = np.maximum.accumulate(p.to_numpy()[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
