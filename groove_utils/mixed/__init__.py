"""Linear mixed models with crossed random effects over listeners and tracks.

Chapter 08-mixed-models uses this family. :func:`fit_lmm` takes lme4's formulas and gives an
:class:`LmmResult`.
"""

from groove_utils.mixed.formula import LmmError, LmmWarning
from groove_utils.mixed.marginal import MarginalMeans
from groove_utils.mixed.model import LmmResult, fit_lmm

__all__ = ["LmmError", "LmmResult", "LmmWarning", "MarginalMeans", "fit_lmm"]
