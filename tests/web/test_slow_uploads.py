"""An upload may take longer than other requests, as long as its bytes keep arriving."""

import time
from concurrent.futures import ThreadPoolExecutor
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
    enough = {"pieces": int(2 * SHORT.body / 0.1), "size": int(SHORT.upload_rate / 8)}
    with served(SHORT) as (port, _), ThreadPoolExecutor() as threads:
        fast = threads.submit(sent_slowly, port, UPLOAD, **enough)
        slow = threads.submit(sent_slowly, port, UPLOAD, **{**enough, "size": 100})
        other = threads.submit(sent_slowly, port, POST, **enough)
        answers = [each.result()[9:12] for each in (fast, slow, other)]
    assert answers == [b"200", b"408", b"408"]
