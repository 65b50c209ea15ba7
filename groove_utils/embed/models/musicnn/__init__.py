"""Adapter and networks for the four music taggers by Pons & Serra (2019)."""
