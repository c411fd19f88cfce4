"""An upload may take longer than other requests, as long as its bytes keep arriving."""

import time
from contextlib import suppress

from tests.web.test_connections import POST, SHORT, answer, connect, served

UPLOAD = b"POST /api/v1/datasets/cats/pictures HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data\r\n"


def sent_slowly(port: int, head: bytes, *, pieces: int, size: int) -> bytes:
    """What the server answers to a body that comes in `pieces` of `size` bytes, ten a second."""
    with connect(port) as client:
        client.sendall(head + b"content-length: %d\r\nconnection: close\r\n\r\n" % (pieces * size))
        for _ in range(pieces):
            with suppress(ConnectionError):
                client.sendall(b"x" * size)
            time.sleep(0.1)
        return answer(client)


def test_upload_may_take_long_while_it_is_fast_enough_and_nothing_else_may():
    with served(SHORT) as (port, _):
        check_rates(port)


def check_rates(port: int) -> None:
    seconds = 2 * SHORT.body
    enough = {"pieces": int(seconds / 0.1), "size": int(SHORT.upload_rate / 8)}
    assert sent_slowly(port, UPLOAD, **enough).startswith(b"HTTP/1.1 200")
    assert b"408" in sent_slowly(port, UPLOAD, **{**enough, "size": 100})[:20]
    assert b"408" in sent_slowly(port, POST, **enough)[:20]
