"""Logs that rotate: their size, how many there are, and a disk that does not take them."""

import logging

from tasks import rotated_log
from tasks.rotated_log import logging_to, rotated

LOG = logging.getLogger("tests.rotated")


def test_a_log_begins_anew_when_it_is_large_and_few_older_ones_stay(tmp_path, monkeypatch):
    folder = tmp_path / "logs"
    monkeypatch.setattr(rotated_log, "MAX_BYTES", 2000)
    monkeypatch.setattr(rotated_log, "OLDER", 2)
    with logging_to(folder / "studio.log", "tests.rotated"):
        for number in range(200):
            LOG.error("line %d", number)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["studio.log", "studio.log.1", "studio.log.2"]
    assert all(path.stat().st_size <= 2000 for path in folder.iterdir())
    assert "line 199" in (folder / "studio.log").read_text()


def test_after_the_block_nothing_is_logged(tmp_path):
    with logging_to(tmp_path / "nightly.log", "tests.rotated"):
        LOG.error("inside")
    LOG.error("outside")
    assert (tmp_path / "nightly.log").read_text().count("\n") == 1


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    handler = rotated(tmp_path / "file" / "studio.log")
    handler.handle(logging.makeLogRecord({"msg": "lost", "levelno": logging.ERROR}))
    handler.close()
    assert capsys.readouterr().err == ""
