"""What is in deploy/: the install script, systemd units, and the files for containers."""

import re
import shlex
import shutil
import subprocess
from argparse import Namespace
from pathlib import Path

import pytest

from tasks.cli import build_parser

DEPLOY = Path(__file__).parent.parent / "deploy"
UNITS = sorted([*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")])
PROGRAM = "/opt/ganmill/.venv/bin/python -m tasks "
HARDENED = ("NoNewPrivileges=yes", "ProtectSystem=strict", "ReadWritePaths=/var/lib/ganmill", "User=ganmill")


def install(folder: Path, *flags: str, code: int = 0, umask: int = 0o022) -> str:
    """Run the install script for the files alone."""
    words = ["sh", DEPLOY / "install.sh", "--destdir", folder, *flags]
    found = subprocess.run(words, capture_output=True, text=True, check=False, umask=umask)
    assert found.returncode == code, found.stderr
    return found.stdout + found.stderr


def parsed(command: str) -> Namespace:
    """The arguments of a command as the command line reads them; flags from the environment are left out."""
    arguments, unknown = build_parser()[0].parse_known_args([w for w in shlex.split(command) if not w.startswith("$G")])
    assert unknown == []
    return arguments


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    install(folder)
    return folder


def test_install_lays_out_program_working_folder_and_units(installed):
    program, home = installed / "opt/ganmill", installed / "var/lib/ganmill"
    for path in ("tasks/cli.py", "pipeline/report/night.html.jinja", "models/dcgan.json", "requirements.lock"):
        assert (program / path).is_file()
    assert not list(program.rglob("__pycache__"))
    assert {path.name for path in home.iterdir()} == {"luigi.cfg", "data", "models", "generated", "tmp"}
    assert (home / "luigi.cfg").stat().st_mode & 0o777 == 0o640
    assert {path.name for path in (installed / "etc/systemd/system").iterdir()} == {path.name for path in UNITS}
    assert (installed / "etc/ganmill/ganmill.env").is_file()


def test_install_again_replaces_the_program_and_leaves_what_is_the_users(tmp_path):
    install(tmp_path)
    home, stale = tmp_path / "var/lib/ganmill", tmp_path / "opt/ganmill/tasks/removed.py"
    (home / "luigi.cfg").write_text("[nightly]\nhours = 3\n")
    (home / "data/cats").mkdir()
    (tmp_path / "etc/ganmill/ganmill.env").write_text("GANMILL_STUDIO_FLAGS=--port=8099\n")
    stale.write_text("")
    install(tmp_path)
    assert (home / "luigi.cfg").read_text() == "[nightly]\nhours = 3\n"
    assert (home / "data/cats").is_dir()
    assert (tmp_path / "etc/ganmill/ganmill.env").read_text() == "GANMILL_STUDIO_FLAGS=--port=8099\n"
    assert not stale.exists()


def test_every_user_may_read_the_program_whatever_the_umask_and_nobody_a_password(tmp_path):
    install(tmp_path, umask=0o077)
    program = tmp_path / "opt/ganmill"
    for path in program.rglob("*"):
        assert path.stat().st_mode & 0o055 == (0o055 if path.is_dir() else path.stat().st_mode & 0o011 | 0o044)
    assert program.stat().st_mode & 0o055 == 0o055
    assert not (program / "luigi.cfg").exists()


def test_install_refuses_to_replace_what_is_at_work(tmp_path):
    install(tmp_path)
    python = tmp_path / "opt/ganmill/.venv/bin/python"
    with subprocess.Popen([python, "60"], executable=shutil.which("sleep")) as process:
        try:
            said = install(tmp_path, code=2)
        finally:
            process.kill()
    assert f"process {process.pid} of {tmp_path}/opt/ganmill is at work" in said
    assert (tmp_path / "opt/ganmill/tasks/cli.py").is_file()
    install(tmp_path)


@pytest.mark.parametrize(
    ("flags", "hidden"),
    [
        ([], True),
        (["--home", "/home/me/work"], False),
        (["--prefix", "/root/g"], False),
        (["--home", "/srv/home/me"], True),
    ],
)
def test_units_see_their_folders_below_home(tmp_path, flags, hidden):
    install(tmp_path, *flags)
    for unit in (tmp_path / "etc/systemd/system").glob("*.service"):
        assert ("ProtectHome=yes" in unit.read_text().splitlines()) == hidden


def test_install_elsewhere_writes_units_for_there(tmp_path):
    install(tmp_path, "--prefix", "/srv/g", "--home", "/srv/work", "--user", "me")
    for unit in (tmp_path / "etc/systemd/system").glob("*.service"):
        text = unit.read_text()
        assert "ExecStart=/srv/g/.venv/bin/python -m tasks " in text
        assert "User=me\nGroup=me\nWorkingDirectory=/srv/work\n" in text
        assert "/opt/ganmill" not in text
        assert "/var/lib/ganmill" not in text


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--prefix", "opt"], "opt: expected a path that begins with /"),
        (["--prefix", "/opt/a b"], "may have letters, digits"),
        (["--user"], "--user needs a value"),
        (["--units"], "unknown argument: --units"),
    ],
)
def test_install_refuses_wrong_arguments_before_it_writes(tmp_path, flags, says):
    assert says in install(tmp_path / "root", *flags, code=2)
    assert not (tmp_path / "root").exists()


