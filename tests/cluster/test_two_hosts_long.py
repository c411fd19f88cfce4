"""Hosts that share only S3 make what one machine makes, whatever is killed or cut off meanwhile."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.cluster.certificates import make_certificates
from pipeline.store.object_store import _open_store, open_store
from tests.cluster.hosts import REPOSITORY, Host, network, wait_for
from tests.store.stores import environment, new_bucket

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

PORT = 8786
AT_WORK = "(ctrl-C ends all)"  # is in the line of workers that have begun
SETTINGS = """
[demo.download]
sources = demo
demo_pictures = 60
limit = 60
[demo.normalize]
size = 32
[demo.classifier]
backbone = none
members = 2
steps = 5
[demo.filter]
threshold = 0.5
[demo.gan]
epochs = 150
sample_every = 5
checkpoint_every = 5
[demo.generate]
count = 40
film = 0
"""
STAGES = ["data/demo/normalize", "models/demo/classifier", "data/demo/filter", "models/demo/gan"]
STAGES += ["generated/demo/generate"]


def outputs(folder: Path) -> dict[str, dict[str, str]]:
    """The digests of the outputs of each stage."""
    found = {}
    for stage in STAGES:
        manifest = json.loads((folder / stage / "latest" / "manifest.json").read_text())
        found[stage] = manifest["outputs"]
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one machine makes."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "luigi.cfg").write_text(SETTINGS)
    command = [sys.executable, "-m", "tasks", "run"]
    subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, check=True, capture_output=True
    )
    return outputs(folder)


class Site:
    """A scheduler and the run on the first host, workers on the others."""

    def __init__(self, hosts: list[Host]) -> None:
        self.first, self.others = hosts[0], hosts[1:]
        self.address = f"tls://{self.first.address}:{PORT}"

    def schedule(self, log: str = "scheduler.log") -> subprocess.Popen:
        """Start the scheduler."""
        process = self.first.start("cluster", "scheduler", "--host", self.first.address, log=log)
        wait_for(lambda: "scheduler: tls://" in self.first.read(log), self.first.read(log))
        return process

    def work(self, host: Host, log: str = "worker.log", *, trainings: int = 1) -> subprocess.Popen:
        """Start a worker for shards, and so many for trainings."""
        words = ("cluster", "worker", self.address, "--processes", "1", "--trainings", str(trainings))
        process = host.start(*words, log=log)
        wait_for(lambda: AT_WORK in host.read(log), host.read(log))
        return process

    def run(self, log: str = "run.log") -> subprocess.Popen:
        """Start the run."""
        return self.first.start("run", "--cluster", self.address, log=log)

    def trains(self) -> bool:
        """Whether the training has written a checkpoint that another worker could go on from."""
        store = open_store(self.storage)
        states = (store.read(f"demo/gan/work/{name}/state.json") for name in store.names("demo/gan/work"))
        return any(b"checkpoints/" in (state or b"") for state in states)


@pytest.fixture
def site(tmp_path):
    """Three hosts, and an S3 server that they reach."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    with network(3) as here:
        started = server.ThreadedMotoServer(ip_address=here, port=0, verbose=False)
        started.start()
        _, port = started.get_host_and_port()
        facts = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_DEFAULT_REGION": "us-east-1"}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (facts | {"AWS_ENDPOINT_URL": f"http://{here}:{port}"}).items():
                patch.setenv(name, value)
            _open_store.cache_clear()
            storage = new_bucket()
            every = tmp_path / "hosts"
            hosts = [Host(number, every / str(number), environment(), every) for number in (1, 2, 3)]
            make_certificates(hosts[0].folder / "data" / ".cluster")
            for host in hosts:
                (host.folder / "luigi.cfg").write_text(f"{SETTINGS}\n[machines]\nstorage = {storage}\n")
                if host is not hosts[0]:
                    make_copy(hosts[0].folder / "data" / ".cluster", host.folder / "data" / ".cluster")
            made = Site(hosts)
            made.storage = storage
            try:
                yield made
            finally:
                for process in (each for host in hosts for each in host.started):
                    kill_all(process)
                started.stop()
                _open_store.cache_clear()


def make_copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())


def kill_all(process: subprocess.Popen) -> None:
    """SIGKILL a command and all that it started."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return
    for each in [process, *below]:
        try:
            os.kill(each.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def ended_well(site: Site, process: subprocess.Popen, log: str = "run.log") -> None:
    assert process.wait(600) == 0, site.first.read(log)[-3000:]
    for host in (site.first, *site.others):
        for path in host.folder.glob("*.log"):
            assert "Traceback" not in host.read(path.name), host.read(path.name)[-3000:]


def test_two_hosts_make_what_one_machine_makes(site, alone):
    site.schedule()
    site.work(site.others[0])
    ended_well(site, site.run())
    assert outputs(site.first.folder) == alone
    again = site.run("again.log")
    ended_well(site, again, "again.log")
    assert "everything is up to date" in site.first.read("again.log")


def test_a_run_survives_workers_that_are_killed(site, alone):
    site.schedule()
    doomed = site.work(site.others[0])
    run = site.run()
    wait_for(site.trains, site.first.read("run.log"))
    kill_all(doomed)
    site.work(site.others[1])
    ended_well(site, run)
    assert outputs(site.first.folder) == alone
    log = site.first.read("run.log")
    assert re.search(r"resumes at epoch (\d+)", log), log
    assert int(re.search(r"resumes at epoch (\d+)", log)[1]) > 1


def test_a_run_survives_a_worker_without_network(site, alone):
    site.schedule()
    site.work(site.others[0])
    run = site.run()
    wait_for(site.trains, site.first.read("run.log"))
    site.work(site.others[1])
    site.others[0].cut()
    ended_well(site, run)
    assert outputs(site.first.folder) == alone


def test_without_a_scheduler_the_run_says_so_and_goes_on_later(site, alone):
    scheduler = site.schedule()
    site.work(site.others[0])
    run = site.run()
    wait_for(site.trains, site.first.read("run.log"))
    kill_all(scheduler)
    assert run.wait(120) == 1, site.first.read("run.log")
    assert "does not answer" in site.first.read("run.log")
    assert "what is made is kept" in site.first.read("run.log")
    assert "Traceback" not in site.first.read("run.log")
    site.schedule("scheduler-2.log")
    wait_for(lambda: site.others[0].read("worker.log").count(AT_WORK) == 2, "no worker came back")
    ended_well(site, site.run("second.log"), "second.log")
    assert outputs(site.first.folder) == alone


def test_a_stop_lets_the_worker_write_a_checkpoint(site, alone):
    site.schedule()
    site.work(site.others[0])
    run = site.run()
    wait_for(site.trains, site.first.read("run.log"))
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(180) == 130, site.first.read("run.log")
    ended_well(site, site.run("second.log"), "second.log")
    assert "resumes at epoch" in site.first.read("second.log")
    assert outputs(site.first.folder) == alone
