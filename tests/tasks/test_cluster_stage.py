"""A stage as a whole on a worker: it gets what it needs, publishes, and another worker goes on from a copy."""

import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.cluster import references
from pipeline.cluster.client import Cluster
from pipeline.errors import Stopped, UserError
from pipeline.gan.continuation import Continuation
from pipeline.pretrained import Weights
from pipeline.progress import never, silent, tell
from pipeline.result import Result
from pipeline.store import manifest as manifests
from pipeline.store.artifacts import ArtifactStore
from pipeline.store.manifest import Manifest, list_files
from pipeline.store.object_store import ObjectStore, StoreFault, open_store
from pipeline.store.remote_artifacts import RemoteArtifacts
from tasks import backbones, cluster_stage, isolation
from tasks.cluster_stage import do_stage, make_order

KEY = "1a2b3c4d5e6f" + "0" * 52
LOGGED = "x" * cluster_stage.LOG_END + "\na warning\x1b[31m\n"
given: dict[str, object] = {}


def train(options, *, folder, progress, should_stop, **arguments) -> Result:
    """A stage that counts to three with a checkpoint for each, and fails where `options` say."""
    given.update(arguments)
    done = [path.name for path in sorted((folder / "checkpoints").glob("*"))]
    (folder / "checkpoints").mkdir(exist_ok=True)
    tell(progress, f"begins at {len(done)}")
    for step in range(len(done), 3):
        progress(step, 3, "steps")
        if should_stop():
            raise Stopped("stopped with a checkpoint")
        (folder / "checkpoints" / str(step)).write_text("state")
        (folder / "stats.jsonl").write_text(f"{step}\n")
        if options == f"fails at {step}":
            raise RuntimeError("the worker is lost")
    return Result(outputs={"generator": "digest"}, summary={"steps": 3})


@pytest.fixture(autouse=True)
def worker(tmp_path, monkeypatch):
    """This process is the worker; each test may take away its folder as a lost worker does."""
    monkeypatch.setattr(isolation, "import_module", lambda _: SimpleNamespace(train=train))
    monkeypatch.setattr(
        isolation, "call", lambda work, *, folder, progress, should_stop, log: (log.write_text(LOGGED), work(
            folder=folder, progress=progress, should_stop=should_stop
        ))[1]
    )  # fmt: skip
    scratch = [tmp_path / "scratch-0"]
    for module in (references, cluster_stage):
        monkeypatch.setattr(module, "scratch_folder", lambda: scratch[0])
    references._fetch.cache_clear()
    given.clear()

    def lose() -> None:
        scratch[0] = tmp_path / f"scratch-{len(list(tmp_path.glob('scratch-*')))}"

    return lose


@pytest.fixture
def cluster(tmp_path):
    return Cluster(address="tls://x:1", storage=str(tmp_path / "store"), dataset="cats")


@pytest.fixture
def order(tmp_path, cluster):
    """Makes an order for the stage, on the machine of the run."""
    squares = tmp_path / "machine" / "aaaaaaaaaaaa"
    squares.mkdir(parents=True)
    (squares / "rows").write_text("squares")
    facts = {"stage": "normalize", "version": 1, "dataset": "cats", "options": {}, "inputs": {}}
    manifests.write(Manifest(key="a" * 64, files=list_files(squares), **facts), squares)
    RemoteArtifacts(open_store(cluster.storage), "cats/normalize").publish(squares, manifests.read(squares), silent)
    (tmp_path / "dcgan.json").write_text("{}")
    (tmp_path / "weights.h5").write_bytes(b"weights")
    found = SimpleNamespace(folder=squares, manifest=manifests.read(squares))
    upstream = SimpleNamespace(keyword="", stage="normalize", finished=lambda: found)
    store = ArtifactStore(squares.parent, RemoteArtifacts(open_store(cluster.storage), "cats/normalize"))

    def make(options="", continues=squares, **draft):
        arguments = {
            "definition": tmp_path / "dcgan.json",
            "live": tmp_path / "machine" / "live",
            "continues": Continuation(folder=continues, epochs=7),
            "weights": Weights(name="MobileNet", path=tmp_path / "weights.h5", digest="d"),
            "classifier": None,
        }
        task = SimpleNamespace(
            function="tests:train",
            options=options,
            arguments=lambda: arguments,
            stages_read=lambda: [upstream],
            resumable=True,
            artifact_store=store,
            backbone="none",
        )
        facts = {"stage": "gan", "version": 4, "dataset": "cats", "key": KEY, "options": {}, "inputs": {}, "run": "r"}
        return pickle.loads(pickle.dumps(make_order(task, Manifest(**facts | draft), cluster)))

    return make


