"""Who may send requests: the rules against other web sites and other machines."""

import asyncio
import json

import pytest
from fastapi.testclient import TestClient

from pipeline.web.app import make_app
from pipeline.web.security import MAX_BODY, AccessRules, SecurityMiddleware, is_loopback
from tests.web.fake_dataset import picture_id

HERE = "http://127.0.0.1:8090"
TOKEN = "a-token-of-this-test"


def body(number=0):
    return {"labels": [{"id": picture_id(number), "label": "on", "previous": [None]}]}


@pytest.fixture
def client_with_token(fake_dataset):
    """A client of a server that other machines can reach, with a token."""
    app = make_app(fake_dataset.site(), AccessRules(host="0.0.0.0", port=8090, token=TOKEN))
    return TestClient(app, base_url="http://192.168.1.5:8090", follow_redirects=False)


@pytest.mark.parametrize("host", ["127.0.0.1:8090", "localhost:8090", "[::1]:8090", "localhost:9000", "LOCALHOST"])
def test_loopback_names_are_accepted_with_any_port(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8090", "127.0.0.1.evil.example", "192.168.1.5", "", "@"]
)
def test_foreign_host_name_is_refused(client, host):
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://127.0.0.1:3000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_cross_site_requests_change_nothing(fake_dataset, client, headers):
    assert client.post("/d/cats/labels", json=body(), headers=headers).status_code == 403
    assert fake_dataset.logged() == []


def test_same_origin_request_may_label(fake_dataset, client):
    headers = {"origin": HERE, "sec-fetch-site": "same-origin"}
    assert client.post("/d/cats/labels", json=body(), headers=headers).status_code == 200


def test_cross_site_reads_are_refused_but_navigation_is_allowed(client):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get(f"/d/cats/square/{picture_id(0)}", headers=headers).status_code == 403
    assert client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_bodies_are_accepted(fake_dataset, client, kind):
    answer = client.post("/d/cats/labels", content="{}", headers={"content-type": kind})
    assert answer.status_code == 415
    assert fake_dataset.logged() == []


def test_body_size_is_limited(client):
    headers = {"content-type": "application/json"}
    assert client.post("/d/cats/labels", content=b" " * (MAX_BODY + 1), headers=headers).status_code == 413
    pieces = (b" " * 1000 for _ in range(MAX_BODY // 1000 + 2))
    assert client.post("/d/cats/labels", content=pieces, headers=headers).status_code == 413


def test_malformed_content_length_is_refused():
    answered = []

    async def send(message):
        answered.append(message.get("status"))

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"content-length", b"\xb2")]
    scope = {"type": "http", "method": "POST", "path": "/d/cats/labels", "headers": headers}
    asyncio.run(SecurityMiddleware(None, AccessRules(host="127.0.0.1", port=8090))(scope, None, send))
    assert answered[0] == 413


@pytest.mark.parametrize("path", ["/", "/d/cats/label", "/static/base.css", "/d/nothing/label", "/d/cats/changes"])
def test_every_response_has_security_headers(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "path", ["/", "/d/cats/label", "/static/base.css", f"/d/cats/square/{picture_id(0)}", "/nothing"]
)
def test_every_path_needs_the_token(client_with_token, path):
    assert client_with_token.get(path).status_code == 401
    assert client_with_token.get(f"{path}?token=wrong").status_code == 401
    assert client_with_token.get(path, headers={"cookie": "ganmill-8090=wrong"}).status_code == 401


def test_token_is_replaced_by_a_cookie(client_with_token):
    answer = client_with_token.get(f"/d/cats/label?view=on&token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/d/cats/label?view=on")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert client_with_token.get("/d/cats/label").status_code == 200
    assert client_with_token.post("/d/cats/labels", json=body()).status_code == 200


def test_token_is_removed_from_the_address_with_a_cookie(client_with_token):
    for _ in range(2):
        assert client_with_token.get(f"/d/cats/label?token={TOKEN}").headers["location"] == "/d/cats/label"


def test_cookie_is_a_hash_of_any_token(fake_dataset):
    app = make_app(fake_dataset.site(), AccessRules(host="0.0.0.0", port=8090, token="a; b=ピカ"))
    client = TestClient(app, base_url="http://192.168.1.5:8090")
    assert client.get("/?token=a%3B%20b%3D%E3%83%94%E3%82%AB").status_code == 200
    assert client.get("/d/cats/label").status_code == 200


def test_odd_cookies_of_other_servers_do_not_hide_the_own_one(client_with_token):
    own = client_with_token.get(f"/?token={TOKEN}").headers["set-cookie"].partition(";")[0]
    client_with_token.cookies.clear()
    for cookies in (f"a[0]=1; {own}", f"=; {own}; b=(", own):
        assert client_with_token.get("/", headers={"cookie": cookies}).status_code == 200


def test_login_redirect_takes_a_backslash_for_a_slash_as_browsers_do():
    answered = []

    async def send(message):
        answered.append(message)

    scope = {"type": "http", "method": "GET", "path": "/\\evil.example", "raw_path": b"/\\evil.example"}
    scope |= {"query_string": f"token={TOKEN}".encode(), "headers": [(b"host", b"localhost")]}
    asyncio.run(SecurityMiddleware(None, AccessRules(host="0.0.0.0", port=8090, token=TOKEN))(scope, None, send))
    assert dict(answered[0]["headers"])[b"location"] == b"/evil.example"


def test_login_redirect_stays_on_this_server(client_with_token):
    answer = client_with_token.get(f"http://192.168.1.5:8090//evil.example/?token={TOKEN}")
    assert answer.headers["location"] == "/evil.example/"


def test_token_in_the_address_does_not_allow_changes(client_with_token):
    assert client_with_token.post(f"/d/cats/labels?token={TOKEN}", json=body()).status_code == 401


def test_public_server_refuses_foreign_host_names(client_with_token):
    assert client_with_token.get(f"/?token={TOKEN}", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_loopback_addresses_are_recognised(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_other_addresses_are_not_loopback(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("headers", [{"cookie": "a=b; " * 200_000}, {f"x-{number}": "1" for number in range(5000)}])
def test_total_header_size_is_limited(client, headers):
    assert client.get("/", headers=headers).status_code == 431


def test_request_of_a_disconnected_client_changes_nothing(fake_dataset):
    whole = json.dumps(body()).encode()
    waiting = [{"type": "http.request", "body": whole, "more_body": True}, {"type": "http.disconnect"}]
    said = []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        said.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]
    scope = {"type": "http", "method": "POST", "path": "/d/cats/labels", "query_string": b"", "headers": headers}
    asyncio.run(make_app(fake_dataset.site(), AccessRules(host="127.0.0.1", port=8090))(scope, receive, send))
    assert fake_dataset.logged() == said == []
