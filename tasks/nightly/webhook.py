"""Post the summary of a night to an address: one request, no redirects, and no more than some seconds.

The address is the user's own, so it may be in a private network. What the server answers is not read beyond its status.
"""

import json
from typing import Any
from urllib.parse import unquote, urlsplit

import certifi
import urllib3

from pipeline.report.night_words import LONGEST
from pipeline.text import to_plain_line
from tasks.nightly.deadline import line_within

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 10.0
DEADLINE_SECONDS = 20.0  # for the whole request


def post(address: str, body: dict[str, Any], *, deadline: float = DEADLINE_SECONDS) -> str:
    """Post `body` as JSON; returns one line about what became of it, also if nobody answers.

    The line names the host alone: the rest of an address may be a password.
    """
    data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    said = line_within(deadline, lambda: _post(address, data))
    return to_plain_line(f"webhook at {_host(address)}: {said}", LONGEST)


def _post(address: str, data: bytes) -> str:
    """The status, or why there is none."""
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS)
    headers = {"Content-Type": "application/json", "User-Agent": "ganmill", **_authorization(address)}
    try:
        with urllib3.PoolManager(ca_certs=certifi.where(), timeout=timeout, retries=False) as pool:
            answer = pool.request(
                "POST", address, body=data, headers=headers, redirect=False, preload_content=False, retries=False
            )
            status = answer.status
            answer.close()
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return f"failed: {_why(error)}"
    if 300 <= status < 400:
        return f"failed: status {status}; it leads elsewhere, which is not followed: name the last address"
    return f"sent, status {status}" if status < 300 else f"failed: status {status}"


def _authorization(address: str) -> dict[str, str]:
    """The header for the name and password in `address`, which urllib3 does not send by itself."""
    parts = urlsplit(address)
    if parts.username is None:
        return {}
    return urllib3.make_headers(basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")


def _why(error: BaseException) -> str:
    """The reason in the words of the system, without the address."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = (
            getattr(inner, "reason", None)
            if isinstance(getattr(inner, "reason", None), BaseException)
            else (inner.__cause__ or inner.__context__)
        )
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "no answer in time"
    return type(error).__name__


def _host(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
