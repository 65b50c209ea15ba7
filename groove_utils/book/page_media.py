"""Figure and sound files that pages use."""

from __future__ import annotations

from pathlib import Path

__all__ = ["dark_twin", "is_shown", "list_media"]

FOLDERS = ("figures", "_static/audio")


def list_media(sources: Path) -> list[Path]:
    """List the figure and sound files in the folder of the pages."""
    return [file for folder in FOLDERS for file in sorted((sources / folder).glob("*"))]


def dark_twin(figure: Path) -> Path:
    """Return the path of the dark-theme version of a figure.

    Examples
    --------
    >>> dark_twin(Path("figures/06-probing-ladder.webp")).name
    '06-probing-ladder.dark.webp'
    """
    return figure.with_suffix(f".dark{figure.suffix}")


def is_shown(file: Path, text: str) -> bool:
    """Return True if a page's text contains the name of a figure or sound file.

    For the dark version of a figure, the text is searched for the name of the light version.

    Examples
    --------
    >>> is_shown(Path("a.dark.webp"), "![](figures/a.webp)")
    True
    """
    return file.name.replace(".dark.", ".") in text
