import pytest


@pytest.fixture(autouse=True, scope="module")
def _own_cache(own_cache):
    """Descriptors of signals are kept."""
