"""Studies: folders that contain tracks, listeners and ratings.

Every chapter loads a study. The page “How to run and adapt” in the book describes the layout of a
study folder. Use :func:`validate_study` to check a folder.
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
