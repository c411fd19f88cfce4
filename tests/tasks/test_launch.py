"""Asking luigid before a run begins."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pipeline.errors import UserError
from tasks import launch


@pytest.fixture
def server():
    """`server(text)` answers every request with that text; returns its URL."""
    running = []

    def start(text: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                """Stay silent."""

        running.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=running[-1].serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{running[-1].server_port}"

    yield start
    for each in running:
        each.shutdown()
        each.server_close()


def test_a_luigid_is_known_by_its_answer(server):
    launch._check_reachable(server('{"response": []}') + "/")


@pytest.mark.parametrize("text", ["<html>It works!</html>", '{"error": 1}', "[]"])
def test_another_server_at_that_address_is_named(server, text):
    with pytest.raises(UserError, match="it is another server"):
        launch._check_reachable(server(text))


def test_no_server_at_all_is_named_with_the_way_out():
    with pytest.raises(UserError, match=r"refused.*start it with `make luigid`"):
        launch._check_reachable("http://127.0.0.1:9")
