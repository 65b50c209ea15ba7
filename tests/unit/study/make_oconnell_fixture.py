"""An invented table in the format of the ratings published by O'Connell et al. (2022)."""

from pathlib import Path

import numpy as np
import pandas as pd

REPEATED = "10000"  # identifier of two people


def make_ratings(path, n_listeners=6):
    """Write random ratings of 20 songs; return the file's path."""
    songs = [f"{group}{i}" for group in ("HG", "LG") for i in range(1, 11)]
    names = [f"{song} {query}" for song in songs for query in ("groove", "like", "familiar")]
    # as published: two headers of HG6 lack their number
    names = [{"HG6 like": "HG like", "HG6 familiar": "HG familiar"}.get(n, n) for n in names]
    values = np.random.default_rng(0).integers(1, 8, size=(n_listeners, 60))
    table = pd.DataFrame(values, columns=names).astype(str)
    # as published: two people have the same identifier, and one answer is missing
    ids = [str(10000 + k) for k in range(n_listeners - 1)]
    table.insert(0, "Participant ID", [*ids, REPEATED])
    table.loc[2, "HG1 groove"] = None
    table.to_csv(path, sep=";", index=False)
    return Path(path)
