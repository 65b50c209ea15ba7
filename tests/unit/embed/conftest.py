import pytest

from groove_utils.cache import ArrayCache
from groove_utils.embed import loading, register_model, unregister_model


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Use temporary folders for the cache and for records of models."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROOVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("EXECUTOR", raising=False)
        patch.setenv("GROOVE_DEVICE", "cpu")
        patch.setattr(loading, "KEPT", 100)  # toy models would replace the slow models
        yield


@pytest.fixture
def cache(tmp_path):
    return ArrayCache(tmp_path / "vectors")


@pytest.fixture
def register():
    """Function that registers a class as a model for one test and returns the model's name."""
    names = []

    def add(kind, name=""):
        names.append(name or kind.__name__.lower())
        register_model(names[-1], kind, replace=True)
        return names[-1]

    yield add
    for name in names:
        unregister_model(name)
