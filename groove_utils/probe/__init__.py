"""From embeddings to ratings: splits, ridge, scores, ceilings, comparisons.

Chapters 01 (agreement, noise ceiling), 04 (correlations), 06 (probing) and 07 (stems) use it.
Features are an (n_songs, d) array or a mapping of layer → such arrays; targets are a Series or
DataFrame of song-level ratings; artists make the groups that no split may cut, styles the strata
that folds are balanced over.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "ablation": [
            "Ablation",
            "ablate",
            "ablation_scores",
            "attribute_songs",
            "contrast",
            "contributions",
            "paper_scores",
        ],
        "bootstrap": ["bootstrap_scores", "compare_models"],
        "correlation": ["correlate", "error_table", "fisher_interval"],
        "dependence": ["parabola", "partial_dependence"],
        "folds": ["artist_folds", "check_folds"],
        "validation": ["ProbeError"],
        "layers": ["layer_profile"],
        "leaks": ["find_leaks"],
        "learning": ["learning_curve", "rater_learning_curve", "songs_needed"],
        "partition": ["variance_partition"],
        "permutation": ["permutation_test", "permute_songs"],
        "result": ["ProbeResult"],
        "ridge": ["DEFAULT_ALPHAS", "nested_ridge", "nested_ridges", "paper_protocol"],
        "baselines": ["nested_estimator", "nested_rival", "random_projection_control"],
        "scaling": ["ClippedStandardScaler"],
        "style": ["style_baseline", "style_scores", "transfer_matrix"],
    },
)
