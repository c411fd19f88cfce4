"""The folder of stylised pictures: nothing is made twice, nothing of others is replaced, a page can read its state."""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipeline.errors import Stopped, UserError
from pipeline.images.png import decode_png, encode_png
from pipeline.result import Result
from pipeline.run_record import read_state
from pipeline.store import manifest as manifests
from pipeline.store.atomic import write_whole
from pipeline.store.digest import of_bytes
from pipeline.style.style_options import StyleOptions
from pipeline.web.stylizing.style_results import styled_pictures
from tasks import isolation
from tasks.stylized_results import Content, StylizedResults

SUMMARY = {"width": 4, "height": 4, "network": "VGG19", "step": 9, "content": 0.5, "style": 0.01, "variation": 0.2}


def picture_of(name):
    return encode_png(np.full((4, 6, 3), len(name), np.uint8))


class Worker:
    """Draws by writing files; stops, fails or looks at the folder on the way if it is told to."""

    def __init__(self):
        self.made, self.on_work, self.text = [], lambda folder: None, ""

    def __call__(self, source, *, folder, progress, should_stop):
        source = source.source
        self.made.append(source.name)
        (folder / "checkpoint.npz").write_bytes(b"so far")
        progress(1, 9, "steps at 64 px")
        self.on_work(folder)
        (folder / "picture.png").write_bytes(picture_of(self.text or source.name))
        return Result(outputs={"picture": of_bytes(os.fsencode(source.name))}, summary=SUMMARY)


@pytest.fixture
def worker(working_folder, monkeypatch):
    def call(work, *, folder, progress, should_stop, log):
        return work(folder=folder, progress=progress, should_stop=should_stop)

    monkeypatch.setattr(isolation, "call", call)
    return Worker()


@pytest.fixture
def results(working_folder):
    def results(*names, **options):
        paths = [working_folder / f"{name}.jpg" for name in names]
        contents = [Content(source=path, name=path.stem, digest=of_bytes(os.fsencode(path.name))) for path in paths]
        out = working_folder / "art"
        return StylizedResults(
            out, contents, options=StyleOptions(**options).significant(), inputs={"style-1": "f" * 64}
        )

    return results


def state(folder):
    return json.loads((folder / "art" / "state.json").read_text())


def test_each_result_is_an_artifact_and_has_a_copy(worker, results, working_folder):
    made = results("rose", "tulip")
    made.make(worker)
    assert [path.name for path in made.pictures] == ["rose.png", "tulip.png", "overview.png"]
    assert [path.read_bytes() for path in made.pictures[:2]] == [picture_of("rose.jpg"), picture_of("tulip.jpg")]
    assert decode_png(made.pictures[2].read_bytes()).shape == (256, 2 * 256 + 2, 3)
    for row in state(working_folder)["results"]:
        artifact = working_folder / "art" / row["folder"]
        manifests.check_contents(manifests.read(artifact), artifact)
        assert not (artifact / "checkpoint.npz").exists()
        assert row["key"].startswith(row["folder"])


def test_the_studio_finds_what_the_command_leaves(worker, results, working_folder):
    seen = []

    def look(folder):
        seen.extend((each.name, each.state, each.is_made) for each in styled_pictures(working_folder / "art"))

    worker.on_work = look
    results("rose").make(worker)
    assert seen == [("rose", "working", False)]
    (found,) = styled_pictures(working_folder / "art")
    assert (found.name, found.state, found.is_made) == ("rose", "made", True)
    assert found.file("picture.png").read_bytes() == picture_of("rose.jpg")


def test_a_second_call_finds_what_is_there_and_makes_nothing(worker, results, working_folder, capsys):
    results("rose").make(worker)
    before = {path: path.stat().st_mtime_ns for path in (working_folder / "art").rglob("*.png")}
    results("rose", "tulip").make(worker)
    assert worker.made == ["rose.jpg", "tulip.jpg"]
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert "rose: finished already" in capsys.readouterr().err
    assert [row["state"] for row in state(working_folder)["results"]] == ["found", "made"]


def test_another_option_is_another_result_and_the_earlier_one_stays(worker, results, working_folder):
    results("rose").make(worker)
    results("rose", style_weight=2.0).make(worker)
    assert len([*(working_folder / "art").glob("*/manifest.json")]) == 3  # two, and `latest`
    results("rose").make(worker)
    assert worker.made == ["rose.jpg"] * 2


def test_a_stopped_call_says_so_and_the_next_goes_on_in_its_folder(worker, results, working_folder):
    def stop(folder):
        raise Stopped("stopped after 5 of 9 steps")

    worker.on_work = stop
    with pytest.raises(Stopped):
        results("rose").make(worker)
    found = state(working_folder)
    assert (found["state"], found["error"]) == ("stopped", "stopped after 5 of 9 steps")
    work = working_folder / "art" / found["results"][0]["folder"]
    assert (work / "checkpoint.npz").exists()
    seen = []
    worker.on_work = lambda folder: seen.append(folder)
    results("rose").make(worker)
    assert seen == [work.relative_to(working_folder)] or seen == [work]
    assert state(working_folder)["state"] == "finished"


def test_a_page_can_read_how_it_stands_meanwhile(worker, results, working_folder):
    seen = []
    worker.on_work = lambda folder: seen.append((state(working_folder), folder.name))
    results("rose", "tulip").make(worker)
    (first, folder), _ = seen
    assert first["state"] == "working"
    assert first["pid"] == os.getpid()
    assert [row["state"] for row in first["results"]] == ["working", "waiting"]
    assert first["results"][0]["folder"] == folder
    record = read_state(working_folder / "art" / "runs" / first["run"])
    assert record.outcome == "done"
    assert "tulip, 2 of 2; steps at 64 px" in record.advanced["stylize"].note


