"""luigid that does not answer, that answers nonsense, that is paused; before a run and during it."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count

import pytest
from luigi.rpc import RPCError

from pipeline.errors import UserError
from tasks import luigid, signals


@pytest.fixture
def server():
    """`server(text)` answers every request with that text, or with what `text(path)` says; returns its URL."""
    running = []

    def start(text, port: int = 0) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write((text(self.path) if callable(text) else text).encode())

            do_POST = do_GET

            def log_message(self, *_):
                """Stay silent."""

        running.append(HTTPServer(("127.0.0.1", port), Handler))
        threading.Thread(target=running[-1].serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{running[-1].server_port}"

    yield start
    for each in running:
        each.shutdown()
        each.server_close()


@pytest.fixture
def nowhere() -> str:
    """A URL at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_check_accepts_a_luigid(server):
    assert luigid.check(server('{"response": []}') + "/") is None


@pytest.mark.parametrize("text", ["<html>It works!</html>", '{"error": 1}', "[]"])
def test_check_rejects_another_server(server, text):
    with pytest.raises(UserError, match="it is another server"):
        luigid.check(server(text))


def test_check_says_how_to_start_a_luigid_that_does_not_answer():
    with pytest.raises(UserError, match=r"refused.*start it with `make luigid`"):
        luigid.check("http://127.0.0.1:9")


def test_client_repeats_what_a_run_needs_for_some_seconds_and_says_so_at_once(nowhere, monkeypatch, capsys):
    monkeypatch.setattr(luigid, "PATIENCE", 0.8)
    began = time.monotonic()
    with pytest.raises(RPCError, match=r"^Connection refused$"):
        luigid.Luigid(nowhere).add_task(task_id="a", worker="w", status="DONE")
    assert 0.8 <= time.monotonic() - began < 5
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"luigid at {nowhere} does not answer (Connection refused); the run waits 1 s for it"


def test_client_goes_on_with_a_luigid_that_is_restarted_in_time(server, nowhere):
    threading.Timer(0.7, lambda: server('{"response": "done"}', int(nowhere.rpartition(":")[2]))).start()
    assert luigid.Luigid(nowhere).add_task(task_id="a", worker="w", status="DONE") == "done"


def test_client_stops_repeating_after_a_signal(nowhere, monkeypatch):
    monkeypatch.setattr(signals, "should_stop", lambda: True)
    began = time.monotonic()
    with pytest.raises(RPCError):
        luigid.Luigid(nowhere).add_task(task_id="a", worker="w", status="DONE")
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("text", ["<html>It works!</html>", '{"error": 1}', "[]"])
def test_client_reports_another_server_in_one_line(server, text):
    with pytest.raises(RPCError, match=r"^another server answers there$"):
        luigid.Luigid(server(text)).add_task(task_id="a", worker="w", status="DONE")


def test_client_does_not_delay_a_stage_for_its_progress(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections and never answers
        client = luigid.Luigid(f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(luigid, "SHORT", 0.3)
        began = time.monotonic()
        for number in range(20):
            client.set_task_status_message("a", f"epoch {number}")
            client.set_task_progress_percentage("a", number)
        assert time.monotonic() - began < 1


def test_client_says_once_that_luigid_is_silent_and_once_that_it_is_back(server, nowhere, monkeypatch, capsys):
    monkeypatch.setattr(luigid, "SILENCE_SECONDS", 0.1)
    client = luigid.Luigid(nowhere)
    for _ in range(4):
        assert client.ping(worker="w") is None
        time.sleep(0.1)
    server('{"response": {"rpc_messages": []}}', int(nowhere.rpartition(":")[2]))
    for _ in range(2):
        assert client.ping(worker="w") == {"rpc_messages": []}
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"luigid at {nowhere} does not answer (Connection refused); the stage that works goes on")
    assert second == f"luigid at {nowhere} answers again"


@pytest.mark.parametrize("text", ["null", "[]", '{"response": null}', '{"response": {"rpc_messages": 3}}'])
def test_client_takes_an_invalid_answer_to_a_ping_for_no_order(server, text):
    assert luigid.Luigid(server(text)).ping(worker="w") is None


def test_waiting_tells_of_a_pause_at_once_and_again_after_minutes_until_it_ends(server, monkeypatch):
    looks = count()
    url = server(lambda path: json.dumps({"response": {"paused": next(looks) < 9}}))
    monkeypatch.setattr(luigid.Waiting, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(luigid.Waiting, "REMIND_SECONDS", 0.2)
    lines = []
    luigid.Waiting(url, lines.append).wait()
    assert lines[0].startswith(f"luigid at {url} is paused")
    assert f"curl {url}/api/unpause" in lines[0]
    assert 2 <= len(lines) <= 4
    assert len(set(lines)) == 1


def test_waiting_for_a_paused_luigid_ends_after_a_signal(server, monkeypatch):
    url = server('{"response": {"paused": true}}')
    asked = iter([False, False, True])
    monkeypatch.setattr(signals, "should_stop", lambda: next(asked))
    monkeypatch.setattr(luigid.Waiting, "POLL_SECONDS", 0.01)
    luigid.Waiting(url, print).wait()
    assert next(asked, None) is None


def test_waiting_names_another_worker_only_from_the_second_round_on(monkeypatch):
    monkeypatch.setattr(luigid.Waiting, "POLL_SECONDS", 0.01)
    told = []
    waiting = luigid.Waiting("", told.append)
    waiting.wait()
    assert told == []
    for _ in range(3):
        waiting.wait()
    assert told == ["another worker runs it, or another training is under way"]
