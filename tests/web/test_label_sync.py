"""Marks: what is written, what is refused, and what is read of what others wrote."""

import threading

import pytest

from pipeline.errors import DamagedState
from pipeline.labels.log import LabelLog
from pipeline.web.label_sync import LabelEdit, LabelSync, Since
from tests.web.drawn_home import picture_id

ONE, TWO = picture_id(1), picture_id(2)


@pytest.fixture
def log(tmp_path):
    return LabelLog(tmp_path / "labels.jsonl")


@pytest.fixture
def marks(log):
    return LabelSync(log.path)


def mark(id, label, *was):
    return LabelEdit(id=id, label=label, was=frozenset(was))


def rows(log):
    return [(row.id, row.label) for row in log.rows()]


def test_a_mark_is_written_and_answered_with_what_holds_now(log, marks):
    answer = marks.apply([mark(ONE, "on", None)])
    assert (answer.labels, answer.refused) == ({ONE: "on"}, ())
    assert [(row.label, row.how) for row in log.rows()] == [("on", "page")]


def test_a_mark_sent_twice_is_written_once(log, marks):
    marks.apply([mark(ONE, "on", None)])
    again = marks.apply([mark(ONE, "on", None)])
    assert (again.refused, rows(log)) == ((), [(ONE, "on")])


def test_an_old_mark_does_not_overwrite_a_newer_one(log, marks):
    log.append({ONE: "off"}, how="folder")
    answer = marks.apply([mark(ONE, "on", None), mark(TWO, "on", None)])
    assert answer.labels == {ONE: "off", TWO: "on"}
    assert [(each.id, each.label, each.now) for each in answer.refused] == [(ONE, "on", "off")]


def test_marks_whose_answer_was_lost_may_come_again_with_later_ones(log, marks):
    marks.apply([mark(ONE, "on", None)])
    answer = marks.apply([mark(ONE, "on", None), mark(ONE, "off", "on")])
    assert (answer.labels, answer.refused, rows(log)) == ({ONE: "off"}, (), [(ONE, "on"), (ONE, "off")])
    again = marks.apply([mark(ONE, "on", None), mark(ONE, "off", "on")])
    assert (again.refused, len(rows(log))) == ((), 2)


def test_an_undo_appends_the_earlier_label_only_where_its_own_still_holds(log, marks):
    marks.apply([mark(ONE, "on", None), mark(TWO, "on", None)])
    log.append({TWO: "unsure"}, how="folder")
    answer = marks.apply([mark(ONE, None, "on"), mark(TWO, None, "on")])
    assert answer.labels == {ONE: None, TWO: "unsure"}
    assert [each.id for each in answer.refused] == [TWO]
    assert log.effective() == {TWO: "unsure"}


def test_the_answer_says_which_marks_changed_something(log, marks):
    log.append({ONE: "on"}, how="folder")
    answer = marks.apply([mark(ONE, "on", None), mark(TWO, "on", None), mark(TWO, "off", "on")])
    assert answer.written == (1, 2)
    assert marks.apply([mark(TWO, "on", None)]).written == ()
    assert marks.apply([mark(ONE, "on", None), mark(ONE, "off", "on")]).written == (1,)


def test_a_mark_and_its_undo_sent_together_leave_what_another_said(log, marks):
    log.append({ONE: "on"}, how="folder")
    answer = marks.apply([mark(ONE, "on", None), mark(ONE, None, "on")])
    assert (answer.written, log.effective()) == ((), {ONE: "on"})
    assert [(each.label, each.now) for each in answer.refused] == [(None, "on")]
    quiet = marks.apply([mark(TWO, "on", None), mark(TWO, None, "on")])
    assert (quiet.refused, quiet.written, len(rows(log))) == ((), (), 1)


def test_labels_of_others_are_read_as_they_come(log, marks):
    assert marks.labels() == {}
    before = marks.revision()
    log.append({ONE: "on"}, how="folder")
    assert marks.labels() == {ONE: "on"}
    assert marks.revision() != before
    log.append({ONE: None, TWO: "off"}, how="folder")
    assert marks.labels() == {TWO: "off"}


def test_only_what_is_new_is_told(log, marks):
    log.append({ONE: "on"}, how="folder")
    revision = marks.revision()
    assert marks.since(revision) == Since(everything=False, labels={}, revision=revision)
    log.append({TWO: "off", ONE: None}, how="folder")
    found = marks.since(revision)
    assert found == Since(everything=False, labels={TWO: "off", ONE: None}, revision=marks.revision())
    assert marks.since(found.revision).labels == {}


def test_who_knows_another_log_is_told_everything(log, marks):
    log.append({ONE: "on"}, how="folder")
    epoch = marks.revision().partition(".")[0]
    for revision in ("", "other.1", "nonsense", "a.b.c", f"{epoch}.²", f"{epoch}.-1", f"{epoch}."):
        found = marks.since(revision)
        assert (found.everything, found.labels) == (True, {ONE: "on"})


def test_a_log_that_was_cut_short_is_read_anew(log, marks):
    log.append({ONE: "on", TWO: "off"}, how="folder")
    revision = marks.revision()
    log.path.write_text(log.path.read_text().splitlines(keepends=True)[0])
    assert marks.labels() == {ONE: "on"}
    assert marks.since(revision).everything
    assert marks.since(revision).labels == {ONE: "on"}


def test_a_log_in_whose_place_another_was_put_is_read_anew(log, marks):
    log.append({ONE: "on"}, how="folder")
    marks.labels()
    lines = log.path.read_text()
    log.path.write_text(lines.replace('"on"', '"no"').replace('"no"', '"off"') + lines.replace(ONE, TWO))
    assert marks.labels() == log.effective() == {ONE: "off", TWO: "on"}


def test_a_damaged_log_takes_no_mark_and_says_the_line_until_it_is_repaired(log, marks):
    log.append({ONE: "on"}, how="folder")
    with log.path.open("a") as file:
        file.write('{"id": "')
    with pytest.raises(DamagedState, match=r"line 2: .* labels repair"):
        marks.apply([mark(TWO, "on", None)])
    labels, problem = marks.standing()
    assert labels == {ONE: "on"}
    assert "line 2" in problem
    log.repair()
    assert marks.standing() == ({ONE: "on"}, "")
    assert marks.apply([mark(TWO, "on", None)]).labels == {TWO: "on"}


def test_nobody_writes_between_the_look_at_what_holds_and_the_append(log, marks, monkeypatch):
    append = LabelLog.append
    other = threading.Thread(target=lambda: append(LabelLog(log.path), {ONE: "off"}, how="folder"))

    def late(self, given, *, how):
        other.start()
        other.join(0.3)  # it waits for its turn
        return append(self, given, how=how)

    monkeypatch.setattr(LabelLog, "append", late)
    marks.apply([mark(ONE, "on", None)])
    other.join()
    assert rows(log) == [(ONE, "on"), (ONE, "off")]


def test_two_servers_of_one_dataset_do_not_both_write(log):
    ids = [picture_id(number) for number in range(30)]
    given = [mark(id, "on", None) for id in ids]
    servers = [threading.Thread(target=LabelSync(log.path).apply, args=(given,)) for _ in range(4)]
    for server in servers:
        server.start()
    for server in servers:
        server.join()
    assert rows(log) == [(id, "on") for id in ids]
