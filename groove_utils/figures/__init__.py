"""The book's look: one theme, one colour a style, and the plots that recur.

Plotting functions take tidy tables and return a matplotlib figure.
"""

from groove_utils.figures.theme import style_palette, use_theme

__all__ = ["style_palette", "use_theme"]
