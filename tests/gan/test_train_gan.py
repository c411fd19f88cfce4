import json
import shutil
import signal

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.errors import Stopped, UserError
from pipeline.gan.evaluation.features import FeatureExtractor
from pipeline.gan.sampling import draw_samples, fixed_latents
from pipeline.gan.training.checkpoint import read_arrays
from pipeline.gan.training.losses import Loss
from pipeline.images.contact_sheet import contact_sheet
from pipeline.images.png import decode_png
from pipeline.store.jsonl import read_rows
from tests.gan.conftest import TINY
from tests.gan.fake_evaluator import ScriptedEvaluator
from tests.gan.interrupted import LEFT, SHEETS, STEPS, Killed, assert_same, figures, final, kill_at, train_elsewhere

pytestmark = pytest.mark.usefixtures("fast_evaluator")


# In the order of one training, each with the number of calls that succeed before
MOMENTS = [
    ("sampling.write_png", 1),  # between the reals and the first sheet
    ("training.loop.compile_step", 0),
    ("training.loop.StatsLog.append", 0),
    ("training.loop.save_checkpoint", 1),  # after the row, before its checkpoint: restarts
    ("training.checkpoint.write_whole", 1),
    ("sampling.write_png", 2),  # after the first epoch's checkpoint
    ("training.loop.save_checkpoint", 0),  # after the best, before its checkpoint
    ("training.loop.save_checkpoint", 2),  # before the last checkpoint
    ("train_gan.write_networks", 0),
    ("train_gan.shutil.rmtree", 0),
    ("train_gan.write_card", 0),
]


def test_training_writes_the_expected_files_only(workspace):
    result = workspace.train("a")
    folder = workspace.folder("a")
    assert sorted(path.name for path in folder.iterdir()) == LEFT
    assert sorted(path.name for path in (folder / "samples").iterdir()) == SHEETS
    assert [row["epoch"] for row in figures(folder)] == [1, 2, 3, 4]
    assert figures(folder)[-1]["images_seen"] == STEPS * 16
    assert json.loads((folder / "definition.json").read_text())["generator"]["width"] == TINY["generator"]["width"]
    assert {"generator", "sheets"} == result.outputs.keys()
    assert (result.summary["epochs"], result.summary["images"], result.summary["size"]) == (4, 32, 16)


def test_generator_file_gives_the_last_sheet_in_keras_alone(whole_training):
    network = keras.models.load_model(whole_training / "generator.keras")
    images = np.asarray(network(fixed_latents(64, size=8, seed=5), training=False))
    sheet = decode_png((whole_training / "samples" / "epoch-0004.png").read_bytes())
    assert np.abs(sheet[:16, :16] - (images[0] + 1) * 127.5).max() <= 0.51
    assert np.abs(sheet[-16:, -16:] - (images[63] + 1) * 127.5).max() <= 0.51


@pytest.mark.long
def test_rejected_pictures_are_not_read(workspace, whole_training):
    for number, row in enumerate(read_rows(workspace.root / "normalize" / "images.jsonl")):
        if number % 5 == 4:
            (workspace.root / "normalize" / row["file"]).unlink()
    workspace.train("a")
    assert_same(workspace.folder("a"), whole_training)


@pytest.mark.long
def test_seed_changes_the_training(workspace):
    one, other = workspace.train("a", epochs=1), workspace.train("b", epochs=1, seed=6)
    assert one.outputs["generator"] != other.outputs["generator"]
    assert one.outputs["sheets"] != other.outputs["sheets"]


@pytest.mark.long  # end_to_end/test_kill.py kills the stage of a run
def test_resume_after_kill_in_another_process_is_bit_identical(workspace):
    # Both in new processes: TensorFlow may have started with other threads here
    assert train_elsewhere(workspace, "a").returncode == 0
    killed = train_elsewhere(workspace, "b", die_at=5)
    assert killed.returncode == -signal.SIGKILL
    assert not (workspace.folder("b") / "final.npz").exists()
    resumed = train_elsewhere(workspace, "b")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.split()[0] == "5"  # the first step after the second epoch's checkpoint: it resumed
    assert_same(workspace.folder("b"), workspace.folder("a"))


