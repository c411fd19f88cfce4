"""Exports of shards: atomic, resumed, repeated without a write, and only over what an export made."""

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import DamagedState, UserError
from pipeline.progress import silent
from pipeline.report import export_layouts, export_shards
from pipeline.report.export_files import ExportFile
from pipeline.report.export_folder import ABOUT, ExportKind, find_earlier
from pipeline.report.export_layouts import shards_of
from pipeline.report.export_shards import write_shards
from pipeline.store.digest import of_bytes
from pipeline.store.shards import read_shard

KIND = ExportKind(kind="kept", dataset="cats", layout="webdataset")


@pytest.fixture(autouse=True)
def one_picture_in_a_shard(monkeypatch):
    monkeypatch.setattr(export_layouts, "SHARD_PICTURES", 1)


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out" / "cats"


@pytest.fixture
def files(tmp_path):
    """`files("cat", "dog")`: pictures of an export with this content."""

    def make(*words: str) -> list[ExportFile]:
        for word in words:
            (tmp_path / f"{word}.png").write_text(word)
        return [
            ExportFile(
                name=f"{number:04d}-{word}.png",
                folder=tmp_path,
                path=f"{word}.png",
                sha256=of_bytes(word.encode()),
                metadata={"word": word},
            )
            for number, word in enumerate(words, start=1)
        ]

    return make


def run(out: Path, files: list[ExportFile], *, progress=silent, export=KIND):
    earlier = find_earlier(out, export)
    shards = shards_of(files, export.layout)
    write_shards(out, shards, earlier=earlier, export=export, artifacts={"a": Path("b")}, progress=progress)
    return earlier


def words(out: Path) -> dict[str, list[str]]:
    """The pictures of each shard."""
    return {
        path.name: [sample.files["png"].decode() for sample in read_shard(io.BytesIO(path.read_bytes()))]
        for path in sorted(out.glob("*.tar"))
    }


def times(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in out.iterdir()}


def about(out: Path) -> dict:
    return json.loads((out / ABOUT).read_text())


def killed_at(number: int):
    def progress(done: int, total: int, note: str = "") -> None:
        if done == number:
            raise KeyboardInterrupt

    return progress


def test_new_folder_gets_shards_and_a_note_on_the_export(out, files):
    run(out, files("cat", "dog"))
    assert words(out) == {"00000.tar": ["cat"], "00001.tar": ["dog"]}
    assert {path.name for path in out.iterdir()} == {"00000.tar", "00001.tar", ABOUT}
    found = about(out)
    assert (found["export"], found["as"], found["dataset"], found["finished"]) == ("kept", "webdataset", "cats", True)
    assert found["files"]["00000.tar"] == of_bytes((out / "00000.tar").read_bytes())


def test_a_finished_export_again_writes_nothing(out, files):
    run(out, files("cat", "dog"))
    before = times(out)
    run(out, files("cat", "dog"), progress=killed_at(0))  # it does not come to the first shard
    assert times(out) == before


def test_only_shards_that_would_be_others_are_made_again(out, files):
    run(out, files("cat", "dog", "cow"))
    before = times(out)
    cat, dog = files("cat", "dog")
    assert run(out, [cat, replace(dog, metadata={"word": "puppy"})]).finished
    assert words(out) == {"00000.tar": ["cat"], "00001.tar": ["dog"]}
    after = times(out)
    assert after["00000.tar"] == before["00000.tar"]
    assert after["00001.tar"] != before["00001.tar"]
    run(out, [])
    assert words(out) == {}
    assert about(out)["finished"] is True


@pytest.mark.parametrize("number", [0, 1, 2])
def test_killed_export_is_known_and_the_next_one_finishes_it(out, files, number):
    run(out, files("cow", "cat", "hen"))
    with pytest.raises(KeyboardInterrupt):
        run(out, files("cat", "dog", "hen"), progress=killed_at(number))
    assert about(out)["finished"] is False
    (out / ".00001.tar.part").write_text("d")  # of a kill in the middle of a shard
    done = times(out)
    assert run(out, files("cat", "dog", "hen")).finished is False
    assert words(out) == {"00000.tar": ["cat"], "00001.tar": ["dog"], "00002.tar": ["hen"]}
    assert about(out)["finished"] is True
    assert not list(out.glob(".*"))
    assert all(times(out)[name] == time for name, time in done.items() if name in words(out))


