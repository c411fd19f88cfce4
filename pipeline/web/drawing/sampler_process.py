"""The process that draws samples: one at a time, started when it is needed, ended when nobody needs it.

It is `python -m tasks sampler` (pipeline/gan/sampler.py); it ends by itself when its input is closed, so it does not
outlive the server.
"""

import atexit
import json
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

from starlette.exceptions import HTTPException

from pipeline.errors import UserError
from pipeline.text import to_plain_line

IDLE_SECONDS = 120.0  # without a question, after which the process ends
TIMEOUT = 180.0  # seconds for an answer: loading the libraries takes ten on a busy machine
MAX_WAITING = 8  # questions that wait for their turn
MAX_ANSWER = 16 << 20  # bytes
LONGEST_ERROR = 500  # characters


class SamplerProcess:
    """Asks the sampler, one question at a time."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        timeout: float = TIMEOUT,
        idle: float = IDLE_SECONDS,
        waiting: int = MAX_WAITING,
    ) -> None:
        self.command, self.timeout, self.idle = (*command, "sampler"), timeout, idle
        self._places = threading.BoundedSemaphore(waiting + 1)
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None  # what it prints beside its answers
        self._idle: threading.Timer | None = None

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """The answer to `question`.

        Raises:
            UserError: What was asked for cannot be drawn.
            HTTPException: Status 503 if too many questions wait, or if the process died or took too long.
        """
        if not self._places.acquire(blocking=False):
            raise HTTPException(503, "too many samples are being drawn; ask again in a minute")
        try:
            if not self._turn.acquire(timeout=self.timeout):
                raise HTTPException(503, "other samples are being drawn; ask again in a minute")
            try:
                answer = self._exchange(json.dumps(question).encode() + b"\n")
            finally:
                self._turn.release()
        finally:
            self._places.release()
        if error := answer.get("error"):
            raise UserError(to_plain_line(str(error), LONGEST_ERROR))
        return answer

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._idle:
            self._idle.cancel()
        atexit.unregister(self.close)
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    if pipe:
                        pipe.close()
        if self._said:
            self._said.close()
            self._said = None

    def _exchange(self, line: bytes) -> dict[str, Any]:
        if self._idle:
            self._idle.cancel()
        process = self._started()
        assert process.stdin
        assert process.stdout
        hung = threading.Event()
        late = threading.Timer(self.timeout, _kill, (process, hung))
        late.daemon = True
        late.start()
        try:
            process.stdin.write(line)
            process.stdin.flush()
            answer = json.loads(process.stdout.readline(MAX_ANSWER))
            if not isinstance(answer, dict):
                raise ValueError("not an object")
        except (OSError, ValueError):
            raise self._failed(hung=hung.is_set()) from None
        finally:
            late.cancel()
        self._idle = threading.Timer(self.idle, self._end_idle)
        self._idle.daemon = True
        self._idle.start()
        return answer

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # `close` closes it
        # Ctrl-C in a terminal goes to the server, which ends it
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,
        )
        atexit.register(self.close)
        return self._process

    def _failed(self, *, hung: bool) -> HTTPException:
        """The error about a process that gave no answer; the next question starts another one."""
        last = ""
        if self._said:
            with suppress(OSError, ValueError):
                self._said.seek(max(0, self._said.seek(0, 2) - LONGEST_ERROR))
                lines = self._said.read().decode("utf-8", "replace").split("\n")
                last = next((line for line in reversed(lines) if line.strip()), "")
        self.close()
        if hung:
            return HTTPException(503, f"the sampler gave no answer in {self.timeout:.0f} s and was ended; ask again")
        said = f": {to_plain_line(last.removeprefix('error: '), LONGEST_ERROR)}" if last else ""
        return HTTPException(503, f"the sampler ended before it answered{said}; ask again")

    def _end_idle(self) -> None:
        if self._turn.acquire(blocking=False):
            try:
                self.close()
            finally:
                self._turn.release()


def _kill(process: "subprocess.Popen[bytes]", hung: threading.Event) -> None:
    hung.set()
    process.kill()