def work(order, should_stop=never) -> tuple[Manifest, list]:
    told = []
    return do_stage(order, told.append, should_stop), told


def test_the_stage_gets_the_files_and_artifacts_that_it_names(order, tmp_path):
    seen = {}
    work(order())
    for name, value in given.items():
        seen[name] = value
    assert (seen["normalize"] / "rows").read_text() == "squares"
    assert seen["normalize"].is_relative_to(tmp_path / "scratch-0")
    assert seen["definition"].name == "dcgan.json"
    assert seen["continues"].epochs == 7
    assert (seen["continues"].folder / "rows").read_text() == "squares"
    assert seen["weights"].digest == "d"
    assert seen["classifier"] is None
    assert isinstance(seen["live"], Path)
    assert not seen["live"].is_relative_to(tmp_path)


def test_the_end_of_its_log_reaches_the_log_of_the_run(order, tmp_path, monkeypatch):
    monkeypatch.setattr(
        cluster_stage, "run_one", lambda cluster, work, order, *, notify, should_stop, **_: work(
            order, notify, should_stop
        )
    )  # fmt: skip
    log = tmp_path / "log.txt"
    log.write_text("before\n")
    cluster_stage.run_on_cluster(order(), progress=silent, should_stop=never, log=log)
    lines = log.read_text().splitlines()
    assert lines[:2] == ["before", "gan on a worker:"]
    assert lines[2].strip("x") == "…"
    assert lines[3:] == ["a warning [31m"]
    with pytest.raises(RuntimeError):
        cluster_stage.run_on_cluster(order("fails at 1", key="b" * 64), progress=silent, should_stop=never, log=log)
    assert log.read_text().count("a warning") == 2


def test_what_it_makes_is_in_the_storage(order, cluster):
    made, told = work(order())
    assert made.outputs == {"generator": "digest"}
    assert ("line", "begins at 0") in told
    assert ("progress", 2, 3, "steps") in told
    store = open_store(cluster.storage)
    found = next(RemoteArtifacts(store, "cats/gan").find(KEY, KEY[:12]))
    assert found.manifest.summary == {"steps": 3}
    assert set(found.manifest.files) == {"checkpoints/0", "checkpoints/1", "checkpoints/2", "stats.jsonl"}
    assert store.names("cats/gan/work") == []
    assert store.names("cats/gan/locks") == []


def test_it_is_done_once(order, worker):
    made, _ = work(order())
    given.clear()
    worker()
    assert work(order())[0] == made
    assert given == {}


def test_another_worker_goes_on_from_the_copy(order, worker):
    with pytest.raises(RuntimeError, match="the worker is lost"):
        work(order("fails at 1"))
    worker()
    _, told = work(order())
    assert ("line", "begins at 2") in told


def test_the_same_worker_goes_on_from_its_own_folder(order):
    with pytest.raises(RuntimeError):
        work(order("fails at 1"))
    assert ("line", "begins at 2") in work(order())[1]


def test_a_stop_leaves_a_copy_too(order, worker):
    asked = iter([False, True])
    with pytest.raises(Stopped):
        work(order(), should_stop=lambda: next(asked))
    worker()
    assert ("line", "begins at 1") in work(order())[1]


