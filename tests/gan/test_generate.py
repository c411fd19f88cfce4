import io
import json
import re
import shutil
import zipfile

import cv2
import h5py
import numpy as np
import pytest
from PIL import Image

from pipeline.devices import keras
from pipeline.errors import DamagedState, Stopped, UserError
from pipeline.gan.evaluation.textures import textures
from pipeline.gan.generate import generate
from pipeline.gan.sampling import draw_samples, fixed_latents
from pipeline.gan.train_gan import GENERATOR
from pipeline.gan.trained_generator import load_generator
from pipeline.images.png import decode_png
from pipeline.options import GenerateOptions
from pipeline.progress import never, silent
from pipeline.store.digest import of_bytes

SIZE = 16


@pytest.fixture
def run(trained, tmp_path):
    """Generates into a new folder; returns the folder and the result."""

    def run(name="out", *, should_stop=never, gan=None, **options):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        result = generate(
            GenerateOptions(**{"count": 20, "grid": 4, "extractor": "own", "seed": 5, "film": 0} | options),
            gan=gan or trained.folder("gan"),
            **trained.inputs,
            classifier=None,
            folder=folder,
            progress=silent,
            should_stop=should_stop,
        )
        return folder, result

    return run


def pixels(path) -> np.ndarray:
    return decode_png(path.read_bytes())


def test_generate_writes_samples_sheet_and_nearest_reals(run):
    folder, result = run()
    names = [path.name for path in sorted((folder / "images").iterdir())]
    assert names == [f"{number:05d}.png" for number in range(20)]
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["grid.png", "images", "neighbours.jsonl", "neighbours.png", "samples.json"]
    assert pixels(folder / "images" / "00003.png").shape == (SIZE, SIZE, 3)
    assert json.loads((folder / "samples.json").read_text()) == result.summary
    assert (result.summary["seed"], result.summary["truncation"]) == (5, 0.0)


def test_contact_sheet_shows_the_first_samples_unselected(run):
    folder, _ = run()
    sheet = pixels(folder / "grid.png")
    step = SIZE + 2
    for number in range(16):
        top, left = number // 4 * step, number % 4 * step
        image = pixels(folder / "images" / f"{number:05d}.png")
        assert np.array_equal(sheet[top : top + SIZE, left : left + SIZE], image)


def test_samples_depend_on_the_seed(run):
    outputs = [run("a")[1].outputs, run("b")[1].outputs, run("c", seed=6)[1].outputs]
    assert outputs[0] == outputs[1] != outputs[2]


@pytest.mark.parametrize("truncation", [0.0, 0.6])
def test_larger_count_begins_with_the_same_samples(run, truncation):
    few, _ = run("few", truncation=truncation)
    many, _ = run("many", count=70, truncation=truncation)
    for path in (few / "images").iterdir():
        assert path.read_bytes() == (many / "images" / path.name).read_bytes()


def test_truncated_sample_comes_from_the_truncated_latent(run, trained):
    folder, result = run(truncation=0.3)
    generator = keras.models.load_model(trained.folder("gan") / GENERATOR, compile=False)
    latents = fixed_latents(20, size=8, seed=5, truncation=0.3)
    assert np.abs(latents).max() <= 0.3
    assert np.array_equal(pixels(folder / "images" / "00019.png"), draw_samples(generator, latents)[19])
    assert result.summary["truncation"] == 0.3


