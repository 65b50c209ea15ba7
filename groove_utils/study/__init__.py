"""A study is a folder: who heard which tracks, and how they rated them.

Chapter 01 introduces it and every other chapter starts from it. The layout is on the book's page
"How to run and adapt"; :func:`validate_study` holds a folder to it.
"""

from groove_utils.study.catalogue import list_studies, prepare_study
from groove_utils.study.folder import Study, load_study
from groove_utils.study.problems import Problem, StudyError
from groove_utils.study.validate import validate_study

__all__ = [
    "Problem",
    "Study",
    "StudyError",
    "list_studies",
    "load_study",
    "prepare_study",
    "validate_study",
]