@pytest.mark.long
def test_resume_after_kills_between_any_two_writes_is_bit_identical(workspace, whole_training, monkeypatch):
    for moment, call in MOMENTS:
        with monkeypatch.context() as patch:
            kill_at(patch, f"pipeline.gan.{moment}", call)
            with pytest.raises(Killed):
                workspace.train("b")
    workspace.train("b")
    assert_same(workspace.folder("b"), whole_training)
    assert sorted(path.name for path in workspace.folder("b").iterdir()) == LEFT


def test_resume_after_stop_continues_at_the_same_step(workspace, whole_training):
    done = []
    with pytest.raises(Stopped, match="epoch 2 of 4"):
        workspace.train("b", progress=lambda step, *_: done.append(step), should_stop=lambda: len(done) == 3)
    workspace.train("b", progress=lambda step, *_: done.append(step))
    assert done == list(range(1, STEPS + 1))
    assert_same(workspace.folder("b"), whole_training)


@pytest.mark.long
def test_resume_from_the_checkpoint_before_a_damaged_one_is_bit_identical(workspace, whole_training):
    done = []
    with pytest.raises(Stopped):
        workspace.train("b", progress=lambda step, *_: done.append(step), should_stop=lambda: len(done) == 5)
    newest = max((workspace.folder("b") / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-100])
    steps_after_resume = []
    workspace.train("b", progress=lambda step, *_: steps_after_resume.append(step))
    assert steps_after_resume[0] == 5  # from the end of the second epoch
    assert_same(workspace.folder("b"), whole_training)


@pytest.mark.parametrize("lost", ["stats.jsonl", "samples/epoch-0002.png"])
@pytest.mark.parametrize("left", [b"", b"\x00\xff{}\n"], ids=["emptied", "garbled"])
def test_damaged_stats_or_sheets_do_not_stop_a_training(workspace, whole_training, lost, left):
    shutil.copytree(whole_training, workspace.folder("b"), dirs_exist_ok=True)  # only the end remains
    (workspace.folder("b") / lost).write_bytes(left)
    assert workspace.train("b").summary["epochs"] == 4
    mine, theirs = final(workspace.folder("b")), final(whole_training)
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)


@pytest.mark.long
def test_checkpoint_interval_does_not_change_the_result(workspace, whole_training):
    workspace.train("b", checkpoint_every=3)
    assert_same(workspace.folder("b"), whole_training)


@pytest.mark.long
def test_live_folder_gets_each_sheet_at_once_and_all_after_resume(workspace):
    live, seen = workspace.root / "watch" / "here", []

    def record(*_):
        seen.append({path.name for path in live.iterdir()})

    with pytest.raises(Stopped):
        workspace.train("a", live=live, progress=record, should_stop=lambda: len(seen) == 4)
    assert seen[0] == {"epoch-0000.png", "reals.png"}
    assert seen[3] == {"epoch-0000.png", "epoch-0002.png", "reals.png", "stats.jsonl"}
    shutil.rmtree(live)
    workspace.train("a", live=live)
    for sheet in SHEETS:
        assert (live / sheet).read_bytes() == (workspace.folder("a") / "samples" / sheet).read_bytes()
    assert {"losses.png", "training.gif", "stats.jsonl"} <= {path.name for path in live.iterdir()}


@pytest.mark.long
def test_grey_pictures_of_another_size_train(make_workspace):
    result = make_workspace(size=24, channels=1).train("a", epochs=1)
    assert result.summary["size"] == 24


def test_fewer_pictures_than_a_batch_are_one_step(make_workspace):
    workspace = make_workspace(25, definition=TINY | {"batch": 64})
    workspace.train("a", epochs=2)
    assert [(row["step"], row["images_seen"]) for row in figures(workspace.folder("a"))] == [(1, 20), (2, 40)]


def test_too_few_pictures_and_unknown_key_are_user_errors(make_workspace, workspace):
    rows = (workspace.root / "filter" / "scores.jsonl").read_text().splitlines(keepends=True)
    (workspace.root / "filter" / "scores.jsonl").write_text("".join(rows[:10]))
    with pytest.raises(UserError, match=r"8 pictures were kept.*at least 16"):
        workspace.train("a")
    workspace.definition.write_text('{"bach": 3}')
    with pytest.raises(UserError, match="did you mean 'batch'"):
        workspace.train("a")


