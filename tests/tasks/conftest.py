"""A working folder of one's own, with a luigi.cfg."""

import shutil
from pathlib import Path

import pytest
from luigi import configuration
from luigi.configuration import LuigiConfigParser

from tasks import backbones

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """`configure(text)` moves into an empty folder whose luigi.cfg has that text."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        (tmp_path / "luigi.cfg").write_text(text, encoding="utf-8")
        config = LuigiConfigParser()
        config.read(tmp_path / "luigi.cfg", encoding="utf-8")
        monkeypatch.setattr(configuration, "get_config", lambda *arguments: config)
        return tmp_path

    return write


@pytest.fixture
def weights_found_anew():
    """Which weights are here is found out again for this test, and after it."""
    for cached in (backbones.classifier_weights, backbones.extractor_weights):
        cached.cache_clear()
    yield
    for cached in (backbones.classifier_weights, backbones.extractor_weights):
        cached.cache_clear()


@pytest.fixture
def working_folder(tmp_path, monkeypatch):
    """A working folder that contains only the GAN definitions."""
    (tmp_path / "models").mkdir()
    shutil.copy(REPOSITORY / "models" / "dcgan.json", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    return tmp_path
