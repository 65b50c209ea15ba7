import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """What tests record about models, and cache, stays out of the project's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROOVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("EXECUTOR", raising=False)
        patch.setenv("GROOVE_DEVICE", "cpu")
        yield
