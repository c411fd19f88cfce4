"""The command `python -m tasks cluster`: certificates, a scheduler, and the workers of one machine."""

import argparse
import asyncio
import os
import signal
import tempfile
from argparse import Namespace
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from pipeline.cluster.certificates import ALL, are_refused, causes_of, make_certificates, read_certificates
from pipeline.cluster.log_lines import print_plain_lines
from pipeline.cluster.references import SCRATCH
from pipeline.errors import UserError, is_for_the_user, of_system
from pipeline.machine import BACKEND_ENVIRONMENT, usable_cores
from pipeline.text import counted, error_line
from tasks import machines

PORT = 8786
LEAST_MEMORY = 1 << 28  # bytes: a worker that has loaded its packages needs nearly as many
LONGEST = 300  # characters of a message that are shown
EXIT_INTERRUPTED = 130  # the exit code of a process that SIGINT ended
OWN_PAGES = "127.0.0.1:0"  # where Dask serves its own pages, which ask nobody who they are
RESTART = 5.0  # seconds after a scheduler is gone until its workers look for it again


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command to its parser."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, function: Callable[[Namespace], int], help: str) -> argparse.ArgumentParser:
        action = actions.add_parser(name, help=help, description=help, allow_abbrev=False)
        action.add_argument(
            "--certificates",
            metavar="DIR",
            help="folder of the certificates (default: machines.certificates of luigi.cfg)",
        )
        action.set_defaults(function=function)
        return action

    add("certificates", certificates, "make the certificates that scheduler, workers and runs show each other")
    scheduler = add("scheduler", run_scheduler, "hand out the work of runs to workers, until ctrl-C")
    scheduler.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    scheduler.add_argument("--port", type=int, default=PORT, help="port to listen on (default: %(default)s)")
    worker = add("worker", run_workers, "work for a scheduler, until ctrl-C")
    worker.add_argument("address", metavar="ADDRESS", help="the scheduler's, such as tls://example.org:8786")
    worker.add_argument("--processes", type=int, help="that work on shards (default: one for each core)")
    worker.add_argument("--trainings", type=int, help="trainings at a time (default: one for each GPU, or 1)")
    worker.add_argument("--memory", default="auto", help="limit of each process, such as 4GB (default: its share)")


def certificates(arguments: Namespace) -> int:
    """Make the certificates."""
    folder = _folder(arguments)
    _make_certificates(folder)
    print(f"{folder}: made; copy this folder to every machine of the cluster, over a channel that you trust")
    return 0


def _make_certificates(folder: Path) -> None:
    try:
        make_certificates(folder)
    except ImportError:
        raise UserError("cryptography is missing; `make cluster` installs it") from None
    except OSError as error:
        raise of_system(error, folder) from error


def run_scheduler(arguments: Namespace) -> int:
    """Run a scheduler. For one of this machine alone the certificates are made, if there are none."""
    if not 1 <= arguments.port <= machines.MOST_PORT:
        raise UserError(f"--port {arguments.port}: expected a port from 1 to {machines.MOST_PORT}, for example {PORT}")
    if arguments.host in machines.LOOPBACK and not _folder(arguments).exists():
        _make_certificates(_folder(arguments))
    return _until_interrupted(_schedule(arguments, _security(arguments)))


async def _schedule(arguments: Namespace, security: Any) -> None:
    import dask
    from distributed import Scheduler

    dask.config.set(machines.DASK)
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host  # of IPv6
    place = {"host": host, "port": arguments.port, "protocol": "tls"}
    try:
        scheduler = await Scheduler(**place, security=security, dashboard_address=OWN_PAGES)
    except (RuntimeError, ValueError, OSError) as error:
        *_, root = causes_of(error)
        raise UserError(
            f"--host {arguments.host} --port {arguments.port}: {error_line(root, LONGEST)}; give an address of"
            " this machine and a port that is free"
        ) from None
    print(f"scheduler: tls://{host}:{arguments.port}  (ctrl-C ends it)", flush=True)
    try:
        await scheduler.finished()
    finally:
        await scheduler.close()


def run_workers(arguments: Namespace) -> int:
    """Run the workers of this machine; when the scheduler is gone they wait for it."""
    machines.host_of(arguments.address)
    security = _security(arguments)
    for name in ("processes", "trainings"):
        if (number := getattr(arguments, name)) is not None and number < 0:
            raise UserError(f"--{name} {number}: expected a whole number, at least 0, for example 2")
    if not _kinds(arguments):
        raise UserError("--processes 0 --trainings 0: nothing would work; let one of them be at least 1")
    _check_memory(arguments.memory)
    with tempfile.TemporaryDirectory(prefix="ganmill-worker-") as scratch:
        return _until_interrupted(_work_forever(arguments, security, Path(scratch)))


