"""From executed chapters to a book: values, figures, players, runs, pages.

A chapter opens with :func:`open_chapter`; what it reports goes through :func:`report_value`,
:func:`report_text`, :func:`show_figure`, :func:`show_table` and :func:`audio_player`, which put
it on the page and beside it into files. ``python -m groove_utils.book`` is what Make calls.
"""

from groove_utils.book.chapter import Chapter, open_chapter
from groove_utils.book.listening import listening_map
from groove_utils.book.players import audio_player
from groove_utils.book.reports import report_text, report_value, show_figure, show_table

__all__ = [
    "Chapter",
    "audio_player",
    "listening_map",
    "open_chapter",
    "report_text",
    "report_value",
    "show_figure",
    "show_table",
]
