"""Where work is done and where its results are shared: luigi.cfg, flags, and what is wrong with them."""

import re
from argparse import Namespace

import pytest

from pipeline.cluster.certificates import make_certificates
from pipeline.errors import UserError
from tasks import machines
from tasks.cli import main


@pytest.fixture(autouse=True)
def no_flags():
    machines.use_flags(Namespace())
    yield
    machines.use_flags(Namespace())


def use(**flags) -> None:
    machines.use_flags(Namespace(**flags))


def test_without_settings_this_machine_works_alone(configure):
    configure("")
    assert machines.shared_artifacts("cats", "gan") is machines.shared_lock("cats", "gan", "a" * 64) is None
    assert machines.cluster_of("cats") is machines.trains_elsewhere("cats") is None
    machines.share_labels("cats", "digest", b"")


def test_luigi_cfg_and_flags_name_the_storage(configure, tmp_path):
    configure(f"[machines]\nstorage = {tmp_path}/one")
    assert machines.shared_artifacts("cats", "gan").store.address == f"{tmp_path}/one"
    use(storage=f"{tmp_path}/two", cluster=None)
    assert machines.shared_artifacts("cats", "gan").store.address == f"{tmp_path}/two"
    use(storage="", cluster=None)
    assert machines.shared_artifacts("cats", "gan") is None


def test_labels_are_shared_once(configure, tmp_path):
    configure(f"[machines]\nstorage = {tmp_path}/store")
    machines.share_labels("cats", "abc", b"one")
    machines.share_labels("cats", "abc", b"two")
    assert (tmp_path / "store" / "cats" / "labels" / "abc.jsonl").read_bytes() == b"one"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[machines]\nstorge = /x", r"luigi\.cfg \[machines\]: has no option 'storge'; did you mean 'storage'\?"),
        ("[machines]\nstorage = ${x}", r"luigi\.cfg \[machines\]: "),
        ("[machine]\nstorage = /x", r"nothing reads the section \[machine\]"),
    ],
)
def test_a_wrong_section_is_one_line(configure, capsys, text, says):
    configure(text)
    assert main(["plan", "--dataset", "cats", "--query", "cat"]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert re.search(says, error)


@pytest.mark.parametrize(
    ("cluster", "storage", "says"),
    [
        ("somewhere", "", "cluster = 'somewhere': expected nothing, local, or an address such as tls://"),
        ("tls://host", "/x", "expected nothing, local, or an address"),
        ("http://host:8786", "/x", "expected nothing, local, or an address"),
        ("tcp://127.0.0.1:8786", "/x", "expected nothing, local, or an address such as tls://"),
        ("tls://host:99999", "/x", "expected nothing, local, or an address"),
        ("tls://host:8786", "", "its workers need a storage that all machines reach"),
        ("tls://host:8786", "/x", r"data/\.cluster/ca\.pem cannot be read"),
    ],
)
def test_a_wrong_cluster_is_one_line(configure, cluster, storage, says):
    configure("")
    use(cluster=cluster, storage=storage)
    with pytest.raises(UserError, match=says) as caught:
        machines.cluster_of("cats")
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(configure, monkeypatch):
    configure("")
    use(cluster="local", storage=None)
    monkeypatch.setattr(machines.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"cluster = local: distributed is missing; `make cluster` installs it"):
        machines.cluster_of("cats")


def test_workers_elsewhere_train_and_those_of_this_machine_do_not(configure, tmp_path):
    pytest.importorskip("cryptography", reason="cryptography is not installed")
    folder = configure("")
    make_certificates(folder / "data" / ".cluster")
    use(cluster="tls://10.0.0.5:8786", storage=str(tmp_path))
    found = machines.trains_elsewhere("cats")
    assert (found.address, found.storage, found.dataset) == ("tls://10.0.0.5:8786", str(tmp_path), "cats")
    assert "tls_client_key" in found.certificates
    use(cluster="tls://127.0.0.1:8786", storage="")
    assert machines.trains_elsewhere("cats") is None


def test_the_options_are_listed(configure, capsys):
    configure("[machines]\nstorage = /shared")
    assert main(["options"]) == 0
    assert "[machines]\nstorage = /shared" in capsys.readouterr().out


def test_a_storage_that_cannot_be_reached_ends_a_plan_with_one_line(configure, capsys):
    configure("")
    assert main(["plan", "--dataset", "cats", "--query", "cat", "--storage", "nothing://x"]) == 2
    assert capsys.readouterr().err.startswith("error: storage = nothing://x: ")


@pytest.mark.parametrize("address", ["s3:/bucket", "relative/folder", "memory://shared", "rubbish:/x"])
@pytest.mark.parametrize("command", ["run", "plan", "gc"])
def test_a_mistyped_storage_is_refused_before_anything_starts(capsys, monkeypatch, tmp_path, command, address):
    monkeypatch.chdir(tmp_path)
    assert main([command, "--dataset", "cats", "--storage", address]) == 2
    assert f"storage = {address!r}: expected a folder that begins with /, or an address" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["data", "models/shared", "generated/../data/cats"])
def test_a_storage_among_the_copies_of_this_machine_is_refused(capsys, monkeypatch, tmp_path, place):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--dataset", "cats", "--query", "cat", "--storage", f"{tmp_path}/{place}"]) == 2
    assert "where this machine has its own copies; choose a folder beside it" in capsys.readouterr().err


@pytest.mark.parametrize("cluster", ["locl", "tcp://127.0.0.1:8786", "tls://127.0.0.1", "tls://127.0.0.1:99999"])
@pytest.mark.parametrize("command", ["run", "plan", "gc"])
def test_a_wrong_cluster_is_refused_before_anything_starts(capsys, monkeypatch, tmp_path, command, cluster):
    monkeypatch.chdir(tmp_path)
    assert main([command, "--dataset", "cats", "--query", "cat", "--cluster", cluster]) == 2
    assert f"cluster = {cluster!r}: expected" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
