"""Which stages run again after a change, and which do not."""

import json
import re

import pytest

from tests.end_to_end.home import STAGES

pytestmark = pytest.mark.slow


def test_second_run_is_up_to_date(home):
    said = home.do("run")
    assert "demo: everything is up to date" in said
    assert home.ran(home.runs()[-1]) == []
    assert [row["outcome"] for row in home.rows(home.runs()[-1]) if row["event"] == "stage"] == ["reused"] * len(STAGES)


def test_run_ends_with_six_lines(home):
    lines = home.do("run").splitlines()[-6:]
    assert [line.split()[0] for line in lines] == ["pictures", "kept", "filter", "samples", "took", "look"]
    pages = re.search(r"look at\s+(\S+index\.html) .*: (\S+index\.html)", lines[-1]).groups()
    assert [page for page in pages if not (home.folder / page).is_file()] == []
    (training,) = (home.folder / pages[1]).parent.glob("0*")
    assert training.name.startswith("001-tiny-")
    for name in (
        "reals.png",
        "stats.jsonl",
        "training.gif",
        "samples/grid.png",
        "report/index.html",
        "networks/card.json",
    ):
        assert (training / name).is_file()


def test_changed_labels_rerun_classifier_filter_and_later_stages(home):
    flipped = [row | {"label": "off"} for row in home.labels() if row["label"] == "on"][:5]
    home.label(*flipped)
    plan = home.do("plan")
    assert re.search(r"classifier +will run +labels changed", plan)
    assert re.search(r"download +up to date", plan)
    assert re.search(r"gan +may run", plan)
    ran = home.run()
    assert ran[:2] == ["classifier", "filter"]
    assert ran == ["classifier", "filter", "gan", "generate", "report"]


def test_plan_counts_new_labels(home):
    labelled = {row["id"] for row in home.labels()}
    rows = [
        json.loads(line)
        for line in (home.stage_folder("normalize") / "latest" / "images.jsonl").read_text().splitlines()
    ]
    fresh = [row["id"] for row in rows if row["outcome"] == "kept" and row["id"] not in labelled][:3]
    home.label(*({"id": each, "label": "on"} for each in fresh))
    assert f"labels changed: {len(labelled)} → {len(labelled) + 3}" in home.do("plan")


@pytest.mark.long
def test_gan_and_samples_are_not_made_again_if_the_same_squares_are_kept(home):
    # unsure instead of off: the picture stays out either way, and the threshold is set by hand to keep or leave all
    words = ("--filter-threshold", "0")
    home.do("run", *words)
    off = next(row for row in home.labels() if row["label"] == "off")
    home.label(off | {"label": "unsure"})
    assert home.run(*words) == ["classifier", "filter", "report"]


@pytest.mark.long
def test_changed_sample_interval_reruns_generate_only_if_another_epoch_is_the_best(home):
    assert "sample_every 2 → 1" in home.do("plan", "--gan-sample-every", "1")
    before = home.outputs()["gan"]["generator"]
    ran = home.run("--gan-sample-every", "1")
    is_same = home.outputs()["gan"]["generator"] == before
    assert ran == ["gan", *([] if is_same else ["generate"]), "report"]


@pytest.mark.parametrize(
    "until", ["normalize", *(pytest.param(stage, marks=pytest.mark.long) for stage in ("filter", "report"))]
)
def test_changed_size_reruns_all_but_the_crawl_and_the_old_size_nothing(home, until):
    before, words = home.outputs(), ("--normalize-size", "32", "--until", until)
    assert "size 16 → 32" in home.do("plan", "--normalize-size", "32")
    assert home.run(*words) == list(STAGES[1 : STAGES.index(until) + 1])
    assert home.outputs()["normalize"] != before["normalize"]
    assert home.run("--normalize-size", "16") == []
    assert home.outputs() == before  # what `latest` names has gone back too
    assert home.run(*words) == []
    assert home.outputs()["download"] == before["download"]


@pytest.mark.long
def test_refresh_without_new_pictures_reruns_download_and_report_only(home):
    assert re.search(r"download +will run +requested", home.do("plan", "--refresh"))
    assert home.run("--refresh") == ["download", "report"]
    assert home.run() == []


@pytest.mark.long
def test_two_workers_are_bit_identical_to_one(home):
    assert home.run("--workers", "2", "--generate-seed", "6") == ["generate", "report"]
    assert home.run("--generate-seed", "6") == []


@pytest.mark.long
def test_another_extractor_measures_the_same_samples_again(home):
    assert home.run("--generate-extractor", "own") == ["generate", "report"]
    assert home.run("--generate-extractor", "auto") == []
    (home.folder / "no-weights.h5").write_text("no weights")
    assert re.search(r"generate +will run +extractor changed", home.do("plan", "--generate-extractor", "no-weights.h5"))


@pytest.mark.long
def test_two_concurrent_runs_make_each_stage_once(home):
    before = home.runs()
    words = ("run", "--generate-seed", "5")
    both = [home.start(*words) for _ in range(2)]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    ran = [stage for run in home.runs() if run not in before for stage in home.ran(run)]
    assert sorted(ran) == ["generate", "report"]


@pytest.mark.long
def test_rerun_makes_one_stage_again(home):
    home.do("rerun", "filter")
    assert home.ran(home.runs()[-1]) == ["filter", "report"]
    assert home.run() == []


@pytest.mark.long
def test_rerun_downstream_makes_all_later_stages_again(home):
    home.do("rerun", "filter", "--downstream")
    assert home.ran(home.runs()[-1]) == ["filter", "gan", "generate", "report"]


def test_changed_definition_reruns_the_training(home):
    path = home.folder / "models" / "tiny.json"
    definition = json.loads(path.read_text())
    path.write_text(json.dumps(definition | {"latent": definition["latent"] * 2}))
    assert re.search(r"gan +will run +definition changed", home.do("plan"))


@pytest.mark.long
def test_run_elsewhere_with_the_same_seed_is_bit_identical(home, finished, tmp_path):
    (home.folder / "data" / "demo" / "labels.jsonl").unlink()
    for top in ("data", "generated"):
        for path in sorted((home.folder / top / "demo").glob("*")):
            path.rename(tmp_path / f"{top}-{path.name}")
    (home.folder / "models" / "demo").rename(tmp_path / "models-demo")
    assert home.run() == list(STAGES)
    assert home.outputs() == finished.outputs()
