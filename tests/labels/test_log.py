import json
import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from pipeline.errors import DamagedState, UserError
from pipeline.labels.log import VALIDATION, LabelLog

from .conftest import picture_id

CAT, DOG, BIRD = (picture_id(number) for number in (70, 71, 72))

A, B, C = picture_id(1), picture_id(2), picture_id(3)


def append_many(path: Path, first: int) -> None:
    for number in range(first, first + 100):
        LabelLog(path).append({picture_id(number): "on"}, how="test")


def test_empty_log_has_no_labels(log):
    assert log.effective() == {}
    assert log.repair() == 0


def test_last_label_of_a_picture_is_effective_and_null_withdraws_it(log):
    log.append({A: "on", B: "off", C: "unsure"}, how="test")
    log.append({A: "off", B: None}, how="test")
    assert log.effective() == {A: "off", C: "unsure"}


def test_row_has_id_label_time_and_how(log):
    assert log.append({A: "on"}, how="page") == 1
    row = json.loads(log.path.read_text())
    assert (row["id"], row["label"], row["how"]) == (A, "on", "page")
    assert row["time"].endswith("+00:00")


def test_append_keeps_earlier_lines(log):
    log.append({A: "on"}, how="test")
    before = log.path.read_bytes()
    log.append({A: "off"}, how="test")
    assert log.path.read_bytes().startswith(before)


@pytest.mark.parametrize("given", [{A: "maybe"}, {"abc": "on"}, {A.upper(): "on"}, {A: "on", B: "ON"}])
def test_invalid_label_raises_user_error_and_appends_nothing(log, given):
    log.append({C: "on"}, how="test")
    before = log.path.read_bytes()
    with pytest.raises(UserError, match="nothing was added"):
        log.append(given, how="test")
    assert log.path.read_bytes() == before


def test_two_concurrent_writers_lose_no_labels(log):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(log.path, first)) for first in (0, 1000)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(log.effective()) == len(list(log.rows())) == 200


def test_lock_holder_may_append_while_others_wait(log):
    other = threading.Thread(target=lambda: LabelLog(log.path).append({B: "on"}, how="test"))
    with log.locked(), log.locked():
        log.append({A: "on"}, how="test")
        other.start()
        other.join(0.2)
        assert log.effective() == {A: "on"}
    other.join()
    assert log.effective() == {A: "on", B: "on"}


def test_append_after_a_truncated_line_raises_damaged_state(log):
    log.append({A: "on", B: "on"}, how="test")
    incomplete = log.path.read_bytes()[:-20]
    log.path.write_bytes(incomplete)
    with pytest.raises(DamagedState, match=r"labels\.jsonl, line 2: .*labels repair"):
        log.append({C: "on"}, how="test")
    assert log.path.read_bytes() == incomplete
    assert log.repair() == 1
    log.append({C: "on"}, how="test")
    assert log.effective() == {A: "on", C: "on"}


@pytest.mark.parametrize(
    ("dataset", "command"),
    [("demo", "labels repair`"), ("cats", "repair --dataset cats`"), ("my cats", "--dataset 'my cats'`")],
)
def test_damage_message_has_the_repair_command(tmp_path, dataset, command):
    log = LabelLog(tmp_path / dataset / "labels.jsonl")
    log.append({A: "on"}, how="test")
    log.path.write_text("{")
    for act in (log.effective, lambda: log.append({A: "on"}, how="test")):
        with pytest.raises(DamagedState) as caught:
            act()
        assert command in str(caught.value)


def test_last_line_without_newline_is_damage(log):
    log.append({A: "on"}, how="test")
    log.path.write_bytes(log.path.read_bytes()[:-1])
    with pytest.raises(DamagedState, match="line 1"):
        log.effective()


@pytest.mark.parametrize(
    "line",
    [b"{nonsense\n", b"[]\n", b"\n", b"\xff\xfe\n", b'{"id": "12", "label": "on"}\n']
    + [json.dumps(row).encode() + b"\n" for row in ({"id": A, "label": "yes"}, {"id": A}, {"label": "on"})],
)
def test_repair_moves_unreadable_lines_and_keeps_all_others(log, line):
    log.append({A: "on"}, how="test")
    first = log.path.read_bytes()
    log.append({B: "off"}, how="test")
    second = log.path.read_bytes()[len(first) :]
    log.path.write_bytes(first + line + second)
    with pytest.raises(DamagedState, match=r"labels\.jsonl, line 2: .*labels repair"):
        log.effective()
    assert log.repair() == 1
    assert log.path.read_bytes() == first + second
    assert log.path.with_name("labels.damaged.jsonl").read_bytes() == line
    assert log.repair() == 0


def test_repair_keeps_lines_of_earlier_repairs(log):
    for text in (b"one\n", b"two"):
        log.append({A: "on"}, how="test")
        log.path.write_bytes(log.path.read_bytes() + text)
        log.repair()
    assert log.path.with_name("labels.damaged.jsonl").read_bytes() == b"one\ntwo\n"
    assert len(list(log.rows())) == 2


def test_full_disk_leaves_the_log_unchanged(log, monkeypatch):
    log.append({A: "on"}, how="test")
    before = log.path.read_bytes()

    def raise_disk_full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", raise_disk_full)
    with pytest.raises(UserError, match="No space left"):
        log.append({B: "on"}, how="test")
    assert log.path.read_bytes() == before


def test_label_for_validation_stays_in_the_validation_set(log):
    log.append({CAT: "on", DOG: "off"}, how="folder", set=VALIDATION)
    log.append({CAT: "off"}, how="page")
    log.append({DOG: None}, how="page")
    log.append({BIRD: "on"}, how="page")
    current = log.current()
    assert current.validation == {CAT, DOG}
    assert (current.for_validation(), current.others()) == ({CAT: "off"}, {BIRD: "on"})
    log.append({DOG: "on"}, how="folder")
    assert log.current().for_validation() == {CAT: "off", DOG: "on"}


def test_rows_of_the_validation_set_are_readable_as_plain_labels(log):
    """An earlier version reads id, label, time and how, and ignores other fields."""
    log.append({CAT: "on"}, how="folder", set=VALIDATION)
    (row,) = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert {name: row[name] for name in ("id", "label", "how")} == {"id": CAT, "label": "on", "how": "folder"}
    assert row["set"] == "validation"


def test_unknown_set_is_damage(log):
    log.append({CAT: "on"}, how="folder")
    log.path.write_text(log.path.read_text().replace('"how"', '"set": "training", "how"'))
    with pytest.raises(DamagedState, match="set 'training' is not validation"):
        log.effective()
