"""Events for TensorBoard: the same points as in stats.jsonl, also after kills, roll backs and stops."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import Stopped
from pipeline.gan import tensorboard_events
from pipeline.gan.stats_log import LISTS_OF_TEXTS, TEXTS, read_rows
from pipeline.gan.tensorboard_events import STEP, EventLog, event_files, remove_events, tag, write_events
from pipeline.gan.training.observer import Observer
from pipeline.options import GanOptions
from tests.gan.fake_steps import make_trainer, run
from tests.gan.interrupted import Killed, kill_at

EVENTS = "pipeline.gan.tensorboard_events.EventLog"
# As in test_train_gan: in the order of one training, each with the number of calls that succeed before
MOMENTS = [
    ("pipeline.gan.sampling.write_png", 1),  # between the reals and the first sheet
    (f"{EVENTS}._start_file", 0),
    (f"{EVENTS}._write", 0),  # a new file without a record
    (f"{EVENTS}._write", 2),  # before its first sheets
    ("pipeline.gan.training.loop.StatsLog.append", 0),
    (f"{EVENTS}._add", 0),  # after the row, before its event
    ("pipeline.gan.training.loop.save_checkpoint", 1),  # after the event, before the checkpoint: restarts
    ("pipeline.gan.tensorboard_events.remove_events", 0),
    ("pipeline.gan.sampling.write_png", 2),
    (f"{EVENTS}._add", 2),
    ("pipeline.gan.training.loop.save_checkpoint", 1),  # before the last checkpoint
    ("pipeline.gan.train_gan.write_networks", 0),
    ("pipeline.gan.train_gan.write_card", 0),
]


def read_events(folder: Path) -> list:
    """Every event in the one event file of `folder`, by TensorFlow's own reader."""
    from tensorflow.compat.v1.train import summary_iterator

    (path,) = event_files(folder)
    return [*summary_iterator(str(path))]


def points(folder: Path) -> dict[tuple[int, str], float]:
    """The scalars of the events in `folder`, by step and tag; none is there twice."""
    found = [
        ((event.step, value.tag), value.simple_value)
        for event in read_events(folder)
        for value in event.summary.value
        if value.WhichOneof("value") == "simple_value"
    ]
    assert [each for each, times in Counter(key for key, _ in found).items() if times > 1] == []
    return dict(found)


def expected(rows: list[dict]) -> dict[tuple[int, str], float]:
    """The scalars that `rows` of stats.jsonl should give."""
    return {
        (row["step"], tag(name)): float(np.float32(value))
        for row in rows
        for name, value in row.items()
        if type(value) in (int, float) and name != "step"
    }


def pictures(folder: Path) -> dict[tuple[str, int], bytes]:
    return {
        (value.tag, event.step): value.image.encoded_image_string
        for event in read_events(folder)
        for value in event.summary.value
        if value.HasField("image")
    }


@pytest.mark.usefixtures("fast_evaluator")
def test_events_have_the_points_and_sheets_of_a_training(workspace):
    live = workspace.root / "live"
    workspace.train("a", live=live, tensorboard=True)
    rows = read_rows(workspace.folder("a") / "stats.jsonl")
    assert points(live) == expected(rows)
    assert {"loss/d_loss", "accuracy/d_accuracy", "probability/d_real", "score/kid", "speed/images_per_second",
            "augmentation/augment"} <= {name for _, name in points(live)}  # fmt: skip
    steps = {0: 0, **{row["epoch"]: row["step"] for row in rows}}
    sheets = {("samples", steps[epoch]): (live / f"epoch-{epoch:04d}.png").read_bytes() for epoch in (0, 2, 4)}
    assert pictures(live) == {**sheets, ("reals", 0): (live / "reals.png").read_bytes()}
    image = next(value.image for event in read_events(live) for value in event.summary.value if value.HasField("image"))
    assert (image.width, image.height) == Image.open(live / "reals.png").size
    assert image.colorspace == 3


