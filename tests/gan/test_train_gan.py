import json
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.errors import Stopped, UserError
from pipeline.gan.evaluation.features import FeatureExtractor
from pipeline.gan.sampling import draw, fixed_latents
from pipeline.gan.training.checkpoint import read_arrays
from pipeline.gan.training.losses import Loss
from pipeline.images.contact_sheet import contact_sheet
from pipeline.images.png import decode_png
from pipeline.store.jsonl import read_rows
from tests.gan.conftest import OPTIONS, TINY, lay_out
from tests.gan.discs import discs
from tests.gan.glance import Glance, Told

REPOSITORY = Path(__file__).parent.parent.parent
LEFT = ["README.md", "best.npz", "card.json", "definition.json", "discriminator.keras", "final.npz", "generator.keras",
        "plots", "samples", "stats.jsonl"]  # fmt: skip
SHEETS = ["epoch-0000.png", "epoch-0002.png", "epoch-0004.png", "reals.png"]
STEPS = 8  # four epochs of two

CHILD = """
import json, os, sys
from pathlib import Path
from pipeline.gan import train_gan as stage
from pipeline.options import GanOptions
from tests.gan.glance import Glance

stage.SampleEvaluator = Glance
given = json.loads(sys.argv[1])
def progress(done, total, note=""):
    print(done, flush=True)
    if done == given["die_at"]:
        os.kill(os.getpid(), 9)
folders = {name: Path(path) for name, path in given["folders"].items()}
result = stage.train_gan(
    GanOptions(**given["options"]),
    **folders,
    classifier=None,
    live=None,
    progress=progress,
    should_stop=lambda: False,
)
print(json.dumps(result.outputs))
"""


# In the order in which one training comes to them, each with how many such calls go well before
MOMENTS = [
    ("sampling.write_png", 1),  # between the reals and the first sheet
    ("training.loop.compile_step", 0),
    ("training.loop.StatsLog.append", 0),
    ("training.loop.save_checkpoint", 1),  # the line is there, its checkpoint is not: from the start again
    ("training.checkpoint.write_whole", 1),
    ("sampling.write_png", 2),  # the first epoch's checkpoint stays
    ("training.loop.save_checkpoint", 0),  # the best is there, its checkpoint is not
    ("training.loop.save_checkpoint", 2),  # all but the last checkpoint is there
    ("train_gan.write_networks", 0),
    ("train_gan.shutil.rmtree", 0),
    ("train_gan.write_card", 0),
]


class Killed(BaseException):
    """Stands in for SIGKILL where a process of its own would take too long: nothing catches it."""


