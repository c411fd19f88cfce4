import pytest

from pipeline.gan.stats import StatsLog
from pipeline.store.jsonl import read_rows


@pytest.fixture
def path(tmp_path):
    log = StatsLog(tmp_path / "stats.jsonl", epochs_done=0)
    for epoch in (1, 2, 3):
        log.append({"epoch": epoch})
    log.close()
    return tmp_path / "stats.jsonl"


def epochs(path):
    return [row["epoch"] for row in read_rows(path)]


def test_a_line_is_on_disk_before_the_log_is_closed(tmp_path):
    log = StatsLog(tmp_path / "stats.jsonl", epochs_done=0)
    log.append({"epoch": 1})
    assert epochs(tmp_path / "stats.jsonl") == [1]
    log.close()


def test_what_lies_beyond_the_checkpoint_comes_once(path):
    log = StatsLog(path, epochs_done=2)
    log.append({"epoch": 3})
    log.close()
    assert epochs(path) == [1, 2, 3]


def test_half_a_line_is_dropped(path):
    path.write_bytes(path.read_bytes()[:-4])
    StatsLog(path, epochs_done=3).close()
    assert epochs(path) == [1, 2]


@pytest.mark.parametrize("line", ['{"kid": 1.0}', '{"epoch": "4"}', '{"epoch": null}', '{"epoch": 2}', "[4]", "\udcff"])
def test_what_is_no_line_of_a_later_epoch_is_dropped_with_all_after_it(path, line):
    path.write_bytes(path.read_bytes() + f'{line}\n{{"epoch": 4}}\n'.encode("utf-8", "surrogateescape"))
    StatsLog(path, epochs_done=9).close()
    assert epochs(path) == [1, 2, 3]
