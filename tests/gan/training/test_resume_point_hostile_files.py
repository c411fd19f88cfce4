"""Folders of GANs from untrusted sources: one line says what is wrong, and false claims take no memory."""

import json
import os
import resource
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DamagedState, UserError
from pipeline.gan import Dcgan
from pipeline.gan.config import definition_digest, read_definition
from pipeline.gan.training.checkpoint import BestCheckpoint, load_arrays, write_arrays
from pipeline.gan.training.saved import read_saved
from tests.gan.fake_steps import make_trainer, run

ORIGIN = {"seed": 3, "images": [40, 16, 16, 3], "name": "unnamed"}
WEIGHTS = "generator/000"


@pytest.fixture(scope="module")
def whole(undisturbed, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "gan"
    undisturbed.save(folder)
    return folder


@pytest.fixture
def saved(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "saved"))


def rewrite(path: Path, **changed) -> None:
    """Replace arrays in `path`, or remove those that are None, with a correct checksum."""
    arrays = load_arrays(path) | {name.replace("__", "/"): array for name, array in changed.items()}
    write_arrays(path, {name: np.asarray(array) for name, array in arrays.items() if array is not None})


def text(value: str | bytes) -> np.ndarray:
    return np.frombuffer(value if isinstance(value, bytes) else value.encode(), np.uint8)


def origin(folder: Path, **changed) -> np.ndarray:
    known = {"definition": definition_digest(read_definition(folder / "definition.json"))}
    return text(json.dumps(ORIGIN | known | changed))


