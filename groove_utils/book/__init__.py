"""Tools for executing chapters, reporting their results, and building the book.

A chapter first calls :func:`open_chapter`. It then calls :func:`report_value`,
:func:`report_texts`, :func:`show_figure`, :func:`show_table` and :func:`audio_player` to show
results on its page and save them to files. The Makefile runs ``python -m groove_utils.book``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "chapter": ["Chapter", "open_chapter"],
        "errors": ["BookError", "ChapterError"],
        "listening": ["listening_map"],
        "players": ["audio_player"],
        "outputs": [
            "report_counts",
            "report_effects",
            "report_percentages",
            "report_texts",
            "report_value",
            "report_values",
            "show_figure",
            "show_table",
        ],
    },
)
