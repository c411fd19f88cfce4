"""The command `python -m tasks export`."""

import json
import zipfile
from pathlib import Path

import pytest

from pipeline.filter.scores import Score, write_scores
from pipeline.store.atomic import write_whole
from pipeline.store.digest import of_bytes
from pipeline.store.jsonl import write_rows
from pipeline.store.manifest import Manifest, list_files
from tasks import export_command, paths
from tasks.cli import main

LETTERS = "ab"


@pytest.fixture
def publish(working_folder):
    """`publish(stage, key, outputs, inputs, files)`: publish an artifact of the dataset cats; returns its folder."""
    (working_folder / "data" / "cats" / "runs").mkdir(parents=True)

    def publish(stage, key, *, outputs=None, inputs=None, write=lambda folder: None, **facts) -> Path:
        store = paths.artifact_store("cats", stage)
        work = store.work(key * 64, resume=False)
        write(work)
        facts = {"options": {}, "outputs": outputs or {}, "inputs": inputs or {}, **facts}
        manifest = Manifest(stage=stage, version=1, dataset="cats", key=key * 64, files=list_files(work), **facts)
        return store.publish(work, manifest).folder

    return publish


def write_download(folder: Path) -> None:
    rows = [{"id": letter * 64, "url": f"https://x.org/{letter}.jpg", "outcome": "saved"} for letter in LETTERS]
    write_rows(folder / "images.jsonl", rows)


def write_squares(text: str, letters: str = LETTERS):
    def write(folder: Path) -> None:
        rows = []
        for letter in letters:
            (folder / f"{letter}.png").write_text(text + letter)
            sha256 = of_bytes((text + letter).encode())
            row = {"id": letter * 64, "outcome": "kept", "file": f"{letter}.png", "sha256": sha256}
            rows.append({**row, "width": 9, "height": 9})
        write_rows(folder / "images.jsonl", rows)

    return write


def write_verdicts(kept: str):
    def write(folder: Path) -> None:
        scores = [
            Score(id=each * 64, score=0.5, label=None, outcome="kept" if each in kept else "rejected")
            for each in LETTERS
        ]
        write_scores(scores, folder)

    return write


@pytest.fixture
def folder(publish, working_folder):
    """A dataset whose newest squares have no verdicts yet, as when a run stopped after normalising."""
    publish("download", "1", outputs={"images": "pictures"}, write=write_download)
    inputs = {"download.images": "pictures"}
    publish("normalize", "2", outputs={"images": "small"}, inputs=inputs, write=write_squares("small "))
    publish("filter", "3", inputs={"normalize.images": "small"}, write=write_verdicts("b"))
    publish("normalize", "4", outputs={"images": "large"}, inputs=inputs, write=write_squares("large ", "a"))
    return working_folder


def exported(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.png")}


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def test_kept_squares_are_those_that_the_last_filter_read(folder, capsys):
    assert main(["export", "kept", "out", "--dataset", "cats"]) == 0
    said = capsys.readouterr()
    assert said.out == "out: 1 kept squares of cats; metadata.jsonl has a line for each\n"
    assert said.err == ""
    assert exported(folder / "out") == {"0001-x.org-b-bbbbbbbbbbbb.png": "small b"}
    (row,) = rows(folder / "out")
    assert (row["id"], row["url"], row["verdict"]) == ("b" * 64, "https://x.org/b.jpg", "kept")
    about = json.loads((folder / "out" / "export.json").read_text())
    assert about["artifacts"] == {
        "download": "data/cats/download/111111111111",
        "normalize": "data/cats/normalize/222222222222",
        "filter": "data/cats/filter/333333333333",
    }


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_text("")])
def test_that_licences_are_lost_with_the_download_is_said(folder, capsys, change):
    change(folder / "data" / "cats" / "download" / ("1" * 12) / "images.jsonl")
    assert main(["export", "kept", "out", "--dataset", "cats"]) == 0
    assert capsys.readouterr().err == (
        "data/cats/normalize/222222222222: the download that these squares come from was deleted or is damaged: url,"
        " license and creator are not known; `python -m tasks run --dataset cats` downloads again\n"
    )
    (row,) = rows(folder / "out")
    assert (row["url"], row["license"]) == (None, None)


