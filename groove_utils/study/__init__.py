"""A study is a folder: who heard which tracks, and how they rated them.

Chapter 01 introduces it and every other chapter starts from it. The layout is on the book's page
"How to run and adapt"; :func:`validate_study` holds a folder to it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "catalogue": ["list_studies", "prepare_study"],
        "folder": ["Study", "load_study"],
        "problems": ["Problem", "StudyError"],
        "validate": ["validate_study"],
    },
)
