import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.filter.scores import kept_ids
from pipeline.gan import Dcgan
from pipeline.gan.training.checkpoint import read_arrays
from pipeline.images.dataset import read_images
from pipeline.images.png import decode_png
from tests.gan.compare_dcgan import assert_same, checkpoint_arrays
from tests.gan.conftest import TINY

SAVED = ["README.md", "card.json", "definition.json", "discriminator.keras", "final.npz", "generator.keras", "samples",
         "stats.jsonl"]  # fmt: skip


@pytest.fixture
def saved(undisturbed, tmp_path) -> Path:
    undisturbed.save(tmp_path / "saved")
    return tmp_path / "saved"


def test_save_load_and_train_is_bit_identical_to_one_training(images, undisturbed, tmp_path):
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=3)
    gan.save(tmp_path / "saved")
    loaded = Dcgan.load(tmp_path / "saved")
    assert np.array_equal(loaded.generate(3), gan.generate(3))
    loaded.train(images, epochs=1)
    assert_same(loaded, undisturbed)


@pytest.mark.long
def test_loading_a_finished_stage_resumes_it_and_leaves_its_folder_unchanged(trained, make_workspace):
    folder = trained.folder("gan")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    kept = read_images(trained.inputs["normalize"], kept_ids(trained.inputs["kept"])).images
    gan = Dcgan.load(folder)
    sheet = decode_png((folder / "samples" / "epoch-0004.png").read_bytes())
    assert np.array_equal(gan.generate(1)[0], sheet[:16, :16])
    gan.train(kept, epochs=1)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    longer = make_workspace()
    longer.train("gan", epochs=5)
    expected = read_arrays(longer.folder("gan") / "final.npz")
    assert all(np.array_equal(array, expected[name]) for name, array in checkpoint_arrays(gan).items() if "/" in name)


def test_saved_folder_has_all_files_and_no_pickles(saved):
    assert sorted(path.name for path in saved.iterdir()) == SAVED
    files = {path.relative_to(saved).as_posix(): path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    for path in saved.glob("*.keras"):
        with zipfile.ZipFile(path) as archive:
            files |= {f"{path.name}/{name}": archive.read(name) for name in archive.namelist()}
    assert not [
        name for name, data in files.items() if data[:1] == b"\x80"
    ]  # the first byte of every pickle since 2003
    assert {Path(name).suffix for name in files} == {".md", ".json", ".jsonl", ".keras", ".npz", ".png", ".h5"}
    with np.load(saved / "final.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "fiu" for name in arrays.files)


def test_saving_again_replaces_the_gan(images, saved):
    gan = Dcgan.load(saved)
    gan.train(images, epochs=1)
    gan.save(saved)
    assert Dcgan.load(saved).epochs == 5
    assert json.loads((saved / "card.json").read_text())["training"]["epochs"] == 5


def test_saving_over_something_else_is_refused(undisturbed, trained, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UserError, match=r"not empty and holds no GAN"):
        undisturbed.save(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    with pytest.raises(UserError, match="is a file"):
        undisturbed.save(tmp_path / "README.md")
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match="finished folder of the pipeline"):
        undisturbed.save(tmp_path / "stage")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def edit(path: Path) -> None:
    """Change the loss, which keeps the same networks."""
    path.write_text(path.read_text().replace('"non_saturating"', '"hinge"'))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: cut(folder / "final.npz"),
            r"final\.npz is damaged.*generator\.keras can still generate samples",
        ),
        (lambda folder: (folder / "final.npz").unlink(), r"final\.npz is missing"),
        (lambda folder: (folder / "definition.json").unlink(), r"holds no GAN: there is no definition\.json"),
        (lambda folder: cut(folder / "definition.json"), r"definition\.json: not JSON"),
        (lambda folder: (folder / "definition.json").write_text("{}"), r"do not belong together"),
        (lambda folder: edit(folder / "definition.json"), r"definition\.json do not belong together"),
        (lambda folder: (folder / "stats.jsonl").unlink(), r"stats\.jsonl lacks epochs"),
        (lambda folder: cut(folder / "stats.jsonl"), r"stats\.jsonl lacks epochs"),
    ],
)
def test_loading_a_damaged_folder_says_what_is_damaged(saved, damage, message):
    damage(saved)
    with pytest.raises(UserError, match=message):
        Dcgan.load(saved)
