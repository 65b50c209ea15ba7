"""Names of stems, and of the sums that can be made of them (chapter 07)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from groove_utils.study.tables import STEMS

__all__ = ["STEMS", "as_subset", "stem_subsets", "subset_name"]

NOTHING = "none"


def stem_subsets(stems: Sequence[str] = STEMS) -> list[tuple[str, ...]]:
    """All non-empty subsets of some stems, the smallest first.

    Parameters
    ----------
    stems : sequence of str
        ``drums, bass, other, vocals`` by default.

    Returns
    -------
    list of tuple of str
        2ⁿ − 1 subsets, by size, then in the order of `stems`; the last is all of them.

    Raises
    ------
    ValueError
        If a stem is named twice.

    Examples
    --------
    >>> stem_subsets(("drums", "bass"))
    [('drums',), ('bass',), ('drums', 'bass')]
    """
    stems = tuple(stems)
    if len(set(stems)) < len(stems):
        raise ValueError(f"stems are {', '.join(stems)}: one is named twice. Name each once.")
    return [subset for size in range(1, len(stems) + 1) for subset in combinations(stems, size)]


def subset_name(subset: str | Iterable[str]) -> str:
    """A subset as a reader says it, for instance ``'drums+bass'``; ``'none'`` for no stem.

    Parameters
    ----------
    subset : iterable of str
        The usual stems are put into their usual order (drums, bass, other, vocals), others are
        left as they come, after them.

    Examples
    --------
    >>> subset_name(("bass", "drums"))
    'drums+bass'
    """
    subset = [subset] if isinstance(subset, str) else list(subset)
    order = [stem for stem in STEMS if stem in subset]
    return "+".join(order + [stem for stem in subset if stem not in order]) or NOTHING


def as_subset(subset: str | Iterable[str], stems: Iterable[str]) -> tuple[str, ...]:
    """Stems of a subset, in the order of `stems`; also from a name like ``'drums+bass'``.

    Raises
    ------
    ValueError
        If the subset names a stem that is not there, or one twice.
    """
    if isinstance(subset, str):
        subset = [] if subset == NOTHING else subset.split("+")
    wanted, stems = list(subset), list(stems)
    unknown = [stem for stem in wanted if stem not in stems]
    if unknown or len(set(wanted)) < len(wanted):
        told = "+".join(map(str, wanted))
        raise ValueError(
            f"subset {told!r}: expected each of its stems once, out of {', '.join(stems)}."
        )
    return tuple(stem for stem in stems if stem in wanted)
