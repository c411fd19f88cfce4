"""The histogram of scores: bars of squares without a label, marks of those with one, and a table."""

from pipeline.filter.scores import Score
from pipeline.web.labelling.histogram import histogram
from pipeline.web.labelling.picture_index import IndexedSquare


def square(score, label=None, outcome="kept"):
    found = Score(id=f"{score}", score=score, label=label, outcome=outcome) if score is not None else None
    return IndexedSquare(id=f"{score}", file="", version="", width=1, height=1, position=0, score=found)


def test_each_score_is_in_the_bar_of_its_hundredth():
    found = histogram([square(0.0), square(0.505), square(0.5), square(1.0), square(None)])
    assert (found.tallest, found.unlabelled) == (2, 4)
    assert [part.split("v")[0] for part in found.path.split("M")[1:]] == ["0.5 200", "500.5 200", "990.5 200"]
    assert "v-200.0" in found.path
    assert "v-100.0" in found.path


def test_labelled_squares_are_marks_and_not_bars():
    found = histogram([square(0.25, "on"), square(0.251, "on"), square(0.9, "off", "rejected"), square(0.3, "unsure")])
    assert (found.path, found.unlabelled) == ("", 0)
    assert [tick.x for tick in found.on] == [250.0]
    assert [tick.x for tick in found.off] == [900.0]


def test_table_counts_every_scored_square_once():
    found = histogram(
        [square(0.05, outcome="rejected"), square(0.55, outcome="unsure"), square(0.58), square(1.0, "on")]
    )
    assert [
        (row.low, row.kept, row.borderline, row.rejected, row.on) for row in found.table if row.kept + row.rejected
    ] == [
        (0.0, 0, 0, 1, 0),
        (0.5, 1, 1, 0, 0),
        (0.9, 1, 0, 0, 1),
    ]
