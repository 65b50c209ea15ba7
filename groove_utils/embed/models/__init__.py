"""Adapters of pretrained models, with one file or folder per family of models."""
