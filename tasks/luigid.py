"""The client of luigid, Luigi's scheduler: timeouts, retries, pauses, and the status message on luigid's page.

Luigi's own client waits 60 s for each answer and prints nothing, also for requests that only change luigid's page: when
luigid died, a stage failed that had worked for hours. This client sends progress once, and repeats a request that the
run depends on for `PATIENCE` seconds: long enough for a restart of luigid, short enough for a person who waits.
"""

import html
import json
import logging
import sys
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

import luigi
from luigi import configuration
from luigi.rpc import RemoteScheduler, RPCError
from tenacity import RetryCallState, Retrying, stop_after_delay, stop_any, wait_fixed
from tenacity.stop import stop_base

from pipeline.errors import UserError
from tasks import signals

LOG = logging.getLogger("luigi-interface")
PATIENCE = 12.0  # seconds for which a request that the run depends on is repeated
TIMEOUT = 5.0  # seconds for one answer, unless luigi.cfg sets `[core] rpc_connect_timeout`
SHOWN = ("set_task_status_message", "set_task_progress_percentage", "ping")  # sent once: no run depends on them
SHORT = 2.0  # seconds for one answer to them
QUIET = 30.0  # seconds for which no progress is sent after it could not be sent
SILENCE_SECONDS = 5.0  # seconds without an answer until the console says so
LARGEST = 1 << 20  # bytes of an answer that are read
NO_ANSWER = (OSError, ValueError, HTTPException, RecursionError)  # of luigid; the last three come from another server
PAUSED = (
    "luigid at {url} is paused, by its own page or by any other page in a browser; to go on, use the switch at"
    " {url} or `curl {url}/api/unpause`"
)


class _RunStopped(stop_base):
    """No more tries once the run was asked to stop."""

    def __call__(self, retry_state: RetryCallState) -> bool:
        return signals.should_stop()