@pytest.mark.usefixtures("fast_evaluator")
@pytest.mark.long
def test_kills_between_any_two_writes_leave_no_doubled_and_no_lost_points(workspace, monkeypatch):
    live = workspace.root / "live"
    for moment, call in MOMENTS:
        with monkeypatch.context() as patch:
            kill_at(patch, moment, call)
            with pytest.raises(Killed):
                workspace.train("b", live=live, tensorboard=True)
        # No point is there twice, and none that the statistics lack, but if the kill came before the file was replaced
        if event_files(live) and not moment.endswith("remove_events"):
            assert points(live).items() <= expected(read_rows(workspace.folder("b") / "stats.jsonl")).items(), moment
    workspace.train("b", live=live, tensorboard=True)
    rows = read_rows(workspace.folder("b") / "stats.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert points(live) == expected(rows)
    assert {step for _, step in pictures(live)} == {0, 4, 8}


@pytest.mark.long
@pytest.mark.usefixtures("fast_evaluator")
def test_events_change_nothing_else(workspace, whole_training):
    workspace.train("c", live=workspace.root / "live", tensorboard=True)
    left = sorted(path.relative_to(workspace.folder("c")) for path in workspace.folder("c").rglob("*"))
    assert left == sorted(path.relative_to(whole_training) for path in whole_training.rglob("*"))
    assert GanOptions(tensorboard=True).significant() == GanOptions().significant()


@pytest.mark.usefixtures("fast_evaluator")
@pytest.mark.long
def test_a_run_without_the_option_leaves_no_events_that_end_early(workspace):
    live, done = workspace.root / "live", []
    with pytest.raises(Stopped):
        workspace.train(
            "d",
            live=live,
            tensorboard=True,
            progress=lambda *told: done.append(told),
            should_stop=lambda: len(done) > 3,
        )
    assert event_files(live)
    workspace.train("d", live=live)
    assert event_files(live) == []
    write_events(live)  # what `make tensorboard` does
    assert points(live) == expected(read_rows(workspace.folder("d") / "stats.jsonl"))


def observed(folder: Path) -> Observer:
    """An observer that writes events into `folder`/events."""
    return Observer(
        folder, live=None, evaluator=None, events=EventLog(folder / "events", sheets=folder / "samples", notify=print)
    )


def test_after_a_roll_back_the_dropped_epochs_are_gone(tmp_path, fake_steps):
    fake_steps.nan_losses = (8,)
    folder = tmp_path / "a"
    training = run(make_trainer(folder, observer=observed(folder), checkpoint_every=2))
    rows = read_rows(folder / "stats.jsonl")
    assert any("note" in row for row in rows)
    assert points(folder / "events") == expected(rows)
    texts = {
        (value.tag, value.tensor.string_val[0].decode())
        for event in read_events(folder / "events")
        for value in event.summary.value
        if value.HasField("tensor")
    }
    assert ("text/note", next(row["note"] for row in rows if "note" in row)) in texts
    assert training.is_done


def test_the_time_of_an_event_is_that_in_steps_since_the_start(tmp_path, fake_steps):
    folder, done = tmp_path / "a", []
    with pytest.raises(Stopped):
        run(
            make_trainer(folder, observer=observed(folder)),
            progress=lambda *told: done.append(told),
            should_stop=lambda: len(done) > 6,
        )
    began = read_events(folder / "events")[0].wall_time
    (first,) = event_files(folder / "events")
    run(make_trainer(folder, observer=observed(folder)))
    (second,) = event_files(folder / "events")
    assert second > first  # a TensorBoard that looks on reads a later file
    events, rows = read_events(folder / "events"), read_rows(folder / "stats.jsonl")
    assert events[0].wall_time == began
    assert events[-1].wall_time == pytest.approx(began + sum(row["seconds"] for row in rows))


def test_events_of_an_ended_training_end_when_its_statistics_were_written(tmp_path, fake_steps):
    folder = tmp_path / "a"
    run(make_trainer(folder))
    os.utime(folder / "stats.jsonl", (1_700_000_000, 1_700_000_000))
    write_events(folder)
    assert read_events(folder)[-1].wall_time == pytest.approx(1_700_000_000, abs=1)


def test_every_field_of_a_row_has_a_group(tmp_path, fake_steps):
    run(make_trainer(tmp_path / "a"))
    names = {name for row in read_rows(tmp_path / "a" / "stats.jsonl") for name in row} - {
        STEP,
        *TEXTS,
        *LISTS_OF_TEXTS,
    }
    assert {name for name in names if tag(name).startswith("score/")} == set()  # nothing was scored


def test_a_training_goes_on_if_events_cannot_be_written(tmp_path, fake_steps):
    folder, told = tmp_path / "a", []
    folder.mkdir()
    (folder / "events").write_text("no folder")
    events = EventLog(folder / "events", sheets=folder / "samples", notify=told.append)
    training = run(make_trainer(folder, observer=Observer(folder, live=None, evaluator=None, events=events)))
    assert training.is_done
    assert len(told) == 1
    assert "cannot be written" in told[0]
    (folder / "events").unlink()
    events.sync(training.log.rows)  # as at the next epoch
    assert points(folder / "events") == expected(training.log.rows)


def test_tensorboard_itself_reads_the_same_points(tmp_path, fake_steps):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs requirements-tensorboard.txt"
    )
    folder = tmp_path / "a"
    run(make_trainer(folder, observer=observed(folder)))
    found = accumulator.EventAccumulator(str(folder / "events"), size_guidance={"scalars": 0, "images": 0})
    found.Reload()
    read = {(point.step, name): point.value for name in found.Tags()["scalars"] for point in found.Scalars(name)}
    assert read == expected(read_rows(folder / "stats.jsonl"))
    assert len(found.Images("samples")) == 5
    remove_events(folder / "events")
    assert event_files(folder / "events") == []


def test_without_tensorflow_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow", None)
    with pytest.raises(tensorboard_events.UserError, match="TensorFlow, which writes the events, is not installed"):
        EventLog(tmp_path, sheets=tmp_path)
