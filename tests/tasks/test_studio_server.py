"""The paths of this working folder on the label page."""

import shutil
from pathlib import Path

import pytest

from pipeline.web.labelling.picture_index import PictureIndexCache
from tasks import paths, studio_server
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


def test_page_shows_squares_and_their_sources(squares):
    index = PictureIndexCache(studio_server.dataset_paths("demo")).current()
    assert index.squares == squares
    assert index.pictures[0].url


def test_page_shows_squares_despite_wrong_settings(squares, configure):
    configure("[normalize]\nsize = large\n")
    assert PictureIndexCache(studio_server.dataset_paths("demo")).current().squares == squares


def test_page_follows_the_last_run_but_not_a_trial(squares):
    index_cache, store = (
        PictureIndexCache(studio_server.dataset_paths("demo")),
        paths.artifact_store("demo", "normalize"),
    )
    assert main(["run", "--until", "normalize", "--normalize-size", "32", "--once"]) == 0
    assert index_cache.current().squares == squares != store.newest().folder
    assert main(["run", "--until", "normalize", "--normalize-size", "32"]) == 0
    assert index_cache.current().squares == store.newest().folder
    assert main(["run", "--until", "normalize", "--normalize-size", "16"]) == 0
    assert index_cache.current().squares == squares
