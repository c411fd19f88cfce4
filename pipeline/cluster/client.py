"""Hands out the shards of a stage to the workers of a cluster, and takes what they give back.

A shard is a pure function of its arguments, and has a name: what is asked for twice is done once, and what a lost
worker was doing is done again by another one.
"""

import gc
import logging
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from pipeline.cluster import certificates
from pipeline.cluster.environment import difference, environment, environment_at_start
from pipeline.cluster.log_lines import hand_to_root
from pipeline.errors import Stopped, UserError
from pipeline.progress import ShouldStop
from pipeline.text import error_line

LOG = logging.getLogger(__name__)
S = TypeVar("S")
R = TypeVar("R")

TRIES = 3  # workers that may be lost at the same work; then it is taken for the cause
PATIENCE = 30.0  # seconds for the scheduler to answer, and for a first worker to come
POLL = 0.5  # seconds between two checks of `should_stop`
LOOK, SILENCE = 5.0, 10.0  # seconds from one look for workers to the next, and without any until that is told
LONGEST = 300  # characters of a message that are shown
AGAIN = "what is made is kept: start it again, then run again"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster, and what its workers share with this process. It can be sent to a process of its own."""

    address: str  # of the scheduler
    certificates: Mapping[str, str] = field(default_factory=dict)  # of `read_certificates`; none for loopback
    storage: str = ""  # address of the storage that all workers reach; empty if they are processes of this machine
    dataset: str = ""


@contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """A `distributed.Client` of the cluster, whose workers all have this environment.

    Raises:
        UserError: the scheduler does not answer, there is no worker, or one has other versions.
    """
    from distributed import Client, Security

    hand_to_root()  # into the log of the run
    security = Security(**cluster.certificates, require_encryption=True) if cluster.certificates else None
    try:
        with _without_collection():
            client = Client(cluster.address, security=security, timeout=PATIENCE, set_as_default=False)
    except Exception as error:  # of sockets, TLS or timeouts
        if certificates.are_refused(error):
            raise UserError(f"the cluster at {cluster.address} has other certificates; {certificates.ALL}") from None
        raise UserError(_no_answer(cluster, error)) from None
    try:
        _check_workers(client, cluster)
        with client.as_current():
            yield client
    finally:
        with _without_collection():
            client.close(timeout=POLL)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Collect no garbage meanwhile. In it may be a client that could not connect: when it is collected it waits for a
    lock which another client holds while it starts or closes, in this same thread, and so for ever."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _check_workers(client: Any, cluster: Cluster) -> None:
    """Wait for a worker, and refuse those of another environment. One that does not answer is left to the scheduler,
    which gives its work to another one."""
    deadline = time.monotonic() + PATIENCE
    while not (environments := _ask(client, environment)):
        if time.monotonic() > deadline:
            raise UserError(
                f"the cluster at {cluster.address} has no worker that answers: start one, `python -m tasks cluster"
                f" worker {cluster.address}`"
            )
        time.sleep(POLL)
    for worker, found in environments.items():
        if words := difference(environment_at_start(), found):
            raise UserError(f"worker {worker} has {words}: install the same there, and start it again")
    if not cluster.storage:
        _check_folder(client)


def _check_folder(client: Any) -> None:
    """Refuse workers that would not find the files of this machine, as those at the other end of a tunnel."""
    with tempfile.NamedTemporaryFile(dir=Path.cwd(), prefix=".ganmill-") as file:
        for worker, found in _ask(client, os.path.exists, file.name).items():
            if not found:
                raise UserError(
                    f"worker {worker} does not see the folder {Path.cwd()} of this machine: set storage to an address"
                    " that both reach, for example storage = s3://bucket/prefix"
                )


def _ask(client: Any, function: Callable[..., R], *arguments: object) -> dict[str, R]:
    """What `function` gives on each worker that answers."""
    found = client.run(function, *arguments, on_error="return")
    answers = {worker: answer for worker, answer in found.items() if not isinstance(answer, OSError)}
    for worker, answer in answers.items():
        if isinstance(answer, Exception):
            raise UserError(f"worker {worker} cannot take part: {error_line(answer, LONGEST)}")
    return answers


def map_shards(
    cluster: Cluster,
    work: Callable[[S], R],
    shards: Mapping[str, S],
    take: Callable[[str, R], None],
    *,
    should_stop: ShouldStop,
    tell: Callable[[str], None],
) -> None:
    """Call `take(name, work(shard))` for every one of `shards` by name, in order of completion; workers do the `work`.

    Args:
        tell: is given a line when there is no worker, and when there is one again.

    Raises:
        UserError: as `work` raised it; or a shard lost as many workers as the scheduler allows; or the scheduler is
            gone.
        Stopped: if `should_stop()` becomes true.
    """
    if not shards:
        return
    with connected(cluster) as client:
        options = {"pure": True, "fifo_timeout": "0ms"}
        futures = {
            client.submit(_checked, environment_at_start(), work, shard, key=name, **options): name
            for name, shard in shards.items()
        }
        watch = _Watch(client, cluster, {}, tell)
        for future in _completed(client, list(futures), cluster, should_stop, watch):
            take(futures.pop(future), _result(future, cluster))


def _checked(expected: dict[str, str], work: Callable[[S], R], shard: S) -> R:
    """Do the work, on a worker, unless it came later than the others and has other versions."""
    if words := difference(expected, environment()):
        raise UserError(f"a worker has {words}: install the same there, and start it again")
    return work(shard)


Event = tuple[Any, ...]
Notify = Callable[[Event], None]


def run_one(
    cluster: Cluster,
    work: Callable[[S, Notify, ShouldStop], R],
    order: S,
    *,
    name: str,
    resources: Mapping[str, int],
    notify: Notify,
    should_stop: ShouldStop,
) -> R:
    """The result of `work(order, notify, should_stop)`, done by a worker that has the `resources`.

    What the work notifies comes here, and if `should_stop()` becomes true here, it does so there. If the worker is
    lost, another one does the work again; the events ("line", text) say so while there is none.

    Raises:
        UserError: as `work` raised it; or no worker has the resources; or workers were lost; or the scheduler is gone.
        Stopped: as `work` raised it; or no worker was there to be asked.
    """
    from distributed import Event as StopEvent

    with connected(cluster) as client:
        _check_resources(client, cluster, resources)
        topic = f"{name}-{uuid.uuid4().hex}"
        client.subscribe_topic(topic, lambda event: notify(event[1]["event"]))
        stop = StopEvent(topic, client=client)
        arguments = (environment_at_start(), work, order, topic)
        future = client.submit(_one, *arguments, key=topic, resources=dict(resources), pure=False)
        asked = False
        watch = _Watch(client, cluster, resources, lambda line: notify(("line", line)))
        while not future.done():
            if should_stop() and not asked:
                asked = True
                stop.set()
            if client.status != "running":
                raise UserError(_no_answer(cluster, client.status))
            watch.look()
            if asked and watch.is_told:
                future.cancel()
                raise Stopped("stopped; no worker of the cluster was at work on it")
            time.sleep(POLL)
        return cast(R, _result(future, cluster))


def _check_resources(client: Any, cluster: Cluster, resources: Mapping[str, int]) -> None:
    if not _has_worker(client, resources):
        raise UserError(
            f"the cluster at {cluster.address} has no worker that trains: start one, `python -m tasks cluster"
            f" worker {cluster.address} --trainings 1`"
        )


def _has_worker(client: Any, resources: Mapping[str, int]) -> bool:
    """Whether the scheduler has a worker with these resources."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(all(each["resources"].get(name, 0) >= resources[name] for name in resources) for each in workers)