def test_video_walks_from_the_first_nine_samples_and_back(run):
    folder, _ = run(film=3, frames=4)
    film = Image.open(folder / "film.gif")
    side = 3 * SIZE + 2 * 2
    assert (film.n_frames, film.info["loop"], film.width % side) == (12, 0, 0)
    small = film.convert("RGB").resize((side, side), Image.Resampling.NEAREST)
    first = np.asarray(small)[:SIZE, SIZE + 2 : 2 * SIZE + 2].astype(int)
    assert np.abs(first - pixels(folder / "images" / "00001.png")).mean() < 8  # a palette has 256 colours
    assert cv2.VideoCapture(str(folder / "film.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 12


def test_video_does_not_change_the_samples(run):
    assert run("with", film=2, frames=2)[1] == run("without")[1]


def test_video_of_one_sample_is_refused():
    with pytest.raises(UserError, match="film = 1: expected 0 for none, or at least 2"):
        GenerateOptions(film=1)


def test_summary_has_scores_and_their_extractor(run):
    _, result = run()
    assert {
        "count",
        "kid",
        "kid_error",
        "kid_floor",
        "precision",
        "recall",
        "density",
        "coverage",
        "extractor",
    } <= result.summary.keys()
    assert result.summary["extractor"] == "textures-64"
    assert result.summary["kid"] > result.summary["kid_floor"]  # a few steps train no good generator


def test_unavailable_extractor_is_an_error_before_sampling(run, tmp_path):
    with pytest.raises(UserError, match="did you mean 'Inception'"):
        run("out", extractor="inception")
    assert list((tmp_path / "out").iterdir()) == []


def test_few_samples_are_not_scored(run):
    _, result = run(count=3)
    assert (result.summary["count"], result.summary["kid"]) == (3, None)


def test_neighbours_sheet_shows_nearest_reals_beside_each_sample(run, trained):
    folder, _ = run()
    sheet = pixels(folder / "neighbours.png")
    step = SIZE + 2
    assert np.array_equal(sheet[:SIZE, :SIZE], pixels(folder / "images" / "00000.png"))
    kept = [image for number, image in enumerate(trained.images) if number % 5 != 4]
    for column in range(1, 6):
        beside = sheet[:SIZE, column * step : column * step + SIZE]
        assert any(np.array_equal(beside, image) for image in kept)


def test_every_sample_has_its_nearest_reals_with_distances(run, trained):
    folder, _ = run()
    rows = [json.loads(line) for line in (folder / "neighbours.jsonl").read_text().splitlines()]
    assert [row["sample"] for row in rows] == [*range(20)]
    kept = [of_bytes(str(number).encode()) for number in range(len(trained.images)) if number % 5 != 4]
    squares = {id: pixels(trained.root / "normalize" / "images" / f"{id}.png") for id in kept}
    features = textures(np.stack([squares[id] for id in kept]))
    for row in (rows[0], rows[19]):
        sample = textures(pixels(folder / "images" / f"{row['sample']:05d}.png")[np.newaxis])
        distances = np.linalg.norm(features - sample, axis=1)
        assert [each["distance"] for each in row["nearest"]] == pytest.approx(sorted(distances)[:5], rel=1e-3)
        assert row["nearest"][0]["id"] == kept[int(distances.argmin())]


def test_neighbours_sheet_shows_the_reals_of_the_file(run, trained):
    folder, _ = run()
    sheet, step = pixels(folder / "neighbours.png"), SIZE + 2
    for place, line in enumerate((folder / "neighbours.jsonl").read_text().splitlines()[:12]):
        for column, each in enumerate(json.loads(line)["nearest"], start=1):
            shown = sheet[place * step : place * step + SIZE, column * step : column * step + SIZE]
            assert np.array_equal(shown, pixels(trained.root / "normalize" / "images" / f"{each['id']}.png"))


def test_more_reals_than_are_held_at_a_time_have_the_same_nearest_ones(run, monkeypatch):
    whole, _ = run()
    monkeypatch.setattr("pipeline.gan.generate.MEASURE_BATCH", 8)
    monkeypatch.setattr("pipeline.gan.generate.HELD", 24)  # of 32
    in_blocks, result = run("in blocks")
    assert (in_blocks / "neighbours.jsonl").read_text() == (whole / "neighbours.jsonl").read_text()
    assert (in_blocks / "neighbours.png").read_bytes() == (whole / "neighbours.png").read_bytes()
    assert result.summary["kid"] is not None


def test_stop_while_sampling(run):
    with pytest.raises(Stopped, match="64 of 200"):
        run(count=200, should_stop=lambda: True)


def test_stop_while_making_the_video(run):
    answers = iter([False, True])
    with pytest.raises(Stopped, match="64 of 108 frames of the video"):
        run(film=3, frames=4, should_stop=lambda: next(answers))


def test_stop_while_computing_features(run):
    answers = iter([False, True])
    with pytest.raises(Stopped, match="20 of 20 samples measured"):
        run(should_stop=lambda: next(answers))


def test_contact_sheet_larger_than_count_is_full(run):
    folder, result = run(count=3)
    assert len(list((folder / "images").iterdir())) == result.summary["count"] == 3
    whole, _ = run("whole", count=16)
    assert np.array_equal(pixels(folder / "grid.png"), pixels(whole / "grid.png"))


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of the files of a finished training that `generate` reads."""
    (tmp_path / "gan").mkdir()
    for name in (GENERATOR, "definition.json"):
        shutil.copy(trained.folder("gan") / name, tmp_path / "gan")
    return tmp_path / "gan"


@pytest.mark.parametrize("damage", ["missing", "emptied", "cut", "flipped", "locked"])
def test_damaged_generator_error_names_the_remedy(run, copied, damage):
    path = copied / GENERATOR
    data = path.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    locked = bytearray(data)
    for entry in re.finditer(rb"PK\x01\x02", data):  # set the encryption bit in the ZIP directory
        locked[entry.start() + 8] |= 1
    damaged = {"missing": b"", "emptied": b"", "cut": data[:-200], "flipped": flipped, "locked": locked}
    path.write_bytes(damaged[damage])
    if damage == "missing":
        path.unlink()
    with pytest.raises(DamagedState, match=r"generator\.keras is .*; `python -m tasks rerun gan` makes it again"):
        run(gan=copied)


def member(path, name, change):
    """Replace the member `name` of the ZIP file `path` by `change` of its data; None removes it."""
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in members.items():
            if data is not None:
                archive.writestr(each, data)


def weights(change):
    """A function that changes the weights in a .keras file."""

    def changed(data):
        with h5py.File(buffer := io.BytesIO(data), "a") as file:
            change(file)
        return buffer.getvalue()

    return lambda path: member(path, "model.weights.h5", changed)


def config(change):
    """A function that changes the description of the network in a .keras file."""

    def changed(data):
        change(tree := json.loads(data))
        return json.dumps(tree).encode()

    return lambda path: member(path, "config.json", changed)


def layer(tree, name):
    return next(each for each in tree["config"]["layers"] if each["config"]["name"] == name)


def spoil(file):
    file["layers/dense/vars/0"][0, 0] = np.nan


def reshape(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = np.zeros((3, 3), np.float32)


def widen(path):
    definition = json.loads((path.parent / "definition.json").read_text())
    definition["generator"] |= {"width": 1024, "max_width": 4096}
    (path.parent / "definition.json").write_text(json.dumps(definition))


HOSTILE = {
    "NaN": (weights(spoil), "dense/vars/0 with NaN or infinite numbers"),
    "another shape": (weights(reshape), "holds the weights of another network"),
    "a layer less": (weights(lambda file: file.__delitem__("layers/dense")), "holds the weights of another network"),
    "terabytes": (weights(lambda file: file.create_dataset("a", (10**6, 10**6))), "more numbers than"),
    "a link": (weights(lambda file: file.__setitem__("a", h5py.ExternalLink("/etc/passwd", "/"))), "which is a link"),
    "no weights": (lambda path: member(path, "model.weights.h5", lambda data: None), "holds no model.weights.h5"),
    "garbage": (lambda path: member(path, "model.weights.h5", lambda data: data[::-1]), "is no HDF5 file"),
    "no config": (lambda path: member(path, "config.json", lambda data: None), "holds no config.json"),
    "nested": (lambda path: member(path, "config.json", lambda data: b"[" * 99999), "a config.json that is not JSON"),
    "another side": (
        config(lambda tree: layer(tree, "square")["config"].update(target_shape=[10**9])),
        "is not a generator that ganmill saved",
    ),
    "no side": (
        config(lambda tree: layer(tree, "square")["config"].update(target_shape="ab")),
        "is not a generator that ganmill saved",
    ),
    "larger": (
        config(lambda tree: layer(tree, "square")["config"].update(target_shape=[6, 6, 4])),
        "another network",
    ),
    "wider": (widen, "bytes of generator; its definition needs"),
    "no definition": (lambda path: (path.parent / "definition.json").unlink(), "definition.json is missing"),
    "definition of what": (lambda path: (path.parent / "definition.json").write_text("[" * 9999), "definition.json"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_foreign_generator_file_is_refused(copied, name):
    change, message = HOSTILE[name]
    change(copied / GENERATOR)
    with pytest.raises(DamagedState) as caught:
        load_generator(copied)
    assert message in str(caught.value)
    assert str(copied) in str(caught.value)
    assert str(caught.value).endswith("`python -m tasks rerun gan` makes it again")
    assert str(caught.value).isprintable()


def test_layers_described_in_a_generator_file_are_never_built(copied, trained):
    """Code in a Lambda layer, and layers of any size, are ignored: only weights are read."""
    whole = load_generator(trained.folder("gan"))

    def hostile(tree):
        layer(tree, "norm_0").update(class_name="Lambda", config={"name": "norm_0", "function": "os.abort"})
        layer(tree, "project")["config"]["units"] = 10**12

    config(hostile)(copied / GENERATOR)
    latents = np.ones((2, 8), np.float32)
    assert np.array_equal(load_generator(copied).predict(latents, verbose=0), whole.predict(latents, verbose=0))
