"""A budget of disk: what goes first, what never goes, and what is said if it cannot be kept."""

import os
import time
from contextlib import ExitStack
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline import night_record
from pipeline.labels.log import LabelLog
from pipeline.night_record import NEWS, PLAN, News, NightPlan
from pipeline.report.night_words import GIB
from pipeline.store.manifest import Manifest, list_files
from tasks import disk_budget, paths, run_log
from tasks.cli import main
from tasks.disk_budget import DAY, keep_within, unused_pictures
from tasks.run_pipeline import RunPipeline

MB = 1_000_000


@pytest.fixture(autouse=True)
def folder(configure):
    (configure("[cats.download]\nquery = cat\n[dogs.download]\nquery = dog\n") / "models").mkdir()


def publish(
    stage: str, letter: str, *, days: float = 0.0, size: int = MB, dataset: str = "cats", key: str = ""
) -> Path:
    """Publish an artifact of so many bytes, made so many days ago; the last one is what the last run used."""
    store, key = paths.artifact_store(dataset, stage), key or letter * 64
    work = store.work(key, resume=False)
    (work / "file.bin").write_bytes(b"x" * size)
    made = (datetime.now(timezone.utc) - timedelta(days=days)).isoformat()
    facts = {"options": {}, "inputs": {}, "outputs": {"images": letter}, "files": list_files(work), "created": made}
    return store.publish(work, Manifest(stage=stage, version=1, dataset=dataset, key=key, **facts)).folder


def raw(dataset: str, name: str, *, days: float, size: int = MB) -> Path:
    path = paths.dataset_folder(dataset) / "raw" / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    when = time.time() - days * DAY
    os.utime(path, (when, when))
    return path


def gib(megabytes: float) -> float:
    return megabytes * MB / GIB


def test_the_oldest_of_all_datasets_goes_first_until_the_budget_is_kept():
    publish("normalize", "c", days=20), publish("normalize", "b", days=40, dataset="dogs")
    oldest = publish("filter", "a", days=60, dataset="dogs")
    for name in ("cats", "dogs"):
        for stage in ("normalize", "filter"):
            publish(stage, "e", dataset=name)
    freed = keep_within(["cats", "dogs"], gib=gib(6.1))
    assert [path.name[0] for path in freed.removed] == ["a"]
    assert not oldest.exists()
    assert (freed.over, freed.budget_line()) == (0, "")
    second = keep_within(["cats", "dogs"], gib=gib(5.1))
    assert second.removed.keys() == {Path("data/dogs/normalize") / ("b" * 12)}


def test_the_training_that_another_dataset_begins_with_stays(configure):
    old, named, last = (publish("gan", letter, days=90) for letter in "abc")
    configure(f"[cats.download]\nquery = cat\n[dogs.download]\nquery = dog\n[dogs.gan]\nstart = {named}\n")
    for dataset in ("cats", "dogs"):
        (paths.dataset_folder(dataset) / "runs").mkdir(parents=True, exist_ok=True)
    assert keep_within(["cats"], days=30).removed.keys() == {old}
    assert named.exists()
    assert last.exists()


def test_what_is_current_stays_and_what_could_not_be_freed_is_named():
    needed = RunPipeline(dataset="cats").stages()[0].key()
    current, used = publish("download", "n", days=90, key=needed), publish("gan", "u", days=90, size=3 * MB)
    freed = keep_within(["cats"], gib=gib(1))
    assert freed.removed == {}
    assert current.exists()
    assert used.exists()
    assert 2.9 * MB < freed.over < 3.2 * MB
    assert freed.budget_line().startswith(
        "the budget is exceeded by 3 MiB; all that is left is in use: 3 MiB trained gen"
    )
    assert list(freed.in_use) == ["trained generators", "lists of pictures"]


def test_what_another_process_makes_stays():
    store = paths.artifact_store("cats", "download")
    work = store.work("b" * 64, resume=True)
    (work / "half").write_bytes(b"x" * MB)
    with store.lock("b" * 64):
        assert keep_within(["cats"], gib=gib(0.1), days=0.0001).removed == {}
    assert work.exists()


def begin_run(pipeline: RunPipeline) -> run_log.RunLog:
    """The record of a run that is at work, by this process."""
    record = run_log.record("cats", pipeline.run_name)
    record.add("options", settings=pipeline.settings, labels=pipeline.labels, forced="", once=False)
    return record


