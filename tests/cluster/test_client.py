"""Shards go to workers and come back; a worker that is lost, a defect, a stop and a scheduler that is gone."""

import dataclasses
import gc
import threading
import time

import pytest

from pipeline.cluster import client as module
from pipeline.cluster.certificates import make_certificates, read_certificates
from pipeline.cluster.client import connected, map_shards, run_one
from pipeline.errors import Stopped, UserError
from pipeline.progress import never
from tasks.machines import DASK
from tests.cluster import shard_work as work
from tests.cluster.cluster_fixtures import started


def mapped(cluster, function, shards, should_stop=never, tell=lambda line: None) -> dict:
    found = {}
    map_shards(cluster, function, shards, found.__setitem__, should_stop=should_stop, tell=tell)
    return found


def test_every_shard_is_done_and_named(cluster):
    shards = {f"square-{number}": number for number in range(20)}
    assert mapped(cluster, work.square, shards) == {name: number**2 for name, number in shards.items()}


def test_schedulers_and_workers_do_nothing_for_pages_that_nobody_sees(cluster):
    """Dask's statistics of its own functions cost an idle process 5 % of a core."""
    with connected(cluster) as client:
        for settings in [*client.run(work.dask_settings).values(), client.run_on_scheduler(work.dask_settings)]:
            assert settings == {name: DASK[name] for name in work.STATISTICS}


def test_no_shards_need_no_cluster(cluster):
    assert mapped(dataclasses.replace(cluster, address="tls://127.0.0.1:1"), work.square, {}) == {}


def test_an_error_of_the_user_is_raised_here_and_not_tried_again(cluster, tmp_path):
    with pytest.raises(UserError, match=r"calls is wrong: give another one$"):
        mapped(cluster, work.refuse, {"refuse": tmp_path / "calls"})
    assert (tmp_path / "calls").read_text() == "1"


def test_a_defect_is_a_defect_here_and_the_log_says_where(cluster, caplog):
    with pytest.raises(ValueError, match="a defect at 7"):
        mapped(cluster, work.break_down, {"break": 7})
    assert "break failed on the cluster" in caplog.text
    assert "break_down" in caplog.text


def test_what_a_lost_worker_did_is_done_again(cluster, tmp_path):
    assert mapped(cluster, work.die_once, {"die-once": tmp_path / "marker"}) == {"die-once": "done"}


def test_work_that_kills_every_worker_is_one_line(cluster, tmp_path):
    with pytest.raises(UserError, match=r"^3 workers of the cluster were lost at the same work \(die\): .*memory"):
        mapped(cluster, work.die, {"die": tmp_path / "deaths"})
    assert (tmp_path / "deaths").read_text() == "111"


def test_a_stop_ends_the_wait(cluster, tmp_path):
    with pytest.raises(Stopped):
        mapped(cluster, work.wait_long, {"wait": tmp_path / "a"}, should_stop=(tmp_path / "a").exists)


def test_a_stop_does_not_end_the_wait_of_another_run(cluster, tmp_path):
    found = {}
    other = threading.Thread(target=lambda: found.update(mapped(cluster, work.wait_for, {"both": tmp_path / "a"})))
    other.start()
    wait_for(tmp_path / "a")
    with pytest.raises(Stopped):
        mapped(cluster, work.wait_for, {"both": tmp_path / "a"}, should_stop=lambda: True)
    (tmp_path / "a").with_suffix(".go").touch()
    other.join()
    assert found == {"both": "done"}


def test_a_stage_tells_what_it_does_and_gives_its_result(cluster):
    told = []
    options = {"name": "gan", "resources": {"GPU": 1}, "notify": told.append, "should_stop": never}
    assert run_one(cluster, work.train_quickly, "cats", **options) == "trained on cats"
    assert ("progress", 1, 1, "steps") in [tuple(event) for event in told]


def test_a_stage_is_asked_to_stop(cluster, tmp_path):
    told = []
    with pytest.raises(Stopped, match="stopped with a checkpoint at step True"):
        run_one(
            cluster,
            work.train,
            tmp_path,
            name="gan",
            resources={"GPU": 1},
            notify=told.append,
            should_stop=(tmp_path / "begun").exists,
        )
    assert tuple(told[0]) == ("line", "begins")


def test_a_stage_whose_worker_is_lost_begins_again(cluster, tmp_path):
    options = {"name": "gan", "resources": {"GPU": 1}, "notify": lambda event: None, "should_stop": never}
    assert run_one(cluster, work.train_after_a_loss, tmp_path / "marker", **options) == "done"


def test_a_cluster_without_a_worker_that_trains_is_one_line(cluster):
    options = {"name": "gan", "resources": {"TPU": 1}, "notify": lambda event: None, "should_stop": never}
    with pytest.raises(UserError, match=r"has no worker that trains: .*--trainings 1"):
        run_one(cluster, work.train_quickly, "cats", **options)


