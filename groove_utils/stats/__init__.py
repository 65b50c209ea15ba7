"""Statistics and number formatting: resampling, multiple testing, Mantel tests, Shapley values.

None of these functions is specific to music.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bootstrap": [
            "Interval",
            "bca_interval",
            "cluster_codes",
            "cluster_weights",
            "influence_draws",
            "influence_interval",
            "jackknife_influence",
        ],
        "distance_correlation": ["mantel", "order_codes", "unit_ranks"],
        "multiple_testing": ["holm"],
        "permutation": ["permutation_p", "permute"],
        "shapley": ["shapley_values"],
        "threads": ["one_thread"],
        "two_way_clusters": ["TwoWayInterval", "two_way_interval"],
        "validation": ["StatsError", "as_blocks", "as_labels", "as_targets", "label_codes"],
        "wording": ["format_count", "format_number", "format_p", "join_words", "typeset_minus"],
    },
)