def test_an_error_is_in_the_state_and_what_was_made_is_kept(worker, results, working_folder):
    def fail(folder):
        if len(worker.made) == 2:
            raise UserError("the losses are not finite")

    worker.on_work = fail
    with pytest.raises(UserError):
        results("rose", "tulip").make(worker)
    found = state(working_folder)
    assert (found["state"], found["error"]) == ("failed", "the losses are not finite")
    assert (working_folder / "art" / "rose.png").exists()
    assert not (working_folder / "art" / "tulip.png").exists()


def test_a_file_of_somebody_else_is_not_replaced(worker, results, working_folder):
    (working_folder / "art").mkdir()
    (working_folder / "art" / "rose.png").write_bytes(b"a holiday")
    with pytest.raises(UserError, match=r"rose.png is there, and not by this command; name another folder"):
        results("rose")
    assert (working_folder / "art" / "rose.png").read_bytes() == b"a holiday"


def test_a_copy_that_was_edited_is_not_replaced(worker, results, working_folder):
    results("rose").make(worker)
    (working_folder / "art" / "rose.png").write_bytes(b"retouched")
    with pytest.raises(UserError, match="not by this command"):
        results("rose")


def test_a_copy_that_is_edited_while_others_are_drawn_is_not_replaced(worker, results, working_folder):
    results("rose", "tulip").make(worker)

    def retouch(folder):
        (working_folder / "art" / "tulip.png").write_bytes(b"retouched")

    worker.on_work, worker.text = retouch, "another"
    with pytest.raises(UserError, match=r"tulip.png is there, and not by this command"):
        results("rose", "tulip", seed=1).make(worker)
    assert (working_folder / "art" / "tulip.png").read_bytes() == b"retouched"
    assert (working_folder / "art" / "rose.png").read_bytes() == picture_of("another")


def test_a_link_that_leads_nowhere_is_not_replaced(results, working_folder):
    (working_folder / "art").mkdir()
    (working_folder / "art" / "rose.png").symlink_to("nowhere.png")
    with pytest.raises(UserError, match=r"rose.png is there"):
        results("rose")


def test_a_name_that_is_not_utf_8_is_shown_with_a_question_mark(worker, results, working_folder):
    results("ros\udce9").make(worker)
    assert [row["content"] for row in state(working_folder)["results"]] == ["ros?"]
    assert [path.name for path in (working_folder / "art").glob("ros*.png")] == ["ros_.png"]


def test_a_call_that_was_killed_while_it_replaced_a_copy_locks_nothing(worker, results, working_folder, monkeypatch):
    results("rose").make(worker)

    class Killed(BaseException):
        """A fake kill of the process."""

    def kill(path, data, **_):
        if path.name == "rose.png":
            raise Killed
        write_whole(path, data)

    worker.text = "another"
    monkeypatch.setattr("tasks.stylized_results.write_whole", kill)
    with pytest.raises(Killed):
        results("rose", seed=1).make(worker)
    monkeypatch.undo()
    results("rose", seed=1).make(worker)
    assert (working_folder / "art" / "rose.png").read_bytes() == picture_of("another")


def test_two_calls_into_one_folder_keep_the_copies_of_both(worker, results, working_folder, monkeypatch):
    """While one is between reading and writing what is there, the other has to wait."""
    calls = [results("rose"), results("tulip")]
    both, inside, most = threading.Barrier(2), [], []

    def slowly(path, data, **_):
        if path.name == "state.json":
            inside.append(path)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()
        write_whole(path, data)

    def make(call):
        both.wait(10)
        call.make(worker)

    monkeypatch.setattr("tasks.stylized_results.write_whole", slowly)
    with ThreadPoolExecutor(2) as pool:
        [*pool.map(make, calls)]
    assert max(most) == 1
    assert state(working_folder)["pictures"].keys() == {"rose.png", "tulip.png"}
    results("rose", seed=1).make(worker)
    results("tulip", seed=1).make(worker)


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_latest_of_somebody_else_is_not_replaced(results, working_folder, is_folder):
    (working_folder / "art").mkdir()
    place = working_folder / "art" / "latest"
    place.mkdir() if is_folder else place.write_text("mine")
    with pytest.raises(UserError, match="latest is there, and not by this command"):
        results("rose")


def test_a_folder_of_something_else_is_refused(results, working_folder):
    (working_folder / "art").mkdir()
    (working_folder / "art" / "state.json").write_text("{}")
    with pytest.raises(UserError, match=r"state.json is there, and not by this command"):
        results("rose")


def test_a_file_as_folder_is_refused(results, working_folder):
    (working_folder / "art").write_text("x")
    with pytest.raises(UserError, match="is a file; name a folder"):
        results("rose")


def test_a_content_that_is_called_overview_keeps_its_own_copy(worker, results):
    assert [path.name for path in results("overview", "rose").pictures] == [
        "overview-2.png",
        "rose.png",
        "overview.png",
    ]


def test_a_damaged_result_is_made_again(worker, results, working_folder, capsys):
    results("rose").make(worker)
    folder = working_folder / "art" / state(working_folder)["results"][0]["folder"]
    (folder / "picture.png").write_bytes(b"x")
    results("rose").make(worker)
    assert worker.made == ["rose.jpg"] * 2
    assert "it is made again" in capsys.readouterr().err
