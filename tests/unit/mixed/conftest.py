import pytest


@pytest.fixture(autouse=True, scope="module")
def _own_cache(own_cache):
    """Use a temporary cache, since results of slow mixed models are cached."""
