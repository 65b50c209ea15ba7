"""Fit linear mixed models with crossed random effects, and estimate the reliability of ratings.

:func:`fit_lmm` fits a model specified by a formula in lme4's notation. It returns an
:class:`LmmResult`, whose methods provide fixed effects with Satterthwaite degrees of freedom,
variance components, R², marginal means and slopes, conditional modes, predictions and a written
report. Other functions estimate the reliability and the noise ceiling of ratings.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "ceiling": ["noise_ceiling", "normalise_by_ceiling"],
        "crossed": ["crossed_variances", "rating_variances"],
        "diagnostics": [
            "check_residuals",
            "leave_one_group_out",
            "residual_table",
            "share_at_ends",
        ],
        "error_models": ["add_random_intercepts", "compare_error_models"],
        "errors": ["LmmError", "LmmWarning"],
        "fit": ["fit_lmm"],
        "intervals": ["bootstrap"],
        "likelihood_ratio": ["likelihood_ratio_test", "random_effect_tests"],
        "marginal": ["MarginalMeans"],
        "moderators": ["join_facts", "slopes_by_fact"],
        "multi_outcome": ["compare_questions", "slopes_by_question"],
        "ordinal": ["cumulative_link_check"],
        "partition": ["partition_by_question", "variance_partition"],
        "power": ["assume_slope", "compare_power", "power_simulation"],
        "recovery": ["recovery_table"],
        "reliability": ["icc", "rater_curve", "split_half"],
        "result": ["LmmResult"],
        "robustness": ["robustness_table"],
        "simulation_check": ["simulation_table"],
        "slope_spread": ["positive_share"],
    },
)
