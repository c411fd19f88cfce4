"""docs/notebooks.md: its snippets run, one after the other, as in a notebook."""

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.filter.scores import Score, write_scores
from pipeline.images.png import encode_png
from pipeline.store.digest import of_bytes
from pipeline.store.jsonl import write_rows
from tests.gan.drawn_discs import draw_discs

PAGE = Path(__file__).parent.parent.parent / "docs" / "notebooks.md"
COUNT = 20  # pictures


def leave_dataset(data: Path, images: np.ndarray) -> None:
    """What normalise and filter leave of `images`, all of them kept."""
    squares, kept = data / "normalize" / "latest", data / "filter" / "latest"
    (squares / "images").mkdir(parents=True)
    kept.mkdir(parents=True)
    rows = []
    for number, image in enumerate(images):
        id, png = f"{number:064x}", encode_png(image)
        (squares / "images" / f"{id}.png").write_bytes(png)
        rows.append({"id": id, "outcome": "kept", "file": f"images/{id}.png", "sha256": of_bytes(png)})
    write_rows(squares / "images.jsonl", rows)
    write_scores([Score(id=row["id"], score=1.0, label=None, outcome="kept") for row in rows], kept)


@pytest.mark.long
def test_the_snippets_of_the_page_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.pretrained.is_cached", lambda name: False)
    np.save("pictures.npy", draw_discs(COUNT))
    leave_dataset(Path("data/demo"), draw_discs(COUNT))
    names, epochs = {}, []
    for snippet in re.findall(r"```python\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(snippet, names)
        epochs.append(names["gan"].epochs)
    assert names["samples"].shape == (64, 16, 16, 3)
    assert 25 in epochs  # 20 and 5 more
    assert epochs[-1] == 8  # 4 in the folder, and 4 after the crash
    assert names["drawn"].shape == (16, 16, 16, 3)
    assert {"losses.png", "accuracy.png", "probabilities.png"} <= {path.name for path in Path("plots").iterdir()}