def test_all_squares_are_those_of_the_last_run_with_verdicts_if_there_are(folder, publish):
    labels = folder / "data" / "cats" / "labels.jsonl"
    labels.write_text(json.dumps({"id": "a" * 64, "label": "off", "time": "", "how": "page"}) + "\n")
    assert main(["export", "squares", "out", "--dataset", "cats"]) == 0
    assert exported(folder / "out") == {"0001-x.org-a-aaaaaaaaaaaa.png": "large a"}
    assert [(row["label"], row["verdict"]) for row in rows(folder / "out")] == [("off target", None)]
    publish("filter", "5", inputs={"normalize.images": "large"}, write=write_verdicts("a"))
    assert main(["export", "squares", "out", "--dataset", "cats"]) == 0
    assert [(row["label"], row["verdict"]) for row in rows(folder / "out")] == [(None, "kept")]


def test_an_earlier_artifact_is_exported_if_the_last_run_used_it(folder, publish):
    publish("filter", "5", inputs={"normalize.images": "small"}, write=write_verdicts("a"))
    store = paths.artifact_store("cats", "filter")
    store.point_latest(store.root / ("3" * 12))
    assert main(["export", "kept", "out", "--dataset", "cats"]) == 0
    assert [row["id"] for row in rows(folder / "out")] == ["b" * 64]


def test_samples_have_their_latent_definition_generator_and_epoch(folder, publish):
    def write(work: Path) -> None:
        (work / "images").mkdir()
        (work / "images" / "00000.png").write_text("sample")

    gan = {"options": {"definition": "dcgan"}, "summary": {"epoch_kept": 9}}
    publish("gan", "6", outputs={"generator": "g" * 64}, **gan)
    options = {"seed": 7, "truncation": 0.0}
    publish("generate", "7", inputs={"gan.generator": "g" * 64}, write=write, options=options)
    assert main(["export", "samples", "out", "--dataset", "cats"]) == 0
    assert exported(folder / "out") == {"00000-dcgan-epoch-9-seed-7-gggggggggggg.png": "sample"}
    (row,) = rows(folder / "out")
    assert (row["seed"], row["number"], row["definition"], row["epoch"]) == (7, 0, "dcgan", 9)
    assert row["generator"] == "g" * 64


