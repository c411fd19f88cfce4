"""Classifiers with damaged or foreign files: one line of error, and nothing of them is used."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DamagedState
from pipeline.filter.classifier_io import BACKBONE, load_backbone, load_classifier

from .drawn import draw


@pytest.fixture
def folder(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained.folder, tmp_path / "classifier"))


def load_error(folder: Path) -> str:
    with pytest.raises(DamagedState) as caught:
        load_classifier(folder)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert message.endswith("; `python -m tasks rerun classifier` makes it again")
    assert message.isprintable()
    return message


@pytest.mark.parametrize("name", ["classifier.json", "kernel.npz", "member-1.keras"])
def test_changed_or_missing_file_raises_damaged_state(folder, name):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    load_error(folder)
    (folder / name).unlink()
    load_error(folder)
    (folder / name).mkdir()
    load_error(folder)


def test_weights_of_another_training_raise_damaged_state(folder):
    shutil.copy(folder / "member-1.keras", folder / "member-0.keras")
    assert "other weights than those that were saved" in load_error(folder)


def change_parameters(folder: Path, **changed) -> None:
    known = json.loads((folder / "classifier.json").read_text())
    (folder / "classifier.json").write_text(json.dumps(known | changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"calibration": 5},
        {"calibration": {"slope": "1", "intercept": 0.0, "prior": 0.5}},
        {"calibration": {"slope": float("nan"), "intercept": 0.0, "prior": 0.5}},
        {"calibration": {"slope": 1.0, "intercept": 0.0, "prior": 2**70}},
        {"machine_scale": {"mean": 0.0, "spread": 0.0}},
        {"network_scales": [{"mean": 0.0, "spread": 1.0}] * 10_000},
        {"network_scales": None},
        {"widths": [1.0]},
        {"widths": [-1.0, 1.0]},
        {"thresholds": None},
        {"thresholds": [0.5, 0.5, 0.5]},
        {"energy": 0},
        {"digest": ["a"]},
        {"digest": ""},
    ],
    ids=str,
)
def test_wrong_parameters_raise_damaged_state(folder, changed):
    change_parameters(folder, **changed)
    load_error(folder)


@pytest.mark.parametrize("text", ["", "[" * 99_999, "5", "{}", "\udcff"], ids=lambda text: ascii(text[:9]))
def test_unreadable_classifier_json_raises_damaged_state(folder, text):
    (folder / "classifier.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    load_error(folder)
    with (folder / "classifier.json").open("wb") as file:
        file.truncate(1 << 42)
    assert "classifier.json of at most" in load_error(folder)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"weights": np.zeros((10**6, 9))}, "weights is float64 (1000000, 9)"),
        ({"weights": np.full((40, 9), np.nan)}, "weights holds NaN or infinite numbers"),
        ({"weights": np.zeros((39, 9))}, "other weights than those that were saved"),
        ({"support_patches": np.full((40, 3072), np.inf, np.float16)}, "support_patches holds NaN or infinite numbers"),
        ({"support_patches": np.zeros((40, 3071), np.float16)}, "support_patches is float16 (40, 3071)"),
        ({"centre": np.zeros(256)}, "centre is float64 (256,) where float32 (256,) is expected"),
        ({"channels": np.array(["a"])}, "channels is str"),
        ({"strange": np.zeros(3)}, "holds strange, which does not belong in it"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_arrays_raise_damaged_state(folder, changed, expected):
    with np.load(folder / "kernel.npz") as file:
        np.savez(folder / "kernel.npz", **dict(file) | changed)
    assert expected in load_error(folder)


def test_compressed_arrays_raise_damaged_state(folder):
    with np.load(folder / "kernel.npz") as file:
        np.savez_compressed(folder / "kernel.npz", **dict(file))
    assert "compressed" in load_error(folder)


def test_mismatched_parts_with_a_right_digest_raise_damaged_state(folder, monkeypatch):
    with np.load(folder / "kernel.npz") as file:
        np.savez(folder / "kernel.npz", **dict(file) | {"weights": np.zeros((39, 9))})
    monkeypatch.setattr("pipeline.filter.classifier_io._digest", lambda *_: json.loads(text)["digest"])
    text = (folder / "classifier.json").read_text()
    assert "parts do not fit each other" in load_error(folder)


def test_network_architecture_in_the_file_is_ignored(folder, trained):
    """The file could describe layers of any size, and code in a Lambda layer: only its weights are read."""
    path = folder / "member-0.keras"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, b'{"class_name": "Lambda"}' if name == "config.json" else data)
    images = np.stack([draw(0, on=True)])
    found = load_classifier(folder)(images).probability
    assert np.array_equal(found, load_classifier(trained.folder)(images).probability)


@pytest.mark.parametrize("content", [b"", b"no network", b"\x1c\0\0\0TFL3" + bytes(200)])
def test_wrong_backbone_file_raises_damaged_state(folder, content):
    (folder / BACKBONE).write_bytes(content)
    assert "holds a backbone.tflite that is not a converted network of this program" in load_error(folder)
    with pytest.raises(DamagedState, match=r"backbone\.tflite"):
        load_backbone(folder)
