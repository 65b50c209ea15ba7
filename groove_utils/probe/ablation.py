"""Probes of stem subsets: out-of-fold predictions, scores and the influence of each artist.

A probe *trained on the mix* and tested on a subset of the stems shows what the model uses in a mix;
a probe *trained and tested on the subset* shows what can be predicted from these stems alone. Both
use the same folds, inner-fold selection and intervals as :func:`groove_utils.probe.nested_ridge`,
so the score for all stems together equals the score in the chapter on probing. For the empty
subset, the prediction is the mean rating of the training songs in each fold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from groove_utils.memoisation import memoised
from groove_utils.probe.folds import nested_splits, outer_folds
from groove_utils.probe.intervals import artist_influence
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.ridge import make_plan, nested_ridges, run_ridge
from groove_utils.probe.scores import style_statistic
from groove_utils.probe.songs import ProbeError, Songs, as_songs
from groove_utils.probe.style import style_baseline
from groove_utils.stats.validation import as_blocks
from groove_utils.study.stem_names import subset_name

__all__ = ["TRAIN_ON", "Ablation", "Subset", "ablate"]

TRAIN_ON = ("stem", "mix", "mix_centred")

Subset = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Ablation:
    """Out-of-fold predictions from each subset of stems, and their scores.

    Attributes
    ----------
    train_on : {"stem", "mix", "mix_centred"}
        See :func:`ablate`.
    stems : tuple of str
        All stems in the mix.
    subsets : list of tuple of str
        Subsets of the stems, starting with the empty subset.
    songs : Songs
        The n songs, with their ratings for each target.
    predicted : ndarray, shape (n_subsets, n, n_targets)
        Out-of-fold predictions, averaged over repeats.
    parts : list of str
        Names of the scores in `r2`: ``all`` (R² over all songs) and, if there is more than one
        style, ``within`` (R² within styles) and the name of each style (R² for the songs in that
        style).
    r2 : ndarray, shape (n_subsets, n_parts, n_targets)
        Pooled out-of-fold R², averaged over repeats.
    influence : ndarray, shape (n_artists, n_subsets, n_parts, n_targets)
        Influence of each artist on `r2`; see :func:`groove_utils.stats.jackknife_influence`.
    leave_artist_out : ndarray of float32, shape (n_artists, n_subsets, n, n_targets)
        Predictions with each artist in turn left out of the training set, averaged over repeats.
    """

    train_on: str
    stems: Subset
    subsets: list[Subset]
    songs: Songs
    predicted: np.ndarray
    parts: list[str]
    r2: np.ndarray
    influence: np.ndarray = field(repr=False)
    leave_artist_out: np.ndarray = field(repr=False)

    @property
    def is_complete(self) -> bool:
        """True if all subsets of the stems are present, as required for Shapley values."""
        return len(self.subsets) == 2 ** len(self.stems)

    def place(self, subset: Iterable[str]) -> int:
        """Return the index of a subset in `subsets`; its stems may be given in any order."""
        wanted = set(subset)
        for i, stems in enumerate(self.subsets):
            if set(stems) == wanted:
                return i
        raise ProbeError(
            f"no such subset: {subset_name(subset)}; expected one of "
            f"{', '.join(map(subset_name, self.subsets))}",
            kind="unknown", column="subset", value=tuple(subset),
        )  # fmt: skip

    def select(self, targets: Sequence[str]) -> Ablation:
        """Return a copy of the ablation restricted to the given targets."""
        keep = self.songs.places(targets)
        names = ("predicted", "r2", "influence", "leave_artist_out")
        arrays = {name: getattr(self, name)[..., keep] for name in names}
        return replace(self, songs=self.songs.select(targets), **arrays)


@memoised("ablation")
def ablate(
    features: Mapping[Subset, object],
    y,
    artists=None,
    styles=None,
    protocol: Protocol = Protocol(),
    *,
    train_on="stem",
    folds=None,
    n_jobs=1,
) -> Ablation:
    """Predict ratings from each subset of stems, using the same folds for all subsets.

    Parameters
    ----------
    features : mapping of tuple of str to features
        Features of each subset of stems: an array of shape (n, d), or a mapping of layer names to
        such arrays. The largest subset is used as the mix; it must contain every stem.
    y, artists, styles, protocol, folds
        See :func:`groove_utils.probe.nested_ridge`.
    train_on : {"stem", "mix", "mix_centred"}
        ``stem``: train and test on the same subset, and use the training songs to determine the
        standardisation, layer and penalty for this subset. ``mix``: train on the mixes of the
        training songs, determine the standardisation, layer and penalty for these mixes, and test
        on the given subset of the held-out songs' stems. ``mix_centred``: like ``mix``, but shift
        the predictions for each subset so that their mean over the *training* songs equals the mean
        rating of these songs.
    n_jobs : int
        Number of subsets (for ``stem``) or outer folds (otherwise) to process in parallel threads.

    Returns
    -------
    Ablation
        Out-of-fold predictions and scores for every subset, including the empty one.

    Notes
    -----
    A single stem, such as the bass, sounds unlike the mixes on which a probe is trained. With
    ``mix``, the predictions from this stem are therefore too high or too low by a similar amount
    for all songs, which reduces R². ``mix_centred`` removes this shift without changing the order
    of the predictions within a fold.
    """
    if train_on not in TRAIN_ON:
        raise ProbeError(f"train_on is {train_on!r}; expected one of {', '.join(TRAIN_ON)}",
                         kind="unknown", column="train_on", value=train_on)  # fmt: skip
    songs = as_songs(y, artists, styles)
    blocks = {tuple(s): as_blocks(X, len(songs), songs.ids) for s, X in features.items()}
    stems, subsets = _check_subsets(blocks)
    folds = outer_folds(songs, protocol, folds)

    empty = style_baseline(songs.frame, songs.artists, folds=folds)
    if train_on == "stem":
        results = nested_ridges(
            {subset: blocks[subset] for subset in subsets}, songs.frame, songs.artists,
            songs.styles, protocol, folds=folds, n_jobs=n_jobs,
        ).values()  # fmt: skip
    else:
        centre = train_on == "mix_centred"
        results = _train_on_mix(blocks, stems, subsets, songs, protocol, empty, centre, n_jobs)
    arrays = _collect(songs, [empty, *results])
    return Ablation(train_on, stems, [(), *subsets], songs, parts=_parts(songs), **arrays)


def _check_subsets(blocks) -> tuple[Subset, list[Subset]]:
    """Check the subsets; return the stems of the mix, and the subsets sorted by size."""
    stems = max(blocks, key=len, default=())
    outside = sorted({stem for subset in blocks for stem in subset} - set(stems))
    if not stems or () in blocks:
        raise ProbeError(f"the subsets are {list(blocks)}; expected one or more non-empty subsets",
                         kind="empty", column="features")  # fmt: skip
    if outside:
        raise ProbeError(
            f"the largest subset, {subset_name(stems)}, lacks {', '.join(outside)}; add the "
            "features of the mix, which is the subset that contains every stem",
            kind="no_mix", column="features", value=outside,
        )  # fmt: skip
    if len({frozenset(subset) for subset in blocks}) < len(blocks):
        raise ProbeError(f"two of the subsets {list(blocks)} contain the same stems; remove one",
                         kind="duplicate", column="features")  # fmt: skip
    return stems, sorted(blocks, key=lambda s: (len(s), [stems.index(stem) for stem in s]))


def _train_on_mix(blocks, stems, subsets, songs, protocol, empty, centre, n_jobs):
    """Train probes on the mix; predict the ratings of held-out songs from each subset of stems."""
    n, m = songs.ratings.shape
    mix, folds = blocks[stems], empty.folds
    for subset in subsets:
        if {k: v.shape for k, v in blocks[subset].items()} != {k: v.shape for k, v in mix.items()}:
            raise ProbeError(
                f"the features of {subset_name(subset)} and of the mix have different layers or "
                "dimensions; a probe trained on the mix cannot be tested on this subset",
                kind="shape", column="features", value=subset,
            )  # fmt: skip
    stacked = {
        layer: np.concatenate([block, *(blocks[s][layer] for s in subsets)])
        for layer, block in mix.items()
    }
    copies, artist = 1 + len(subsets), songs.artist_codes
    splits = nested_splits(songs, folds, protocol)
    below = n * np.arange(1, copies)[:, None]
    # centring also needs predictions for the training songs
    rows = [np.arange(n) if centre else split.test for split in splits]
    wide = [replace(s, test=(below + r).ravel()) for s, r in zip(splits, rows, strict=True)]
    fits = run_ridge(
        stacked, np.tile(songs.ratings, (copies, 1)), wide, make_plan(mix, protocol),
        groups=np.tile(artist, copies), n_jobs=n_jobs,
    )  # fmt: skip
    predicted = np.empty((len(subsets), len(folds), n, m))
    left_out = np.empty((artist.max() + 1, *predicted.shape))
    for split, r, fit in zip(splits, rows, fits, strict=True):
        values = fit["predicted"].reshape(len(subsets), len(r), m)
        without = fit["leave_artist_out"].reshape(-1, len(subsets), len(r), m)
        if centre:
            at = split.repeat, split.test[0]
            shift = empty.predicted[at] - values[:, split.train].mean(axis=1, keepdims=True)
            values = (values + shift)[:, split.test]
            for omitted in range(len(without)):
                kept = split.train[artist[split.train] != omitted]
                mean = without[omitted][:, kept].mean(axis=1, keepdims=True)
                without[omitted] += empty.leave_artist_out[(omitted, *at)] - mean
            without = without[:, :, split.test]
        predicted[:, split.repeat, split.test] = values
        left_out[:, :, split.repeat, split.test] = without
    return [
        replace(empty, predicted=values, leave_artist_out=without)
        for values, without in zip(predicted, left_out.swapaxes(0, 1), strict=True)
    ]


def _parts(songs: Songs) -> list[str]:
    names = np.unique(songs.styles.astype(str)).tolist()
    return ["all", "within", *names] if len(names) > 1 else ["all"]


def _collect(songs: Songs, results: Iterable[ProbeResult]) -> dict[str, np.ndarray]:
    """Compute the scores and influences for each subset, and stack them with the predictions."""
    m = len(songs.targets)
    keep = [0] if len(_parts(songs)) == 1 else [0, 2, *range(3, 1 + len(_parts(songs)))]
    arrays = {"predicted": [], "r2": [], "influence": [], "leave_artist_out": []}
    for result in results:
        r2, influence = artist_influence(replace(result, songs=songs), style_statistic)
        arrays["r2"].append(r2.reshape(-1, m)[keep])
        arrays["influence"].append(influence.reshape(len(influence), -1, m)[:, keep])
        arrays["predicted"].append(result.predicted.mean(axis=0))
        left_out = result.leave_artist_out.mean(axis=1)
        arrays["leave_artist_out"].append(left_out.astype(np.float32))
    by_artist = ("influence", "leave_artist_out")
    return {k: np.stack(v, axis=1 if k in by_artist else 0) for k, v in arrays.items()}
