"""One request: where it may go, how long it may take, how it is tried again, how it is cut."""

import gzip
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

from pipeline.crawl import http_client
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.request import Fault, RequestPolicy, Response
from pipeline.crawl.url import LONGEST, absolute_url, authority, normalize_url

ASK = RequestPolicy(most=1_000_000, allow_private=True, robots=False)


@pytest.fixture
def fetcher(options):
    fetcher = HttpClient(options(timeout=60.0, retries=2))
    yield fetcher
    fetcher.close()


@contextmanager
def listener(backlog=8):
    """A port that takes connections and then says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(backlog)
        yield server.getsockname()[1]


def cut_while_waiting(fetcher, url):
    """What `get` gives when the fetcher is stopped while it waits; None if it goes on waiting."""
    got = []
    thread = threading.Thread(target=lambda: got.append(fetcher.get(url, ASK)), daemon=True)
    thread.start()
    while not fetcher.watch._live:
        time.sleep(0.01)
    time.sleep(0.1)  # into the connect, the handshake or the read
    fetcher.stop()
    thread.join(5)
    return got[0] if got else None


def test_a_body_comes_whole_with_where_it_came_from(site, answers, fetcher):
    site.routes |= {"/old": answers.redirect("/new"), "/new": answers.body(b"words", "text/plain")}
    got = fetcher.get(site.url + "/old", ASK)
    assert got == Response(url=site.url + "/new", data=b"words", status=200, content_type="text/plain")


def test_a_redirect_is_held_to_the_same_rules(site, answers, fetcher):
    site.routes |= {
        "/robots.txt": answers.body("User-agent: *\nDisallow: /secret", "text/plain"),
        "/a": answers.redirect("/secret"),
        "/b": answers.redirect("file:///etc/passwd"),
    }
    asks = [RequestPolicy(most=100, allow_private=True, robots=robots) for robots in (True, False)]
    assert fetcher.get(site.url + "/a", asks[0]).reason == "robots.txt"
    assert fetcher.get(site.url + "/b", asks[1]).reason == "not http(s)"
    assert site.hits["/secret"] == 0


@pytest.mark.parametrize("url", ["ftp://a.example/x.png", "http://", "http://[bad/", "http://a.example:99999999/", "x"])
def test_an_address_that_is_none_is_rejected_without_a_request(fetcher, url):
    got = fetcher.get(url, ASK)
    assert (got.outcome, got.passing) == ("rejected", False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.1.1"])
def test_private_addresses_are_rejected(fetcher, host):
    got = fetcher.get(f"http://{host}:1/x.png", RequestPolicy(most=100, robots=False))
    assert got == Fault(reason="private address", outcome="rejected")


def test_an_answer_that_is_no_http_is_a_fault(fetcher):
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        fetcher.options = fetcher.options.model_copy(update={"retries": 0})
        assert fetcher.get(f"http://127.0.0.1:{server.getsockname()[1]}/", ASK).reason == "connection broken"


def test_an_error_that_nobody_foresaw_is_a_fault_that_names_it(fetcher, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(fetcher, "_request", broken)
    assert fetcher.get("http://a.example/", ASK).reason == "unexpected ZeroDivisionError"


def test_a_passing_fault_is_tried_again_and_a_lasting_one_is_not(site, answers, fetcher):
    site.routes |= {"/busy": answers.body(b"", status=503), "/gone": answers.body(b"", status=410)}
    assert fetcher.get(site.url + "/busy", ASK).passing
    assert not fetcher.get(site.url + "/gone", ASK).passing
    assert (site.hits["/busy"], site.hits["/gone"]) == (3, 1)


def test_the_wait_that_a_server_asks_for_is_kept(site, answers, fetcher, monkeypatch):
    site.routes["/busy"] = answers.body(b"", status=429, Retry_After="7")
    waits = []
    monkeypatch.setattr(fetcher.stopping, "wait", lambda seconds: waits.append(seconds) or False)
    monkeypatch.setattr(fetcher.hosts, "wait", lambda *_: True)
    fetcher.get(site.url + "/busy", ASK)
    assert waits == [0, 7, 7]


def test_a_server_that_asks_for_an_hour_is_left_to_another_crawl(site, answers, fetcher):
    site.routes["/busy"] = answers.body(b"", status=503, Retry_After="3600")
    assert fetcher.get(site.url + "/busy", ASK).reason == "HTTP 503"
    assert site.hits["/busy"] == 1


def test_waits_grow_and_are_never_twice_the_same(site, answers, fetcher, monkeypatch):
    site.routes["/busy"] = answers.body(b"", status=500)
    waits = []
    monkeypatch.setattr(http_client, "BACKOFF", 1.0)
    monkeypatch.setattr(fetcher.stopping, "wait", lambda seconds: waits.append(seconds) or False)
    fetcher.get(site.url + "/busy", ASK)
    assert 1 <= waits[1] <= 2 <= waits[2] <= 4


def test_a_body_of_another_type_is_not_read_when_a_page_is_wanted(site, answers, fetcher):
    site.routes["/film"] = answers.body(bytes(1000), "video/mp4")
    got = fetcher.get(
        site.url + "/film", RequestPolicy(most=9999, allow_private=True, robots=False, types=("text/html",))
    )
    assert got.reason == "not a page: video/mp4"


def test_a_compressed_body_counts_as_long_as_it_unpacks(site, answers, fetcher):
    site.routes["/bomb"] = answers.body(gzip.compress(bytes(3_000_000)), Content_Encoding="gzip")
    assert fetcher.get(site.url + "/bomb", ASK).reason == "too large"


@pytest.mark.parametrize("kind", ["http", "https"])
def test_a_request_that_waits_for_an_answer_can_be_cut(fetcher, kind):
    with listener() as port:
        assert cut_while_waiting(fetcher, f"{kind}://127.0.0.1:{port}/").reason == "stopped"


def test_a_request_that_waits_for_a_connection_can_be_cut(fetcher):
    with listener(backlog=0) as port:
        fillers = [socket.socket() for _ in range(4)]  # they fill the queue of the port, so that the next must wait
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        got = cut_while_waiting(fetcher, f"http://127.0.0.1:{port}/")
        for filler in fillers:
            filler.close()
    assert got is not None
    assert got.reason == "stopped"


def test_a_request_after_the_stop_is_none(site, fetcher):
    fetcher.stop()
    assert fetcher.get(site.url + "/", ASK).reason == "stopped"
    assert not site.hits


def test_a_proxy_of_the_environment_is_used_even_if_it_stands_on_a_private_address(site, answers, options, monkeypatch):
    monkeypatch.setenv("http_proxy", site.url)
    site.routes["http://far.example/x"] = answers.body(b"by proxy")
    fetcher = HttpClient(options())
    got = fetcher.get("http://far.example/x", RequestPolicy(most=100, robots=False))
    fetcher.close()
    assert got.data == b"by proxy"


def test_this_machine_is_never_asked_through_a_proxy(site, answers, options, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    site.routes["/x"] = answers.body(b"direct")
    fetcher = HttpClient(options())
    got = fetcher.get(site.url + "/x", ASK)
    fetcher.close()
    assert got.data == b"direct"


def test_requests_by_tls_keep_their_connection_and_check_the_certificate(options, monkeypatch, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*make.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    accepted = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/"
        threading.Thread(target=partial(_serve_tls, server, context, accepted), daemon=True).start()
        strict = HttpClient(options(retries=0))
        refused = strict.get(url, ASK)
        strict.close()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        trusting = HttpClient(options(retries=0))
        bodies = [trusting.get(url, ASK) for _ in range(3)]
        trusting.close()

    assert refused.reason == "TLS failed"
    assert [getattr(got, "data", got) for got in bodies] == [b"safe"] * 3
    assert len(accepted) == 1


def _serve_tls(server, context, accepted):
    while True:
        try:
            raw, _ = server.accept()
            connection = context.wrap_socket(raw, server_side=True)
        except ssl.SSLError:
            continue
        except OSError:
            return
        accepted.append(1)
        with connection:
            while connection.recv(65536):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe")


@pytest.mark.parametrize("odd", ["9" * 5000, "Fri, 31 Dec 99999 23:59:59 GMT", "soon"])
def test_a_wait_that_cannot_be_read_is_as_good_as_none(site, answers, fetcher, odd):
    site.routes["/busy"] = answers.in_turn(answers.body(b"", status=429, Retry_After=odd), answers.body(b"x"))
    assert fetcher.get(site.url + "/busy", ASK).data == b"x"


def test_a_redirect_in_utf8_is_followed_as_it_was_meant(site, answers, fetcher):
    site.routes |= {"/a": answers.redirect("/grö".encode().decode("latin-1")), "/gr%C3%B6": answers.body(b"x")}
    assert fetcher.get(site.url + "/a", ASK).data == b"x"


@pytest.mark.parametrize(
    ("url", "whom"),
    [
        ("http://u:p@A.example./x", "a.example:80"),
        ("https://a.example", "a.example:443"),
        ("http://[::1]:8/", "[::1]:8"),
        ("file:///x", ""),
        ("/x", ""),
    ],
)
def test_one_host_has_one_name_however_it_is_written(url, whom):
    assert authority(url) == whom


@pytest.mark.parametrize(
    ("length", "bytes_"),
    [("1000001", 1_000_001), (str(2**53), 2**53), (str(2**53 + 1), None), (str(10**30), None), ("9" * 5000, None)],
)
def test_a_length_is_told_as_far_as_it_can_be_one(site, fetcher, length, bytes_):
    def announce(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", length)
        handler.end_headers()

    site.routes["/long"] = announce
    got = fetcher.get(site.url + "/long", ASK)
    assert (got.reason, got.bytes) == ("too large", bytes_)


@pytest.mark.parametrize("length", ["soon", "-5", "²"])
def test_a_length_that_is_no_number_does_not_count(length):
    http_client._check_length(length, 1)


def test_what_is_not_wanted_whole_is_cut(site, answers, fetcher):
    site.routes["/long"] = answers.body(b"x" * 500_000)
    site.routes["/endless"] = answers.endless
    ask = replace(ASK, most=100_000, whole=False)
    assert fetcher.get(site.url + "/long", ask).data == b"x" * 100_000
    assert fetcher.get(site.url + "/endless", ask).data == bytes(100_000)


def test_an_address_that_is_too_long_is_rejected_wherever_it_comes_from(site, answers, fetcher):
    site.routes["/far"] = answers.redirect("/" + "x" * 5000)
    for url in (site.url + "/far", site.url + "/" + "x" * 5000):
        got = fetcher.get(url, ASK)
        assert (got.outcome, got.reason) == ("rejected", "address too long")


def test_a_reason_quotes_no_server_beyond_a_line(site, answers, fetcher):
    site.routes["/film"] = answers.body(b"", "\x9b31mvideo" * 1000)
    got = fetcher.get(site.url + "/film", replace(ASK, types=("text/html",)))
    assert got.reason.startswith("not a page:  31mvideo")
    assert got.reason.isprintable()
    assert len(got.reason) == 200


def test_addresses_are_cut_and_stay_different():
    first, second = (normalize_url("http://a.example/" + "x" * 10_000_000 + end) for end in "12")
    assert first != second
    assert normalize_url(first) == first
    assert LONGEST < len(first) < LONGEST + 100
    assert absolute_url("http://a.example/b/", "x" * 5000).startswith("http://a.example/xxx")
    assert absolute_url("http://a.example/b/", "data:" + "x" * 5000) == ""


def test_two_lengths_are_no_http(site, answers, fetcher):
    site.routes["/two"] = answers.body(b"x", Content_Length="5", CONTENT_LENGTH="7")
    assert fetcher.get(site.url + "/two", ASK).reason == "not HTTP"
