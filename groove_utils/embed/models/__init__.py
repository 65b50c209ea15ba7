"""Pretrained models: one file or folder per family."""
