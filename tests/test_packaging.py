"""The package, what it depends on, and the lock files agree."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parent.parent
LOCKS = {path.name: path.with_suffix(".lock").name for path in sorted(REPOSITORY.glob("requirements*.txt"))}
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
SYSTEMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64"))
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}")


@pytest.fixture(scope="module")
def project() -> dict:
    """pyproject.toml."""
    toml = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    return toml.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def required(name: str) -> Iterator[Requirement]:
    """The requirements that a requirements file names, those of the files it includes too."""
    for line in (REPOSITORY / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            yield from required(line[3:])
        elif line and not line.startswith("#"):
            yield Requirement(line)


def locked(name: str) -> list[Requirement]:
    """The requirements of a lock file, without their hashes."""
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line.removesuffix(" \\")) for line in lines if line[:1] not in ("#", " ", "")]


def pins(requirements: list[Requirement], environment: dict[str, str]) -> dict[str, str]:
    """The version of each package that `requirements` install in `environment`, which is one alone."""
    found: dict[str, str] = {}
    for each in requirements:
        if each.marker is None or each.marker.evaluate(environment):
            (pin,) = each.specifier
            assert pin.operator == "==", each
            assert found.setdefault(canonicalize_name(each.name), pin.version) == pin.version, each
    return found


def environments() -> Iterator[dict[str, str]]:
    """Every Python and system that the lock files are for."""
    for python in PYTHONS:
        for system, machine in SYSTEMS:
            names = {"python_version": python, "python_full_version": f"{python}.9"}
            yield {**default_environment(), **names, "sys_platform": system, "platform_machine": machine}


def test_every_direct_dependency_is_in_both_files(project):
    ours = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    assert {canonicalize_name(Requirement(each).name) for each in ours} == {
        canonicalize_name(each.name) for each in required("requirements.txt")
    }


@pytest.mark.parametrize("file", LOCKS)
def test_every_pin_satisfies_the_range_of_the_project(project, file):
    optional = [each for extra in project["project"]["optional-dependencies"].values() for each in extra]
    ranges = map(Requirement, [*project["project"]["dependencies"], *project["build-system"]["requires"], *optional])
    for wanted in ranges:
        for each in required(file):
            if canonicalize_name(each.name) == canonicalize_name(wanted.name):
                (pin,) = each.specifier
                assert wanted.specifier.contains(pin.version), f"{each} is not {wanted}"


def test_the_project_is_for_the_pythons_that_the_locks_are_for(project):
    wanted = Requirement(f"python{project['project']['requires-python']}").specifier
    assert [minor for minor in range(20) if wanted.contains(f"3.{minor}.1")] == [10, 11, 12, 13]


def test_every_extra_has_a_requirements_file(project):
    extras = project["project"]["optional-dependencies"]
    assert {f"requirements-{extra}.txt" for extra in extras} | {"requirements.txt", "requirements-dev.txt"} == {*LOCKS}


@pytest.mark.parametrize(("file", "lock"), LOCKS.items())
def test_a_lock_has_the_pins_of_its_requirements(file, lock):
    """If not: `make lock` writes it anew."""
    for environment in environments():
        wanted = pins(list(required(file)), environment)
        found = pins(locked(lock), environment)
        assert wanted.items() <= found.items(), environment


@pytest.mark.parametrize("lock", [lock for lock in LOCKS.values() if lock != "requirements.lock"])
def test_what_tests_and_extras_need_comes_on_top_of_what_runs(lock):
    for environment in environments():
        assert pins(locked("requirements.lock"), environment).items() <= pins(locked(lock), environment).items()


@pytest.mark.parametrize("lock", LOCKS.values())
def test_every_pin_of_a_lock_has_hashes(lock):
    lines = (REPOSITORY / lock).read_text(encoding="utf-8").splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line[:1] not in ("#", " ", ""):
            assert line.endswith(" \\"), line
            assert HASH.match(following), line


@pytest.mark.parametrize("lock", LOCKS.values())
def test_a_lock_names_no_index_and_no_path(lock):
    text = (REPOSITORY / lock).read_text(encoding="utf-8")
    assert not re.search(r"://|@|--(?!hash)|/\w", text)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_has_all_that_its_packages_depend_on(lock):
    """As far as they are installed here, in the release of the lock."""
    locked_here = pins(locked(lock), default_environment())
    for name, version in locked_here.items():
        try:
            installed = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if installed.version == version:
            for text in installed.requires or ():
                needed = Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                    assert canonicalize_name(needed.name) in locked_here, f"{name} needs {text}"


@pytest.mark.slow
def test_the_wheel_holds_every_module_template_and_page_file(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, source)
    for name in ("pipeline", "tasks"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    expected = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", tmp_path, source], check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("ganmill-*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == expected - {"pyproject.toml", "README.md"}


def test_an_installed_package_is_found_from_any_folder(tmp_path):
    """`luigi --module tasks RunPipeline` and `ganmill` rely on it."""
    try:
        metadata.distribution("ganmill")
    except metadata.PackageNotFoundError:
        pytest.skip("ganmill is not installed as a package; `make test` installs it")
    code = "import pipeline, tasks; print(pipeline.__file__, tasks.__file__)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [str(REPOSITORY / name / "__init__.py") for name in ("pipeline", "tasks")]
