"""Expect an error by its fields, so that its wording can be improved."""

from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def raises(error: type[Exception], kind: str, **fields):
    """Expect an error as `pytest.raises` does, and check its `kind` and other fields.

    A `path` is compared by its last part; other fields by equality.
    """
    with pytest.raises(error) as caught:
        yield caught
    assert caught.value.kind == kind, f"{caught.value.kind!r}: {caught.value}"
    for name, expected in fields.items():
        value = getattr(caught.value, name)
        if name == "path":
            value, expected = Path(value).name, Path(expected).name
        assert value == expected, f"{name} is {value!r}, expected {expected!r}"
