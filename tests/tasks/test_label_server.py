"""The paths of this working folder on the label page."""

import shutil
from pathlib import Path

import pytest

from pipeline.web.picture_index import PictureIndexCache
from tasks import label_server, paths, settings
from tasks.cli import main

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def squares(configure):
    """A dataset with squares and no filter, made by the settings in luigi.cfg."""
    folder = configure("[demo.download]\nsources = demo\ndemo_pictures = 20\n[normalize]\nsize = 16\nprocesses = 1\n")
    (folder / "models").mkdir()
    shutil.copy(REPOSITORY / "models" / "dcgan.json", folder / "models")
    assert main(["run", "--until", "normalize"]) == 0
    return paths.artifact_store("demo", "normalize").newest().folder


def test_page_shows_squares_of_the_current_settings(squares):
    assert label_server.current_squares("demo") == squares
    index = PictureIndexCache(label_server.dataset_paths("demo")).current()
    assert index.squares == squares
    assert index.pictures[0].url


def test_page_shows_newest_squares_if_none_match_the_settings(squares, configure):
    configure("[demo.download]\nsources = demo\ndemo_pictures = 20\n[normalize]\nsize = 32\n")
    assert label_server.current_squares("demo") is None
    assert PictureIndexCache(label_server.dataset_paths("demo")).current().squares == squares


def test_page_shows_squares_despite_wrong_settings(squares, configure):
    configure("[normalize]\nsize = large\n")
    assert label_server.current_squares("demo") is None
    assert PictureIndexCache(label_server.dataset_paths("demo")).current().squares == squares


def test_page_follows_settings_that_change_while_it_runs(squares):
    index_cache, file = PictureIndexCache(label_server.dataset_paths("demo")), Path("luigi.cfg")
    before = file.read_text()
    assert index_cache.current().squares == squares
    assert main(["run", "--until", "normalize", "--normalize-size", "32"]) == 0
    assert index_cache.current().squares == squares  # that was for once
    file.write_text(before.replace("size = 16", "size = 32"))
    assert index_cache.current().squares == paths.artifact_store("demo", "normalize").newest().folder != squares
    file.write_text(before + "[gan")
    assert len(index_cache.current().pictures) == 20
    file.write_text(before)
    assert index_cache.current().squares == squares


def test_changed_subject_invalidates_the_picture_index(squares, configure):
    index_cache = PictureIndexCache(label_server.dataset_paths("demo"))
    before = index_cache.current()
    settings.path("demo").write_text('{"download.sources": "folder"}')
    assert index_cache.if_current() is None
    assert index_cache.current() is before  # luigi.cfg says what this dataset is


def test_current_squares_writes_nothing(squares):
    before = sorted(Path().rglob("*"))
    label_server.current_squares("demo")
    assert sorted(Path().rglob("*")) == before
