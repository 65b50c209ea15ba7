"""Adapters for Hugging Face models that the library ``transformers`` can load."""
