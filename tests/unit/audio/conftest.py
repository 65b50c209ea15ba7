import pytest


@pytest.fixture(autouse=True, scope="module")
def _own_cache(own_cache):
    """Inversions are kept."""
