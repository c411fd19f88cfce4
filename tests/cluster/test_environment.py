"""What work depends on besides its inputs has a name, and a difference is put into words."""

import pytest

from pipeline.cluster import environment as module
from pipeline.cluster.environment import PACKAGES, difference, environment


def test_the_environment_has_python_the_packages_and_the_program():
    assert environment().keys() == {"Python", "ganmill", *PACKAGES}
    assert all(environment().values())


def test_equal_environments_do_not_differ():
    assert difference(environment(), dict(environment())) == ""


def test_what_differs_is_named():
    other = environment() | {"numpy": "1.0", "ganmill": "abc"}
    del other["keras"]
    mine = environment()
    assert difference(mine, other) == (
        f"keras none where this machine has {mine['keras']}, numpy 1.0 where this machine has {mine['numpy']},"
        f" ganmill abc where this machine has {mine['ganmill']}"
    )


@pytest.mark.parametrize("changed", ["pipeline/a.py", "tasks/b.py"])
def test_an_update_under_a_running_worker_is_noticed(tmp_path, monkeypatch, changed):
    monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    for name in ("pipeline/a.py", "tasks/b.py", "tests/c.py"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("old")
    module.environment_at_start.cache_clear()
    try:
        module.dask_setup(None)
        before = module.environment_at_start()
        (tmp_path / "tests" / "c.py").write_text("new")
        assert difference(before, environment()) == ""
        (tmp_path / changed).write_text("new")
        assert difference(before, environment()).startswith(f"ganmill {before['ganmill']} (now ")
    finally:
        module.environment_at_start.cache_clear()