class _Watch:
    """Tells when the cluster has no worker with the `resources` for a while, and when it has one again."""

    def __init__(
        self, client: Any, cluster: Cluster, resources: Mapping[str, int], tell: Callable[[str], None]
    ) -> None:
        self.is_told = False  # that there is none
        self._client, self._cluster, self._resources, self._tell = client, cluster, resources, tell
        self._looked = self._seen = time.monotonic()

    def look(self) -> None:
        """Look, if the last time is a while ago."""
        if (now := time.monotonic()) - self._looked < LOOK:
            return
        self._looked = now
        try:
            has_worker = _has_worker(self._client, self._resources)
        except OSError:  # the scheduler is gone, which the connection will say
            return
        kind = "worker that trains" if self._resources else "worker"
        if has_worker:
            self._seen = now
            if self.is_told:
                self.is_told = False
                self._tell(f"goes on: the cluster at {self._cluster.address} has a {kind} again")
        elif now - self._seen >= SILENCE and not self.is_told:
            self.is_told = True
            self._tell(f"waits: the cluster at {self._cluster.address} has no {kind} any more")


def _one(expected: dict[str, str], work: Callable[[S, Notify, ShouldStop], R], order: S, topic: str) -> R:
    """Do the work, on a worker, and listen for the request to stop."""
    from distributed import Event as StopEvent
    from distributed import get_client, get_worker

    worker, stop, ended = get_worker(), threading.Event(), threading.Event()
    asked = StopEvent(topic, client=get_client())

    def listen() -> None:
        while not ended.wait(POLL):
            with suppress(Exception):  # of a scheduler that is gone: the worker ends soon
                if asked.is_set():
                    stop.set()

    threading.Thread(target=listen, name="stop", daemon=True).start()
    try:
        bound = partial(_log, worker, topic)
        return _checked(expected, lambda each: work(each, bound, stop.is_set), order)
    finally:
        ended.set()


def _log(worker: Any, topic: str, event: Event) -> None:
    worker.log_event(topic, {"event": event})


def _completed(
    client: Any, futures: Sequence[Any], cluster: Cluster, should_stop: ShouldStop, watch: _Watch
) -> Iterator[Any]:
    """The futures in order of completion."""
    from distributed import wait
    from distributed.client import FuturesCancelledError

    waiting = set(futures)
    while waiting:
        if should_stop():
            client.cancel(list(waiting))  # without force, as another run may wait for the same
            raise Stopped
        watch.look()
        try:
            done = wait(list(waiting), timeout=POLL, return_when="FIRST_COMPLETED").done
        except FuturesCancelledError:
            raise UserError(_no_answer(cluster, "the connection was lost")) from None
        except TimeoutError:
            if client.status != "running":
                raise UserError(_no_answer(cluster, client.status)) from None
            continue
        yield from done
        waiting -= done


def _result(future: Any, cluster: Cluster) -> Any:
    from distributed import KilledWorker

    if future.status == "finished":
        return future.result()
    if future.status in ("cancelled", "lost"):
        raise UserError(_no_answer(cluster, future.status))
    error = future.exception()
    if isinstance(error, (UserError, Stopped)):
        raise error
    if isinstance(error, KilledWorker):
        raise UserError(
            f"{error.allowed_failures + 1} workers of the cluster were lost at the same work ({future.key}): most often"
            " memory ran out there; give workers more, or start fewer on a machine, then run again: what is made is"
            " kept"
        )
    LOG.error("%s failed on the cluster", future.key, exc_info=(type(error), error, future.traceback()))
    raise cast(BaseException, error)


def _no_answer(cluster: Cluster, why: object) -> str:
    return f"the cluster at {cluster.address} does not answer ({error_line(why, LONGEST)}); {AGAIN}"
