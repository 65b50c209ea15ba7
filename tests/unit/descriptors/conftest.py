import pytest


@pytest.fixture(autouse=True, scope="module")
def _own_cache(own_cache):
    """Use a temporary cache, since descriptors of signals are cached."""