def test_a_scheduler_that_does_not_answer_is_one_line(cluster, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    gone = dataclasses.replace(cluster, address="tls://127.0.0.1:1")
    with pytest.raises(UserError, match=r"^the cluster at tls://127\.0\.0\.1:1 does not answer .*run again") as caught:
        mapped(gone, work.square, {"a": 1})
    assert "\n" not in str(caught.value)


def test_no_garbage_is_collected_while_a_client_starts_or_closes(cluster, monkeypatch):
    """A client that could not connect closes when it is collected, and waits for a lock that these two hold."""
    from distributed.utils import LoopRunner

    collects = []
    for name in ("_start_unlocked", "_stop_unlocked"):
        plain = getattr(LoopRunner, name)

        def seen(runner, *given, plain=plain):
            collects.append(gc.isenabled())
            return plain(runner, *given)

        monkeypatch.setattr(LoopRunner, name, seen)
    with connected(cluster):
        assert gc.isenabled()
    assert gc.isenabled()
    assert len(collects) >= 2
    assert not any(collects)


def test_whoever_has_no_certificate_is_not_admitted(cluster, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    with pytest.raises(UserError, match="does not answer"):
        mapped(dataclasses.replace(cluster, certificates={}), work.square, {"a": 1})


def test_certificates_of_another_cluster_are_named(cluster, tmp_path):
    make_certificates(tmp_path)
    other = dataclasses.replace(cluster, certificates=read_certificates(tmp_path))
    with pytest.raises(UserError, match="has other certificates; every machine of a cluster needs the certificates"):
        mapped(other, work.square, {"a": 1})


def test_workers_of_other_versions_are_refused(cluster, monkeypatch):
    monkeypatch.setattr(module, "environment_at_start", lambda: {"Python": "3.9", "ganmill": "12345678"})
    with pytest.raises(
        UserError, match=r"^worker tls://.* has Python 3\.1\d where this machine has 3\.9, ganmill .*same"
    ):
        module._check_workers(FakeClient({"tls://w": {"Python": "3.11", "ganmill": "1"}}), cluster)


class FakeClient:
    def __init__(self, answers) -> None:
        self.answers, self.workers = answers, {}

    def scheduler_info(self, n_workers):
        return {"workers": self.workers}

    def run(self, function, *arguments, on_error):
        return self.answers


def test_workers_that_do_not_answer_are_left_out(cluster, monkeypatch):
    monkeypatch.setattr(module, "environment_at_start", lambda: {"ganmill": "1"})
    answers = {"tls://gone": OSError("Timed out"), "tls://here": {"ganmill": "1"}}
    module._check_workers(FakeClient(answers), dataclasses.replace(cluster, storage="/x"))
    monkeypatch.setattr(module, "PATIENCE", 0)
    with pytest.raises(UserError, match="has no worker that answers: start one"):
        module._check_workers(FakeClient({"tls://gone": OSError("Timed out")}), cluster)
    with pytest.raises(UserError, match=r"worker tls://odd cannot take part: no module"):
        module._check_workers(FakeClient({"tls://odd": ImportError("no module")}), cluster)


def test_workers_of_another_machine_need_a_storage():
    with pytest.raises(UserError, match=r"worker tls://w does not see the folder /.* of this machine: set storage"):
        module._check_folder(FakeClient({"tls://w": False}))
    module._check_folder(FakeClient({"tls://w": True}))


def test_a_run_tells_once_that_it_waits_and_once_that_it_goes_on(cluster, monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0)
    client, told = FakeClient({}), []
    watch = module._Watch(client, cluster, {"GPU": 1}, told.append)
    watch.look()
    assert told == []
    monkeypatch.setattr(module, "SILENCE", 0)
    client.workers = {"tls://w": {"resources": {}}}
    for _ in range(3):
        watch.look()
    assert told == [f"waits: the cluster at {cluster.address} has no worker that trains any more"]
    client.workers = {"tls://w": {"resources": {"GPU": 1}}}
    for _ in range(3):
        watch.look()
    assert told[1:] == [f"goes on: the cluster at {cluster.address} has a worker that trains again"]


def test_a_run_whose_workers_are_gone_can_be_stopped(cluster, monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0)
    monkeypatch.setattr(module, "SILENCE", 0)
    monkeypatch.setattr(module, "_check_resources", lambda *_: None)  # there was one when the run began
    told = []
    with pytest.raises(Stopped, match="no worker of the cluster was at work on it"):
        run_one(
            cluster,
            work.train_quickly,
            "cats",
            name="gan",
            resources={"TPU": 1},
            notify=told.append,
            should_stop=lambda: bool(told),
        )
    assert told == [("line", f"waits: the cluster at {cluster.address} has no worker that trains any more")]


def test_a_worker_that_came_later_is_refused_too():
    with pytest.raises(UserError, match=r"a worker has ganmill .* where this machine has other"):
        module._checked({"ganmill": "other"}, work.square, 3)


def test_a_scheduler_that_is_killed_meanwhile_is_one_line(tmp_path):
    with started() as (own, scheduler):
        killer = threading.Thread(target=lambda: (wait_for(tmp_path / "begun"), scheduler.kill()))
        killer.start()
        with pytest.raises(UserError, match=r"does not answer .*what is made is kept"):
            mapped(own, work.wait_long, {"long": tmp_path / "begun"})
        killer.join()


def wait_for(path) -> None:
    while not path.exists():
        time.sleep(0.05)