def train_elsewhere(place, name, *, die_at=0) -> subprocess.CompletedProcess:
    """Train in a new process, which kills itself after so many steps."""
    folders = {**place.inputs, "definition": place.definition, "folder": place.folder(name)}
    given = {"die_at": die_at, "options": OPTIONS, "folders": {key: str(path) for key, path in folders.items()}}
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", CHILD, json.dumps(given)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(autouse=True)
def glance(monkeypatch) -> None:
    """Looks that take no time."""
    monkeypatch.setattr("pipeline.gan.train_gan.SampleEvaluator", Glance)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """The folder of a training that nothing disturbed. To be read only."""
    place = lay_out(tmp_path_factory.mktemp("undisturbed"), discs(40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.gan.train_gan.SampleEvaluator", Glance)
        place.train("a")
    return place.folder("a")


def kill_at(patch: pytest.MonkeyPatch, function: str, calls: int) -> None:
    """Let `function` work for so many calls and then end all."""
    path, name = function.rsplit(".", 1)
    owner, left = pkgutil.resolve_name(path), [calls]
    really = getattr(owner, name)

    def killed(*arguments, **keywords):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return really(*arguments, **keywords)

    patch.setattr(owner, name, killed)


def final(folder: Path) -> dict[str, np.ndarray]:
    """The last checkpoint, without how long it took."""
    return {name: array for name, array in read_arrays(folder / "final.npz").items() if name != "seconds"}


def figures(folder: Path) -> list[dict]:
    """The lines of stats.jsonl, without how long they took."""
    timed = ("seconds", "images_per_second")
    return [{key: row[key] for key in row if key not in timed} for row in read_rows(folder / "stats.jsonl")]


def assert_same(found: Path, expected: Path) -> None:
    """Two trainings came to the same weights, optimizers, figures and sheets, bit for bit."""
    mine, theirs = final(found), final(expected)
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not np.array_equal(mine[name], theirs[name])] == []
    assert figures(found) == figures(expected)
    for sheet in SHEETS:
        assert (found / "samples" / sheet).read_bytes() == (expected / "samples" / sheet).read_bytes()


def test_a_training_leaves_what_others_read_and_no_more(place):
    result = place.train("a")
    folder = place.folder("a")
    assert sorted(path.name for path in folder.iterdir()) == LEFT
    assert sorted(path.name for path in (folder / "samples").iterdir()) == SHEETS
    assert [row["epoch"] for row in figures(folder)] == [1, 2, 3, 4]
    assert figures(folder)[-1]["images_seen"] == STEPS * 16
    assert json.loads((folder / "definition.json").read_text())["generator"]["width"] == TINY["generator"]["width"]
    assert {"generator", "sheets"} == result.outputs.keys()
    assert (result.summary["epochs"], result.summary["images"], result.summary["size"]) == (4, 32, 16)


def test_the_generator_file_draws_the_last_sheet_with_keras_alone(undisturbed):
    network = keras.models.load_model(undisturbed / "generator.keras")
    images = np.asarray(network(fixed_latents(64, size=8, seed=5), training=False))
    sheet = decode_png((undisturbed / "samples" / "epoch-0004.png").read_bytes())
    assert np.abs(sheet[:16, :16] - (images[0] + 1) * 127.5).max() <= 0.51
    assert np.abs(sheet[-16:, -16:] - (images[63] + 1) * 127.5).max() <= 0.51


def test_the_rejected_are_not_learned_from(place, undisturbed):
    for number, row in enumerate(read_rows(place.root / "normalize" / "images.jsonl")):
        if number % 5 == 4:
            (place.root / "normalize" / row["file"]).unlink()
    place.train("a")
    assert_same(place.folder("a"), undisturbed)


def test_another_seed_is_another_training(place):
    one, other = place.train("a", epochs=1), place.train("b", epochs=1, seed=6)
    assert one.outputs["generator"] != other.outputs["generator"]
    assert one.outputs["sheets"] != other.outputs["sheets"]


def test_killed_in_an_epoch_and_gone_on_in_another_process_is_bit_for_bit_the_same(place):
    # Not beside one in this process: TensorFlow may be at work here already, with the cores shared in another way
    assert train_elsewhere(place, "a").returncode == 0
    killed = train_elsewhere(place, "b", die_at=5)
    assert killed.returncode == -signal.SIGKILL
    assert not (place.folder("b") / "final.npz").exists()
    resumed = train_elsewhere(place, "b")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.split()[0] == "5"  # the first step after the second epoch's checkpoint, so it did go on
    assert_same(place.folder("b"), place.folder("a"))


def test_killed_between_any_two_writes_and_again_it_comes_to_the_same(place, undisturbed, monkeypatch):
    for moment, call in MOMENTS:
        with monkeypatch.context() as patch:
            kill_at(patch, f"pipeline.gan.{moment}", call)
            with pytest.raises(Killed):
                place.train("b")
    place.train("b")
    assert_same(place.folder("b"), undisturbed)
    assert sorted(path.name for path in place.folder("b").iterdir()) == LEFT


def test_stopped_in_an_epoch_it_goes_on_from_that_very_step(place, undisturbed):
    done = []
    with pytest.raises(Stopped, match="epoch 2 of 4"):
        place.train("b", progress=lambda step, *_: done.append(step), should_stop=lambda: len(done) == 3)
    place.train("b", progress=lambda step, *_: done.append(step))
    assert done == list(range(1, STEPS + 1))
    assert_same(place.folder("b"), undisturbed)


def test_a_damaged_checkpoint_costs_some_steps_and_nothing_else(place, undisturbed):
    done = []
    with pytest.raises(Stopped):
        place.train("b", progress=lambda step, *_: done.append(step), should_stop=lambda: len(done) == 5)
    newest = max((place.folder("b") / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-100])
    again = []
    place.train("b", progress=lambda step, *_: again.append(step))
    assert again[0] == 5  # from the end of the second epoch
    assert_same(place.folder("b"), undisturbed)


@pytest.mark.parametrize("lost", ["stats.jsonl", "samples/epoch-0002.png"])
@pytest.mark.parametrize("left", [b"", b"\x00\xff{}\n"], ids=["emptied", "garbled"])
def test_damaged_lines_or_sheets_do_not_keep_a_training_from_its_end(place, undisturbed, lost, left):
    shutil.copytree(undisturbed, place.folder("b"), dirs_exist_ok=True)  # only the end is still to be done
    (place.folder("b") / lost).write_bytes(left)
    assert place.train("b").summary["epochs"] == 4
    mine, theirs = final(place.folder("b")), final(undisturbed)
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)


