"""The stages gan and generate of a conditional GAN: classes from the download, sheets, resuming, samples of a class."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DamagedState, UserError
from pipeline.gan.classes import Classes
from pipeline.gan.generate import _on_sheet, generate
from pipeline.gan.sampler import serve
from pipeline.gan.sampling import GRID, SampleSheets, draw_samples, fixed_latents, sheet_latents
from pipeline.gan.trained_generator import class_names, load_generator
from pipeline.images.contact_sheet import GAP, contact_sheet
from pipeline.images.png import decode_png
from pipeline.options import GenerateOptions
from pipeline.progress import never, silent
from pipeline.store.jsonl import read_rows, write_rows
from tests.gan.conftest import TINY, Workspace, build_workspace
from tests.gan.interrupted import Killed, assert_same, final, kill_at

NAMES = ("blue", "red")


def coloured(count: int = 40) -> np.ndarray:
    """Pictures (count, 16, 16, 3), red and blue in turn."""
    images = np.random.default_rng(0).integers(0, 60, (count, 16, 16, 3), np.uint8)
    images[0::2, 4:12, 4:12, 0] = 250
    images[1::2, 4:12, 4:12, 2] = 250
    return images


def made_workspace(root: Path, **definition) -> Workspace:
    workspace = build_workspace(root, coloured(), definition=TINY | {"conditional": True} | definition)
    write_download(workspace, "download", ("red", "blue"))
    return workspace


def write_download(workspace: Workspace, name: str, folders: tuple[str, ...]) -> None:
    """Rows of pictures in these subfolders in turn."""
    rows = [
        {"id": row["id"], "outcome": "saved", "engine": "folder", "query": "", "title": f"{folders[place % 2]}/1.png"}
        for place, row in enumerate(read_rows(workspace.root / "normalize" / "images.jsonl"))
    ]
    write_rows(workspace.folder(name) / "images.jsonl", [row | {"license": "", "creator": ""} for row in rows])


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return made_workspace(tmp_path)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory) -> Workspace:
    """A workspace with a finished training in the folder `gan`. Read only."""
    workspace = made_workspace(tmp_path_factory.mktemp("conditional"))
    workspace.train("gan", download=workspace.folder("download"))
    return workspace


def test_the_names_stay_with_the_generator_and_the_card_says_them(conditional):
    folder = conditional.folder("gan")
    assert class_names(folder) == NAMES
    assert load_generator(folder).input_shape == (None, TINY["latent"] + 2)
    networks = json.loads((folder / "card.json").read_text())["networks"]
    assert (networks["latent"], networks["classes"]) == (10, list(NAMES))
    assert "in this order: blue, red." in (folder / "README.md").read_text()


def test_a_row_of_a_sheet_is_a_class(conditional):
    folder = conditional.folder("gan")
    latents = sheet_latents(size=8, classes=2, seed=5)
    assert (latents[:, -2:].argmax(axis=1).reshape(GRID, GRID) == np.arange(GRID)[:, None] % 2).all()
    drawn = contact_sheet(draw_samples(load_generator(folder), latents), GRID).astype(int)
    sheet = decode_png((folder / "samples" / "epoch-0004.png").read_bytes())
    assert np.abs(sheet - drawn).max() <= 1
    reals = decode_png((folder / "samples" / "reals.png").read_bytes())
    step = (reals.shape[0] + 2) // GRID
    for row in range(GRID):
        middle = reals[row * step + 8, 8::step]
        assert (middle.argmax(axis=1) == (2, 0)[row % 2]).all()  # the names are in alphabetical order


@pytest.mark.parametrize("count", [2, 3, 8, 12])
def test_each_row_of_a_sheet_has_a_class_in_turn_and_reals_have_the_same(count, tmp_path):
    latents = sheet_latents(size=4, classes=count, seed=0)
    rows = np.arange(8) % count
    assert (latents[:, 4:].argmax(axis=1).reshape(8, 8) == rows[:, None]).all()
    labels = np.arange(50) % count
    images = np.broadcast_to(labels[:, None, None, None].astype(np.uint8), (50, 8, 8, 3))
    sheets = SampleSheets(tmp_path, live=None)
    sheets.add_reals(images, Classes(names=tuple(map(str, range(count))), labels=labels))
    sheet = decode_png((tmp_path / "reals.png").read_bytes())
    assert (sheet[4::10, 4::10, 0] == rows[:, None]).all()


@pytest.mark.long
@pytest.mark.usefixtures("fast_evaluator")
def test_a_killed_training_resumes_bit_identically(workspace):
    download = workspace.folder("download")
    workspace.train("a", download=download)
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, "pipeline.gan.training.loop.save_checkpoint", 3)
        with pytest.raises(Killed):
            workspace.train("b", download=download)
    workspace.train("b", download=download)
    assert_same(workspace.folder("b"), workspace.folder("a"))
    assert "class_head/000" in final(workspace.folder("b"))


@pytest.mark.usefixtures("fast_evaluator", "fake_steps")
def test_a_training_of_other_classes_is_not_resumed(workspace):
    workspace.train("a", download=workspace.folder("download"))
    write_download(workspace, "other", ("red", "green"))
    with pytest.raises(DamagedState, match=r"another seed, other pictures or another definition, or classes"):
        workspace.train("a", download=workspace.folder("other"))


@pytest.mark.usefixtures("fast_evaluator", "fake_steps")
def test_a_training_begins_with_one_of_as_many_classes_only(workspace, conditional):
    start, download = conditional.folder("gan") / "final.npz", workspace.folder("download")
    workspace.train("a", start=start, download=download)
    rows = read_rows(download / "images.jsonl")
    write_rows(download / "images.jsonl", [row | {"class": str(number % 3)} for number, row in enumerate(rows)])
    with pytest.raises(UserError, match=r"gan\.start: .* not of the form .* and 2 classes, .* and 3 classes$"):
        workspace.train("b", start=start, download=download)


@pytest.mark.usefixtures("fast_evaluator")
def test_a_training_without_its_download_is_refused(workspace):
    with pytest.raises(UserError, match="the download that says the classes was deleted"):
        workspace.train("a")


@pytest.fixture
def run(conditional, tmp_path):
    """Generates samples; returns the folder. `results` has what `generate` returned."""

    def run(name: str = "out", *, says_classes: Path | None = None, **options) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        result = generate(
            GenerateOptions(**{"count": 40, "grid": 4, "extractor": "own", "seed": 3, "film": 0} | options),
            gan=conditional.folder("gan"),
            **conditional.inputs,
            classifier=None,
            folder=folder,
            progress=silent,
            should_stop=never,
            download=says_classes,
        )
        run.results.append(result)
        return folder

    run.results = []
    return run


def test_samples_of_a_class_are_scored_against_its_reals(conditional, run):
    folder = run(class_name="red", says_classes=conditional.folder("download"))
    assert "notices" not in run.results[-1].summary
    rows = read_rows(folder / "neighbours.jsonl")
    assert {row["class"] for row in rows} == {"red"}
    reds = {row["id"] for row in read_rows(conditional.folder("download") / "images.jsonl") if "red" in row["title"]}
    assert {near["id"] for row in rows for near in row["nearest"]} <= reds
    assert json.loads((folder / "samples.json").read_text())["class"] == "red"
    latents = fixed_latents(40, size=10, seed=3)
    latents[:, -2:].sort(axis=1)  # the larger number last: that of red
    expected = draw_samples(load_generator(conditional.folder("gan")), latents).astype(int)
    for number in (0, 7, 39):
        found = decode_png((folder / "images" / f"{number:05d}.png").read_bytes())
        assert np.abs(found - expected[number]).max() <= 1


def test_a_row_of_the_sheet_of_samples_has_one_class(run):
    """Four rows of four: red, blue, red, blue, each the next of its class among the samples in order."""
    folder = run()
    sheet, side = decode_png((folder / "grid.png").read_bytes()), 16
    numbers = {"blue": [], "red": []}
    for row in read_rows(folder / "neighbours.jsonl"):
        numbers[row["class"]].append(row["sample"])
    assert min(map(len, numbers.values())) > 8
    for row, name in enumerate(("blue", "red", "blue", "red")):
        for column in range(4):
            number = numbers[name][4 * (row // 2) + column]
            expected = decode_png((folder / "images" / f"{number:05d}.png").read_bytes())
            top, left = row * (side + GAP), column * (side + GAP)
            assert np.array_equal(sheet[top : top + side, left : left + side], expected)


def test_a_class_that_is_drawn_too_rarely_leaves_its_row_white():
    drawn = np.arange(9, dtype=np.uint8).reshape(9, 1, 1, 1)
    found = _on_sheet(drawn, np.array([0, 0, 0, 0, 2, 0, 0, 0, 2]), 3)
    assert found.ravel().tolist() == [0, 1, 2, 4, 8, 255, 3, 5, 6]


@pytest.mark.parametrize(
    ("folders", "why"),
    [
        (("red", "red"), "as nothing says which of them are of that class"),
        (("red", "green"), "as none of them is of that class any more"),
        (None, "as nothing says which of them are of that class"),
    ],
)
def test_a_class_without_reals_is_compared_with_all_and_says_so(workspace, run, folders, why):
    if folders:
        write_download(workspace, "download", folders)
    folder = run(class_name="blue", says_classes=workspace.folder("download") if folders else None)
    compared = f"samples of the class 'blue' are compared with all kept pictures, {why}"
    assert run.results[-1].summary["notices"] == [compared]
    assert {row["class"] for row in read_rows(folder / "neighbours.jsonl")} == {"blue"}


def test_without_a_class_each_sample_says_its_own(run):
    rows = read_rows(run() / "neighbours.jsonl")
    chosen = fixed_latents(40, size=10, seed=3)[:, -2:].argmax(axis=1)
    assert [row["class"] for row in rows] == [NAMES[label] for label in chosen]


def test_the_sampler_draws_the_samples_of_a_class(conditional, run, tmp_path):
    folder = run(class_name="blue")
    asked = {"kind": "draw", "gan": str(conditional.folder("gan")), "folder": str(tmp_path), "seed": 3, "first": 7}
    answers = io.StringIO()
    questions = [asked | {"class_name": "blue"}, asked | {"class_name": "bleu"}]
    serve(io.StringIO("".join(json.dumps(each) + "\n" for each in questions)), answers)
    drawn, refused = map(json.loads, answers.getvalue().splitlines())
    assert drawn == {"files": ["00007.png"]}
    assert (tmp_path / "00007.png").read_bytes() == (folder / "images" / "00007.png").read_bytes()
    assert "did you mean 'blue'" in refused["error"]


def test_an_unknown_class_is_refused_with_the_nearest(run):
    with pytest.raises(UserError, match="class 'rde': this generator has no such class; did you mean 'red'"):
        run(class_name="rde")


def test_damaged_rows_of_the_download_are_no_lack_of_classes(workspace, run):
    (workspace.folder("download") / "images.jsonl").write_text("{")
    with pytest.raises(DamagedState):
        run(class_name="blue", says_classes=workspace.folder("download"))
