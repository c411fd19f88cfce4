"""The page of trainings: what it shows, in which order and state, and that it survives whatever is deleted."""

import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup

from pipeline.report import gallery
from pipeline.report.gallery import refresh
from pipeline.report.training_files import TrainingPaths, newest_sheet
from pipeline.report.trainings import Trainings
from pipeline.store.artifacts import ArtifactStore
from pipeline.store.manifest import Manifest, list_files

HOSTILE = "\"'></h2></title><script>alert(1)</script><img src=https://x.org/a onerror=alert(2)>{{ 1234567 * 9 }}"


@pytest.fixture
def paths(tmp_path) -> TrainingPaths:
    made, models = tmp_path / "generated" / "cats", tmp_path / "models" / "cats"
    return TrainingPaths(
        folder=made,
        gan=ArtifactStore(models / "gan"),
        generate=ArtifactStore(made / "generate"),
        report=ArtifactStore(made / "report"),
    )


def begin(paths: TrainingPaths, letter: str, *sheets: int, definition: str = "dcgan", epochs: int | None = 9) -> Path:
    """Begin a training whose key is 64 times `letter`, with these sample sheets; returns their folder."""
    trainings = Trainings(paths.folder)
    training = trainings.begin(
        key=letter * 64, definition=definition, size=32, epochs=epochs, began=f"2026-01-01T00:00:0{ord(letter) % 10}"
    )
    folder = trainings.sheets(training)
    folder.mkdir(parents=True, exist_ok=True)
    for epoch in sheets:
        (folder / f"epoch-{epoch:04d}.png").touch()
    return folder


def publish(store: ArtifactStore, letter: str, *files: str, **facts) -> Path:
    work = store.work(letter * 64, resume=False)
    for name in files:
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).touch()
    facts = {"stage": store.root.name, "options": {}, "inputs": {}, "created": "2026-01-02T10:00:00+00:00", **facts}
    manifest = Manifest(version=1, dataset="cats", key=letter * 64, files=list_files(work), **facts)
    return store.publish(work, manifest).folder


def finish(paths: TrainingPaths, letter: str = "a", remark: str = "", **facts) -> None:
    """Publish the generator, the samples and the report of a training."""
    summary = {"epochs": 9, "size": 32, **facts}
    generator = {"outputs": {"generator": f"g{letter}"}, "options": {"definition": "dcgan", "epochs": 9}}
    publish(paths.gan, letter, "samples/epoch-0009.png", "plots/training.gif", summary=summary, **generator)
    scores = {"kid": 0.19, "kid_floor": -0.0001, "extractor": "patches"}
    inputs = {"gan.generator": f"g{letter}"}
    publish(paths.generate, letter, "grid.png", "film.gif", "film.mp4", "images/0.png", inputs=inputs, summary=scores)
    folders = {"gan.folder": f"{letter * 12}{remark}", "generate.folder": letter * 12}
    publish(paths.report, letter, "index.html", inputs=folders)


def read(paths: TrainingPaths, dataset: str = "cats") -> BeautifulSoup:
    """The page, written now; every link and picture on it leads to a file."""
    refresh(paths, dataset=dataset)
    page = BeautifulSoup((paths.folder / "index.html").read_text(encoding="utf-8"), "lxml")
    targets = [tag["src"] for tag in page.find_all("img")] + [tag["href"] for tag in page.find_all("a")]
    assert [target for target in targets if not (paths.folder / unquote(target)).exists()] == []
    return page


def headings(page: BeautifulSoup) -> list[str]:
    return [" ".join(tag.text.split()) for tag in page.find_all("h2")]


def captions(page: BeautifulSoup) -> list[str]:
    return [tag.text for tag in page.find_all("figcaption")]


def test_newest_training_is_first_with_its_last_sheet_and_state(paths):
    begin(paths, "a", 0, 9)
    finish(paths)
    begin(paths, "b", 0, 1, 2, definition="wgan-gp")
    page = read(paths)
    assert headings(page) == ["002-wgan-gp-32px unfinished", "001-dcgan-32px done"]
    assert page.img["src"] == f"training/{'b' * 12}/epoch-0002.png"
    assert "2 of 9 epochs" in page.section.text


