"""From embeddings to ratings: splits, ridge, scores, ceilings, comparisons.

Chapters 01 (agreement, noise ceiling), 04 (correlations), 06 (probing) and 07 (stems) use it.
Features are an (n_songs, d) array or a mapping of layer → such arrays; targets are a Series or
DataFrame of song-level ratings; artists make the groups that no split may cut, styles the strata
that folds are balanced over.
"""

from groove_utils.probe.ablation import (
    Ablation,
    ablate,
    ablation_scores,
    attribute_songs,
    contrast,
    contributions,
    paper_scores,
)
from groove_utils.probe.bootstrap import bootstrap_scores, compare_models
from groove_utils.probe.ceiling import (
    icc,
    noise_ceiling,
    normalise_by_ceiling,
    rater_curve,
    rating_variances,
    split_half,
)
from groove_utils.probe.correlate import correlate, error_table, fisher_interval
from groove_utils.probe.dependence import parabola, partial_dependence
from groove_utils.probe.folds import artist_folds, check_folds
from groove_utils.probe.inputs import ProbeError
from groove_utils.probe.layers import layer_profile
from groove_utils.probe.leaks import find_leaks
from groove_utils.probe.learning import learning_curve, rater_learning_curve, songs_needed
from groove_utils.probe.partition import variance_partition
from groove_utils.probe.permutation import permutation_test, permute_songs
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.ridge import DEFAULT_ALPHAS, nested_ridge, nested_ridges, paper_protocol
from groove_utils.probe.rivals import nested_estimator, nested_rival, random_projection_control
from groove_utils.probe.rsa import rsa
from groove_utils.probe.scaling import FloorScaler
from groove_utils.probe.style import style_baseline, style_scores, transfer_matrix

__all__ = [
    "DEFAULT_ALPHAS",
    "Ablation",
    "FloorScaler",
    "ProbeError",
    "ProbeResult",
    "ablate",
    "ablation_scores",
    "artist_folds",
    "attribute_songs",
    "bootstrap_scores",
    "check_folds",
    "compare_models",
    "contrast",
    "contributions",
    "correlate",
    "error_table",
    "find_leaks",
    "fisher_interval",
    "icc",
    "layer_profile",
    "learning_curve",
    "nested_estimator",
    "nested_ridge",
    "nested_ridges",
    "nested_rival",
    "noise_ceiling",
    "normalise_by_ceiling",
    "paper_protocol",
    "paper_scores",
    "parabola",
    "partial_dependence",
    "permutation_test",
    "permute_songs",
    "random_projection_control",
    "rater_curve",
    "rater_learning_curve",
    "rating_variances",
    "rsa",
    "songs_needed",
    "split_half",
    "style_baseline",
    "style_scores",
    "transfer_matrix",
    "variance_partition",
]
