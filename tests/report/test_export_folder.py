"""Exports in a person's folder: nothing that is not ours is deleted or written over, and a killed one is known."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import DamagedState, UserError
from pipeline.progress import silent
from pipeline.report.export_files import ExportFile
from pipeline.report.export_folder import ABOUT, METADATA, ExportKind, find_earlier, write_export
from pipeline.store.digest import of_bytes


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out" / "cats"


@pytest.fixture
def files(tmp_path):
    """`files("cat", "dog")`: an export of two files with this content."""

    def make(*words: str) -> list[ExportFile]:
        found = []
        for number, word in enumerate(words, start=1):
            (tmp_path / f"{word}.txt").write_text(word)
            sha256 = of_bytes(word.encode())
            name = f"000{number}-{word}.png"
            found.append(
                ExportFile(name=name, folder=tmp_path, path=f"{word}.txt", sha256=sha256, metadata={"word": word})
            )
        return found

    return make


def run(out: Path, files, *, progress=silent, kind="kept", dataset="cats"):
    export = ExportKind(kind=kind, dataset=dataset)
    earlier = find_earlier(out, export)
    write_export(out, files, earlier=earlier, export=export, artifacts={"a": Path("b")}, progress=progress)
    return earlier


def content(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in out.iterdir() if path.name not in (ABOUT, METADATA)}


def killed_at(number: int):
    def progress(done: int, total: int, note: str = "") -> None:
        if done == number:
            raise KeyboardInterrupt

    return progress


def test_new_folder_gets_files_a_line_for_each_and_a_note_on_the_export(out, files):
    run(out, files("cat", "dog"))
    assert content(out) == {"0001-cat.png": "cat", "0002-dog.png": "dog"}
    lines = [json.loads(line) for line in (out / METADATA).read_text().splitlines()]
    assert lines == [{"file": "0001-cat.png", "word": "cat"}, {"file": "0002-dog.png", "word": "dog"}]
    about = json.loads((out / ABOUT).read_text())
    assert (about["export"], about["dataset"], about["artifacts"]) == ("kept", "cats", {"a": "b"})
    assert about["finished"] is True
    assert about["files"].keys() == {"0001-cat.png", "0002-dog.png"}


def test_files_are_copies_so_an_edit_does_not_reach_the_artifact(out, files, tmp_path):
    run(out, files("cat"))
    (out / "0001-cat.png").write_text("edited")
    assert (tmp_path / "cat.txt").read_text() == "cat"


def test_earlier_export_is_replaced(out, files):
    run(out, files("cat", "dog", "cow"))
    kept = (out / "0001-cat.png").stat().st_mtime_ns
    assert run(out, files("cat", "hen")).finished
    assert content(out) == {"0001-cat.png": "cat", "0002-hen.png": "hen"}
    assert (out / "0001-cat.png").stat().st_mtime_ns == kept
    run(out, [])
    assert content(out) == {}
    run(out, files("cat"))
    assert content(out) == {"0001-cat.png": "cat"}


def test_a_finished_export_again_writes_nothing(out, files):
    run(out, files("cat", "dog"))
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    run(out, files("cat", "dog"), progress=killed_at(0))  # it does not come to the first file
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before
    (changed,) = files("cat")[:1]
    run(out, [replace(changed, metadata={"word": "kitten"}), *files("cat", "dog")[1:]])
    assert '"kitten"' in (out / METADATA).read_text()


@pytest.mark.parametrize("name", ["photo.png", METADATA, "0003-cat.png", ".0003-cat.png.part"])
def test_files_of_a_person_are_not_touched(out, files, name):
    out.mkdir(parents=True)
    (out / name).write_text("mine")
    with pytest.raises(UserError, match="files that no export of kept made"):
        run(out, files("cat"))
    assert [path.name for path in out.iterdir()] == [name]


def test_file_beside_an_earlier_export_is_not_touched(out, files):
    run(out, files("cat"))
    (out / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=r"files that no export of kept made: mine\.txt; name another folder"):
        run(out, files("dog"))
    assert content(out) == {"0001-cat.png": "cat", "mine.txt": "mine"}


def test_exported_file_that_was_edited_is_not_replaced(out, files):
    run(out, files("cat"))
    (out / "0001-cat.png").write_text("better cat")
    with pytest.raises(UserError, match=r"0001-cat\.png was changed after the export"):
        run(out, files("dog"))
    assert content(out) == {"0001-cat.png": "better cat"}


def test_exported_file_that_was_deleted_comes_again(out, files):
    run(out, files("cat", "dog"))
    (out / "0001-cat.png").unlink()
    (out / ".DS_Store").touch()  # somebody looked into it on a Mac
    run(out, files("cat", "dog"))
    assert content(out) == {"0001-cat.png": "cat", "0002-dog.png": "dog", ".DS_Store": ""}


@pytest.mark.parametrize(("kind", "dataset"), [("squares", "cats"), ("kept", "dogs")])
def test_export_of_something_else_is_not_replaced(out, files, kind, dataset):
    run(out, files("cat"))
    with pytest.raises(UserError, match="has an export of kept of the dataset cats; name another folder"):
        run(out, files("dog"), kind=kind, dataset=dataset)
    assert content(out) == {"0001-cat.png": "cat"}


def test_a_file_is_no_folder(tmp_path, files):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file; name a new or an empty folder"):
        run(tmp_path / "file", files("cat"))


def test_list_that_somebody_wrote_names_no_file_outside(out, files, tmp_path):
    run(out, files("cat"))
    about = json.loads((out / ABOUT).read_text())
    (tmp_path / "out" / "mine.png").write_text("mine")
    about["files"] = {"../mine.png": of_bytes(b"mine")}
    (out / ABOUT).write_text(json.dumps(about))
    with pytest.raises(UserError, match="files that no export"):
        run(out, [])
    assert (tmp_path / "out" / "mine.png").exists()


@pytest.mark.parametrize("damage", ["[" * 100_000, "{}", '{"export": 1}', "\x00", '{"files": {"0.png": 3}}'])
def test_damaged_list_makes_all_files_foreign(out, files, damage):
    run(out, files("cat"))
    (out / ABOUT).write_text(damage)
    with pytest.raises(UserError, match="files that no export"):
        run(out, files("cat"))
    assert content(out) == {"0001-cat.png": "cat"}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_killed_export_is_known_and_the_next_one_finishes_it(out, files, number):
    run(out, files("cow", "cat", "hen"))
    with pytest.raises(KeyboardInterrupt):
        run(out, files("cat", "dog", "hen"), progress=killed_at(number))
    assert json.loads((out / ABOUT).read_text())["finished"] is False
    assert not (out / METADATA).exists()
    (out / ".0002-dog.png.part").write_text("d")  # of a kill in the middle of a file
    assert run(out, files("cat", "hen")).finished is False
    assert content(out) == {"0001-cat.png": "cat", "0002-hen.png": "hen"}
    assert json.loads((out / ABOUT).read_text())["finished"] is True


def test_square_that_changed_but_has_the_same_name_is_replaced_after_a_kill_too(out, files, tmp_path):
    run(out, files("cat"))
    (tmp_path / "cat.txt").write_text("larger cat")
    sha256 = of_bytes(b"larger cat")
    larger = ExportFile(name="0001-cat.png", folder=tmp_path, path="cat.txt", sha256=sha256, metadata={})
    with pytest.raises(KeyboardInterrupt):
        run(out, [larger], progress=killed_at(0))
    run(out, [larger])
    assert content(out) == {"0001-cat.png": "larger cat"}


def test_missing_square_leaves_an_export_that_is_not_finished(out, files, tmp_path):
    found = files("cat", "dog")
    (tmp_path / "dog.txt").unlink()
    with pytest.raises(DamagedState, match="cannot be read"):
        run(out, found)
    assert json.loads((out / ABOUT).read_text())["finished"] is False
    assert content(out) == {"0001-cat.png": "cat"}
