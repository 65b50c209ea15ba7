"""Explanations of spectrogram classifiers, and evaluation of the explanations.

An explanation is an array with the same shape as the input. For each cell of the spectrogram (one
mel band in one frame), it contains the evidence for a class. Inputs `X` have the shape (n, n_mels,
n_frames), and `targets`, shape (n,), are class indices. A cell is hidden by replacing its value
with `baseline`, which is a number or an array that can be broadcast to the shape of `X`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy

import librosa
import numpy as np
import pandas as pd
import torch
from scipy.ndimage import gaussian_gradient_magnitude
from scipy.stats import rankdata
from torch import nn

from groove_utils.cache import ArrayCache
from groove_utils.errors import DetailedError
from groove_utils.genre.network_results import cached_result
from groove_utils.networks.training import predict

__all__ = [
    "METHODS",
    "explain",
    "explain_all",
    "faithfulness",
    "hide_and_show",
    "keep_top",
    "masked_sound",
    "rank_similarity",
    "score_explanations",
    "shuffled_layers",
    "truth_scores",
]

METHODS = ("integrated gradients", "occlusion", "edges", "random")
"""Explanation methods. The last two ignore the network, so a good method must beat them."""


def explain(
    network: nn.Module, X: np.ndarray, targets: Sequence[int], method: str = METHODS[0], *,
    baseline: float | np.ndarray = 0.0, steps: int = 24, window: tuple[int, int] = (6, 8),
    seed: int = 0,
) -> np.ndarray:  # fmt: skip
    """Attribute the logit of a class to the cells of the input spectrogram.

    Parameters
    ----------
    network : torch.nn.Module
        Network that maps `X` to logits. It is switched to evaluation mode.
    X : ndarray of float32, shape (n, n_mels, n_frames)
    targets : sequence of int, shape (n,)
        For each example, the class whose logit is explained.
    method : str
        One of :data:`METHODS`. *Integrated gradients* sum to the difference between the logits of
        the input and of the baseline. *Occlusion* is the decrease in the logit when a window that
        contains the cell is hidden, averaged over all such windows. *Edges* (the gradient magnitude
        of the spectrogram) and *random* (Gaussian noise) ignore the network.
    baseline : float or ndarray
        Value to assign to hidden cells.
    steps : int
        Number of steps used to approximate the integral for *integrated gradients*.
    window : (int, int)
        Size, in bands and frames, of the windows hidden by *occlusion*. Neighbouring windows
        overlap by half.
    seed : int
        Random seed for the method *random*.

    Returns
    -------
    ndarray of float32, shape (n, n_mels, n_frames)

    Raises
    ------
    DetailedError
        If `X` has the wrong shape or contains NaN or infinite values, or `method` is unknown.

    References
    ----------
    Sundararajan et al. (2017), ICML (integrated gradients); Zeiler & Fergus (2014), ECCV
    (occlusion).

    Examples
    --------
    If the logit of class 1 is the sum of the cells, each cell's attribution is its value.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    >>> _ = nn.init.ones_(network[1].weight)
    >>> X = np.arange(4, dtype=np.float32).reshape(1, 2, 2)
    >>> explain(network, X, [1], steps=2).round(6).tolist()
    [[[0.0, 1.0], [2.0, 3.0]]]
    """
    X = _check_input(X, targets)
    if method == "random":
        return np.random.default_rng(seed).normal(size=X.shape).astype(np.float32)
    if method == "edges":
        return np.stack([gaussian_gradient_magnitude(x, 1.0) for x in X])
    if method not in METHODS:
        raise DetailedError(
            f"unknown method {method!r}; expected one of {', '.join(METHODS)}.",
            kind="unknown_method", value=method,
        )  # fmt: skip
    from captum.attr import IntegratedGradients, Occlusion  # slow to import

    network.eval()
    x, target = torch.tensor(X), torch.as_tensor(np.asarray(targets))
    hidden = torch.tensor(np.broadcast_to(np.float32(baseline), X.shape).copy())
    if method == "occlusion":
        size = tuple(min(pair) for pair in zip(window, X.shape[1:], strict=True))
        with torch.inference_mode():
            values = Occlusion(network).attribute(
                x, size, strides=tuple(max(1, n // 2) for n in size), baselines=hidden,
                target=target, perturbations_per_eval=4,
            )  # fmt: skip
    else:
        values = IntegratedGradients(network).attribute(
            x, hidden, target=target, n_steps=steps, internal_batch_size=256
        )
    return values.detach().numpy().astype(np.float32)


def _check_input(X, targets) -> np.ndarray:
    """Return the input as a float32 array; raise an error if it is not valid."""
    X = np.asarray(X, dtype=np.float32)
    if X.ndim != 3 or len(X) != len(targets) or not np.isfinite(X).all():
        raise DetailedError(
            f"X has shape {X.shape} for {len(targets)} targets; expected finite numbers "
            "of shape (n, n_mels, n_frames), and one target per example.",
            kind="unusable_input", value=X.shape,
        )  # fmt: skip
    return X


def explain_all(
    network: nn.Module, X: np.ndarray, targets: Sequence[int],
    methods: Sequence[str] = METHODS, *, cache: ArrayCache | None = None, **options,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Compute explanations with several methods, or read them from the cache.

    Parameters
    ----------
    network, X, targets
        As in :func:`explain`.
    methods : sequence of str
        Names from :data:`METHODS`.
    cache : ArrayCache, optional
        Cache to use; by default, the project's cache ``explanations``.
    **options
        Options passed to :func:`explain`. Each must be a number, an array or a tuple of numbers.

    Returns
    -------
    dict of str to ndarray of float32, shape (n, n_mels, n_frames)
        Explanations by method.
    """
    cache = ArrayCache(namespace="explanations") if cache is None else cache
    X, targets = np.asarray(X, dtype=np.float32), np.asarray(targets, dtype=np.int64)

    def compute():
        return {method: explain(network, X, targets, method, **options) for method in methods}

    facts = [list(methods), options]
    return cached_result(cache, "explanations", network, facts, [X, targets], compute)


