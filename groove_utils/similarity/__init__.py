"""Compare songs and embeddings using maps, nearest neighbours, CKA and Mantel tests.

The chapters on embeddings and probing use these functions.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cka": ["compare_embeddings", "extreme_pairs", "layer_similarity", "linear_cka"],
        "mantel": ["mantel_test", "rsa"],
        "maps": ["last_hidden_layer", "song_map"],
        "neighbours": [
            "mean_silhouette",
            "nearest_songs",
            "neighbour_difference",
            "neighbour_rate",
            "style_separation",
        ],
    },
)