def test_invalid_size_is_a_user_error(make_workspace):
    with pytest.raises(UserError, match=r"18 pixels.*16 or 20"):
        make_workspace(size=18).train("a")


def test_loss_that_stays_nan_ends_the_training_with_advice(workspace, monkeypatch):
    loss = Loss(discriminator=lambda real, *_: keras.ops.mean(real) * np.nan, generator=lambda _, fake: fake[0, 0])
    monkeypatch.setattr("pipeline.gan.training.train_step.find_loss", lambda name: loss)
    with pytest.raises(UserError, match=r"d_loss.*epoch 1.*learning rates in the definition"):
        workspace.train("a")  # whose file is not in models/


@pytest.mark.parametrize(("pretrained", "epoch"), [(True, 2), (False, 3)])
def test_generator_is_that_of_the_lowest_kid_if_the_extractor_is_pretrained(
    make_workspace, pretrained, epoch, monkeypatch
):
    extractor = FeatureExtractor(name="stub", features=len, pretrained=pretrained)
    monkeypatch.setattr(
        "pipeline.gan.train_gan.SampleEvaluator", lambda *_, **__: ScriptedEvaluator(extractor, [3.0, 1.0, 2.0])
    )
    workspace = make_workspace(definition=TINY | {"generator": {"width": 8, "optimizer": {"learning_rate": 0.02}}})
    result = workspace.train("a", epochs=3, sample_every=1)
    assert result.summary["epoch_kept"] == epoch
    assert int(read_arrays(workspace.folder("a") / "best.npz")["epoch"]) == 2
    network = keras.models.load_model(workspace.folder("a") / "generator.keras")
    drawn = contact_sheet(draw_samples(network, fixed_latents(64, size=8, seed=5)), 8).astype(int)
    sheets = {
        number: decode_png((workspace.folder("a") / "samples" / f"epoch-{number:04d}.png").read_bytes())
        for number in (1, 2, 3)
    }
    differences = {number: np.abs(sheet - drawn).max() for number, sheet in sheets.items()}
    assert differences[epoch] <= 1
    assert min(value for number, value in differences.items() if number != epoch) > 3


def test_too_few_epochs_to_grow_are_refused_at_once(make_workspace):
    growing = {"discriminator": {"norm": "none"}, "growing": {"start": 8, "fade": 64, "hold": 64}}
    with pytest.raises(UserError, match=r"full size after 128 images.*sees 128: set epochs to 5 or more"):
        make_workspace(definition=TINY | growing).train("a")


@pytest.mark.long
def test_last_epoch_is_kept_if_it_is_better_than_the_best_of_the_due_sheets(make_workspace, monkeypatch):
    extractor = FeatureExtractor(name="stub", features=len, pretrained=True)
    monkeypatch.setattr(
        "pipeline.gan.train_gan.SampleEvaluator", lambda *_, **__: ScriptedEvaluator(extractor, [3.0, 1.0])
    )
    workspace = make_workspace()
    result = workspace.train("a", epochs=3)
    assert result.summary["epoch_kept"] == 3
    assert int(read_arrays(workspace.folder("a") / "best.npz")["epoch"]) == 2
    network = keras.models.load_model(workspace.folder("a") / "generator.keras")
    drawn = contact_sheet(draw_samples(network, fixed_latents(64, size=8, seed=5)), 8).astype(int)
    last = decode_png((workspace.folder("a") / "samples" / "epoch-0003.png").read_bytes())
    assert np.abs(last - drawn).max() <= 1


@pytest.mark.long
def test_latest_names_the_live_folder_while_the_training_runs(workspace):
    live, seen = workspace.root / "training" / "0123456789ab", []
    for name in ("older", live.name):
        workspace.train(
            name,
            epochs=1,
            live=live.with_name(name),
            progress=lambda *_: seen.append((live.parent / "latest").resolve().name),
        )
    assert seen == ["older", "older", live.name, live.name]
