"""Run a stage in a process of its own, so that the GPU's memory is free again when the stage ends.

On Linux the processes are forked from a server that has imported TensorFlow but never used a device: TensorFlow is
imported once in a run, while the run is still crawling.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

from filelock import FileLock

from pipeline.errors import DamagedState, NextStep, Stopped, UserError, disk_faults
from pipeline.fork_server import CONTEXT, ForkServer
from pipeline.machine import BACKEND_ENVIRONMENT
from pipeline.progress import Progress, ShouldStop, TellingProgress, tell
from pipeline.result import Result

SERVER = ForkServer("tensorflow", "keras", "pipeline.filter.train_classifier", "pipeline.gan.train_gan", __name__)
OUTPUT = (1, 2)  # standard output and standard error
POLL = 0.2  # seconds from one check for a request to stop to the next
AGAIN = "running again resumes there"


class StageCrashed(Exception):
    """A stage ended by an error in the code or the environment; the text is the traceback, or names the signal."""


def warm_up(log: Path) -> None:
    """Start the server, which imports TensorFlow in the background; what that prints goes into the file `log`."""
    os.environ |= BACKEND_ENVIRONMENT | os.environ
    with output_into(log):
        SERVER.begin()


def call_function(
    name: str, options: object, arguments: dict[str, Any], *, folder: Path, progress: Progress, should_stop: ShouldStop
) -> Result:
    """Import the function of a stage, "module:name", and run it, here or in a process of its own."""
    module, _, function = name.partition(":")
    work = getattr(import_module(module), function)
    with disk_faults(folder):
        return cast(Result, work(options, **arguments, folder=folder, progress=progress, should_stop=should_stop))


def call(
    work: Callable[..., Result], *, folder: Path, progress: Progress, should_stop: ShouldStop, log: Path
) -> Result:
    """Run `work(folder=..., progress=..., should_stop=...)` in a process of its own and return its result.

    Errors: `UserError` and `Stopped` as `work` raised them; `StageCrashed` for any other error.
    """
    warm_up(log)
    here, there = CONTEXT.Pipe()
    try:
        child = SERVER.start(_child, work, folder, there, log)
    except (OSError, EOFError):
        if should_stop():  # the same ctrl-C ended the server while it loaded TensorFlow
            raise Stopped("stopped before the first step; the next run starts there") from None
        # The server was killed, probably for its memory, as it holds TensorFlow
        raise StageCrashed(f"no process could be started for it; {AGAIN}") from None
    there.close()
    return _follow(child, here, progress, should_stop)


@contextmanager
def output_into(log: Path) -> Iterator[None]:
    """Let processes that are started inside the `with`, and libraries, write to the file `log`.

    If they inherited a pipe of this process, whoever reads the pipe would wait until they end too.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    kept = [os.dup(number) for number in OUTPUT]
    with log.open("ab") as file:
        for number in OUTPUT:
            os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        for number, old in zip(OUTPUT, kept, strict=True):
            os.dup2(old, number)
            os.close(old)


def _follow(child: BaseProcess, pipe: Connection, progress: Progress, should_stop: ShouldStop) -> Result:
    """Pass on the child's progress, and the request to stop to the child, until the child sends how it ended."""
    asked = False
    while True:
        try:
            if should_stop() and not asked:
                asked = True
                pipe.send("stop")
            if not pipe.poll(POLL):
                continue
            kind, value = pipe.recv()
        except (EOFError, OSError):
            child.join()
            if should_stop():  # the signal ended the child before it began to ignore signals
                raise Stopped from None
            raise StageCrashed(epitaph(child.exitcode)) from None
        if kind == "progress":
            progress(*value)
            continue
        if kind == "line":
            tell(progress, value)
            continue
        child.join()
        return _outcome(kind, value)


def _outcome(kind: str, value: Any) -> Result:
    if kind == "result":
        return Result(**value)
    errors = {"next step": NextStep, "damaged": DamagedState, "user error": UserError, "stopped": Stopped}
    raise errors.get(kind, StageCrashed)(value)


def epitaph(code: int | None) -> str:
    """The error message for a process that ended without a result: its exit code or signal, and what to do."""
    if code is None or code >= 0:
        return f"its process ended with code {code} and said nothing; {AGAIN}"
    cause = "most often means that memory ran out" if -code == signal.SIGKILL else "is a fault in a library, or a kill"
    return f"its process was ended by signal {-code}; signal {-code} {cause}; {AGAIN}"


def _child(work: Callable[..., Result], folder: Path, pipe: Connection, log: Path) -> None:
    """Run in the child: do the work and send how it ended. The child ends if its parent does, even by SIGKILL."""
    stop = threading.Event()
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent gets them too, and asks the child to stop
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_listen, args=(pipe, stop), daemon=True).start()
    # The child of a run that was killed may still write to the folder for a moment
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        kind, value = _attempt(partial(work, folder=folder), pipe, stop)
    pipe.send((kind, value))


def _attempt(work: Callable[..., Result], pipe: Connection, stop: threading.Event) -> tuple[str, Any]:
    try:
        result = work(progress=_sender(pipe), should_stop=stop.is_set)
        return "result", vars(result)
    except NextStep as error:
        return "next step", str(error)
    except DamagedState as error:
        return "damaged", str(error)
    except UserError as error:
        return "user error", str(error)
    except Stopped as error:
        return "stopped", str(error)
    except BaseException:
        return "crash", traceback.format_exc()


def _sender(pipe: Connection) -> Progress:
    """A `Progress` that sends to the parent: progress at most once in POLL seconds, and each line."""
    last = 0.0

    def send(done: int, total: int, note: str = "") -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= POLL:
            last = now
            pipe.send(("progress", (done, total, note)))

    return TellingProgress(send, lambda line: pipe.send(("line", line)))


def _listen(pipe: Connection, stop: threading.Event) -> None:
    """Wait for the request to stop. If the parent ends, end this process at once."""
    while True:
        try:
            pipe.recv()
        except (EOFError, OSError):
            os._exit(1)
        stop.set()
