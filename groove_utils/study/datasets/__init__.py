"""Catalogued data sets: description in YAML, conversion to a study folder in Python."""