@pytest.mark.parametrize(
    ("layout", "names", "said"),
    [
        ("imagefolder", {"0001-x.org-b-bbbbbbbbbbbb.png", "metadata.jsonl"}, "; metadata.jsonl has a line for each"),
        ("webdataset", {"00000.tar"}, " in 1 shard"),
        ("tfrecord", {"00000.tfrecord"}, " in 1 shard"),
    ],
)
def test_pictures_are_exported_in_the_layout_that_was_asked_for(folder, capsys, layout, names, said):
    for _ in range(2):
        assert main(["export", "kept", "out", "--as", layout, "--dataset", "cats"]) == 0
        assert capsys.readouterr() == (f"out: 1 kept squares of cats{said}\n", "")
    assert {path.name for path in (folder / "out").iterdir()} == {*names, "export.json"}
    assert main(["export", "kept", "out", "--dataset", "cats"]) == 2
    assert f"error: out has an export of kept as {layout} of the dataset cats" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["model", "out", "--as", "tfrecord", "--dataset", "cats"],
            "--as tfrecord is a layout of pictures: export kept",
        ),
        (["kept", "out", "--as", "webdatasets", "--dataset", "cats"], "--as 'webdatasets' is not known; did you"),
        (["kep", "out"], "kind 'kep' is not known; did you mean 'kept'?"),
        (["kept", "out", "--dataset", "cat"], "there is no dataset 'cat'; did you mean 'cats'?"),
        (["samples", "out", "--dataset", "cats"], "cats has no samples yet; `python -m tasks run --dataset cats`"),
        (["kept", "luigi", "--dataset", "cats"], "luigi has files that no export of kept made: mine.txt; name"),
    ],
)
def test_mistakes_are_one_line(folder, capsys, words, says):
    (folder / "luigi").mkdir()
    (folder / "luigi" / "mine.txt").touch()
    assert main(["export", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {says}")
    assert not (folder / "out").exists()


def test_export_that_was_stopped_says_so_and_so_does_the_next(folder, capsys, monkeypatch):
    def stop(path, data, **options):
        if path.suffix == ".png":
            raise KeyboardInterrupt
        write_whole(path, data, **options)

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.report.export_folder.write_whole", stop)
        assert main(["export", "kept", "out", "--dataset", "cats"]) == 130
    assert "out: the export is not finished; export again to finish it" in capsys.readouterr().err
    assert main(["export", "kept", "out", "--dataset", "cats"]) == 0
    assert "out: the last export was not finished; it is made again" in capsys.readouterr().err
    assert len(exported(folder / "out")) == 1


def test_deleted_squares_are_named(folder, capsys):
    for path in (folder / "data" / "cats" / "normalize" / ("2" * 12)).iterdir():
        path.unlink()
    assert main(["export", "kept", "out", "--dataset", "cats"]) == 2
    assert "333333333333 speaks of were deleted; `python -m tasks run --dataset cats` makes" in capsys.readouterr().err


@pytest.fixture
def gan(publish):
    """A finished training of the dataset cats, with networks that no library can read."""

    def write(work: Path) -> None:
        with zipfile.ZipFile(work / "generator.keras", "w") as packed:
            for name in ("config.json", "metadata.json", "model.weights.h5"):
                packed.writestr(name, f"the {name}")
        for name in ("discriminator.keras", "definition.json", "card.json", "final.npz"):
            (work / name).write_text(f"the {name}")
        (work / "README.md").write_text("# cats\n")

    facts = {"options": {"definition": "dcgan"}, "summary": {"epoch_kept": 9}}
    return publish("gan", "6", outputs={"generator": "g" * 64}, write=write, **facts)


MODEL = {".gitattributes", "README.md", "card.json", "config.json", "definition.json", "discriminator.keras",
         "export.json", "generator.keras", "metadata.json", "model.weights.h5"}  # fmt: skip


def test_a_model_is_a_repository_of_the_hub(folder, gan, capsys):
    assert main(["export", "model", "out", "--dataset", "cats"]) == 0
    said = "out: 9 files, a repository for the Hugging Face Hub; nothing was uploaded\n"
    assert capsys.readouterr().out == said
    assert {path.name for path in (folder / "out").iterdir()} == MODEL
    assert (folder / "out" / "model.weights.h5").read_text() == "the model.weights.h5"
    assert (folder / "out" / "README.md").read_text().startswith("---\nlicense: ")
    (folder / "out" / ".git").mkdir()  # a person passes it on with Git
    (folder / "out" / "config.json").unlink()
    assert main(["export", "model", "out", "--dataset", "cats"]) == 0
    assert (folder / "out" / "config.json").read_text() == "the config.json"
    (folder / "out" / "README.md").write_text("license: mit")
    assert main(["export", "model", "out", "--dataset", "cats"]) == 2
    assert (folder / "out" / "README.md").read_text() == "license: mit"


def test_a_generator_as_onnx_is_a_repository_without_keras_files(folder, gan, monkeypatch):
    monkeypatch.setattr(export_command, "_onnx", lambda gan: b"a network")
    assert main(["export", "onnx", "out", "--dataset", "cats"]) == 0
    assert (folder / "out" / "generator.onnx").read_bytes() == b"a network"
    assert {path.name for path in (folder / "out").iterdir()} == {
        ".gitattributes", "README.md", "card.json", "definition.json", "export.json", "generator.onnx",
    }  # fmt: skip
    assert main(["export", "model", "out", "--dataset", "cats"]) == 2


def test_without_a_training_there_is_no_model(folder, capsys):
    assert main(["export", "model", "out", "--dataset", "cats"]) == 2
    assert "cats has no trained networks yet; `python -m tasks run --dataset cats` makes" in capsys.readouterr().err
