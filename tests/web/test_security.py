"""Who may ask: the rules that keep other web sites, and other machines, out."""

import asyncio
import json

import pytest
from fastapi.testclient import TestClient

from pipeline.web.routes import make_app
from pipeline.web.security import LARGEST, Guard, Rules, is_loopback
from tests.web.drawn_home import picture_id

HERE = "http://127.0.0.1:8090"
TOKEN = "a-token-of-this-test"


def body(number=0):
    return {"marks": [{"id": picture_id(number), "label": "on", "was": [None]}]}


@pytest.fixture
def guarded(home):
    """A client of a server that listens to other machines."""
    app = make_app(home.site(), Rules(host="0.0.0.0", port=8090, token=TOKEN))
    return TestClient(app, base_url="http://192.168.1.5:8090", follow_redirects=False)


@pytest.mark.parametrize("host", ["127.0.0.1:8090", "localhost:8090", "[::1]:8090", "localhost:9000", "LOCALHOST"])
def test_this_machine_goes_by_these_names_and_a_tunnel_has_another_port(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8090", "127.0.0.1.evil.example", "192.168.1.5", "", "@"]
)
def test_a_name_that_was_pointed_here_is_refused(client, host):
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_other_sites_change_nothing(home, client, headers):
    assert client.post("/d/cats/marks", json=body(), headers=headers).status_code == 403
    assert home.logged() == []


def test_the_page_itself_may_mark(home, client):
    headers = {"origin": HERE, "sec-fetch-site": "same-origin"}
    assert client.post("/d/cats/marks", json=body(), headers=headers).status_code == 200


def test_other_sites_read_nothing_but_may_link_here(client):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get(f"/d/cats/square/{picture_id(0)}", headers=headers).status_code == 403
    assert client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_taken(home, client, kind):
    answer = client.post("/d/cats/marks", content="{}", headers={"content-type": kind})
    assert answer.status_code == 415
    assert home.logged() == []


def test_a_body_is_bounded_whether_or_not_it_says_how_long_it_is(client):
    headers = {"content-type": "application/json"}
    assert client.post("/d/cats/marks", content=b" " * (LARGEST + 1), headers=headers).status_code == 413
    pieces = (b" " * 1000 for _ in range(LARGEST // 1000 + 2))
    assert client.post("/d/cats/marks", content=pieces, headers=headers).status_code == 413


def test_a_length_that_is_no_plain_number_is_refused():
    answered = []

    async def send(message):
        answered.append(message.get("status"))

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"content-length", b"\xb2")]
    scope = {"type": "http", "method": "POST", "headers": headers}
    asyncio.run(Guard(None, Rules(host="127.0.0.1", port=8090))(scope, None, send))
    assert answered[0] == 413


@pytest.mark.parametrize("path", ["/", "/d/cats/", "/static/page.js", "/d/nothing/", "/d/cats/changes"])
def test_every_answer_forbids_what_a_page_does_not_need(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", ["/", "/d/cats/", "/static/page.js", f"/d/cats/square/{picture_id(0)}", "/nothing"])
def test_with_a_token_every_path_needs_it(guarded, path):
    assert guarded.get(path).status_code == 401
    assert guarded.get(f"{path}?token=wrong").status_code == 401
    assert guarded.get(path, headers={"cookie": "ganmill-8090=wrong"}).status_code == 401


def test_a_token_is_changed_for_a_cookie_and_leaves_the_address(guarded):
    answer = guarded.get(f"/d/cats/?view=on&token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/d/cats/?view=on")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert guarded.get("/d/cats/").status_code == 200
    assert guarded.post("/d/cats/marks", json=body()).status_code == 200


def test_a_token_leaves_the_address_of_one_who_is_in_already_too(guarded):
    for _ in range(2):
        assert guarded.get(f"/d/cats/?token={TOKEN}").headers["location"] == "/d/cats/"


def test_the_cookie_is_not_the_token_and_a_token_may_have_any_character(home):
    app = make_app(home.site(), Rules(host="0.0.0.0", port=8090, token="a; b=ピカ"))
    client = TestClient(app, base_url="http://192.168.1.5:8090")
    assert client.get("/?token=a%3B%20b%3D%E3%83%94%E3%82%AB").status_code == 200
    assert client.get("/d/cats/").status_code == 200


def test_the_way_in_leads_nowhere_else(guarded):
    answer = guarded.get(f"http://192.168.1.5:8090//evil.example/?token={TOKEN}")
    assert answer.headers["location"] == "/evil.example/"


def test_a_token_in_the_address_does_not_let_one_mark(guarded):
    assert guarded.post(f"/d/cats/marks?token={TOKEN}", json=body()).status_code == 401


def test_a_server_for_others_is_not_taken_by_a_name_that_was_pointed_at_it(guarded):
    assert guarded.get(f"/?token={TOKEN}", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_what_is_this_machine_only(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_what_others_can_reach(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("headers", [{"cookie": "a=b; " * 200_000}, {f"x-{number}": "1" for number in range(5000)}])
def test_headers_are_bounded_together(client, headers):
    assert client.get("/", headers=headers).status_code == 431


def test_a_request_whose_client_left_in_the_middle_of_it_changes_nothing(home):
    whole = json.dumps(body()).encode()
    waiting = [{"type": "http.request", "body": whole, "more_body": True}, {"type": "http.disconnect"}]
    said = []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        said.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]
    scope = {"type": "http", "method": "POST", "path": "/d/cats/marks", "query_string": b"", "headers": headers}
    asyncio.run(make_app(home.site(), Rules(host="127.0.0.1", port=8090))(scope, receive, send))
    assert home.logged() == said == []
