import hashlib
import json
from pathlib import Path

import pytest

from pipeline.labels.log import LabelLog


def picture_id(number: int) -> str:
    return hashlib.sha256(b"raw %d" % number).hexdigest()


@pytest.fixture
def log(tmp_path) -> LabelLog:
    return LabelLog(tmp_path / "data" / "labels.jsonl")


@pytest.fixture
def normalize(tmp_path) -> Path:
    """A normalise folder: pictures 0 to 5 are kept, 6 is a duplicate of 0, 7 was rejected."""
    folder = tmp_path / "normalize"
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(6):
        id, data = picture_id(number), b"square %d" % number
        (folder / "images" / f"{id}.png").write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        rows.append({"id": id, "outcome": "kept", "of": None, "sha256": sha256, "file": f"images/{id}.png"})
    rows.append({"id": picture_id(6), "outcome": "duplicate", "of": picture_id(0), "sha256": None, "file": None})
    rows.append({"id": picture_id(7), "outcome": "rejected", "of": None, "sha256": None, "file": None})
    (folder / "images.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
