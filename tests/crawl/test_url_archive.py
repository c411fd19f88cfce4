"""The URL archive: what it stores, and which outcome replaces which."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.crawl.outcome import Outcome
from pipeline.crawl.url_archive import UnwritableRow, UrlArchive
from pipeline.errors import DamagedState

SAVED = Outcome(outcome="saved", status=200, type="png", bytes=9, id="0" * 64, width=3, height=4, time="2020")
FAILED = Outcome(outcome="failed", reason="timeout", passing=True)


@pytest.fixture
def archive(tmp_path):
    archive = UrlArchive(tmp_path / "archive.sqlite")
    yield archive
    archive.close()


def test_get_returns_the_outcome_that_was_put(archive):
    archive.put("http://a.example/ピカ", SAVED)
    archive.put("http://a.example/2", FAILED)
    assert archive.get("http://a.example/ピカ") == SAVED
    assert archive.get("http://a.example/2") == FAILED
    assert archive.get("http://a.example/3") is None


def test_put_replaces_a_failure_but_not_a_saved_picture(archive):
    archive.put("u", FAILED)
    archive.put("u", SAVED)
    archive.put("u", FAILED)
    assert archive.get("u") == SAVED


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("u", Outcome(outcome="rejected", bytes=10**30)),
        ("u", Outcome(outcome="saved", width=2**63)),
        ("u", Outcome(outcome="failed", reason="half \ud83d")),
        ("u", Outcome(outcome="failed", reason=["no text"])),
        ("half \ud83d", FAILED),
    ],
)
def test_unwritable_row_leaves_the_archive_usable(archive, url, outcome):
    with pytest.raises(UnwritableRow):
        archive.put(url, outcome)
    archive.put("next", SAVED)
    assert archive.get("next") == SAVED


DAMAGES = {
    "text that is no UTF-8": "UPDATE urls SET reason = CAST(x'ff00fe' AS TEXT)",
    "another table": "DROP TABLE urls; CREATE TABLE urls (url TEXT PRIMARY KEY, other) WITHOUT ROWID",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_archive_raises_damaged_state(tmp_path, damage):
    path = tmp_path / "archive.sqlite"
    with closing(UrlArchive(path)) as archive:
        archive.put("u", FAILED)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(damage)
    with (
        closing(UrlArchive(path)) as archive,
        pytest.raises(DamagedState, match=r"archive.sqlite: .*; remove it and its"),
    ):
        archive.get("u")


@pytest.mark.parametrize(
    "change", ["outcome = 'lost'", "reason = NULL", "width = 'wide'", "id = '../../x'", "type = 'exe'", "bytes = x'00'"]
)
def test_invalid_row_is_ignored(tmp_path, change):
    path = tmp_path / "archive.sqlite"
    with closing(UrlArchive(path)) as archive:
        archive.put("u", SAVED)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE urls SET {change}")
    with closing(UrlArchive(path)) as archive:
        assert archive.get("u") is None


def test_many_processes_open_and_write_concurrently(tmp_path):
    code = (
        "import sys; from pathlib import Path; from pipeline.crawl.url_archive import UrlArchive;"
        "from pipeline.crawl.outcome import Outcome; archive = UrlArchive(Path(sys.argv[1]));"
        "saved = Outcome(outcome='saved', id='0' * 64, type='png');"
        "[archive.put(f'{sys.argv[2]}-{n}', saved) for n in range(50)]; archive.close()"
    )
    path = tmp_path / "archive.sqlite"
    command = [sys.executable, "-c", code, path]
    children = [subprocess.Popen([*command, str(n)], cwd=Path(__file__).parents[2]) for n in range(4)]
    assert [child.wait() for child in children] == [0] * 4
    archive = UrlArchive(path)
    assert all(archive.get(f"{n}-49") for n in range(4))
    archive.close()
