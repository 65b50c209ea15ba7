"""Linear mixed models with crossed random effects over listeners and tracks.

Chapter 08-mixed-models uses this family. :func:`fit_lmm` takes lme4's formulas and gives an
:class:`LmmResult`: fixed effects with Satterthwaite df, variance components, R², marginal means and
slopes, conditional modes, predictions, a report. The rest compares, checks and plans.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "compare": [
            "add_random_intercepts",
            "compare_error_models",
            "cumulative_link_check",
            "equivalence_test",
            "likelihood_ratio_test",
            "random_effect_tests",
            "variance_partition",
        ],
        "diagnostics": ["check_residuals", "leave_one_group_out", "residual_table"],
        "formula": ["LmmError", "LmmWarning"],
        "intervals": ["bootstrap"],
        "marginal": ["MarginalMeans"],
        "model": ["LmmResult", "fit_lmm"],
        "moderators": ["join_facts", "slopes_by_fact"],
        "power": ["power_simulation", "simulate_ratings"],
        "multi_outcome": ["compare_questions", "crossed_variances", "partition_by_question"],
        "recovery": ["recovery_table"],
        "robustness": ["robustness_table"],
        "reliability": [
            "icc",
            "noise_ceiling",
            "normalise_by_ceiling",
            "rater_curve",
            "rating_variances",
            "split_half",
        ],
    },
)
