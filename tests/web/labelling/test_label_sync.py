"""Label edits: which are written, which are refused, and which labels of others are read."""

import threading

import pytest

from pipeline.errors import DamagedState
from pipeline.labels.log import LabelLog
from pipeline.web.labelling.label_sync import LabelChanges, LabelEdit, LabelSync
from tests.web.fake_dataset import picture_id

ONE, TWO = picture_id(1), picture_id(2)


@pytest.fixture
def log(tmp_path):
    return LabelLog(tmp_path / "labels.jsonl")


@pytest.fixture
def label_sync(log):
    return LabelSync(log.path)


def edit(id, label, *was):
    return LabelEdit(id=id, label=label, previous=frozenset(was))


def rows(log):
    return [(row.id, row.label) for row in log.rows()]


def test_edit_is_written_and_returns_current_labels(log, label_sync):
    answer = label_sync.apply([edit(ONE, "on", None)])
    assert (answer.labels, answer.refused) == ({ONE: "on"}, ())
    assert [(row.label, row.how) for row in log.rows()] == [("on", "page")]


def test_edit_sent_twice_is_written_once(log, label_sync):
    label_sync.apply([edit(ONE, "on", None)])
    again = label_sync.apply([edit(ONE, "on", None)])
    assert (again.refused, rows(log)) == ((), [(ONE, "on")])


def test_old_edit_does_not_overwrite_a_newer_label(log, label_sync):
    log.append({ONE: "off"}, how="folder")
    answer = label_sync.apply([edit(ONE, "on", None), edit(TWO, "on", None)])
    assert answer.labels == {ONE: "off", TWO: "on"}
    assert [(each.id, each.label, each.now) for each in answer.refused] == [(ONE, "on", "off")]


def test_edits_may_be_resent_with_later_ones(log, label_sync):
    label_sync.apply([edit(ONE, "on", None)])
    answer = label_sync.apply([edit(ONE, "on", None), edit(ONE, "off", "on")])
    assert (answer.labels, answer.refused, rows(log)) == ({ONE: "off"}, (), [(ONE, "on"), (ONE, "off")])
    again = label_sync.apply([edit(ONE, "on", None), edit(ONE, "off", "on")])
    assert (again.refused, len(rows(log))) == ((), 2)


def test_undo_restores_the_label_only_if_unchanged(log, label_sync):
    label_sync.apply([edit(ONE, "on", None), edit(TWO, "on", None)])
    log.append({TWO: "unsure"}, how="folder")
    answer = label_sync.apply([edit(ONE, None, "on"), edit(TWO, None, "on")])
    assert answer.labels == {ONE: None, TWO: "unsure"}
    assert [each.id for each in answer.refused] == [TWO]
    assert log.effective() == {TWO: "unsure"}


def test_edit_result_lists_effective_edits(log, label_sync):
    log.append({ONE: "on"}, how="folder")
    answer = label_sync.apply([edit(ONE, "on", None), edit(TWO, "on", None), edit(TWO, "off", "on")])
    assert answer.written == (1, 2)
    assert label_sync.apply([edit(TWO, "on", None)]).written == ()
    assert label_sync.apply([edit(ONE, "on", None), edit(ONE, "off", "on")]).written == (1,)


def test_edit_and_undo_together_keep_the_label_of_another_person(log, label_sync):
    log.append({ONE: "on"}, how="folder")
    answer = label_sync.apply([edit(ONE, "on", None), edit(ONE, None, "on")])
    assert (answer.written, log.effective()) == ((), {ONE: "on"})
    assert [(each.label, each.now) for each in answer.refused] == [(None, "on")]
    quiet = label_sync.apply([edit(TWO, "on", None), edit(TWO, None, "on")])
    assert (quiet.refused, quiet.written, len(rows(log))) == ((), (), 1)