@pytest.mark.parametrize(
    "names",
    [
        b'["../../../outside", "checkpoints/0"]',
        b'["/outside", "checkpoints/0"]',
        b'["checkpoints/0", "checkpoints"]',
        b'["checkpoints/0", "a\\u0000b"]',
        b'["checkpoints/0", 7]',
        b'["checkpoints/0", ""]',
        b'{"checkpoints/0": 1}',
        b'["checkpoints/0", "\xff"]',
        b'["checkpoints/0"',
        b"[" * 100_000,
    ],
)
def test_a_damaged_copy_is_not_used(order, cluster, tmp_path, names):
    store = open_store(cluster.storage)
    store.write(f"cats/gan/work/{KEY[:12]}/state.json", names)
    store.write(f"cats/gan/work/{KEY[:12]}/checkpoints/0", b"state")
    _, told = work(order())
    assert ("line", "begins at 0") in told
    assert not list(tmp_path.rglob("outside"))


def test_a_copy_has_no_more_checkpoints_than_the_training(cluster, tmp_path):
    store, folder = open_store(cluster.storage), tmp_path / "work"
    copy = cluster_stage._Copy(store, "cats/gan/work/x", folder)
    for name in ("000", "001"):
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        for old in (folder / "checkpoints").iterdir():
            old.unlink()
        (folder / "checkpoints" / name).write_text("state")
        copy.update()
    assert store.names("cats/gan/work/x/checkpoints") == ["001"]
    assert b"checkpoints/001" in store.read("cats/gan/work/x/state.json")


def test_half_a_copy_is_not_left(order, cluster, worker, monkeypatch):
    with pytest.raises(RuntimeError):
        work(order("fails at 1"))
    worker()

    def fail(self, name, target):
        if name.endswith("stats.jsonl"):
            raise StoreFault("storage: the network is gone")
        return download(self, name, target)

    download = ObjectStore.download
    monkeypatch.setattr(ObjectStore, "download", fail)
    with pytest.raises(StoreFault):
        work(order())
    monkeypatch.setattr(ObjectStore, "download", download)
    assert ("line", "begins at 2") in work(order())[1]


def test_a_training_that_could_not_be_uploaded_is_uploaded_by_the_next_order(order, cluster, monkeypatch):
    def fail(*_) -> None:
        raise StoreFault("storage: the network is gone")

    asked, publish = order(), RemoteArtifacts.publish
    monkeypatch.setattr(RemoteArtifacts, "publish", fail)
    with pytest.raises(StoreFault):
        work(asked)
    monkeypatch.setattr(RemoteArtifacts, "publish", publish)
    given.clear()
    manifest, _ = work(asked)
    assert given == {}
    store = open_store(cluster.storage)
    assert next(RemoteArtifacts(store, "cats/gan").find(KEY, KEY[:12])).manifest == manifest
    assert store.names("cats/gan/work") == []


def test_an_earlier_training_that_the_storage_lacks_is_copied_to_it(order, cluster, tmp_path):
    folder = tmp_path / "machine" / "bbbbbbbbbbbb"
    folder.mkdir()
    (folder / "rows").write_text("earlier")
    facts = {"stage": "normalize", "version": 1, "dataset": "cats", "options": {}, "inputs": {}}
    manifests.write(Manifest(key="b" * 64, files=list_files(folder), **facts), folder)
    work(order(continues=folder))
    assert (given["continues"].folder / "rows").read_text() == "earlier"
    assert given["continues"].folder.is_relative_to(tmp_path / "scratch-0")


def test_a_worker_with_other_weights_is_refused(order, monkeypatch):
    inputs = {"extractor": "one"}
    monkeypatch.setattr(backbones, "extractor_weights", lambda *_: SimpleNamespace(digest="two"))
    options = SimpleNamespace(extractor="auto")
    with pytest.raises(UserError, match=r"measures samples with other weights .*extractor = auto.*keras/models"):
        work(order(options, inputs=inputs))
    monkeypatch.setattr(backbones, "extractor_weights", lambda *_: SimpleNamespace(digest="one"))
    assert work(order(options, inputs=inputs))[0].outputs
