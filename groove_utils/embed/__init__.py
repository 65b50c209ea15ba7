"""Pretrained models: which there are, and what they make of a song.

Chapter 05 introduces them, chapters 06 and 07 probe them. Heavy libraries (torch, onnxruntime,
transformers) are imported when a model is loaded, not with this module.
"""

from groove_utils.embed.adapters import Adapter, ModelRefusedError, ModelUnavailableError
from groove_utils.embed.catalogue import (
    ModelCard,
    list_models,
    model_card,
    register_model,
    unregister_model,
)
from groove_utils.embed.embedding import Embedding
from groove_utils.embed.extract import embed_audio, embed_models, embed_study, embed_tracks
from groove_utils.embed.loading import forget_models, load_model
from groove_utils.embed.sums import embed_stem_sums

__all__ = [
    "Adapter",
    "Embedding",
    "ModelCard",
    "ModelRefusedError",
    "ModelUnavailableError",
    "embed_audio",
    "embed_models",
    "embed_stem_sums",
    "embed_study",
    "embed_text",
    "embed_tracks",
    "forget_models",
    "list_models",
    "load_model",
    "model_card",
    "register_model",
    "unregister_model",
]


def __getattr__(name: str):
    if name == "embed_text":
        from groove_utils.embed.transformers_models import embed_text

        return embed_text
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