def test_how_often_checkpoints_are_made_changes_nothing(place, undisturbed):
    place.train("b", checkpoint_every=3)
    assert_same(place.folder("b"), undisturbed)


def test_who_watches_sees_each_sheet_at_once_and_after_a_stop_all_of_them(place):
    live, seen = place.root / "watch" / "here", []

    def look(*_):
        seen.append({path.name for path in live.iterdir()})

    with pytest.raises(Stopped):
        place.train("a", live=live, progress=look, should_stop=lambda: len(seen) == 4)
    assert seen[0] == {"epoch-0000.png", "reals.png"}
    assert seen[3] == {"epoch-0000.png", "epoch-0002.png", "reals.png", "stats.jsonl"}
    shutil.rmtree(live)
    place.train("a", live=live)
    for sheet in SHEETS:
        assert (live / sheet).read_bytes() == (place.folder("a") / "samples" / sheet).read_bytes()
    assert {"losses.png", "training.gif", "stats.jsonl"} <= {path.name for path in live.iterdir()}


def test_grey_pictures_of_another_size_train_too(make_place):
    result = make_place(size=24, channels=1).train("a", epochs=1)
    assert result.summary["size"] == 24


def test_fewer_pictures_than_a_batch_are_one_step(make_place):
    place = make_place(25, definition=TINY | {"batch": 64})
    place.train("a", epochs=2)
    assert [(row["step"], row["images_seen"]) for row in figures(place.folder("a"))] == [(1, 20), (2, 40)]


def test_too_few_pictures_a_wrong_size_and_a_wrong_key_are_the_users_to_mend(make_place, place):
    rows = (place.root / "filter" / "scores.jsonl").read_text().splitlines(keepends=True)
    (place.root / "filter" / "scores.jsonl").write_text("".join(rows[:10]))
    with pytest.raises(UserError, match=r"8 pictures were kept.*at least 16"):
        place.train("a")
    place.definition.write_text('{"bach": 3}')
    with pytest.raises(UserError, match="did you mean 'batch'"):
        place.train("a")


def test_a_size_that_fits_no_network_is_named(make_place):
    with pytest.raises(UserError, match=r"18 pixels.*16 or 20"):
        make_place(size=18).train("a")


def test_losses_that_stay_no_numbers_end_the_training_with_advice(place, monkeypatch):
    loss = Loss(discriminator=lambda real, *_: keras.ops.mean(real) * np.nan, generator=lambda _, fake: fake[0, 0])
    monkeypatch.setattr("pipeline.gan.training.train_step.find_loss", lambda name: loss)
    with pytest.raises(UserError, match=r"epoch 1.*d_loss.*learning rates in models/tiny\.json"):
        place.train("a")


@pytest.mark.parametrize(("pretrained", "epoch"), [(True, 2), (False, 3)])
def test_the_generator_is_the_nearest_to_the_reals_where_the_eyes_can_be_trusted(
    make_place, pretrained, epoch, monkeypatch
):
    eyes = FeatureExtractor(name="stub", features=len, pretrained=pretrained)
    monkeypatch.setattr("pipeline.gan.train_gan.SampleEvaluator", lambda *_, **__: Told(eyes, [3.0, 1.0, 2.0]))
    place = make_place(definition=TINY | {"generator": {"width": 8, "optimizer": {"learning_rate": 0.02}}})
    result = place.train("a", epochs=3, sample_every=1)
    assert result.summary["epoch_kept"] == epoch
    assert int(read_arrays(place.folder("a") / "best.npz")["epoch"]) == 2
    network = keras.models.load_model(place.folder("a") / "generator.keras")
    drawn = contact_sheet(draw(network, fixed_latents(64, size=8, seed=5)), 8).astype(int)
    sheets = {
        number: decode_png((place.folder("a") / "samples" / f"epoch-{number:04d}.png").read_bytes())
        for number in (1, 2, 3)
    }
    apart = {number: np.abs(sheet - drawn).max() for number, sheet in sheets.items()}
    assert apart[epoch] <= 1
    assert min(value for number, value in apart.items() if number != epoch) > 3


def test_a_growing_gan_that_would_end_small_is_refused_at_once(make_place):
    growing = {"discriminator": {"norm": "none"}, "growing": {"start": 8, "fade": 64, "hold": 64}}
    with pytest.raises(UserError, match=r"full size after 128 images.*sees 128: set epochs to 5 or more"):
        make_place(definition=TINY | growing).train("a")


def test_when_the_time_is_over_it_stops_and_goes_on_another_time(place, undisturbed):
    with pytest.raises(Stopped, match="of 4; the next run goes on there"):
        place.train("b", max_minutes=1e-9)
    place.train("b")
    assert_same(place.folder("b"), undisturbed)
