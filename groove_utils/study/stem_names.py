"""Names of stems and of their sums, as in ``embeddings/<model>/drums+bass/``."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from groove_utils.errors import DetailedError

__all__ = ["STEMS", "parse_subset", "stem_subsets", "subset_name"]

STEMS = ("drums", "bass", "other", "vocals")
NO_STEMS = "none"


def stem_subsets(stems: Iterable[str] = STEMS) -> list[tuple[str, ...]]:
    """Return all non-empty subsets of the given stems, smallest first.

    Parameters
    ----------
    stems : iterable of str
        Names of the stems; by default, ``drums, bass, other, vocals``.

    Returns
    -------
    list of tuple of str
        2ⁿ − 1 subsets, sorted by size and then in the order of `stems`; the last subset contains
        all stems.

    Raises
    ------
    DetailedError
        If a stem is named twice (``kind="duplicate"``).

    Examples
    --------
    >>> stem_subsets(("drums", "bass"))
    [('drums',), ('bass',), ('drums', 'bass')]
    """
    stems = tuple(stems)
    if len(set(stems)) < len(stems):
        raise DetailedError(
            f"stems are {', '.join(stems)}; expected each name only once.",
            kind="duplicate",
            value=stems,
        )
    return [subset for size in range(1, len(stems) + 1) for subset in combinations(stems, size)]


def subset_name(subset: str | Iterable[str]) -> str:
    """Return a subset's name: its stems joined by plus signs, or ``'none'`` if it is empty.

    The usual stems come first, in the order drums, bass, other, vocals. Other stems follow in the
    given order.

    Examples
    --------
    >>> subset_name(("bass", "drums")), subset_name(())
    ('drums+bass', 'none')
    """
    subset = [subset] if isinstance(subset, str) else list(subset)
    usual = [stem for stem in STEMS if stem in subset]
    return "+".join(usual + [stem for stem in subset if stem not in usual]) or NO_STEMS


def parse_subset(subset: str | Iterable[str], stems: Iterable[str] = STEMS) -> tuple[str, ...]:
    """Return the stems of a subset in the order of `stems`.

    Parameters
    ----------
    subset : str or iterable of str
        Name of a subset, such as ``"drums+bass"``, or its stems.
    stems : iterable of str
        Names of all stems.

    Raises
    ------
    DetailedError
        If the subset contains an unknown stem, or the same stem twice (``kind="unknown_stem"``).

    Examples
    --------
    >>> parse_subset("bass+drums")
    ('drums', 'bass')
    """
    if isinstance(subset, str):
        subset = [] if subset == NO_STEMS else subset.split("+")
    names, stems = list(subset), list(stems)
    if not set(names) <= set(stems) or len(set(names)) < len(names):
        raise DetailedError(
            f"subset is {'+'.join(map(str, names))!r}; expected any of the stems "
            f"{', '.join(stems)}, each at most once.",
            kind="unknown_stem",
            value=tuple(names),
        )
    return tuple(stem for stem in stems if stem in names)
