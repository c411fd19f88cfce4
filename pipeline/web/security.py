"""Who may ask, and what every answer says about itself.

The server listens on this machine, but so does every page that is open in the browser here: any web site can send
requests to 127.0.0.1. So requests must name this server as their host (another name that was pointed here is refused),
requests that change something must come from its own pages and be JSON, and answers forbid scripts, frames and guesses.
"""

import hmac
import ipaddress
import json
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from pipeline.store.digest import of_bytes

LARGEST = 1 << 20  # bytes of a request: some thousand marks
LONGEST = 16_384  # bytes of all its headers; servers on this machine share their cookies
SAFE = ("GET", "HEAD")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class _Gone(Exception):
    """The client left, or was left, before it had sent its whole request."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Who may ask: under which host names, and with which token if there is one."""

    host: str  # what the server listens on
    port: int
    token: str = ""

    @property
    def cookie(self) -> str:
        """The cookie's name. Cookies know no ports, and two servers must not take each other's."""
        return f"ganmill-{self.port}"

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server. The port is not compared: a tunnel has another one."""
        name = _name(host)
        if name in LOOPBACK or name == self.host.lower():
            return True
        return not is_loopback(self.host) and (_is_address(name) or name in _own_names())


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


class Guard:
    """ASGI middleware: refuses what the rules forbid, and adds the headers to what is answered."""

    def __init__(self, app: Any, rules: Rules) -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # a web socket: there is none here
        answer = _with_headers(send)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > LONGEST:
            return await _say(answer, 431, f"the headers of a request may have {LONGEST} bytes at most")
        headers = _headers(scope)
        if refusal := refused(scope["method"], headers, self.rules):
            return await _say(answer, refusal.status, refusal.reason)
        if self.rules.token:
            if scope["method"] in SAFE and _same(_token(scope), self.rules.token):
                return await self._enter(scope, answer)
            if not _has_cookie(headers, self.rules):
                return await _say(answer, 401, "this page needs the token in the address that the server printed")
        try:
            body = await _body(scope["method"], headers, receive)
        except _Gone:
            return  # half a request is none, and nobody waits for an answer
        if body is None:
            return await _say(answer, 413, f"a request may have {LARGEST} bytes at most")
        await self.app(scope, _replay(body, receive), answer)

    async def _enter(self, scope: dict, send: Any) -> None:
        """Let in who brought the token in the address, and take it out of the address bar."""
        rest = urlencode([(name, value) for name, value in _query(scope) if name != "token"])
        path = "/" + scope["raw_path"].decode("latin-1").partition("?")[0].lstrip("/")  # never //host
        cookie = f"{self.rules.cookie}={_pass(self.rules.token)}; HttpOnly; SameSite=Strict; Path=/"
        headers = [(b"location", (path + (f"?{rest}" if rest else "")).encode()), (b"set-cookie", cookie.encode())]
        await _say(send, 303, "", headers)


def refused(method: str, headers: Mapping[str, str], rules: Rules) -> Refusal | None:
    """Why a request with these headers is not answered; None if it may be."""
    host = headers.get("host", "")
    if not rules.knows(host):
        return Refusal(status=421, reason="this server does not go by that name; open it at the address it printed")
    site = headers.get("sec-fetch-site", "")
    if method in SAFE:
        looking = headers.get("sec-fetch-mode", "navigate") == "navigate"
        inside = site in ("", "none", "same-origin")
        return None if inside or looking else Refusal(status=403, reason="another site may not read this")
    if site not in ("", "same-origin") or not _own_origin(headers.get("origin"), host):
        return Refusal(status=403, reason="only this server's own pages may change anything")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return Refusal(status=415, reason="expected JSON (content-type: application/json)")
    return None


def _own_origin(origin: str | None, host: str) -> bool:
    """Whether a request comes from this server's pages. A program that is no browser names no origin."""
    if origin is None:
        return True
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    """Addresses cannot be pointed elsewhere, as names can."""
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, f"{name}.local"}


def _headers(scope: dict) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _has_cookie(headers: Mapping[str, str], rules: Rules) -> bool:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(rules.cookie)
    except CookieError:
        return False
    return found is not None and _same(found.value, _pass(rules.token))


def _pass(token: str) -> str:
    """What the cookie holds: a token that a person chose may have characters that a cookie may not."""
    return of_bytes(token.encode("utf-8", "surrogateescape"))


def _query(scope: dict) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _token(scope: dict) -> str:
    return dict(_query(scope)).get("token", "")


def _same(given: str, token: str) -> bool:
    """Compared in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode("utf-8", "replace"))


async def _body(method: str, headers: Mapping[str, str], receive: Any) -> bytes | None:
    """The whole body of a request; None as soon as it is too long. Errors: `_Gone`."""
    if method in SAFE:
        return b""
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()) or int(length) > LARGEST:
        return None
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > LARGEST:
            return None
        if not message.get("more_body"):
            return body


def _replay(body: bytes, receive: Any) -> Any:
    """A `receive` that hands over `body`, and after it whatever comes."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> dict:
        return waiting.pop() if waiting else await receive()

    return again


def _with_headers(send: Any) -> Any:
    """A `send` that adds `HEADERS`."""

    async def sends(message: dict) -> None:
        if message["type"] == "http.response.start":
            known = {name for name, _ in message["headers"]}
            added = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in known]
            if b"cache-control" not in known:
                added.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sends


async def _say(send: Any, status: int, line: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = json.dumps({"error": line}).encode() if line else b""
    kind = (b"content-type", b"application/json")
    size = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [kind, size, *(headers or [])]})
    await send({"type": "http.response.body", "body": body})
