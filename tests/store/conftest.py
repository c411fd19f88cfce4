"""A store of each kind."""

import pytest

from pipeline.store import object_store
from pipeline.store.object_store import ObjectStore, open_store


@pytest.fixture(params=["s3", "folder"])
def store(request, tmp_path) -> ObjectStore:
    """An empty store, of each kind."""
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    return open_store(request.getfixturevalue("bucket"))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    """What fails is tried again at once."""
    monkeypatch.setattr(object_store, "PAUSE", 0)