def test_a_kill_between_the_list_and_the_name_of_a_shard_costs_that_shard(out, files, monkeypatch):
    def killed(folder, content):
        write_about(folder, content)
        if content["files"]:
            raise KeyboardInterrupt

    write_about = export_shards.write_about
    with monkeypatch.context() as patched:
        patched.setattr(export_shards, "write_about", killed)
        with pytest.raises(KeyboardInterrupt):
            run(out, files("cat", "dog"))
    assert list(about(out)["files"]) == ["00000.tar"]
    assert words(out) == {}
    run(out, files("cat", "dog"))
    assert words(out) == {"00000.tar": ["cat"], "00001.tar": ["dog"]}


@pytest.mark.parametrize("deleted", [0, 1, 2])
def test_a_kill_while_shards_that_are_replaced_are_deleted_leaves_no_old_shard(out, files, monkeypatch, deleted):
    def killed(path):
        nonlocal deleted
        if not deleted:
            raise KeyboardInterrupt
        deleted -= 1
        os.remove(path)

    old, new = ([replace(file, metadata={"license": name}) for file in files("cat", "dog", "hen")] for name in "on")
    run(out, old)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            run(out, new)
    assert run(out, new).finished is False
    shards = [path.read_bytes() for path in sorted(out.glob("*.tar"))]
    assert [json.loads(sample.files["json"]) for each in shards for sample in read_shard(io.BytesIO(each))] == [
        {"license": "n"}
    ] * 3


@pytest.mark.parametrize("name", ["photo.png", "00000.tar", "metadata.jsonl", ".00000.tar.part"])
def test_files_of_a_person_are_not_touched(out, files, name):
    out.mkdir(parents=True)
    (out / name).write_text("mine")
    with pytest.raises(UserError, match="files that no export of kept made"):
        run(out, files("cat"))
    assert (out / name).read_text() == "mine"


def test_a_file_beside_an_earlier_export_and_an_edited_shard_are_not_touched(out, files):
    run(out, files("cat"))
    (out / "00001.tar").write_text("mine")
    with pytest.raises(UserError, match=r"files that no export of kept made: 00001\.tar; name another folder"):
        run(out, files("cat", "dog"))
    (out / "00001.tar").unlink()
    (out / "00000.tar").write_text("mine")
    with pytest.raises(UserError, match=r"00000\.tar was changed after the export"):
        run(out, files("cat"))


def test_a_shard_that_was_deleted_comes_again(out, files):
    run(out, files("cat", "dog"))
    (out / "00000.tar").unlink()
    run(out, files("cat", "dog"))
    assert words(out) == {"00000.tar": ["cat"], "00001.tar": ["dog"]}


@pytest.mark.parametrize("layout", ["", "tfrecord", "imagefolder"])
def test_an_export_in_another_layout_is_not_replaced(out, files, layout):
    run(out, files("cat"))
    with pytest.raises(UserError, match="has an export of kept as webdataset of the dataset cats; name another folder"):
        find_earlier(out, replace(KIND, layout=layout))


def test_missing_square_leaves_an_export_that_is_not_finished(out, files, tmp_path):
    found = files("cat", "dog")
    (tmp_path / "dog.png").unlink()
    with pytest.raises(DamagedState, match="cannot be read"):
        run(out, found)
    assert about(out)["finished"] is False
    assert words(out) == {"00000.tar": ["cat"]}


@pytest.mark.parametrize("made_from", [3, {"../x.tar": "a" * 64}, {"00000.tar": 3}, ["00000.tar"]])
def test_a_note_that_somebody_wrote_makes_all_files_foreign(out, files, made_from):
    run(out, files("cat"))
    (out / ABOUT).write_text(json.dumps(about(out) | {"made_from": made_from}))
    with pytest.raises(UserError, match="files that no export"):
        run(out, files("cat"))