def test_what_a_run_at_work_reads_stays_though_it_is_not_the_latest():
    pipeline = RunPipeline(dataset="cats", options="download.limit=77", run_name="20261130-020000-000000-1")
    download, normalize = pipeline.stages()[:2]
    publish("download", "a", days=60, key=download.key())
    read = publish("normalize", "a", days=60, key=normalize.key())
    for stage in ("download", "normalize"):
        publish(stage, "b")
    record = begin_run(pipeline)
    assert keep_within(["cats"], days=30).removed == {}
    assert main(["gc", "--keep", "0", "--dataset", "cats"]) == 0
    assert read.exists()
    record.add("end", outcome="done")
    assert read in keep_within(["cats"], days=30).removed


def test_a_dataset_is_left_alone_while_nobody_knows_what_its_run_reads():
    old, _ = publish("normalize", "a", days=60), publish("normalize", "b")
    run_log.record("cats", "20261130-020000-000000-1")
    freed = keep_within(["cats"], days=30)
    assert freed.removed == {}
    assert freed.notes[0].startswith("cats is left alone: nobody knows what the run at work in data/cats/runs/2026")
    assert old.exists()


@pytest.mark.parametrize("how", ["it is made again", "it became the latest"])
def test_what_a_run_has_begun_to_use_since_it_was_found_stays(monkeypatch, how):
    old, _ = publish("normalize", "a", days=60), publish("normalize", "b", days=40)
    store, locks = paths.artifact_store("cats", "normalize"), ExitStack()

    def remove(chosen, freed, *, dry_run):
        if how == "it is made again":
            locks.enter_context(store.lock("a" * 64))
        else:
            store.point_latest(old)
        return kept_remove(chosen, freed, dry_run=dry_run)

    kept_remove = disk_budget._remove
    monkeypatch.setattr(disk_budget, "_remove", remove)
    with locks:
        freed = keep_within(["cats"], days=30)
    assert old.exists()
    assert freed.removed == {}


def test_what_is_fetched_from_the_storage_of_several_machines_stays():
    store = paths.artifact_store("cats", "download")
    work = store.root / f".work-fetch-{'a' * 12}.2"
    work.mkdir(parents=True)
    with FileLock(store.root / f".lock-fetch-{'a' * 12}.2"):
        keep_within(["cats"], days=0.0000001)
        assert work.exists()


def test_days_delete_what_is_older_and_nothing_else():
    old, young = publish("normalize", "a", days=40), publish("normalize", "b", days=20)
    publish("normalize", "c", days=50)  # the last run used it
    assert keep_within(["cats"], days=30).removed.keys() == {old}
    assert young.exists()


def test_squares_that_labels_speak_of_stay():
    store = paths.artifact_store("cats", "normalize")
    ids = [letter * 64 for letter in "12"]
    folders = []
    for letter, held in (("a", ids[:1]), ("b", ids), ("c", [])):
        folders.append(publish("normalize", letter, days=30))
        (folders[-1] / "images").mkdir()
        for id in held:
            (folders[-1] / "images" / f"{id}.png").write_bytes(b"square")
    assert store.latest().folder == folders[2]
    LabelLog(paths.dataset_folder("cats") / "labels.jsonl").append({ids[0]: "on", ids[1]: "off"}, how="page")
    assert keep_within(["cats"], days=1).removed.keys() == {folders[0]}
    assert main(["gc", "--keep", "0", "--dataset", "cats"]) == 0
    assert folders[1].exists()


def test_pictures_that_nothing_uses_go_last():
    artifact = publish("download", "a", days=2)
    (artifact / "images").mkdir()
    names = [f"{letter * 64}.jpg" for letter in "123456"]
    used, labelled, unused, newer = (
        raw("cats", name, days=days) for name, days in zip(names, (9, 9, 9, 1), strict=False)
    )
    os.link(used, artifact / "images" / used.name)
    LabelLog(paths.dataset_folder("cats") / "labels.jsonl").append({labelled.stem: "on"}, how="page")
    freed = keep_within(["cats"], gib=gib(0.1))
    assert freed.removed.keys() == {unused}
    assert all(path.exists() for path in (used, labelled, newer))
    assert freed.over > 0


def test_pictures_stay_while_a_crawl_is_at_work():
    publish("download", "a", days=2)
    raw("cats", "1" * 64 + ".jpg", days=9)
    assert len(unused_pictures("cats")) == 1
    with paths.artifact_store("cats", "download").lock("b" * 64):
        assert unused_pictures("cats") == []


