"""Pretrained models: which there are, and what they make of a song.

Chapter 05 introduces them, chapters 06 and 07 probe them. Heavy libraries (torch, onnxruntime,
transformers) are imported when a model is loaded, not with this module.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "adapters": ["Adapter", "EmbedError", "ModelRefusedError", "ModelUnavailableError"],
        "cards": ["ModelCard"],
        "catalogue": [
            "list_models",
            "model_card",
            "register_model",
            "unregister_model",
        ],
        "embedding": ["Embedding"],
        "extract": ["embed_audio", "embed_models", "embed_study", "embed_tracks"],
        "loading": ["forget_models", "load_model"],
        "stem_mixes": ["embed_stem_sums"],
        "models.huggingface.clap": ["embed_text"],
    },
)