def score_explanations(
    network: nn.Module, X: np.ndarray, targets: Sequence[int], maps: Mapping[str, np.ndarray], *,
    baseline: float | np.ndarray = 0.0, cache: ArrayCache | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Score explanations by hiding parts of the input, or read the scores from the cache.

    Parameters
    ----------
    network, X, targets, baseline
        As in :func:`explain`; the targets must be the predicted classes.
    maps : mapping of str to ndarray
        Explanations by name, from :func:`explain_all`.
    cache : ArrayCache, optional
        Cache to use; by default, the project's cache ``explanations``.

    Returns
    -------
    scores : DataFrame
        Output of :func:`faithfulness`, with one row per explanation.
    curves : DataFrame
        Output of :func:`hide_and_show`, with an additional column ``explanation``.
    """
    cache = ArrayCache(namespace="explanations") if cache is None else cache

    def compute():
        hidden = {"baseline": baseline}
        scores = pd.DataFrame([faithfulness(network, X, e, **hidden) for e in maps.values()])
        curves = pd.concat(hide_and_show(network, X, targets, e, **hidden) for e in maps.values())
        return {name: column.to_numpy() for name, column in [*scores.items(), *curves.items()]}

    facts = ["faithfulness", "hide_and_show", list(maps), baseline]
    arrays = [np.asarray(X), np.asarray(targets, dtype=np.int64), *maps.values()]
    columns = cached_result(cache, "explanations", network, facts, arrays, compute)
    n_shares = len(columns["share"]) // len(maps)
    names = pd.Index(maps, name="explanation")
    curves = pd.DataFrame({name: columns[name] for name in ("share", "deletion", "insertion")})
    curves["explanation"] = names.repeat(n_shares)
    score_names = [name for name in columns if name not in curves]
    return pd.DataFrame({name: columns[name] for name in score_names}, index=names), curves


def keep_top(explanation: np.ndarray, share: float) -> np.ndarray:
    """Mark the cells that an explanation ranks highest in each example.

    Parameters
    ----------
    explanation : ndarray, shape (n, n_mels, n_frames)
    share : float
        Proportion of cells to mark, between 0 and 1. The resulting number of cells is rounded to an
        integer.

    Returns
    -------
    ndarray of bool, shape (n, n_mels, n_frames)
        True for marked cells.

    Examples
    --------
    >>> keep_top(np.array([[[3.0, 1.0], [2.0, 0.0]]]), 0.5).tolist()
    [[[True, False], [True, False]]]
    """
    flat = explanation.reshape(len(explanation), -1)
    order = np.argsort(-flat, axis=1, kind="stable")
    marked = np.zeros(flat.shape, dtype=bool)
    np.put_along_axis(marked, order[:, : round(share * flat.shape[1])], True, axis=1)
    return marked.reshape(explanation.shape)


def hide_and_show(
    network: nn.Module, X: np.ndarray, targets: Sequence[int], explanation: np.ndarray, *,
    baseline: float | np.ndarray = 0.0, shares: Sequence[float] = tuple(np.linspace(0, 1, 11)),
) -> pd.DataFrame:  # fmt: skip
    """Compute deletion and insertion curves for an explanation.

    Parameters
    ----------
    network, X, targets, baseline
        As in :func:`explain`.
    explanation : ndarray, shape (n, n_mels, n_frames)
    shares : sequence of float
        Proportions of cells to delete or insert, starting with the top-ranked cells.

    Returns
    -------
    DataFrame
        One row per share: ``share``, and the mean probability of the targets when the top-ranked
        cells are hidden (``deletion``) and when only these cells are shown (``insertion``). With a
        good explanation, ``deletion`` falls early and ``insertion`` rises early. If the shares are
        evenly spaced, the mean of a column approximates the area under its curve.

    References
    ----------
    Petsiuk et al. (2018), "RISE", BMVC.
    """
    rows = []
    for share in shares:
        top = keep_top(explanation, share)
        rows.append(
            {
                "share": share,
                "deletion": _probability(network, X, targets, ~top, baseline).mean(),
                "insertion": _probability(network, X, targets, top, baseline).mean(),
            }
        )
    return pd.DataFrame(rows)


def faithfulness(
    network: nn.Module, X: np.ndarray, explanation: np.ndarray, *,
    baseline: float | np.ndarray = 0.0, share: float = 0.2,
) -> pd.Series:  # fmt: skip
    """Compute faithfulness scores for explanations of the predicted class.

    Let p be the probability of the predicted class, p₊ its probability if only the explanation's
    top-ranked cells are shown, and p₋ its probability if these cells are hidden. The scores are
    means over the examples.

    Parameters
    ----------
    network, X, baseline
        As in :func:`explain`.
    explanation : ndarray, shape (n, n_mels, n_frames)
        Explanation of each input's predicted class.
    share : float
        Proportion of cells that count as top-ranked.

    Returns
    -------
    Series
        ``AI``, average increase: proportion of examples with p₊ > p. ``AD``, average drop:
        max(0, p − p₊) / p. ``AG``, average gain: max(0, p₊ − p) / (1 − p). ``FF``, faithfulness:
        p − p₋. ``Fid-In``, input fidelity: proportion of examples whose predicted class stays the
        same if only the top-ranked cells are shown. Higher is better for all scores except AD.

    References
    ----------
    Chattopadhay et al. (2018), "Grad-CAM++", WACV (AI, AD); Zhang et al. (2024), "Opti-CAM", CVIU
    (AG); Paissan et al. (2024), "Listenable maps for audio classifiers", ICML (FF, Fid-In).
    """
    p = predict(network, np.asarray(X, dtype=np.float32))
    classes = p.argmax(axis=1)
    p = p[np.arange(len(p)), classes].astype(np.float64)
    top = keep_top(explanation, share)
    p_top = predict(network, _hide(X, top, baseline))
    unchanged = p_top.argmax(axis=1) == classes
    plus = p_top[np.arange(len(p)), classes]
    minus = _probability(network, X, classes, ~top, baseline)
    scores = {
        "AI": plus > p,
        "AD": np.maximum(0, p - plus) / p,
        "AG": np.maximum(0, plus - p) / np.maximum(1 - p, 1e-12),
        "FF": p - minus,
        "Fid-In": unchanged,
    }
    return pd.Series({name: float(np.mean(values)) for name, values in scores.items()})


def truth_scores(explanation: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    """Score explanations against the cells that are known to be relevant.

    Parameters
    ----------
    explanation : ndarray, shape (n, n_mels, n_frames)
    truth : ndarray of bool, broadcastable to the shape of `explanation`
        True for relevant cells.

    Returns
    -------
    DataFrame
        One row per example. ``mass``: proportion of the positive attribution that lies on relevant
        cells. ``rank``: proportion of relevant cells among the k top-ranked cells, where k is the
        number of relevant cells. ``auc``: probability that a relevant cell is ranked above an
        irrelevant one. ``chance``: proportion of all cells that are relevant, which is the expected
        mass and rank of a random explanation (its expected AUC is 0.5). The mass is NaN if no
        attribution is positive. ``mass``, ``rank`` and ``auc`` are all NaN if no cells or all cells
        are relevant.

    References
    ----------
    Arras et al. (2022), "CLEVR-XAI", Information Fusion 81 (mass and rank accuracy).

    Examples
    --------
    >>> truth_scores(np.array([[[3.0, 1.0], [-2.0, 0.0]]]), np.array([[True, False]] * 2))
       mass  rank  auc  chance
    0  0.75   0.5  0.5     0.5
    """
    flat = np.asarray(explanation, dtype=np.float64).reshape(len(explanation), -1)
    true = np.broadcast_to(truth, np.shape(explanation)).reshape(flat.shape).astype(bool)
    rows = []
    for values, cells in zip(flat, true, strict=True):
        n_true, n_other = cells.sum(), (~cells).sum()
        if not (n_true and n_other):
            rows.append({"mass": np.nan, "rank": np.nan, "auc": np.nan, "chance": cells.mean()})
            continue
        weight = np.maximum(values, 0)
        first = np.argsort(-values, kind="stable")[:n_true]
        above = rankdata(values)[cells].sum() - n_true * (n_true + 1) / 2
        rows.append(
            {
                "mass": weight[cells].sum() / weight.sum() if weight.any() else np.nan,
                "rank": cells[first].mean(),
                "auc": above / (n_true * n_other),
                "chance": cells.mean(),
            }
        )
    return pd.DataFrame(rows)


def shuffled_layers(
    network: nn.Module, X: np.ndarray, seed: int = 0
) -> Iterator[tuple[str, nn.Module]]:
    """Randomise a network layer by layer, from the output to the input.

    Each step shuffles the weights of one more layer, which preserves their distribution. If an
    explanation hardly changes, it does not depend on what the shuffled layers have learnt.

    Parameters
    ----------
    network : torch.nn.Module
        Network to randomise; a copy is modified, not the network itself.
    X : ndarray of float32, shape (n, n_mels, n_frames)
        Examples; the first one is used to find the order in which layers are called.
    seed : int

    Yields
    ------
    name : str
        Name of the layer that was shuffled last.
    network : torch.nn.Module
        Partly shuffled copy in evaluation mode. Each step modifies and yields the same copy.

    References
    ----------
    Adebayo et al. (2018), "Sanity checks for saliency maps", NeurIPS.
    """
    network = deepcopy(network).eval()
    generator = torch.Generator().manual_seed(seed)
    layers = [(n, m) for n, m in network.named_modules() if [*m.parameters(recurse=False)]]
    calls: list[nn.Module] = []
    hooks = [m.register_forward_hook(lambda m, *_: calls.append(m)) for _, m in layers]
    with torch.inference_mode():
        network(torch.as_tensor(X[:1]))
    for hook in hooks:
        hook.remove()
    last_call = {id(module): number for number, module in enumerate(calls)}
    layers.sort(key=lambda layer: last_call.get(id(layer[1]), -1), reverse=True)
    for name, layer in layers:
        with torch.no_grad():
            for weights in layer.parameters(recurse=False):
                order = torch.randperm(weights.numel(), generator=generator)
                weights.copy_(weights.flatten()[order].reshape(weights.shape))
        yield name, network


def rank_similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute Spearman's rank correlation between two explanations for each example.

    Parameters
    ----------
    first, second : ndarray, shape (n, n_mels, n_frames)

    Returns
    -------
    ndarray, shape (n,)
        Correlation for each example, between −1 and 1; 0 if an explanation is constant.
    """
    a, b = (rankdata(values.reshape(len(values), -1), axis=1) for values in (first, second))
    a, b = (r - r.mean(axis=1, keepdims=True) for r in (a, b))
    norms = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return (a * b).sum(axis=1) / np.maximum(norms, 1e-12)


def masked_sound(
    y: np.ndarray, mask: np.ndarray, sr: int, *, n_fft: int, hop_length: int,
    cache: ArrayCache | None = None,
) -> np.ndarray:  # fmt: skip
    """Resynthesise selected mel bands and frames of a signal, using its original phase.

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,)
        Mono signal.
    mask : ndarray, shape (n_mels, n_frames)
        Gain of each spectrogram cell (one mel band in one frame), from 0 to 1.
    sr, n_fft, hop_length : int
        Sample rate, FFT size and hop length of the mel spectrogram to which the mask applies.
    cache : ArrayCache, optional
        Cache for results; by default, results are not cached.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Masked signal. If the mask is 1 everywhere, this is the original signal, limited to the
        frequency range of the mel bands.

    Notes
    -----
    The gain of a frequency bin is the mean gain of the mel bands that contain it, weighted by the
    mel filters. Bins outside all mel bands are silent.
    """
    y, mask = np.asarray(y, dtype=np.float32), np.asarray(mask, dtype=np.float32)

    def compute():
        spectrum = librosa.stft(y, n_fft=n_fft, hop_length=hop_length)
        filters = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=len(mask))
        cover = np.maximum(filters.sum(axis=0), 1e-10)
        gains = (filters / cover).T @ mask
        n_frames = min(gains.shape[1], spectrum.shape[1])
        spectrum[:, n_frames:] = 0
        spectrum[:, :n_frames] *= gains[:, :n_frames]
        return {"y": librosa.istft(spectrum, hop_length=hop_length, n_fft=n_fft, length=len(y))}

    facts = ["masked sound", sr, n_fft, hop_length]
    return cached_result(cache, "explanations", None, facts, [y, mask], compute)["y"]


def _hide(X: np.ndarray, shown: np.ndarray, baseline) -> np.ndarray:
    return np.where(shown, X, np.broadcast_to(np.float32(baseline), np.shape(X))).astype(np.float32)


def _probability(network, X, targets, shown, baseline) -> np.ndarray:
    p = predict(network, _hide(X, shown, baseline))
    return p[np.arange(len(p)), np.asarray(targets)].astype(np.float64)
