"""Catalogued data sets, each described in YAML and converted to a study folder in Python."""