def refused(load: Callable[[], object]) -> str:
    """The one-line error message of `load`."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError) as caught:
        load()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10  # KiB, mostly of TensorFlow
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 500
    return line


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        *(({"seed": seed}, "seed") for seed in (-1, 1.5, "3", None, [3], True, float("nan"))),
        *(({"images": images}, "images") for images in ([40, 16, 16], [40, 16, 16, 3, 1], "abcd", 7, None, {})),
        *(({"images": [40, *shape]}, "images") for shape in ([16, 32, 3], [17, 17, 3], [16, 16, 2], [1024, 1024, 3])),
        *(({"images": [count, 16, 16, 3]}, "images") for count in (-40, 0, 15, 2**70, 1e9, "40", True, None)),
        *(({"name": name}, "name") for name in (5, None, "a\nb", "\x1b[2J", "x" * 5000)),
        *(({"rounding": rounding}, "rounding") for rounding in (5, "a\nb", {})),
        *(({"definition": digest}, "definition") for digest in (5, [], "another", "")),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_invalid_origin_is_refused(saved, changed, expected):
    rewrite(saved / "final.npz", origin=origin(saved, **changed))
    message = refused(lambda: Dcgan.load(saved))
    assert expected in message
    assert str(saved) in message


@pytest.mark.parametrize(
    "array",
    [
        *(text(value) for value in (b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 9999, b'{"a":' * 3000, b"NaN")),
        *(text(value) for value in ('{"seed": 3, ', '{"seed": ' + "9" * 9000 + "}", '{"name": "\\ud800"}')),
        *(np.zeros(1 << 20, np.uint8), np.zeros((2, 2), np.uint8), np.zeros(9), np.uint8(3)),
    ],
    ids=lambda array: ascii(array.tobytes()[:20]),
)
def test_origin_that_is_not_json_is_refused(saved, array):
    rewrite(saved / "final.npz", origin=array)
    assert "origin" in refused(lambda: Dcgan.load(saved))


@pytest.mark.parametrize("step", [np.int64(-1), np.int64(2**62), np.uint64(2**63), 4.0, np.nan, [8], np.array("8")])
def test_invalid_step_is_refused(saved, step):
    rewrite(saved / "final.npz", step=np.asarray(step))
    assert "step" in refused(lambda: Dcgan.load(saved))


def without_step(folder: Path) -> None:
    rewrite(folder / "final.npz", step=None)


def bomb(folder: Path) -> None:
    """Arrays of zeros that are a thousand times as large as the file."""
    arrays = load_arrays(folder / "final.npz")
    np.savez_compressed(folder / "final.npz", **arrays | {WEIGHTS: np.zeros(1 << 22, np.float32)})


def no_arrays(folder: Path) -> None:
    with zipfile.ZipFile(folder / "final.npz", "a") as file:
        file.writestr("hello.txt", "hello")


def pipe(folder: Path) -> None:
    (folder / "final.npz").unlink()
    os.mkfifo(folder / "final.npz")


def pipe_for_a_definition(folder: Path) -> None:
    (folder / "definition.json").unlink()
    os.mkfifo(folder / "definition.json")


def nested(folder: Path) -> None:
    (folder / "definition.json").write_text("[" * 99_999)


def endless(folder: Path) -> None:
    with (folder / "definition.json").open("wb") as file:
        file.truncate(1 << 40)


def huge_networks(folder: Path) -> None:
    """A definition of gigabytes of weights, with a checkpoint that claims to be of it."""
    wide = {"width": 1024, "max_width": 4096}
    (folder / "definition.json").write_text(json.dumps({"generator": wide, "discriminator": wide}))
    rewrite(folder / "final.npz", origin=origin(folder, images=[40, 512, 512, 3]))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (without_step, "final.npz holds no step"),
        (bomb, "final.npz is damaged"),
        (no_arrays, "final.npz is damaged"),
        (pipe, "final.npz is damaged"),
        (pipe_for_a_definition, "there is no definition.json"),
        (nested, "too many nested brackets"),
        (endless, "definition.json"),
        (huge_networks, "do not belong together"),
    ],
)
def test_huge_claims_are_refused_before_anything_is_built(saved, make, expected):
    make(saved)
    assert expected in refused(lambda: read_saved(saved))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({WEIGHTS: np.zeros((3, 3), np.float32)}, "bytes of generator; its definition needs"),
        ({"generator/001": np.zeros((3, 3), np.float32)}, "generator/001 is float32 (3, 3) where float32"),
        ({WEIGHTS: np.zeros((8, 256))}, "generator/000 is float64 (8, 256) where float32"),
        ({"generator/001": None}, "holds no generator/001"),
        ({"generator/999": np.zeros(3)}, "holds generator/999, which does not belong in it"),
        ({WEIGHTS: np.full((8, 256), np.nan, np.float32)}, "generator/000 holds NaN or infinite numbers"),
        ({"average/001": np.full(16, np.inf, np.float32)}, "average/001 holds NaN or infinite numbers"),
        ({"lead": np.nan}, "lead holds NaN"),
        ({"caution": -1.0}, "out of bounds"),
        ({"retries": np.int64(2**40)}, "out of bounds"),
        ({"seconds": -1.0}, "out of bounds"),
        ({"step": np.int64(7)}, "holds metrics of 0 steps"),
        ({"step": np.int64(10**12)}, "stats.jsonl lacks epochs"),
        ({"metrics": np.zeros((5, 2), np.float32)}, "metrics is float32 (5, 2)"),
        ({"latents": np.zeros((10**5, 8), np.float32)}, "latents is float32 (100000, 8)"),
        ({"note": text(b"\xff")}, "note"),
        ({"note": text("a\x1b[2J")}, "note"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_foreign_checkpoint_is_refused(saved, changed, expected, monkeypatch, undisturbed):
    # Reuse built networks: building them each time would take a minute
    monkeypatch.setattr("pipeline.gan.dcgan.Session", lambda *_, **__: undisturbed._session)
    before, home = undisturbed._session.training, undisturbed._session._own_folder
    rewrite(saved / "final.npz", **changed)
    try:
        message = refused(lambda: Dcgan.load(saved))
    finally:
        undisturbed._session.training, undisturbed._session._own_folder = before, home
    assert expected in message
    assert str(saved) in message


def test_nan_checkpoint_is_skipped_for_the_one_before(saved, whole):
    (saved / "checkpoints").mkdir()
    shutil.copy(whole / "final.npz", saved / "checkpoints" / "step-000000008.npz")
    rewrite(saved / "final.npz", **{WEIGHTS: np.full((8, 256), np.nan, np.float32)})
    assert Dcgan.load(saved).epochs == 4


def test_symbolic_links_are_not_followed(saved, tmp_path):
    (tmp_path / "secret").write_text("mine")
    (saved / "samples" / "epoch-0001.png").symlink_to(tmp_path / "secret")
    Dcgan.load(saved).save(tmp_path / "again")
    assert (saved / "samples" / "epoch-0004.png").exists()
    assert "mine" not in {path.read_text(errors="replace") for path in (tmp_path / "again").rglob("*.png")}


NOT_ITS_OWN = [
    ({WEIGHTS: np.zeros((3, 3), np.float32)}, "generator/000 is float32 (3, 3)"),
    ({"discriminator/000": None}, "holds no discriminator/000"),
    ({"average/000": np.nan}, "average/000"),
    ({"origin": text('{"seed": 1}')}, "origin"),
    ({"origin": text(json.dumps(ORIGIN))}, "another seed, other pictures or another definition"),
    ({"step": np.int64(-3)}, "step -3"),
]


def test_stage_does_not_resume_from_a_foreign_checkpoint(tmp_path, fake_steps):
    run(make_trainer(tmp_path / "a"))
    *others, path = sorted((tmp_path / "a" / "checkpoints").iterdir())
    for other in others:
        other.unlink()
    data = path.read_bytes()
    for changed, expected in NOT_ITS_OWN:
        path.write_bytes(data)
        rewrite(path, **changed)
        message = refused(lambda: make_trainer(tmp_path / "a"))
        assert expected in message
        assert f"{path} " in message
        assert "move it away to start again" in message
        assert path.exists()


def test_stage_does_not_resume_beyond_its_last_step(workspace, whole, undisturbed, trained):
    shutil.copytree(trained.folder("gan"), workspace.folder("b"), dirs_exist_ok=True)
    with pytest.raises(DamagedState, match=r"is at step 8, beyond the last; move it away to start again$"):
        workspace.train("b", epochs=2)


@pytest.mark.parametrize(
    "changed",
    [{"epoch": np.int64(2)}, {"kid": np.nan}, {"average/000": np.zeros(3)}, {"average/000": None}, {"epoch": "a"}],
    ids=str,
)
def test_foreign_best_checkpoint_is_ignored(tmp_path, fake_steps, changed):
    training = make_trainer(tmp_path / "a")
    training.best.save({"epoch": 1, "kid": 0.5, "extractor": "eyes"}, training.state.average)
    training.log.close()
    rewrite(tmp_path / "a" / "best.npz", **changed)
    best = BestCheckpoint(tmp_path / "a", training.forms)
    assert (best.epoch, best.weights() is None) == ((2, False) if changed == {"epoch": np.int64(2)} else (0, True))
