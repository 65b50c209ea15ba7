"""Check errors by their fields, so that tests do not depend on the wording of messages."""

from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def raises(error: type[Exception], kind: str, **fields):
    """Expect an error like `pytest.raises`, and check its `kind` and other fields.

    For `path`, only file names are compared.
    """
    with pytest.raises(error) as caught:
        yield caught
    assert caught.value.kind == kind, f"{caught.value.kind!r}: {caught.value}"
    for name, expected in fields.items():
        value = getattr(caught.value, name)
        if name == "path":
            value, expected = Path(value).name, Path(expected).name
        assert value == expected, f"{name} is {value!r}; expected {expected!r}"
