"""Adapters for pretrained models, with one file or folder per family of models."""
