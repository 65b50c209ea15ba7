"""Conversion of MyST to plain Markdown, for notebooks opened outside the book."""

from __future__ import annotations

import re
from collections.abc import Mapping

from groove_utils.book.markdown import escape_text

__all__ = ["SOLUTION_MARK", "glue_texts", "plain_markdown"]

DIRECTIVE = re.compile(
    r"^([`~]{3,})\{[a-z-]+\} *([^\n]*)\n((?::[^\n]*\n)*)(.*?)^\1 *$", re.M | re.S
)
SOLUTION_MARK = re.compile(r"```\{solution-(start|end)\}[^\n]*\n(?::[^\n]*\n)*```")
ROLE = re.compile(r"\{([a-z:]+)\}`([^`]*)`")


def plain_markdown(text: str, texts: Mapping[str, str]) -> str:
    """Replace MyST directives with their titles and bodies, and MyST roles with their text.

    Parameters
    ----------
    text : str
        MyST source.
    texts : mapping of str to str
        Name in ``{glue:text}`` → reported value. Values are escaped, since they may contain text
        from a study. Missing values are replaced with an ellipsis.

    Returns
    -------
    str

    Examples
    --------
    >>> plain_markdown("{glue:text}`n` songs, see {doc}`02-next`", {"n": "8"})
    '8 songs, see chapter 2'
    """

    def directive(match: re.Match) -> str:
        title = f"### {match[2]}" if ":label:" in match[3] else f"**{match[2]}**"
        return f"{title}\n\n{match[4].strip()}\n"

    def role(match: re.Match) -> str:
        kind, content = match[1], match[2]
        if kind == "glue:text":
            return escape_text(texts.get(content, "…"))
        shown = content.partition(" <")[0]
        if kind == "doc" and (number := re.match(r"(\d\d)-", shown)):
            return f"chapter {int(number[1])}"
        return f"“{shown}”" if kind in {"numref", "doc"} else shown

    return ROLE.sub(role, DIRECTIVE.sub(directive, text))


def glue_texts(chapter: str, values: Mapping[str, Mapping]) -> dict[str, str]:
    """Map the names that a chapter can insert with ``{glue:text}`` to their values, as text."""
    texts = {}
    for key, entry in values.items():
        if key.startswith(f"{chapter}."):
            name = key.removeprefix(f"{chapter}.")
            texts |= {name: entry["text"], f"{name}_full": entry["full"]}
    return texts
