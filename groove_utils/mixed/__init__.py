"""Linear mixed models with crossed random effects over listeners and tracks.

Chapter 08-mixed-models uses this family. :func:`fit_lmm` takes lme4's formulas and gives an
:class:`LmmResult`: fixed effects with Satterthwaite df, variance components, R², marginal means and
slopes, conditional modes, predictions, a report. The rest compares, checks and plans.
"""

from groove_utils.mixed.compare import (
    add_random_intercepts,
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
from groove_utils.mixed.people import join_facts, slopes_by_fact
from groove_utils.mixed.power import power_simulation, simulate_ratings
from groove_utils.mixed.questions import (
    compare_questions,
    crossed_variances,
    partition_by_question,
)
from groove_utils.mixed.recovery import recovery_table
from groove_utils.mixed.robustness import robustness_table

__all__ = [
    "LmmError",
    "LmmResult",
    "LmmWarning",
    "MarginalMeans",
    "add_random_intercepts",
    "bootstrap",
    "check_residuals",
    "compare_error_models",
    "compare_questions",
    "crossed_variances",
    "cumulative_link_check",
    "equivalence_test",
    "fit_lmm",
    "join_facts",
    "leave_one_group_out",
    "likelihood_ratio_test",
    "partition_by_question",
    "power_simulation",
    "random_effect_tests",
    "recovery_table",
    "residual_table",
    "robustness_table",
    "simulate_ratings",
    "slopes_by_fact",
    "variance_partition",
]
