"""What a notebook shows of a GAN, and that a console shows what it did."""

import base64
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import tqdm.auto

from pipeline.gan import Dcgan
from pipeline.gan.history import History
from pipeline.gan.notebook import Sheet
from pipeline.images.png import decode_png
from pipeline.progress import ProgressBar, in_notebook
from tests.gan.conftest import TINY

SCRIPT = "<script>alert(1)</script>"


class FakeIPython:
    """Stands for IPython in a kernel: keeps what is displayed, and what replaces it."""

    def __init__(self) -> None:
        self.displayed: list[list] = []

    def display(self, shown, display_id=False):
        self.displayed.append([shown])
        return SimpleNamespace(update=self.displayed[-1].append) if display_id else None


@pytest.fixture
def notebook(monkeypatch) -> FakeIPython:
    """Makes this process look like the kernel of a notebook."""
    fake = FakeIPython()
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.version_info = (9, 0)  # which Matplotlib looks at
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object(), config={})
    display.display = fake.display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return fake


def sheets(shown: list) -> list[str]:
    return [sheet._repr_mimebundle_()["text/plain"] for sheet in shown]


def test_training_in_a_notebook_shows_the_newest_sheet_in_place(images, undisturbed, notebook, monkeypatch):
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=4, sample_every=2)
    (shown,) = notebook.displayed
    assert sheets(shown) == ["<samples before the first step>", "<samples after epoch 2>", "<samples after epoch 4>"]
    pixels = shown[-1].pixels
    assert pixels.shape == (8 * 64 + 7 * 2, 8 * 64 + 7 * 2, 3)  # eight by eight, each four times as large
    assert np.array_equal(pixels[:64:4, :64:4], gan.generate()[0])
    assert np.array_equal(gan.generate(), undisturbed.generate())  # being looked at changes nothing


def test_training_in_a_folder_shows_its_sheets_too(images, notebook, tmp_path):
    Dcgan(images, TINY, seed=3).train(images, epochs=1, folder=tmp_path / "run")
    (shown,) = notebook.displayed
    assert sheets(shown) == ["<samples before the first step>", "<samples after epoch 1>"]
    assert (tmp_path / "run" / "samples" / "epoch-0001.png").exists()


def test_show_displays_samples_in_a_notebook(undisturbed, notebook):
    assert undisturbed.show(4, seed=2) is None
    ((sheet,),) = notebook.displayed
    assert sheet.caption == "4 samples of unnamed, 4 epochs done"
    assert np.array_equal(sheet.pixels[:64:4, :64:4], undisturbed.generate(4, seed=2)[0])


def test_show_returns_a_picture_without_a_notebook(undisturbed):
    picture = undisturbed.show(5)
    assert (picture.mode, picture.size) == ("RGB", (3 * 64 + 4, 2 * 64 + 2))
    assert Dcgan((28, 28), TINY).show(1).mode == "L"


def test_bar_of_a_notebook_is_that_of_tqdm_auto(notebook, monkeypatch):
    made, full = [], []

    class Widget(tqdm.tqdm):
        def __init__(self, **given):
            made.append(given["total"])
            super().__init__(**given)

        def close(self):
            full.append(self.n == self.total)  # one that is not full stays, in red
            super().close()

    monkeypatch.setattr(tqdm.auto, "tqdm", Widget)
    bar = ProgressBar("toads")
    bar.draw(1, 40)  # the minutes were over
    bar.close()
    assert (made, full[0]) == ([40], True)


def test_console_imports_no_ipython_and_is_no_notebook():
    assert not in_notebook()
    code = (
        "import sys, pipeline.gan.notebook as n, pipeline.progress as p\n"
        "with n.viewed('toads') as view: view.progress(1, 2)\n"
        "assert view.show is None and not {'IPython', 'tqdm.auto', 'tensorflow', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_plain_ipython_in_a_terminal_is_no_notebook(monkeypatch):
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert not in_notebook()


def test_sheet_is_html_and_png_with_an_escaped_caption():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1), np.uint8)
    bundle = Sheet.of(pixels, SCRIPT, columns=2)._repr_mimebundle_()
    assert decode_png(base64.b64decode(bundle["image/png"])).shape == (2 * 64 + 2, 2 * 64 + 2, 1)
    assert bundle["image/png"] in bundle["text/html"]
    assert SCRIPT not in bundle["text/html"]


def test_dcgan_is_a_table_with_an_escaped_name(images):
    gan = Dcgan(images, TINY | {"smoothing": 0.1}, name=SCRIPT)
    text = gan._repr_html_()
    assert SCRIPT not in text
    assert "Dcgan &lt;script&gt;" in text
    for name, value in {"pictures": "16 x 16 x 3", "batch": 16, "label smoothing": "0.1 of reals, 0 of fakes"}.items():
        assert f"<tr><th>{name}</th><td>{value}</td></tr>" in text


def test_history_is_a_table_of_its_last_epochs_with_escaped_notes():
    rows = [{"epoch": n, "d_loss": 1.0, "g_loss": 0.5, "seconds": 1.25, "batch": 8} for n in range(1, 8)]
    rows[-1]["note"] = SCRIPT
    text = History(tuple(rows))._repr_html_()
    assert "<tr><th>epoch</th><th>loss of D</th><th>loss of G</th><th>batch</th><th>seconds</th></tr>" in text
    assert text.count("<tr>") == 1 + 5
    assert "<td>7</td><td>1.000</td><td>0.500</td><td>8</td><td>1.2</td>" in text
    assert SCRIPT not in text
    assert "epoch 7: &lt;script&gt;" in text
    assert "History of 0 epochs" in History(())._repr_html_()
