"""The questions that simulated listeners answer, and the groove score derived from the answers."""

from __future__ import annotations

from types import MappingProxyType

import pandas as pd

__all__ = ["QUESTIONS", "RATED", "SCALE", "groove_score"]

QUESTIONS = MappingProxyType(
    {
        "groove": "Derived groove score (from dance, listen, party and rhythm)",
        "dance": "I would like to dance to this music",
        "listen": "I like to listen to this music",
        "beat": "The beat of this music is easy to recognize",
        "party": "This music is great for a party",
        "rhythm": "This music has an interesting rhythm",
        "disturbing": "Something in this music is disturbing",
    }
)
RATED = tuple(query for query in QUESTIONS if query != "groove")
SCALE = (1, 100)


def groove_score(ratings: pd.DataFrame) -> pd.Series:
    """Compute the groove score, ``((dance + listen + party + rhythm) / 4 − 53) / 24``.

    Song means lie on about −1…1, as those of Marmoret et al. (2026) do; a single listener's score
    on about −2…2.
    """
    return (ratings[["dance", "listen", "party", "rhythm"]].mean(axis=1) - 53) / 24
