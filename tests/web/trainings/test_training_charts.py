"""Curves of trainings: scores of different extractors never share a chart, and alarms are where they are told."""

from pipeline.store.jsonl import write_rows
from pipeline.web.trainings.training_charts import NamedCourse, compared_charts, training_charts
from pipeline.web.trainings.training_course import read_course
from tests.web.fake_trainings import stats_row


def course(folder, name, rows):
    write_rows(folder / f"{name}.jsonl", rows)
    return read_course([folder / f"{name}.jsonl"])


def test_charts_have_losses_judgement_and_scores(tmp_path):
    made = course(tmp_path, "a", [stats_row(epoch, "textures-64", 1.0 / epoch, ()) for epoch in range(1, 5)])
    titles = [chart.title for chart in training_charts(made, "c")]
    assert titles[:3] == ["loss", "accuracy of the discriminator", "probability of being real, by the discriminator"]
    assert titles[3:] == [
        "KID by textures-64: distance of samples from reals",
        "precision, recall, density, coverage by textures-64",
    ]


def test_each_extractor_has_its_own_chart(tmp_path):
    rows = [stats_row(epoch, "old-64" if epoch < 3 else "new-64", 0.5, ()) for epoch in range(1, 5)]
    kids = [chart for chart in training_charts(course(tmp_path, "a", rows), "c") if chart.title.startswith("KID")]
    assert [chart.title.split()[2] for chart in kids] == ["old-64:", "new-64:"]
    assert ["0.5 at 1, 0.5 at 2" in kids[0].words, "0.5 at 3, 0.5 at 4" in kids[1].words] == [True, True]


def test_compared_trainings_share_a_chart_only_by_the_same_extractor(tmp_path):
    first = course(tmp_path, "a", [stats_row(1, "old-64", 0.5, ()), stats_row(2, "new-64", 0.4, ())])
    second = course(tmp_path, "b", [stats_row(1, "new-64", 0.3, ()), stats_row(2, "new-64", 0.2, ())])
    charts = compared_charts([NamedCourse(label="A", course=first), NamedCourse(label="B", course=second)])
    assert [[label for label, *_ in chart.legend] for chart in charts] == [[], ["A", "B"]]
    assert [chart.title.split()[2] for chart in charts] == ["old-64:", "new-64:"]


def test_epochs_of_an_alarm_are_marked_in_the_chart_that_it_is_about(tmp_path):
    rows = [stats_row(epoch, "textures-64", 0.5, ()) | {"step": epoch * 1000} for epoch in range(1, 30)]
    for row in rows[12:]:
        row["d_accuracy"] = 0.999
    charts = {chart.title: chart.svg for chart in training_charts(course(tmp_path, "a", rows), "c")}
    assert "too far ahead" in charts["accuracy of the discriminator"]
    assert "too far ahead" not in charts["loss"]


def test_epoch_that_the_generator_is_of_is_marked(tmp_path):
    rows = [stats_row(epoch, "textures-64", 1.0 / epoch, ()) for epoch in range(1, 5)]
    svg = "".join(chart.svg for chart in training_charts(course(tmp_path, "a", rows), "c", drawn=3))
    assert svg.count("the generator is of epoch 3") == 1
    assert "lowest: 0.2500 ± 0.0100 at epoch 4" in svg


def test_training_without_rows_has_no_charts(tmp_path):
    assert training_charts(read_course([tmp_path / "none"]), "c") == []
