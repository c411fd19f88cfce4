import hashlib
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline import pretrained
from pipeline.errors import UserError
from pipeline.pretrained import Published, Weights, fetch, find, identify, missing

BODY = b"weights " * 1000


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty cache, and a table with two networks whose hashes are those of BODY."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    md5 = hashlib.md5(BODY).hexdigest()
    table = {name: Published(folder="x", file=f"{name}.h5", md5=md5) for name in ("MobileNet", "MobileNetV3Small")}
    monkeypatch.setattr(pretrained, "KNOWN", table)
    return tmp_path


@pytest.fixture
def serve(monkeypatch):
    """`serve(body)` makes that what the network answers with; None is a 404. Returns the paths asked for."""
    asked, bodies, servers = [], [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(404 if bodies[-1] is None else 200)
            self.end_headers()
            self.wfile.write(bodies[-1] or b"")

        def log_message(self, *_):
            pass

    def start(body):
        bodies.append(body)
        if not servers:
            servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            threading.Thread(target=servers[0].serve_forever, daemon=True).start()
            monkeypatch.setattr(pretrained, "HOME", f"http://127.0.0.1:{servers[0].server_port}")
        return asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def put(name: str, body: bytes = BODY) -> None:
    pretrained.cache().mkdir(parents=True, exist_ok=True)
    (pretrained.cache() / f"{name}.h5").write_bytes(body)


def test_none_means_none_and_auto_too_where_nothing_is_cached():
    assert find("none") is None
    assert find("auto") is None
    assert missing("none") == ()


def test_auto_takes_what_is_cached_whole():
    put("MobileNetV3Small")
    put("MobileNet", BODY[:-1])
    assert find("auto").name == "MobileNetV3Small"
    put("MobileNet")
    assert find("auto").name == "MobileNet"
    assert missing("auto") == ()


def test_a_name_means_the_same_weights_before_and_after_they_are_fetched(serve):
    before = find("MobileNet")
    serve(BODY)
    assert fetch("MobileNet") == ""
    assert find("MobileNet") == before
    assert before.path.read_bytes() == BODY


def test_auto_fetches_the_first_that_can_be_had(serve):
    asked = serve(BODY)
    assert fetch("auto") == ""
    assert asked == ["/x/MobileNet.h5"]
    assert fetch("auto") == ""
    assert len(asked) == 1


@pytest.mark.parametrize(("body", "reason"), [(None, "cannot be fetched"), (b"other", "not what was published")])
def test_what_cannot_be_had_or_is_something_else_is_said_and_not_kept(serve, body, reason):
    asked = serve(body)
    assert reason in fetch("auto")
    assert asked == ["/x/MobileNet.h5", "/x/MobileNetV3Small.h5"]
    assert list(pretrained.cache().iterdir()) == []
    assert find("auto") is None


def test_without_a_network_it_says_so(monkeypatch):
    monkeypatch.setattr(pretrained, "HOME", "http://127.0.0.1:9")
    assert "cannot be fetched" in fetch("auto")


def test_a_slow_download_is_given_up(serve, monkeypatch):
    serve(BODY * 100)
    monkeypatch.setattr(pretrained, "MOST", 1000)
    assert "takes too long" in fetch("MobileNet")
    assert list(pretrained.cache().iterdir()) == []


def test_a_file_is_told_by_its_content(home):
    path = home / "mine.weights.h5"
    path.write_bytes(b"one")
    one = find(str(path))
    path.write_bytes(b"two!")
    assert (one.name, one.path) == ("", path)
    assert find(str(path)).digest != one.digest
    assert str(one).startswith("mine.weights.h5 ")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_waited_for(home, make):
    make(home / "some.h5")
    with pytest.raises(UserError, match=r"classifier\.backbone = .*some\.h5: this is no file; name a file of weights"):
        find(str(home / "some.h5"))


def test_a_file_without_end_is_not_read(home):
    for path in (home / "some.h5", pretrained.published("MobileNet").path):
        path.parent.mkdir(exist_ok=True, parents=True)
        with path.open("wb") as file:
            file.truncate(1 << 42)
    with pytest.raises(UserError, match="200,000,000 bytes at most"):
        find(str(home / "some.h5"))
    assert not pretrained.is_cached("MobileNet")


def save(path: Path, *shapes: tuple[int, ...], **others: tuple[int, ...]) -> Weights:
    with h5py.File(path, "w") as file:
        for number, shape in enumerate(shapes):
            file.create_dataset(f"layers/vars/{number}", data=np.zeros(shape, np.float32))
        for name, shape in others.items():
            file.create_dataset(f"{name}/vars/0", data=np.zeros(shape, np.float32))
    return find(str(path))


def told(given: Weights) -> str:
    with pytest.raises(UserError) as caught:
        identify(given, ["MobileNet", "MobileNetV3Small"], asked="classifier.backbone", instead="none")
    assert str(caught.value).isprintable()
    assert re.match(
        r"classifier\.backbone = .*: these are no weights of MobileNet or MobileNetV3Small", str(caught.value)
    )
    assert str(caught.value).endswith("`model.save_weights` of one of them wrote, or classifier.backbone = none")
    return str(caught.value)


def test_a_file_is_of_the_network_that_has_as_many_numbers(home):
    some = save(home / "some.h5", (939_000,), (4, 30), optimizer=(5,))
    assert identify(some, ["MobileNet", "MobileNetV3Small"], asked="x", instead="none") == "MobileNetV3Small"
    named = pretrained.published("MobileNet")  # and looked through when it was fetched
    assert identify(named, ["MobileNet"], asked="x", instead="none") == "MobileNet"


def test_a_file_of_another_network_is_told_without_building_any(home):
    assert "the file holds 34 numbers" in told(save(home / "some.h5", (4, 8), (2,)))


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x1c\0\0\0TFL3" * 9, b"\x89HDF\r\n\x1a\n" + bytes(999)])
def test_a_file_of_something_else_is_told(home, content):
    (home / "some.h5").write_bytes(content)
    assert "the file is no HDF5 file, or not a whole one" in told(find(str(home / "some.h5")))


def test_a_file_that_keras_would_take_for_something_else_is_told(home):
    assert "another kind of name" in told(save(home / "some.bin", (939_000,), (120,)))


def test_weights_that_are_no_numbers_are_told(home):
    given = save(home / "some.h5", (939_000,), (120,))
    with h5py.File(given.path, "a") as file:
        file["layers/vars/1"][7] = np.nan
    assert "the file holds /layers/vars/1 with NaN or infinite numbers" in told(given)


@pytest.mark.parametrize("wrong", ["x" * 5000, "a\0b", "MobileNett", "InceptionV3", "/no/such.h5", ""])
def test_what_is_neither_a_name_nor_a_file_is_one_line(wrong):
    with pytest.raises(
        UserError, match=r"classifier\.backbone = .*no such file, and no network of that name"
    ) as caught:
        find(wrong)
    assert "\n" not in str(caught.value)


def test_a_near_name_is_named():
    with pytest.raises(UserError, match="did you mean 'MobileNet'"):
        find("MobilNet")
