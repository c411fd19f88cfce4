"""Who may send requests, and the security headers of every response.

The server listens on this machine, but any web page that is open in a browser here can send requests to 127.0.0.1. So
requests must name this server as their host (against DNS rebinding), requests that change something must come from its
own pages and be JSON or an upload (against cross-site request forgery), and responses forbid foreign scripts, frames
and sniffing.
"""

import hmac
import ipaddress
import json
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, cookie_parser

from pipeline.store.digest import of_bytes

MAX_BODY = 1 << 20  # bytes of a request's body: some thousand label edits
MAX_UPLOAD = 1 << 30  # bytes of an upload, which is not held in memory
# These take files
UPLOADS = re.compile(r"/gan_model|/api/v1/(datasets(/[^/]+/pictures)?|races/[^/]+/entries|styles)")
DEFINITIONS = "/gan_model"  # takes a file as well, but a small one
MAX_HEADERS = 16_384  # bytes; servers on this machine share their cookies, so there may be many
SAFE_METHODS = ("GET", "HEAD")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class _Disconnected(Exception):
    """The client disconnected before it had sent its whole request."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a request is refused."""

    status: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class AccessRules:
    """Who may send requests: the host names, and a token if there is one."""

    host: str  # the address that the server listens on
    port: int
    token: str = ""

    @property
    def cookie(self) -> str:
        """The cookie's name, with the port: browsers share cookies between ports, and servers must not mix them up."""
        return f"ganmill-{self.port}"

    def accepts_host(self, host: str) -> bool:
        """Whether a Host header names this server. The port is not compared, because a tunnel has another one."""
        name = _host_name(host)
        if name in LOOPBACK or name == self.host.lower():
            return True
        return not is_loopback(self.host) and (_is_address(name) or name in _machine_names())


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """A random token."""
    return secrets.token_urlsafe(24)


class SecurityMiddleware:
    """ASGI middleware that refuses forbidden requests and adds security headers to responses."""

    def __init__(
        self, app: Any, access_rules: AccessRules, *, opens: Callable[[str], bool] = lambda path: False
    ) -> None:
        self.app = app
        self.opens = opens  # whether a path carries a token of its own, as that of a vote
        self.access_rules = access_rules

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # web sockets are not supported
        respond = _with_headers(send)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADERS:
            return await _respond(respond, 431, f"the headers of a request may have {MAX_HEADERS} bytes at most")
        headers = _headers(scope)
        if refusal := check_request(scope["method"], scope["path"], headers, self.access_rules):
            return await _respond(respond, refusal.status, refusal.reason)
        if self.access_rules.token:
            if scope["method"] in SAFE_METHODS and _equal(_query_token(scope), self.access_rules.token):
                return await self._log_in(scope, respond)
            if not _has_cookie(headers, self.access_rules) and not self.opens(scope["path"]):
                return await _respond(
                    respond, 401, "this page needs the token: open the address that the server printed"
                )
        if is_upload(scope["path"], headers):
            most = MAX_BODY if scope["path"] == DEFINITIONS else MAX_UPLOAD
            with suppress(ClientDisconnect):  # the upload is incomplete, and nobody waits for a response
                await self.app(scope, _limited(receive, most), respond)
            return
        try:
            body = await _body(scope["method"], headers, receive)
        except _Disconnected:
            return  # the request is incomplete, and nobody waits for a response
        if body is None:
            return await _respond(respond, 413, f"a request may have {MAX_BODY} bytes at most")
        await self.app(scope, _replay(body, receive), respond)

    async def _log_in(self, scope: dict, send: Any) -> None:
        """Set the cookie for a valid token in the address, and remove the token from the address bar."""
        rest = urlencode([(name, value) for name, value in _query(scope) if name != "token"])
        path = "/" + scope["raw_path"].decode("latin-1").partition("?")[0].lstrip("/\\")  # never //host or /\\host
        cookie = (
            f"{self.access_rules.cookie}={_cookie_value(self.access_rules.token)}; HttpOnly; SameSite=Strict; Path=/"
        )
        headers = [(b"location", (path + (f"?{rest}" if rest else "")).encode()), (b"set-cookie", cookie.encode())]
        await _respond(send, 303, "", headers)


def check_request(method: str, path: str, headers: Mapping[str, str], access_rules: AccessRules) -> Refusal | None:
    """Check the headers of a request; returns why it is refused, or None."""
    host = headers.get("host", "")
    if not access_rules.accepts_host(host):
        return Refusal(status=421, reason="this is not a name of this server; open the address that it printed")
    site = headers.get("sec-fetch-site", "")
    if method in SAFE_METHODS:
        navigating = headers.get("sec-fetch-mode", "navigate") == "navigate"
        same_site = site in ("", "none", "same-origin")
        return None if same_site or navigating else Refusal(status=403, reason="another site may not read this")
    if site not in ("", "same-origin") or not _own_origin(headers.get("origin"), host):
        return Refusal(status=403, reason="only this server's own pages may change anything")
    if method == "DELETE" or is_upload(path, headers):  # another site's page cannot send DELETE without being asked
        return None
    if _content_type(headers) != "application/json":
        return Refusal(status=415, reason="expected JSON (content-type: application/json)")
    return None


def is_upload(path: str, headers: Mapping[str, str]) -> bool:
    """Whether a request brings files; a form of another site could do so too, but its origin is checked."""
    return _content_type(headers) == "multipart/form-data" and UPLOADS.fullmatch(path) is not None


def _content_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _own_origin(origin: str | None, host: str) -> bool:
    """Whether a request comes from this server's pages; programs other than browsers send no origin."""
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:  # as of http://[
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    """Whether `name` is an IP address, which DNS rebinding cannot use."""
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _machine_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, f"{name}.local"}


def _headers(scope: dict) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _has_cookie(headers: Mapping[str, str], access_rules: AccessRules) -> bool:
    # Not `SimpleCookie`, which gives up at the first odd cookie: other servers of this machine may have set one
    found = cookie_parser(headers.get("cookie", "")).get(access_rules.cookie)
    return found is not None and _equal(found, _cookie_value(access_rules.token))


def _cookie_value(token: str) -> str:
    """A hash of the token: a token chosen by a person may contain characters that cookies may not."""
    return of_bytes(token.encode("utf-8", "surrogateescape"))


def _query(scope: dict) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _query_token(scope: dict) -> str:
    return dict(_query(scope)).get("token", "")


def _equal(given: str, token: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode("utf-8", "replace"))


async def _body(method: str, headers: Mapping[str, str], receive: Any) -> bytes | None:
    """The body of a request; None as soon as it is too long. Raises `_Disconnected`."""
    if method in SAFE_METHODS:
        return b""
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()) or int(length) > MAX_BODY:
        return None
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body"):
            return body


def _limited(receive: Any, most: int) -> Any:
    """A `receive` that raises an error with status 413 after `most` bytes."""
    received = 0

    async def receives() -> dict:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(413, f"an upload may have {most >> 20} MiB at most")
        return message

    return receives


def _replay(body: bytes, receive: Any) -> Any:
    """A `receive` that returns `body` first."""
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


async def _respond(send: Any, status: int, line: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = json.dumps({"error": line}).encode() if line else b""
    kind = (b"content-type", b"application/json")
    size = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [kind, size, *(headers or [])]})
    await send({"type": "http.response.body", "body": body})
