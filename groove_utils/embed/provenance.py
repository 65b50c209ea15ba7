"""Table of the models' sources, licences and fingerprints, for the page on provenance."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.embedding import Embedding
from groove_utils.embed.loading import load_model

__all__ = ["model_facts"]


def model_facts(embeddings: Mapping[str, Embedding]) -> pd.DataFrame:
    """Tabulate the source, licence and fingerprint of each embedding's model.

    Parameters
    ----------
    embeddings : mapping of str to Embedding
        Embeddings, keyed by model name.

    Returns
    -------
    pandas.DataFrame
        One row per model, with the columns ``model, source, licence, fingerprint``. The fingerprint
        is a hash of the loaded weights and buffers, or a dash if the embeddings are precomputed
        vectors from the study.
    """
    rows = []
    for name, embedding in embeddings.items():
        card = catalogued_models().get(name)
        computed = embedding.source == "computed"
        rows.append(
            {
                "model": name,
                "source": (card.source if card else "–") if computed else "vectors of the study",
                "licence": card.licence if card else "–",
                "fingerprint": load_model(name).fingerprint[:16] if computed else "–",
            }
        )
    return pd.DataFrame(rows)
