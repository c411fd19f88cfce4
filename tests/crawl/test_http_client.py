"""The HTTP client: allowed URLs, deadlines, retries and cancellation of one request."""

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
from urllib.parse import urldefrag

import pytest
from urllib3.util import parse_url

from pipeline.crawl import http_client, http_response
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.request import RequestFault, RequestPolicy, Response
from pipeline.crawl.url import MAX_URL_LENGTH, absolute_url, authority, normalize_url

POLICY = RequestPolicy(max_bytes=1_000_000, allow_private=True, robots=False)


@pytest.fixture
def client(options):
    client = HttpClient(options(timeout=60.0, retries=2))
    yield client
    client.close()


@contextmanager
def silent_server(backlog=8):
    """A port that accepts connections and sends nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(backlog)
        yield server.getsockname()[1]


def result_of_stopped_get(client, url):
    """The result of `get` when the client is stopped during the request; None if it does not return."""
    got = []
    thread = threading.Thread(target=lambda: got.append(client.get(url, POLICY)), daemon=True)
    thread.start()
    while not client.watchdog._active:
        time.sleep(0.01)
    time.sleep(0.1)  # into the connect, the handshake or the read
    client.stop()
    thread.join(5)
    return got[0] if got else None


def test_get_returns_body_and_final_url(site, responders, client):
    site.routes |= {"/old": responders.redirect("/new"), "/new": responders.body(b"words", "text/plain")}
    got = client.get(site.url + "/old", POLICY)
    assert got == Response(url=site.url + "/new", data=b"words", status=200, content_type="text/plain")


def test_redirect_target_is_checked_like_the_first_url(site, responders, client):
    site.routes |= {
        "/robots.txt": responders.body("User-agent: *\nDisallow: /secret", "text/plain"),
        "/a": responders.redirect("/secret"),
        "/b": responders.redirect("file:///etc/passwd"),
    }
    policies = [RequestPolicy(max_bytes=100, allow_private=True, robots=robots) for robots in (True, False)]
    assert client.get(site.url + "/a", policies[0]).reason == "robots.txt"
    assert client.get(site.url + "/b", policies[1]).reason == "not http(s)"
    assert site.hits["/secret"] == 0


@pytest.mark.parametrize("url", ["ftp://a.example/x.png", "http://", "http://[bad/", "http://a.example:99999999/", "x"])
def test_invalid_url_is_rejected_without_a_request(client, url):
    got = client.get(url, POLICY)
    assert (got.outcome, got.passing) == ("rejected", False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.1.1"])
def test_private_address_is_rejected(client, host):
    got = client.get(f"http://{host}:1/x.png", RequestPolicy(max_bytes=100, robots=False))
    assert got == RequestFault(reason="private address", outcome="rejected")


def test_response_that_is_not_http_is_a_fault(client):
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        client.options = client.options.model_copy(update={"retries": 0})
        assert client.get(f"http://127.0.0.1:{server.getsockname()[1]}/", POLICY).reason == "connection broken"


def test_unexpected_error_is_a_fault_with_its_type(client, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(client, "_request", broken)
    assert client.get("http://a.example/", POLICY).reason == "unexpected ZeroDivisionError"


def test_only_transient_faults_are_retried(site, responders, client):
    site.routes |= {"/busy": responders.body(b"", status=503), "/gone": responders.body(b"", status=410)}
    assert client.get(site.url + "/busy", POLICY).passing
    assert not client.get(site.url + "/gone", POLICY).passing
    assert (site.hits["/busy"], site.hits["/gone"]) == (3, 1)


def test_retry_after_header_delays_the_retry(site, responders, client, monkeypatch):
    site.routes["/busy"] = responders.body(b"", status=429, Retry_After="7")
    waits = []
    monkeypatch.setattr(client.stopping, "wait", lambda seconds: waits.append(seconds) or False)
    monkeypatch.setattr(client.rate_limiter, "acquire", lambda *_: True)
    client.get(site.url + "/busy", POLICY)
    assert waits == [0, 7, 7]


def test_long_retry_after_is_not_retried(site, responders, client):
    site.routes["/busy"] = responders.body(b"", status=503, Retry_After="3600")
    assert client.get(site.url + "/busy", POLICY).reason == "HTTP 503"
    assert site.hits["/busy"] == 1


def test_backoff_grows_exponentially_with_jitter(site, responders, client, monkeypatch):
    site.routes["/busy"] = responders.body(b"", status=500)
    waits = []
    monkeypatch.setattr(http_client, "BACKOFF_SECONDS", 1.0)
    monkeypatch.setattr(client.stopping, "wait", lambda seconds: waits.append(seconds) or False)
    client.get(site.url + "/busy", POLICY)
    assert 1 <= waits[1] <= 2 <= waits[2] <= 4


def test_wrong_content_type_is_rejected_for_a_page(site, responders, client):
    site.routes["/film"] = responders.body(bytes(1000), "video/mp4")
    got = client.get(
        site.url + "/film",
        RequestPolicy(max_bytes=9999, allow_private=True, robots=False, content_types=("text/html",)),
    )
    assert got.reason == "not a page: video/mp4"


def test_size_limit_applies_to_the_decompressed_body(site, responders, client):
    site.routes["/bomb"] = responders.body(gzip.compress(bytes(3_000_000)), Content_Encoding="gzip")
    assert client.get(site.url + "/bomb", POLICY).reason == "too large"


@pytest.mark.parametrize("kind", ["http", "https"])
def test_stop_cancels_a_request_that_waits_for_a_response(client, kind):
    with silent_server() as port:
        assert result_of_stopped_get(client, f"{kind}://127.0.0.1:{port}/").reason == "stopped"


def test_stop_cancels_a_request_that_waits_for_a_connection(client):
    with silent_server(backlog=0) as port:
        fillers = [socket.socket() for _ in range(4)]  # they fill the backlog
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        got = result_of_stopped_get(client, f"http://127.0.0.1:{port}/")
        for filler in fillers:
            filler.close()
    assert got is not None
    assert got.reason == "stopped"


def test_get_after_stop_sends_no_request(site, client):
    client.stop()
    assert client.get(site.url + "/", POLICY).reason == "stopped"
    assert not site.hits


def test_proxy_of_the_environment_may_have_a_private_address(site, responders, options, monkeypatch):
    monkeypatch.setenv("http_proxy", site.url)
    site.routes["http://far.example/x"] = responders.body(b"by proxy")
    client = HttpClient(options())
    got = client.get("http://far.example/x", RequestPolicy(max_bytes=100, robots=False))
    client.close()
    assert got.data == b"by proxy"


def test_loopback_is_requested_without_a_proxy(site, responders, options, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    site.routes["/x"] = responders.body(b"direct")
    client = HttpClient(options())
    got = client.get(site.url + "/x", POLICY)
    client.close()
    assert got.data == b"direct"


def test_tls_checks_the_certificate_and_keeps_the_connection_alive(options, monkeypatch, tmp_path):
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
        refused = strict.get(url, POLICY)
        strict.close()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        trusting = HttpClient(options(retries=0))
        responses = [trusting.get(url, POLICY) for _ in range(3)]
        trusting.close()

    assert refused.reason == "TLS failed"
    assert [getattr(got, "data", got) for got in responses] == [b"safe"] * 3
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


@pytest.mark.parametrize("odd", ["9" * 5000, "9" * 400, "Fri, 31 Dec 99999 23:59:59 GMT", "soon"])
def test_invalid_retry_after_is_ignored(site, responders, client, odd):
    site.routes["/busy"] = responders.one_after_another(
        responders.body(b"", status=429, Retry_After=odd), responders.body(b"x")
    )
    assert client.get(site.url + "/busy", POLICY).data == b"x"


def test_redirect_with_utf8_location_is_followed(site, responders, client):
    site.routes |= {"/a": responders.redirect("/grö".encode().decode("latin-1")), "/gr%C3%B6": responders.body(b"x")}
    assert client.get(site.url + "/a", POLICY).data == b"x"


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
def test_authority_is_the_same_for_each_spelling_of_a_host(url, whom):
    assert authority(url) == whom


@pytest.mark.parametrize(
    ("length", "bytes_"),
    [("1000001", 1_000_001), (str(2**53), 2**53), (str(2**53 + 1), None), (str(10**30), None), ("9" * 5000, None)],
)
def test_too_large_fault_has_a_plausible_content_length_only(site, client, length, bytes_):
    def send_content_length(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", length)
        handler.end_headers()

    site.routes["/long"] = send_content_length
    got = client.get(site.url + "/long", POLICY)
    assert (got.reason, got.bytes) == ("too large", bytes_)


@pytest.mark.parametrize("length", ["soon", "-5", "²"])
def test_content_length_that_is_no_number_is_ignored(length):
    assert http_response._check_length(length, 1) is None


def test_body_is_truncated_if_require_whole_is_false(site, responders, client):
    site.routes["/long"] = responders.body(b"x" * 500_000)
    site.routes["/endless"] = responders.endless
    policy = replace(POLICY, max_bytes=100_000, require_whole=False)
    assert client.get(site.url + "/long", policy).data == b"x" * 100_000
    assert client.get(site.url + "/endless", policy).data == bytes(100_000)


def test_overlong_url_is_rejected_directly_and_as_redirect(site, responders, client):
    site.routes["/far"] = responders.redirect("/" + "x" * 5000)
    for url in (site.url + "/far", site.url + "/" + "x" * 5000):
        got = client.get(url, POLICY)
        assert (got.outcome, got.reason) == ("rejected", "address too long")


def test_reason_quotes_at_most_one_printable_line_of_the_server(site, responders, client):
    site.routes["/film"] = responders.body(b"", "\x9b31mvideo" * 1000)
    got = client.get(site.url + "/film", replace(POLICY, content_types=("text/html",)))
    assert got.reason.startswith("not a page:  31mvideo")
    assert got.reason.isprintable()
    assert len(got.reason) == 200


def test_overlong_urls_are_shortened_and_stay_different():
    first, second = (normalize_url("http://a.example/" + "x" * 10_000_000 + end) for end in "12")
    assert first != second
    assert normalize_url(first) == first
    assert MAX_URL_LENGTH < len(first) < MAX_URL_LENGTH + 100
    assert absolute_url("http://a.example/b/", "x" * 5000).startswith("http://a.example/xxx")
    assert absolute_url("http://a.example/b/", "data:" + "x" * 5000) == ""


def test_two_content_lengths_are_a_fault(site, responders, client):
    site.routes["/two"] = responders.body(b"x", Content_Length="5", CONTENT_LENGTH="7")
    assert client.get(site.url + "/two", POLICY).reason == "not HTTP"


def test_url_in_normal_form_is_what_the_whole_parser_gives():
    ends = ["", "/", "/a/b.jpg", "/a//b", "/%41%2F", "/a?x=/..&y", "?q", "/a-_~!$&'()*+,;=:@", "/a.b/c..d", ":8080/x"]
    ends += [
        "/%2f",
        "/a/./b",
        "/../a",
        "/.a",
        "/a b",
        "/é",
        "/a|b",
        "/%zz",
        ":080/x",
        ":0/",
        "#x",
        "/a#",
        "@b",
        "/a\\b",
    ]
    for url in (
        f"{start}{end}" for start in ("http://a.b", "HTTPS://a.b", "http://A.b", "https://[::1]") for end in ends
    ):
        try:
            expected = parse_url(urldefrag(url).url).url
        except ValueError:
            expected = url
        assert normalize_url(url) == expected, url
