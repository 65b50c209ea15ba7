"""Studies: folders of tracks, listeners and ratings.

Every chapter starts from one. The layout is described on the book's page "How to run and adapt";
:func:`validate_study` checks a folder against it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "catalogue": ["get_dataset", "list_studies", "prepare_study"],
        "folder": ["Study", "load_study"],
        "problems": ["Problem", "StudyError", "UnknownNameError"],
        "validate": ["validate_study"],
    },
)
