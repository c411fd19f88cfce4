"""The files of many trainings are found without looking at each artifact for each training."""

from pipeline.report.gallery import refresh
from pipeline.report.training_files import find_files, group_artifacts, training_of
from tests.report.test_gallery import begin, finish, publish
from tests.report.test_gallery import paths as paths  # a fixture


def test_artifacts_are_listed_once_for_all_trainings(paths, monkeypatch):
    for letter in "abcde":
        begin(paths, letter, 0, 9)
        finish(paths, letter)
    listed = []
    for store in (paths.gan, paths.generate, paths.report):
        monkeypatch.setattr(store, "all", lambda store=store, all=store.all: listed.append(store.root.name) or all())
    refresh(paths, dataset="cats")
    assert sorted(listed) == ["gan", "generate", "report"]


def test_newest_samples_and_report_of_a_training_are_its_own(paths):
    for letter in "ab":
        begin(paths, letter, 0)
        finish(paths, letter)
    newer = publish(
        paths.generate, "c", "grid.png", inputs={"gan.generator": "ga"}, created="2026-01-03T10:00:00+00:00"
    )
    made = group_artifacts(paths)
    first, second = (
        find_files(paths, paths.folder, training_of(gan), made, running=True)
        for gan in sorted(made.gans, key=lambda gan: gan.manifest.key)
    )
    assert (first.generate.folder, first.report.folder.name) == (newer, "a" * 12)
    assert (second.generate.folder.name, second.report.folder.name) == ("b" * 12, "b" * 12)


def test_samples_that_name_no_generator_belong_to_no_training(paths):
    begin(paths, "a", 0)
    publish(paths.gan, "a", summary={}, options={"definition": "dcgan"})
    publish(paths.generate, "d", "grid.png")
    made = group_artifacts(paths)
    found = find_files(paths, paths.folder, training_of(made.gans[0]), made, running=True)
    assert found.generate is None