def test_old_run_records_go_but_the_newest_and_those_of_what_is_current():
    names = ["20260101-000000-000000-1", "20260102-000000-000000-1", "20260103-000000-000000-1"]
    for name in names:
        record = run_log.RunLog(run_log.runs_folder("cats") / name)
        record.add("start", pid=1, born=1.0, host="", versions={})
        record.add("end", outcome="done")
        os.utime(record.path, (0, 0))
    removed = keep_within(["cats"], days=30).removed
    assert sorted(path.name for path in removed) == names[:2]
    assert (run_log.runs_folder("cats") / names[2]).exists()


def test_old_nights_go_but_the_newest(configure):
    today = date.today()
    nights = [
        Path(root) / "nightly" / str(today - timedelta(days=back))
        for root in ("data", "generated")
        for back in (0, 9, 99)
    ]
    for night in nights:
        night.mkdir(parents=True)
    assert keep_within([], days=30, nights=True).removed.keys() == {nights[2], nights[5]}
    assert keep_within([], days=5).removed == {}


def test_nights_at_work_and_nights_that_are_not_finished_stay():
    long_ago, now = "2020-01-01T02:00:00+00:00", datetime.now(timezone.utc).isoformat()
    kept = {"2020-01-02": long_ago, "2020-01-03": long_ago, "2020-01-04": now}  # the second is at work
    for name, began in {"2020-01-01": long_ago, **kept, "2020-01-05": long_ago}.items():
        folder = Path("data/nightly") / name
        night_record.write(folder / PLAN, NightPlan(began=began, subjects=()))
        if name != "2020-01-02":
            night_record.write(folder / NEWS, News(summary=""))
    freed = keep_within([], days=30, nights=True, night=date(2020, 1, 3))
    assert freed.removed.keys() == {Path("data/nightly/2020-01-01")}


def test_a_dry_run_finds_the_same_and_deletes_nothing():
    old = publish("normalize", "a", days=40)
    publish("normalize", "b")
    freed = keep_within(["cats"], gib=gib(1.1), dry_run=True)
    assert freed.removed.keys() == {old}
    assert freed.over == 0
    assert old.exists()


def test_a_dataset_whose_settings_are_wrong_is_left_alone(configure):
    configure("[cats.download]\nquery = cat\n")
    kept, gone = publish("normalize", "a", days=40, dataset="dogs"), publish("normalize", "a", days=40)
    publish("normalize", "b", dataset="dogs"), publish("normalize", "b")
    freed = keep_within(["dogs", "cats"], days=30)
    assert freed.removed.keys() == {gone}
    assert kept.exists()
    assert freed.notes == [
        "dogs is left alone: source 'bing' needs a search term: set query, for example query = pikachu"
    ]


def test_sheets_and_pixels_go_with_their_artifacts():
    gan, squares = publish("gan", "a", days=40), publish("normalize", "a", days=40)
    sheets = paths.training_sheets("cats", "a" * 64)
    sheets.mkdir(parents=True)
    packed = squares.with_name(f".packed-{squares.name}.npy")
    packed.write_bytes(b"x" * MB)
    of_rerun = squares.with_name(f".packed-{squares.name}.2.npy")
    of_rerun.write_bytes(b"x")
    of_rerun.with_name(f"{squares.name}.2").mkdir()
    publish("gan", "b"), publish("normalize", "b")
    freed = keep_within(["cats"], days=30)
    assert freed.removed.keys() == {gan, squares}
    assert freed.removed[squares] > 2 * MB
    assert not sheets.exists()
    assert not packed.exists()
    assert of_rerun.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--gib", "-1"], "--gib -1.0: expected a number, at least 0"),
        (["--days", "nan"], "--days nan: expected a number, at least 0"),
        (["--all", "--gan-epochs", "3"], "gc --all uses the settings of each dataset; leave out gan.epochs"),
    ],
)
def test_wrong_arguments_are_named(capsys, words, says):
    assert main(["gc", *words]) == 2
    assert says in capsys.readouterr().err


def test_command_frees_all_datasets_and_asks_for_more_if_that_is_not_enough(capsys):
    for name in ("cats", "dogs"):
        (paths.dataset_folder(name) / "runs").mkdir(parents=True)
        publish("normalize", "a", days=40, dataset=name), publish("normalize", "b", dataset=name)
    assert main(["gc", "--all", "--days", "30", "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith("2.0 MB would be freed\n")
    assert main(["gc", "--all", "--gib", "0.001"]) == 3
    shown = capsys.readouterr()
    assert shown.out.endswith("2.0 MB freed\n")
    assert shown.err.startswith("next: the budget is exceeded by ")
