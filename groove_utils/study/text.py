"""Normalise a study's text, and check names."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["as_label", "is_file_name", "is_label", "is_line", "plain_text"]

SPACES = re.compile(r"[^\S\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
# control characters, line breaks, and marks that change the writing direction
NOT_IN_A_LINE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
# markup of MyST and HTML: roles, directives, code, escapes, tags, links
MARKUP = re.compile(r"[`{}\\]|<[A-Za-z/!?]|\]\(")
TAG = re.compile(r"</?[A-Za-z!?][^<>]*>")
LONGEST_LINE = 1000  # characters
LONGEST_NAME = 251  # bytes; `<name>.npz` then has at most 255, the limit of most file systems


def plain_text(text: object) -> str:
    r"""Compose accents (NFC), collapse runs of spaces, and strip spaces from both ends.

    macOS stores accents in file names as separate characters, but spreadsheets do not.

    Examples
    --------
    >>> plain_text(" The\u00a0 Meters ")
    'The Meters'
    """
    return SPACES.sub(" ", unicodedata.normalize("NFC", str(text))).strip()


def is_line(text: str) -> bool:
    r"""Return True if a string is one line of at most 1,000 characters, without control characters.

    Examples
    --------
    >>> is_line("Cissy Strut"), is_line("Cissy\nStrut")
    (True, False)
    """
    return len(text) <= LONGEST_LINE and not NOT_IN_A_LINE.search(text)


def is_label(text: str) -> bool:
    """Return True if a name can be used in captions: one line without markup.

    Examples
    --------
    >>> is_label("R&B (slow)"), is_label("{download}`x`")
    (True, False)
    """
    return is_line(text) and not MARKUP.search(text)


def as_label(text: object) -> str:
    """Remove from a name everything that :func:`is_label` rejects.

    Examples
    --------
    >>> as_label("Do you like it? {1–7}")
    'Do you like it? 1–7'
    """
    text = TAG.sub(" ", str(text))
    return plain_text(MARKUP.sub(" ", NOT_IN_A_LINE.sub(" ", text)))[:LONGEST_LINE]


def is_file_name(text: str) -> bool:
    """Return True if an identifier is a valid file name rather than a path.

    Examples
    --------
    >>> is_file_name("AC-DC 1"), is_file_name("AC/DC"), is_file_name("..")
    (True, False, False)
    """
    if not is_line(text) or re.search(r"[/\\]", text) or text in {"", ".", ".."}:
        return False
    return len(text.encode()) <= LONGEST_NAME
