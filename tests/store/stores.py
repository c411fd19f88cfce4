"""Stores for tests: an S3 server on loopback, a folder, and a store that misbehaves."""

import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from pipeline.store.object_store import ObjectStore, _open_store, open_store


@contextmanager
def s3_server() -> Iterator[str]:
    """An S3 server on loopback; gives its address, and lets this process and its children use it."""
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    facts = {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in facts.items():
            patch.setenv(name, value)
        _open_store.cache_clear()
        try:
            yield facts["AWS_ENDPOINT_URL"]
        finally:
            _open_store.cache_clear()
            server.stop()


def new_bucket() -> str:
    """The address of a new bucket of the server."""
    address = f"s3://tests-{uuid.uuid4().hex[:12]}"
    open_store(address).system.mkdir(address)
    return f"{address}/prefix"


@dataclass
class Misbehaving:
    """A file system of fsspec whose listing lags and whose puts fail, as often as asked."""

    system: Any
    lagging: int = 0  # how many of the newest names a listing lacks
    failing: int = 0  # how many puts fail from now on
    hidden: str = ""  # names with this text are not listed
    half: bool = False  # whether a put that fails leaves half of the data
    written: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.system, name)

    def ls(self, path: str, **options: Any) -> list[str]:
        """The listing, without the newest names."""
        hidden = self.written[len(self.written) - self.lagging :] if self.lagging else []
        found = self.system.ls(path, **options)
        found = [each for each in found if not self.hidden or self.hidden not in each]
        return [each for each in found if not any(name.startswith(each.rstrip("/")) for name in hidden)]

    def find(self, path: str, **options: Any) -> Any:
        """Every file below, without those that are hidden."""
        found = self.system.find(path, **options)
        for name in [name for name in found if self.hidden and self.hidden in name]:
            del found[name]  # of an object with `detail`
        return found

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        """Write, or fail."""
        if self.failing:
            self.failing -= 1
            if self.half and options.get("mode") != "create":
                self.system.pipe_file(path, value[: len(value) // 2])
            raise OSError("connection reset by peer")
        self.system.pipe_file(path, value, **options)
        self.written.append(path)

    def put_file(self, source: str, path: str, **options: Any) -> None:
        """Upload, or fail."""
        with open(source, "rb") as file:
            self.pipe_file(path, file.read())


def misbehaving(store: ObjectStore, **faults: Any) -> ObjectStore:
    """The same store with faults; its `system` has their number."""
    return ObjectStore(store.address, Misbehaving(store.system, **faults), store.root)


def environment() -> dict[str, str]:
    """What a child process needs to reach the server."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


@pytest.fixture(scope="session")
def s3():
    """The S3 server on loopback."""
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(s3) -> str:
    """The address of an empty bucket."""
    return new_bucket()
