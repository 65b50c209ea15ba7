"""Pretrained models: catalogue, weights, and extraction of embeddings.

The chapter on embeddings introduces the models; the chapters on probing and stem ablation use them.
Heavy libraries (torch, onnxruntime, transformers) are imported only when a model is loaded.
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
        "stem_sums": ["embed_stem_sums"],
        "models.huggingface.clap": ["embed_text"],
    },
)
