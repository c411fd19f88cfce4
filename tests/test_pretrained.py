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
from pipeline.pretrained import Published, Weights, fetch_backbone, find_backbone, identify, missing_backbones

BODY = b"weights " * 1000


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """A folder with an empty cache, and a table of two networks whose MD5 is that of BODY."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    md5 = hashlib.md5(BODY).hexdigest()
    table = {name: Published(folder="x", file=f"{name}.h5", md5=md5) for name in ("MobileNet", "MobileNetV3Small")}
    monkeypatch.setattr(pretrained, "KNOWN", table)
    return tmp_path


@pytest.fixture
def serve(monkeypatch):
    """`serve(body)` makes a server respond with this body, or 404 if it is None. Returns the requested paths."""
    requested, bodies, servers = [], [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requested.append(self.path)
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
            monkeypatch.setattr(pretrained, "BASE_URL", f"http://127.0.0.1:{servers[0].server_port}")
        return requested

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def put_in_cache(name: str, body: bytes = BODY) -> None:
    pretrained.cache_folder().mkdir(parents=True, exist_ok=True)
    (pretrained.cache_folder() / f"{name}.h5").write_bytes(body)


def test_none_and_auto_without_cached_weights_give_none():
    assert find_backbone("none") is None
    assert find_backbone("auto") is None
    assert missing_backbones("none") == ()


def test_auto_finds_undamaged_cached_weights():
    put_in_cache("MobileNetV3Small")
    put_in_cache("MobileNet", BODY[:-1])
    assert find_backbone("auto").name == "MobileNetV3Small"
    put_in_cache("MobileNet")
    assert find_backbone("auto").name == "MobileNet"
    assert missing_backbones("auto") == ()


def test_named_weights_are_equal_before_and_after_fetching(serve):
    before = find_backbone("MobileNet")
    serve(BODY)
    assert fetch_backbone("MobileNet") == ""
    assert find_backbone("MobileNet") == before
    assert before.path.read_bytes() == BODY


def test_auto_fetches_the_first_available_weights(serve):
    requested = serve(BODY)
    assert fetch_backbone("auto") == ""
    assert requested == ["/x/MobileNet.h5"]
    assert fetch_backbone("auto") == ""
    assert len(requested) == 1


@pytest.mark.parametrize(("body", "reason"), [(None, "cannot be fetched"), (b"other", "MD5 is not the published one")])
def test_failed_or_wrong_download_is_reported_and_not_kept(serve, body, reason):
    requested = serve(body)
    assert reason in fetch_backbone("auto")
    assert requested == ["/x/MobileNet.h5", "/x/MobileNetV3Small.h5"]
    assert list(pretrained.cache_folder().iterdir()) == []
    assert find_backbone("auto") is None


def test_fetch_without_a_network_reports_the_reason(monkeypatch):
    monkeypatch.setattr(pretrained, "BASE_URL", "http://127.0.0.1:9")
    assert "cannot be fetched" in fetch_backbone("auto")


def test_slow_download_is_given_up(serve, monkeypatch):
    serve(BODY * 100)
    monkeypatch.setattr(pretrained, "MAX_BYTES", 1000)
    assert "takes too long" in fetch_backbone("MobileNet")
    assert list(pretrained.cache_folder().iterdir()) == []


def test_digest_of_a_file_depends_on_its_content(empty_cache):
    path = empty_cache / "mine.weights.h5"
    path.write_bytes(b"one")
    one = find_backbone(str(path))
    path.write_bytes(b"two!")
    assert (one.name, one.path) == ("", path)
    assert find_backbone(str(path)).digest != one.digest
    assert str(one).startswith("mine.weights.h5 ")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_path_that_is_not_a_file_raises_user_error(empty_cache, make):
    make(empty_cache / "some.h5")
    message = r"classifier\.backbone = .*some\.h5: this is not a file; name a file of weights"
    with pytest.raises(UserError, match=message):
        find_backbone(str(empty_cache / "some.h5"))


def test_huge_file_is_not_read(empty_cache):
    for path in (empty_cache / "some.h5", pretrained.published("MobileNet").path):
        path.parent.mkdir(exist_ok=True, parents=True)
        with path.open("wb") as file:
            file.truncate(1 << 42)
    with pytest.raises(UserError, match="larger than 200,000,000 bytes"):
        find_backbone(str(empty_cache / "some.h5"))
    assert not pretrained.is_cached("MobileNet")


def save_weights(path: Path, *shapes: tuple[int, ...], **others: tuple[int, ...]) -> Weights:
    with h5py.File(path, "w") as file:
        for number, shape in enumerate(shapes):
            file.create_dataset(f"layers/vars/{number}", data=np.zeros(shape, np.float32))
        for name, shape in others.items():
            file.create_dataset(f"{name}/vars/0", data=np.zeros(shape, np.float32))
    return find_backbone(str(path))


def error_of(weights: Weights) -> str:
    with pytest.raises(UserError) as caught:
        identify(weights, ["MobileNet", "MobileNetV3Small"], option="classifier.backbone", alternative="none")
    assert str(caught.value).isprintable()
    assert re.match(
        r"classifier\.backbone = .*: these are no weights of MobileNet or MobileNetV3Small", str(caught.value)
    )
    assert str(caught.value).endswith("`model.save_weights` of one of them wrote, or classifier.backbone = none")
    return str(caught.value)


def test_identify_matches_the_number_of_weights(empty_cache):
    some = save_weights(empty_cache / "some.h5", (939_000,), (4, 30), optimizer=(5,))
    assert identify(some, ["MobileNet", "MobileNetV3Small"], option="x", alternative="none") == "MobileNetV3Small"
    named = pretrained.published("MobileNet")  # which was verified when it was fetched
    assert identify(named, ["MobileNet"], option="x", alternative="none") == "MobileNet"


def test_file_of_another_network_raises_user_error(empty_cache):
    assert "the file holds 34 numbers" in error_of(save_weights(empty_cache / "some.h5", (4, 8), (2,)))


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x1c\0\0\0TFL3" * 9, b"\x89HDF\r\n\x1a\n" + bytes(999)])
def test_file_of_another_format_raises_user_error(empty_cache, content):
    (empty_cache / "some.h5").write_bytes(content)
    assert "the file is no HDF5 file, or not a whole one" in error_of(find_backbone(str(empty_cache / "some.h5")))


def test_file_with_another_suffix_raises_user_error(empty_cache):
    assert "another suffix" in error_of(save_weights(empty_cache / "some.bin", (939_000,), (120,)))


def test_weights_with_nan_raise_user_error(empty_cache):
    weights = save_weights(empty_cache / "some.h5", (939_000,), (120,))
    with h5py.File(weights.path, "a") as file:
        file["layers/vars/1"][7] = np.nan
    assert "the file holds /layers/vars/1 with NaN or infinite numbers" in error_of(weights)


@pytest.mark.parametrize("wrong", ["x" * 5000, "a\0b", "MobileNett", "InceptionV3", "/no/such.h5", ""])
def test_unknown_backbone_raises_one_line_user_error(wrong):
    with pytest.raises(
        UserError, match=r"classifier\.backbone = .*no such file, and no network of that name"
    ) as caught:
        find_backbone(wrong)
    assert "\n" not in str(caught.value)


def test_similar_name_is_suggested():
    with pytest.raises(UserError, match="did you mean 'MobileNet'"):
        find_backbone("MobilNet")
