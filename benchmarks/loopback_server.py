"""A web server on loopback for benchmarks of crawls, in its own process: many addresses, each with bytes of its own."""

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[bytes], bytes | None]  # the body for a path; None: 404
BACKLOG = 1024
STATUS = {True: b"200 OK", False: b"404 Not Found"}


async def _handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer, delay: float) -> None:
    """Serve one connection with keep-alive until the client closes it."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            body = answer(head.split(b" ", 2)[1])
            if body is not None and delay:
                await asyncio.sleep(delay)
            length = b"%d" % len(body or b"")
            writer.write(b"HTTP/1.1 " + STATUS[body is not None] + b"\r\nContent-Length: " + length + b"\r\n\r\n")
            writer.write(body or b"")
            await writer.drain()
    writer.close()


def _serve(answer: Answer, delay: float, port: multiprocessing.SimpleQueue) -> None:
    async def main() -> None:
        server = await asyncio.start_server(
            lambda *pair: _handle(*pair, answer, delay), "127.0.0.1", 0, backlog=BACKLOG
        )
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def serving(answer: Answer, delay: float = 0.0) -> Iterator[str]:
    """Serve `answer` of every path, after `delay` seconds; yields the beginning of its URLs, without a slash."""
    context = multiprocessing.get_context("fork")
    port = context.SimpleQueue()
    server = context.Process(target=_serve, args=(answer, delay, port), daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{port.get()}"
    finally:
        server.kill()
        server.join()