def test_finished_training_shows_film_samples_report_and_networks(paths):
    folder = begin(paths, "a", 0, 9)
    for name in ("reals.png", "training.gif", "training.mp4", "stats.jsonl"):
        (folder / name).touch()
    finish(paths)
    page = read(paths)
    assert captions(page) == [
        "sample sheet, epoch 9",
        "squares it learns from",
        "film of the training",
        "samples",
        "film through the latents",
    ]
    links = {tag.text: tag["href"] for tag in page.ul.find_all("a")}
    assert links == {
        "report": f"report/{'a' * 12}/index.html",
        "all sheets and plots": f"training/{'a' * 12}/",
        "statistics": f"training/{'a' * 12}/stats.jsonl",
        "film of the training (MP4)": f"training/{'a' * 12}/training.mp4",
        "all samples": f"generate/{'a' * 12}/images/",
        "film through the latents (MP4)": f"generate/{'a' * 12}/film.mp4",
        "networks": f"../../models/cats/gan/{'a' * 12}/",
    }
    assert "KID 0.190 (reals against reals 0.000), measured with patches" in page.section.text
    by_name = paths.folder / "001-dcgan-32px"
    assert (by_name / "report" / "index.html").exists()
    assert (by_name / "samples" / "grid.png").exists()
    assert (by_name / "networks" / "manifest.json").exists()


def test_pictures_load_when_they_are_seen_and_nothing_else_loads(paths):
    begin(paths, "a", 0)
    page = read(paths)
    assert {tag["loading"] for tag in page.find_all("img")} == {"lazy"}
    assert not page.find_all(["script", "link", "iframe", "object", "embed", "base", "form"])
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'; img-src 'self' file:; media-src 'self' file:; style-src 'sha256-")


def test_text_of_others_is_escaped(paths):
    begin(paths, "a", 0, definition=HOSTILE)
    Trainings(paths.folder).fail("a" * 64, HOSTILE)
    page = read(paths, dataset=HOSTILE)
    assert not page.find_all("script")
    assert [tag["src"] for tag in page.find_all("img")] == [f"training/{'a' * 12}/epoch-0000.png"]
    assert page.title.text == f"{HOSTILE}: trainings"
    assert page.code.text == HOSTILE
    assert page.find(class_="error").text == HOSTILE
    assert "11111103" not in page.text


def test_running_training_has_a_page_that_reloads(paths):
    begin(paths, "a", 0, 3)
    paths.gan.work("a" * 64, resume=True)
    with paths.gan.lock("a" * 64):
        page = read(paths)
        assert headings(page) == ["001-dcgan-32px running"]
        assert page.find("meta", attrs={"http-equiv": "refresh"})["content"] == "30"
    page = read(paths)  # killed
    assert headings(page) == ["001-dcgan-32px unfinished"]
    assert page.find("meta", attrs={"http-equiv": "refresh"}) is None


def test_training_without_a_sheet_says_so(paths):
    begin(paths, "a")
    paths.gan.work("a" * 64, resume=True)
    with paths.gan.lock("a" * 64):
        assert "No sample sheet yet." in read(paths).text
    Trainings(paths.folder).fail("a" * 64, "memory ran out")
    page = read(paths)
    assert headings(page) == ["001-dcgan-32px failed"]
    assert page.find(class_="error").text == "memory ran out"


def test_artifact_of_a_training_that_a_time_limit_ended_is_unfinished(paths):
    begin(paths, "a", 0, 4)
    finish(paths, remark=" 4 of 9 epochs", epochs=4, unfinished=True)
    page = read(paths)
    assert headings(page) == ["001-dcgan-32px unfinished"]
    assert "4 of 9 epochs" in page.section.text
    assert "samples" in captions(page)
    assert "report" in [tag.text for tag in page.ul.find_all("a")]
    with paths.gan.lock("a" * 64):
        assert headings(read(paths)) == ["001-dcgan-32px running"]


