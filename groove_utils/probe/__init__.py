"""Probes that predict ratings: folds, nested ridge regression, scores, tests and stem ablation.

This subpackage is used in the chapters on descriptors, probing and stem ablation. Features are an
array of shape (n_songs, d), or a mapping of layer names to such arrays; targets are a Series or
DataFrame with one rating per song. By default, all songs by the same artist are in the same fold,
and all folds have similar proportions of styles. A :class:`Protocol` contains the settings.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "ablation": ["Ablation", "ablate"],
        "baselines": ["nested_estimator", "random_projection_control"],
        "comparison": ["compare_models", "mean_difference", "songs_needed"],
        "correlation": ["correlate", "error_table", "fisher_interval"],
        "dependence": ["parabola", "partial_dependence", "two_lines"],
        "features": ["usable_descriptors"],
        "folds": ["artist_folds", "check_folds"],
        "intervals": ["bootstrap_scores"],
        "layers": ["layer_profile"],
        "leaks": ["find_leaks"],
        "learning": ["learning_curve", "rater_learning_curve"],
        "paper": ["paper_protocol", "single_precision_difference"],
        "partition": ["variance_partition"],
        "permutation": ["permutation_test"],
        "protocol": ["DEFAULT_ALPHAS", "Protocol"],
        "result": ["ProbeResult"],
        "ridge": ["nested_ridge", "nested_ridges"],
        "scaling": ["ClippedStandardScaler", "scale_facts"],
        "selection": ["inner_errors", "select_by_inner_folds"],
        "songs": ["ProbeError"],
        "stem_attribution": ["attribute_songs"],
        "stem_scores": [
            "ablation_scores",
            "contrast",
            "contributions",
            "paper_scores",
            "share_difference",
        ],
        "style": ["style_baseline", "style_scores"],
        "transfer": ["matched_transfer"],
    },
)