def test_labels_appended_by_others_are_read(log, label_sync):
    assert label_sync.labels() == {}
    before = label_sync.revision()
    log.append({ONE: "on"}, how="folder")
    assert label_sync.labels() == {ONE: "on"}
    assert label_sync.revision() != before
    log.append({ONE: None, TWO: "off"}, how="folder")
    assert label_sync.labels() == {TWO: "off"}


def test_since_returns_only_new_labels(log, label_sync):
    log.append({ONE: "on"}, how="folder")
    revision = label_sync.revision()
    assert label_sync.since(revision) == LabelChanges(everything=False, labels={}, revision=revision)
    log.append({TWO: "off", ONE: None}, how="folder")
    found = label_sync.since(revision)
    assert found == LabelChanges(everything=False, labels={TWO: "off", ONE: None}, revision=label_sync.revision())
    assert label_sync.since(found.revision).labels == {}


def test_unknown_revision_returns_all_labels(log, label_sync):
    log.append({ONE: "on"}, how="folder")
    epoch = label_sync.revision().partition(".")[0]
    for revision in ("", "other.1", "nonsense", "a.b.c", f"{epoch}.²", f"{epoch}.-1", f"{epoch}."):
        found = label_sync.since(revision)
        assert (found.everything, found.labels) == (True, {ONE: "on"})


def test_truncated_log_is_read_from_the_beginning(log, label_sync):
    log.append({ONE: "on", TWO: "off"}, how="folder")
    revision = label_sync.revision()
    log.path.write_text(log.path.read_text().splitlines(keepends=True)[0])
    assert label_sync.labels() == {ONE: "on"}
    assert label_sync.since(revision).everything
    assert label_sync.since(revision).labels == {ONE: "on"}


def test_replaced_log_is_read_from_the_beginning(log, label_sync):
    log.append({ONE: "on"}, how="folder")
    label_sync.labels()
    lines = log.path.read_text()
    log.path.write_text(lines.replace('"on"', '"no"').replace('"no"', '"off"') + lines.replace(ONE, TWO))
    assert label_sync.labels() == log.effective() == {ONE: "off", TWO: "on"}


def test_damaged_log_refuses_edits_until_repaired(log, label_sync):
    log.append({ONE: "on"}, how="folder")
    with log.path.open("a") as file:
        file.write('{"id": "')
    with pytest.raises(DamagedState, match=r"line 2: .* labels repair"):
        label_sync.apply([edit(TWO, "on", None)])
    labels, problem = label_sync.readable_labels()
    assert labels == {ONE: "on"}
    assert "line 2" in problem
    log.repair()
    assert label_sync.readable_labels() == ({ONE: "on"}, "")
    assert label_sync.apply([edit(TWO, "on", None)]).labels == {TWO: "on"}


def test_edits_hold_the_log_lock_while_they_are_checked(log, label_sync, monkeypatch):
    append = LabelLog.append
    other = threading.Thread(target=lambda: append(LabelLog(log.path), {ONE: "off"}, how="folder"))

    def late(self, given, *, how):
        other.start()
        other.join(0.3)  # it waits for its turn
        return append(self, given, how=how)

    monkeypatch.setattr(LabelLog, "append", late)
    label_sync.apply([edit(ONE, "on", None)])
    other.join()
    assert rows(log) == [(ONE, "on"), (ONE, "off")]


def test_two_servers_write_each_edit_once(log):
    ids = [picture_id(number) for number in range(30)]
    given = [edit(id, "on", None) for id in ids]
    servers = [threading.Thread(target=LabelSync(log.path).apply, args=(given,)) for _ in range(4)]
    for server in servers:
        server.start()
    for server in servers:
        server.join()
    assert rows(log) == [(id, "on") for id in ids]


def test_labels_for_validation_are_counted_also_after_the_page_changed_them(log, label_sync):
    log.append({ONE: "on", TWO: "off"}, how="folder", set="validation")
    assert label_sync.count_validation() == 2
    label_sync.apply([edit(ONE, "off", "on"), edit(TWO, None, "off")])
    assert label_sync.count_validation() == 1
    assert log.current().for_validation() == {ONE: "off"}
