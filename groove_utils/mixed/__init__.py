"""Linear mixed models with crossed random effects over listeners and tracks.

Chapter 08-mixed-models uses this family. :func:`fit_lmm` takes lme4's formulas and gives an
:class:`LmmResult`: fixed effects with Satterthwaite df, variance components, R², marginal means and
slopes, conditional modes, predictions, a report. The rest compares, checks and plans.
"""

from groove_utils.mixed.compare import (
    compare_error_models,
    cumulative_link_check,
    equivalence_test,
    likelihood_ratio_test,
    random_effect_tests,
    variance_partition,
)
from groove_utils.mixed.diagnostics import check_residuals, leave_one_group_out, residual_table
from groove_utils.mixed.formula import LmmError, LmmWarning
from groove_utils.mixed.intervals import bootstrap
from groove_utils.mixed.marginal import MarginalMeans
from groove_utils.mixed.model import LmmResult, fit_lmm
from groove_utils.mixed.power import power_simulation, simulate_ratings
from groove_utils.mixed.robustness import robustness_table

__all__ = [
    "LmmError",
    "LmmResult",
    "LmmWarning",
    "MarginalMeans",
    "bootstrap",
    "check_residuals",
    "compare_error_models",
    "cumulative_link_check",
    "equivalence_test",
    "fit_lmm",
    "leave_one_group_out",
    "likelihood_ratio_test",
    "power_simulation",
    "random_effect_tests",
    "residual_table",
    "robustness_table",
    "simulate_ratings",
    "variance_partition",
]
