"""The course of a training: thinned without losing what counts, and never too large for a page."""

from pipeline.store.jsonl import write_rows
from pipeline.web.trainings import training_course
from pipeline.web.trainings.training_course import MOST_POINTS, read_course, thinned
from tests.web.fake_trainings import stats_row


def rows(count, scored=()):
    """Rows of which those in `scored` have a KID, which is lowest at the second of them."""
    made = []
    for epoch in range(1, count + 1):
        row = stats_row(epoch, "textures-64", 0.1 + 0.001 * epoch, ())
        made.append(row if epoch in scored else {name: row[name] for name in row if name not in ("kid", "extractor")})
    return made


def test_short_course_is_whole(tmp_path):
    write_rows(tmp_path / "stats.jsonl", rows(20, {5, 10}))
    course = read_course([tmp_path / "none.jsonl", tmp_path / "stats.jsonl"])
    assert [row["epoch"] for row in course.rows] == list(range(1, 21))
    assert (course.best["epoch"], course.last["epoch"]) == (5, 20)
    assert [course.seen_at(epoch) for epoch in (0, 3, 21)] == [0, 3 * 640, None]


def test_thinning_keeps_scored_epochs_extremes_and_alarms():
    scored = {*range(37, 5000, 60)}
    given = rows(5000, scored)
    given[3333]["d_loss"] = 99.0  # a peak between the epochs that an even choice would take
    for row in given[2001:2100]:
        row["d_accuracy"] = 0.999  # the discriminator is too far ahead
    found = training_course.alarms(given)
    kept = {row["epoch"] for row in thinned(given, found)}
    assert len(kept) <= MOST_POINTS
    assert scored <= kept
    assert {1, 5000, 3334} <= kept
    assert {alarm.start for alarm in found} <= kept
    assert found


def test_more_scored_epochs_than_points_still_keep_the_lowest():
    given = rows(3000, set(range(1, 3001)))
    given[1234]["kid"] = -0.5
    kept = thinned(given, ())
    assert len(kept) <= MOST_POINTS
    assert 1235 in {row["epoch"] for row in kept}


def test_new_rows_are_read(tmp_path):
    path = tmp_path / "stats.jsonl"
    write_rows(path, rows(3))
    assert len(read_course([path]).epochs) == 3
    write_rows(path, rows(4))
    assert len(read_course([path]).epochs) == 4


def test_huge_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(training_course, "LARGEST", 1000)
    write_rows(tmp_path / "stats.jsonl", rows(30))
    course = read_course([tmp_path / "stats.jsonl"])
    assert not course.rows
    assert "too much" in course.problem


def test_damaged_file_gives_the_rows_before_the_damage(tmp_path):
    path = tmp_path / "stats.jsonl"
    write_rows(path, rows(3))
    path.write_bytes(path.read_bytes() + b'{"epoch": "x"}\n\xff\xff')
    assert len(read_course([path]).rows) == 3
    assert read_course([tmp_path / "other"]).problem
