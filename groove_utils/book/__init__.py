"""From executed chapters to a book: values, figures, players, runs, pages.

A chapter opens with :func:`open_chapter`; what it reports goes through :func:`report_value`,
:func:`report_text`, :func:`show_figure`, :func:`show_table` and :func:`audio_player`, which put
it on the page and beside it into files. ``python -m groove_utils.book`` is what Make calls.
"""

import lazy_loader

# a module is imported when one of its names is: running a chapter needs none that draw
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "chapter": ["Chapter", "open_chapter"],
        "listening": ["listening_map"],
        "players": ["audio_player"],
        "outputs": ["report_text", "report_value", "show_figure", "show_table"],
    },
)
