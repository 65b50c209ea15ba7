"""Adapters and networks of the four music taggers by Pons & Serra (2019)."""
