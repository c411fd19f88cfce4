"""The folder of a style transfer: its files, its card, and that a stopped call leaves the same bytes in the end."""

import json

import numpy as np
import pytest

from pipeline.errors import Stopped, UserError
from pipeline.images.png import decode_png, encode_png
from pipeline.pretrained import Weights
from pipeline.progress import never, silent
from pipeline.store.digest import of_file
from pipeline.store.jsonl import read_rows
from pipeline.style import stylized_folder
from pipeline.style.style_options import StyleOptions
from pipeline.style.stylized_folder import make_stylized
from tests.style.drawn_pictures import checks, disc, stripes
from tests.style.tiny_network import tiny_network

OPTIONS = StyleOptions(size=64, levels=2, steps=12, every=5, sheets=4, checkpoint_every=5, mix=(3.0, 1.0), shift=4)
REPEATABLE = (
    "picture.png",
    "stats.jsonl",
    "card.json",
    "README.md",
    "losses.png",
    "film.gif",
    "film.webm",
    "content.png",
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(stylized_folder, "build_network", lambda weights, pooling: tiny_network())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    pictures = {"rose_1.png": disc(40, width=60), "red.png": stripes(), "checks.png": checks()}
    for name, picture in pictures.items():
        (folder / name).write_bytes(encode_png(picture))
    return [folder / name for name in pictures]


def make(files, folder, *, progress=silent, should_stop=never, digests=(), network=""):
    content, *styles = files
    folder.mkdir(exist_ok=True)
    weights = Weights(name="", path=content, digest=network or of_file(content))
    return make_stylized(
        OPTIONS,
        content=content,
        styles=styles,
        weights=weights,
        digests=digests or [of_file(path) for path in files],
        folder=folder,
        progress=progress,
        should_stop=should_stop,
    )


@pytest.fixture(scope="module")
def made(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stylized_folder, "build_network", lambda weights, pooling: tiny_network())
        return folder, make(files, folder)


def test_the_picture_has_the_content_s_shape(made):
    folder, result = made
    assert decode_png((folder / "picture.png").read_bytes()).shape == (43, 64, 3)
    assert (result.summary["width"], result.summary["height"]) == (64, 43)
    assert result.summary["step"] == 24


def test_there_are_sheets_a_film_a_plot_and_the_inputs(made):
    folder, _ = made
    assert [path.name for path in sorted((folder / "sheets").iterdir())] == [
        f"step-{step:05d}.png" for step in (0, 8, 16, 24)
    ]
    for name in ("film.gif", "film.mp4", "losses.png", "content.png", "style-1.png", "style-2.png"):
        assert (folder / name).stat().st_size > 100


def test_a_sheet_has_the_content_the_picture_and_the_styles(made):
    folder, _ = made
    last = decode_png((folder / "sheets" / "step-00024.png").read_bytes())
    assert last.shape == (43, 4 * 64 + 3 * 2, 3)
    np.testing.assert_array_equal(last[:, 66:130], decode_png((folder / "picture.png").read_bytes()))
    np.testing.assert_array_equal(last[:, :64], decode_png((folder / "content.png").read_bytes()))


def test_the_statistics_have_a_line_every_few_steps_with_the_three_losses(made):
    rows = [*read_rows(made[0] / "stats.jsonl")]
    assert [row["step"] for row in rows] == [1, 5, 10, 12, 17, 22, 24]
    assert {"content", "style", "variation"} < rows[0].keys()


def test_the_card_tells_what_the_picture_was_made_from(made, files):
    folder, _ = made
    card = json.loads((folder / "card.json").read_text())
    assert card["content"]["name"] == "rose_1.png"
    assert [style["share"] for style in card["styles"]] == [0.75, 0.25]
    assert card["options"]["seed"] == 0
    assert {"keras", "tensorflow", "ganmill"} <= card["versions"].keys()
    text = (folder / "README.md").read_text()
    for words in (card["content"]["digest"], card["styles"][1]["digest"], "rose\\_1.png", card["network"]["digest"]):
        assert words in text
    assert "{{" not in text
    assert "(sheets/step-00024.png)" in text


@pytest.mark.parametrize("step", [5, *(pytest.param(step, marks=pytest.mark.long) for step in (12, 23))])
def test_a_stopped_call_leaves_the_same_bytes_in_the_end(made, files, tmp_path, step):
    seen = []
    with pytest.raises(Stopped):
        make(
            files,
            tmp_path,
            progress=lambda done, total, note="": seen.append(done),
            should_stop=lambda: seen[-1] >= step,
        )
    assert not (tmp_path / "picture.png").exists()
    make(files, tmp_path)
    for name in REPEATABLE:
        assert (tmp_path / name).read_bytes() == (made[0] / name).read_bytes(), name
    for path in (made[0] / "sheets").iterdir():
        assert (tmp_path / "sheets" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_file_that_was_changed_meanwhile_is_refused(files, tmp_path):
    with pytest.raises(UserError, match=r"red\.png was changed while it waited to be drawn"):
        make(files, tmp_path / "made", digests=[of_file(files[0]), "0" * 64, of_file(files[2])])
    with pytest.raises(UserError, match="was changed while it waited to be read"):
        make(files, tmp_path / "made", network="0" * 64)


def test_progress_counts_the_steps_of_all_levels_and_names_the_losses(files, tmp_path):
    seen = []
    make(files, tmp_path, progress=lambda done, total, note="": seen.append((done, total, note)))
    assert [done for done, _, _ in seen] == list(range(1, 25))
    assert {total for _, total, _ in seen} == {24}
    assert "steps at 32 px: content" in seen[0][2]
    assert "steps at 64 px" in seen[-1][2]