def test_units_are_right_for_systemd(installed, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze, which is not installed")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    for unit in (installed / "etc/systemd/system").iterdir():
        text = unit.read_text().replace("/opt/ganmill/.venv/bin/python", str(python))
        (tmp_path / unit.name).write_text(text)
    words = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"]
    found = subprocess.run(
        [*words, *(tmp_path / unit.name for unit in UNITS)], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.suffix == ".service"], ids=lambda unit: unit.stem)
def test_a_service_is_hardened_and_starts_a_command_that_is_there(unit):
    lines = unit.read_text().splitlines()
    assert [line for line in HARDENED if line not in lines] == []
    assert "OOMPolicy=continue" in lines or unit.stem == "ganmill-luigid"  # it starts no process
    assert "ProtectClock=yes" not in lines  # before systemd 252 it hides GPUs
    (start,) = (line for line in lines if line.startswith("ExecStart="))
    assert start.startswith(f"ExecStart={PROGRAM}")
    flags = re.findall(r"\$(\w+)", start)
    assert all(f"Environment={name}=" in lines and f"{name}=" in (DEPLOY / "ganmill.env").read_text() for name in flags)
    command = start.removeprefix(f"ExecStart={PROGRAM}")
    parsed(command.replace("$GANMILL_WORKER_FLAGS", "tls://example.org:8786"))


def test_what_services_do_is_on_the_page_of_luigid():
    flags = dict(line.split("=", 1) for line in (DEPLOY / "ganmill.env").read_text().splitlines() if line[:1] == "G")
    for name in ("studio", "nightly"):
        assert parsed(f"{name} {flags[f'GANMILL_{name.upper()}_FLAGS']}").scheduler == "http://127.0.0.1:8082"
        assert re.search(r"^Wants=.*ganmill-luigid", (DEPLOY / f"ganmill-{name}.service").read_text(), re.MULTILINE)


def test_the_timer_starts_a_service_that_is_there():
    assert (DEPLOY / "ganmill-nightly.service").is_file()
    assert "Persistent=true" in (DEPLOY / "ganmill-nightly.timer").read_text()


def test_the_image_is_made_by_the_install_script_and_does_not_run_as_root():
    lines = [line.split(None, 1) for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line[:1].isupper()]
    words = dict(lines)
    assert "deploy/install.sh --no-units" in words["RUN"]
    assert words["USER"] == "ganmill"
    assert "/healthz" in (DEPLOY / "Dockerfile").read_text().partition("HEALTHCHECK")[2]
    assert [word for word, _ in lines].index("USER") > [word for word, _ in lines].index("RUN")
    assert not {"ADD", "VOLUME"} & words.keys()
    parsed(" ".join(re.findall(r'"([^"]*)"', words["CMD"])))


def test_the_image_gets_what_the_install_script_copies_and_nothing_else():
    listed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert listed[0] == "**"
    for name in ("pipeline", "tasks", "deploy", "models/*.json", "requirements*.lock", "luigi.cfg"):
        assert f"!{name}" in listed


def test_services_of_containers_are_confined_checked_and_on_this_machine_only():
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which is not installed")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert services.keys() == {"luigid", "studio", "nightly", "worker"}
    for service in services.values():
        parsed(shlex.join(re.sub(r"\$\{[^}]*\}", "tls://host:8786", word) for word in service["command"]))
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["volumes"] == ["work:/var/lib/ganmill"]
        assert service["healthcheck"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert {name for name, service in services.items() if "profiles" not in service} == {"luigid", "studio"}
    (flags,) = services["worker"]["build"]["args"].values()
    assert f"ARG {next(iter(services['worker']['build']['args']))}=" in (DEPLOY / "Dockerfile").read_text()
    assert flags == "--cluster"
    assert "${GANMILL_TOKEN:?" in str(services["studio"]["command"])