def test_number_of_epochs_that_nobody_set_is_not_shown(paths):
    folder = begin(paths, "a", 0, 4, epochs=None)
    (folder / "stats.jsonl").write_text('{"epoch": 6}\n{"epoch": 7')
    assert "; 6 epochs." in " ".join(read(paths).section.text.split())


def test_trainings_of_an_earlier_release_get_numbers_and_their_sheets_are_found(paths):
    finish(paths)
    page = read(paths)
    assert headings(page) == ["001-dcgan-32px done"]
    assert page.img["src"] == f"../../models/cats/gan/{'a' * 12}/samples/epoch-0009.png"
    assert [each.key for each in Trainings(paths.folder).all()] == ["a" * 64]


@pytest.mark.parametrize(
    ("deleted", "left"),
    [
        (["training"], ["sample sheet, epoch 9", "film of the training", "samples", "film through the latents"]),
        (["generate"], ["sample sheet, epoch 9", "film of the training"]),
        (["report", "generate", "training", "../../models"], None),
        (["001-dcgan-32px"], ["sample sheet, epoch 9", "film of the training", "samples", "film through the latents"]),
    ],
)
def test_what_is_deleted_by_hand_leaves_the_page_and_the_rest_stays(paths, deleted, left):
    begin(paths, "a", 0, 9)
    finish(paths)
    begin(paths, "b", 0)
    read(paths)
    for name in deleted:
        path = paths.folder / name
        path.unlink() if path.is_symlink() else shutil.rmtree(path)
    page = read(paths)
    if left is None:
        assert headings(page) == []
        assert "All trainings were deleted." in page.text
        assert not list(paths.folder.glob("0*"))
    else:
        names = [heading for heading in headings(page) if heading.startswith("001")]
        assert names == ["001-dcgan-32px done"]
        assert [each.text for each in page.find_all("section")[-1].find_all("figcaption")] == left


def test_number_of_a_training_that_was_deleted_stays_free(paths):
    begin(paths, "a", 0)
    begin(paths, "b", 0)
    read(paths)
    shutil.rmtree(paths.folder / "training" / ("b" * 12))
    assert headings(read(paths)) == ["001-dcgan-32px unfinished"]
    begin(paths, "c", 0)
    assert headings(read(paths)) == ["003-dcgan-32px unfinished", "001-dcgan-32px unfinished"]


def test_dataset_without_trainings_gets_no_page(paths):
    refresh(paths, dataset="cats")
    assert not (paths.folder / "index.html").exists()


def test_newest_sheet_is_that_of_the_last_epoch_whatever_the_digits(tmp_path):
    for name in ("epoch-0999.png", "epoch-10000.png", "reals.png", "epoch-0000.png"):
        (tmp_path / name).touch()
    assert newest_sheet(tmp_path).name == "epoch-10000.png"
    assert newest_sheet(tmp_path / "missing") is None


def test_page_is_whole_at_every_moment(paths, monkeypatch):
    begin(paths, "a", 0)
    before = str(read(paths))
    monkeypatch.setattr(gallery, "_render", lambda *arguments: 1 / 0)
    begin(paths, "b", 0)
    with pytest.raises(ZeroDivisionError):
        refresh(paths, dataset="cats")
    assert str(BeautifulSoup((paths.folder / "index.html").read_text(), "lxml")) == before


@pytest.mark.parametrize("kind", ["webm", "mp4"])
def test_film_that_browsers_play_is_shown_instead_of_the_gif(paths, kind):
    folder = begin(paths, "a", 0)
    for name in ("training.gif", f"training.{kind}"):
        (folder / name).write_bytes((12).to_bytes(4, "big") + b"moovavc1")
    page = read(paths)
    (film,) = page.find_all("video")
    assert film["src"] == f"training/{'a' * 12}/training.{kind}"
    assert film.has_attr("controls")
    assert not page.find_all("img", src=lambda source: source.endswith(".gif"))