def _check_memory(text: str) -> None:
    from dask.utils import parse_bytes

    try:
        is_enough = text == "auto" or parse_bytes(text) >= LEAST_MEMORY
    except ValueError:
        is_enough = False
    if not is_enough:
        raise UserError(f"--memory {text}: expected auto, or at least {LEAST_MEMORY >> 20}MiB, for example 4GB")


def _until_interrupted(work: Coroutine[Any, Any, None]) -> int:
    """Do `work` until it ends, or ctrl-C or SIGTERM ends it in order; returns the exit code."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


async def _work_forever(arguments: Namespace, security: Any, scratch: Path) -> None:
    print(f"looking for {arguments.address}  (ctrl-C ends it)", flush=True)
    while True:
        await _wait_for_name(arguments.address)
        nannies = [_nanny(arguments, security, scratch, **kind) for kind in _kinds(arguments)]
        started = await asyncio.gather(*nannies, return_exceptions=True)
        working = [each for each in started if not isinstance(each, BaseException)]
        failed = [each for each in started if isinstance(each, BaseException)]
        try:
            _raise_mistakes(failed, arguments.address)
            if working:
                print(f"{counted(len(working), 'worker')} of {arguments.address}  (ctrl-C ends all)", flush=True)
            await asyncio.gather(*(each.finished() for each in working))
        finally:
            await asyncio.gather(*(each.close() for each in working), return_exceptions=True)
        print(f"{arguments.address} does not answer; the workers wait for it", flush=True)
        await asyncio.sleep(RESTART)


async def _wait_for_name(address: str) -> None:
    """Return when the host of `address` has a known name; say so if it has none now, which may be a mistake."""
    is_told = False
    while True:
        try:
            await asyncio.get_running_loop().getaddrinfo(machines.host_of(address), None)
            return
        except OSError as error:
            if not is_told:
                print(f"{address}: {error_line(error.strerror, LONGEST)}; the workers wait for it", flush=True)
            is_told = True
        await asyncio.sleep(RESTART)


def _raise_mistakes(errors: list[BaseException], address: str) -> None:
    """Raise what kept a worker from starting, unless its scheduler does not answer now: that is waited for."""
    for error in errors:
        causes = [*causes_of(error)]
        if are_refused(error):
            raise UserError(f"{address}: {error_line(causes[-1], LONGEST)}; {ALL}")
        for each in causes:
            if isinstance(each, OSError) and is_for_the_user(each):
                raise of_system(each)
        if not any(isinstance(each, (OSError, asyncio.TimeoutError)) for each in causes):
            raise UserError(f"the workers cannot start: {error_line(causes[-1], LONGEST)}") from error


def _kinds(arguments: Namespace) -> list[dict[str, Any]]:
    """The resources and the environment of each process."""
    gpus = _gpus()
    trainings = arguments.trainings if arguments.trainings is not None else len(gpus) or 1
    processes = arguments.processes if arguments.processes is not None else usable_cores()
    trainers = [
        {"resources": {"GPU": 1}, "env": {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}}
        for number in range(trainings)
    ]
    return trainers + [{"resources": {}, "env": {"CUDA_VISIBLE_DEVICES": "-1"}}] * processes


def _gpus() -> list[str]:
    """The numbers of the GPUs that this process may use."""
    if (chosen := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [each for each in chosen.split(",") if each not in ("", "-1")]
    return [str(number) for number in range(len([*Path("/dev").glob("nvidia[0-9]*")]))]


async def _nanny(
    arguments: Namespace, security: Any, scratch: Path, *, resources: dict[str, int], env: dict[str, str]
) -> Any:
    import dask
    from distributed import Nanny

    dask.config.set(machines.DASK)  # for good, as a lost worker is replaced at any time
    config = {**machines.DASK, SCRATCH: str(scratch / "artifacts")}
    if resources:  # a training uses all cores, as on this machine; workers on shards have one each
        config["distributed.nanny.pre-spawn-environ"] = {}
    is_here = machines.host_of(arguments.address) in machines.LOOPBACK
    with dask.config.set(config):
        return await Nanny(
            arguments.address,
            host="127.0.0.1" if is_here else None,  # where this worker listens; None: on every address of the machine
            nthreads=1,
            resources=resources,
            env=BACKEND_ENVIRONMENT | env,
            security=security,
            local_directory=str(scratch),
            memory_limit=arguments.memory,
            dashboard_address=OWN_PAGES,
            config=config,
        )


def _security(arguments: Namespace) -> Any:
    """The certificates as Dask takes them."""
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "warning")  # before it is imported; workers inherit it
    try:
        from distributed import Security
    except ImportError:
        raise UserError("distributed is missing; `make cluster` installs it") from None
    print_plain_lines()
    return Security(**read_certificates(_folder(arguments)), require_encryption=True)


def _folder(arguments: Namespace) -> Path:
    return Path(arguments.certificates or machines.chosen().certificates)
