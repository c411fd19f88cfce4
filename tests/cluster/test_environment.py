"""What work depends on besides its inputs has a name, and a difference is put into words."""

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