class Luigid(RemoteScheduler):
    """The client of a luigid."""

    def __init__(self, url: str, connect_timeout: float | None = None) -> None:
        configured_timeout = configuration.get_config().getfloat("core", "rpc_connect_timeout", TIMEOUT)
        super().__init__(url, connect_timeout or configured_timeout)
        self._heard = time.monotonic()  # when it last answered a ping
        self._silence_printed = False  # whether the console said that it does not answer
        self._page_from = 0.0  # time from which progress may be sent again

    def _request(self, url: str, data: dict[str, Any], attempts: int = 3, allow_null: bool = True) -> Any:
        """Send a request to luigid. Errors: `RPCError` with the reason in one line."""
        name = url.rpartition("/")[2]
        if name == "ping":
            return self._ping(url, data)
        if name in SHOWN:
            return self._show(url, data)
        try:
            return super()._request(url, data, attempts=attempts, allow_null=allow_null)
        except RPCError as error:
            raise RPCError(reason(error.sub_exception or error), error.sub_exception) from None
        except (ValueError, KeyError, TypeError) as error:
            raise RPCError("another server answers there", error) from None

    def _get_retryer(self) -> Retrying:
        over = stop_any(stop_after_delay(PATIENCE), _RunStopped())
        return Retrying(wait=wait_fixed(1), stop=over, reraise=True, after=self._failed)

    def _failed(self, state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            why = reason(state.outcome.exception())
            print_line(f"luigid at {self._url} does not answer ({why}); the run waits {PATIENCE:.0f} s for it")

    def _once(self, url: str, data: dict[str, Any]) -> Any:
        page = self._fetcher.fetch(f"{self._url}{url}", {"data": json.dumps(data)}, SHORT)
        return json.loads(page)["response"]

    def _ping(self, url: str, data: dict[str, Any]) -> dict[str, Any] | None:
        """Tell luigid that the worker is alive; returns luigid's orders, or None if the answer is not valid."""
        try:
            answer = self._once(url, data)
        except (self._fetcher.raises, ValueError, KeyError, TypeError) as error:
            self._report_silence(error)
            return None
        if self._silence_printed:
            print_line(f"luigid at {self._url} answers again")
        self._heard, self._silence_printed = time.monotonic(), False
        whole = isinstance(answer, dict) and isinstance(answer.get("rpc_messages"), list)
        return answer if whole else None

    def _report_silence(self, error: BaseException) -> None:
        """Say once that luigid does not answer while a stage works, which does not need luigid."""
        silence = time.monotonic() - self._heard
        if silence >= SILENCE_SECONDS and not self._silence_printed:
            self._silence_printed = True
            print_line(
                f"luigid at {self._url} does not answer ({reason(error)}); the stage that works goes on, and its result"
                " is kept; start luigid again for the stages after it"
            )

    def _show(self, url: str, data: dict[str, Any]) -> None:
        """Send progress for luigid's page without delaying the stage for long."""
        if time.monotonic() < self._page_from:
            return
        try:
            self._once(url, data)
        except (self._fetcher.raises, ValueError, KeyError, TypeError) as error:
            self._page_from = time.monotonic() + QUIET
            LOG.warning("luigid was not told of progress: %s", reason(error))


def show_progress(task: luigi.Task, message: str, percent: int | None) -> None:
    """Show a status message and a percentage on luigid's page; nothing if no worker runs `task`."""
    if task.set_status_message:
        task.set_status_message(html.escape(message, quote=False))  # the page puts it into its HTML as it is
    if task.set_progress_percentage and percent is not None:
        task.set_progress_percentage(percent)


class Waiting:
    """Tells `notify` why a run waits, and again every `REMIND_SECONDS` seconds."""

    REMIND_SECONDS = 300.0
    POLL_SECONDS = 2.0  # seconds between two questions to luigid

    def __init__(self, url: str, notify: Callable[[str], None]) -> None:
        self.url = url  # empty without luigid
        self._notify = notify
        self._rounds = 0
        self._last_reason = ""
        self._notified_at = 0.0

    def wait(self) -> None:
        """Wait until luigid may have work again, or until a signal asks the run to stop."""
        self._rounds += 1
        paused = False
        while self.url and not signals.should_stop() and is_paused(self.url):
            paused = True
            self._notify_if_new(PAUSED.format(url=self.url.rstrip("/")))
            time.sleep(self.POLL_SECONDS)
        if not paused and self._rounds > 1:  # after a restart luigid learns of this run only in the second round
            self._notify_if_new("another worker runs it, or another training is under way")
        time.sleep(self.POLL_SECONDS)

    def _notify_if_new(self, reason: str) -> None:
        now = time.monotonic()
        if reason != self._last_reason or now - self._notified_at >= self.REMIND_SECONDS:
            self._notify(reason)
            self._last_reason, self._notified_at = reason, now


def print_line(line: str) -> None:
    """Print one line at once."""
    print(line, file=sys.stderr, flush=True)


def check(url: str) -> None:
    """Check before a run that luigid answers. Errors: `UserError` if it does not, or if another server answers."""
    try:
        if not isinstance(_ask(url, "resource_list"), list):
            raise ValueError("it is another server")
    except NO_ANSWER as error:
        why = getattr(error, "reason", error) if isinstance(error, OSError) else "it is another server"
        raise UserError(
            f"luigid at {url} does not answer ({why}); start it with `make luigid`, or"
            " run without --scheduler and without [core] scheduler_url in luigi.cfg"
        ) from None


def is_paused(url: str) -> bool:
    """Whether somebody paused luigid, so that it gives out no work; false if it does not answer."""
    try:
        answer = _ask(url, "is_paused")
    except NO_ANSWER:
        return False
    return isinstance(answer, dict) and bool(answer.get("paused"))


def _ask(url: str, question: str) -> Any:
    """The answer of luigid. Errors: `OSError`; `ValueError` if another server answers."""
    with urllib.request.urlopen(f"{url.rstrip('/')}/api/{question}?data=%7B%7D", timeout=TIMEOUT) as answer:
        found = json.loads(answer.read(LARGEST))
    if not isinstance(found, dict) or "response" not in found:
        raise ValueError("it is another server")
    return found["response"]


def reason(error: BaseException | None) -> str:
    """Why a request failed, in the words of the operating system, without those of the libraries around it."""
    last, inner = error, error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        last, inner = inner, inner.__cause__ or inner.__context__
    return "no answer in time" if isinstance(last, TimeoutError) else " ".join(str(error).split())
