import json
import tracemalloc

import pytest

from pipeline.gan.stats_log import StatsLog, chosen_epoch
from pipeline.store.jsonl import read_rows


def line(epoch, **more):
    """A row with the required fields."""
    values = {"step": 2 * epoch, "images_seen": 32 * epoch, "d_loss": 0.7, "g_loss": 0.7}
    return {"epoch": epoch, **values, "images_per_second": 9.5, "seconds": 1, **more}


@pytest.fixture
def path(tmp_path):
    log = StatsLog(tmp_path / "stats.jsonl", epochs_done=0)
    for epoch in (1, 2, 3):
        log.append(line(epoch))
    log.close()
    return tmp_path / "stats.jsonl"


def epochs(path):
    return [row["epoch"] for row in read_rows(path)]


def test_row_is_on_disk_before_the_log_is_closed(tmp_path):
    log = StatsLog(tmp_path / "stats.jsonl", epochs_done=0)
    log.append(line(1))
    assert epochs(tmp_path / "stats.jsonl") == [1]
    log.close()


def test_rows_after_the_checkpoint_are_dropped(path):
    log = StatsLog(path, epochs_done=2)
    log.append(line(3))
    log.close()
    assert epochs(path) == [1, 2, 3]


def test_half_a_line_is_dropped(path):
    path.write_bytes(path.read_bytes()[:-4])
    StatsLog(path, epochs_done=3).close()
    assert epochs(path) == [1, 2]


def invalid_row(**changed):
    return json.dumps(line(4) | changed)


@pytest.mark.parametrize(
    "text",
    [
        *('{"kid": 1.0}', '{"epoch": 4}', "[4]", "\udcff", "[" * 9999),
        *(invalid_row(epoch=epoch) for epoch in ("4", None, 2, True, 4.0, 10**30, float("nan"))),
        *(invalid_row(d_loss=loss) for loss in ("0.7", None, [0.7], {"a": 1}, 10**400, float("inf"), True)),
        *(
            invalid_row(kid=0.1),
            invalid_row(note=1),
            invalid_row(note="a\x1b[2J"),
            invalid_row(alarms="a"),
            invalid_row(alarms=[1]),
            invalid_row(recovered=["a\x1b[2J"]),
        ),
    ],
    ids=lambda text: ascii(text[:60]),
)
def test_invalid_row_is_dropped_with_all_after_it(path, text):
    path.write_bytes(path.read_bytes() + f"{text}\n{json.dumps(line(4))}\n".encode("utf-8", "surrogateescape"))
    StatsLog(path, epochs_done=9).close()
    assert epochs(path) == [1, 2, 3]


def test_endless_line_and_endless_file_take_no_memory(path):
    with path.open("ab") as file:
        file.truncate(200 << 20)
    tracemalloc.start()
    StatsLog(path, epochs_done=9).close()
    assert epochs(path) == [1, 2, 3]
    with path.open("ab") as file:
        file.truncate(1 << 40)
    StatsLog(path, epochs_done=9).close()
    assert epochs(path) == []
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("epoch", "best", "words"),
    [
        (9, None, "epoch 9, the last"),
        (9, 9, "epoch 9, the last, at which the KID by eyes was lowest"),
        (9, 4, "epoch 9, the last, as KIDs by eyes are not precise enough to choose another"),
        (4, 4, "epoch 4, at which the KID by eyes was lowest"),
    ],
)
def test_chosen_epoch_is_named_with_the_reason(epoch, best, words):
    row = None if best is None else {"epoch": best, "kid": 0.1, "extractor": "eyes"}
    assert chosen_epoch(epoch, last=9, best=row) == words
