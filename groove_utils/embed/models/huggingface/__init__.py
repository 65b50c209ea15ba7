"""Adapters of models from the Hugging Face hub that the library ``transformers`` can load."""
