"""Adapters of pretrained models: one file or folder per family of models."""
