"""What the label page is told of this working folder."""

import shutil
from pathlib import Path

import pytest

from pipeline.web.picture_index import CatalogueCache
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
    return paths.shelf("demo", "normalize").newest().folder


def test_the_squares_are_those_that_the_settings_name(squares):
    assert label_server.chosen("demo") == squares
    catalogue = CatalogueCache(label_server.place("demo")).now()
    assert catalogue.squares == squares
    assert catalogue.pictures[0].url


def test_squares_of_other_settings_are_shown_where_those_named_are_not_there(squares, configure):
    configure("[demo.download]\nsources = demo\ndemo_pictures = 20\n[normalize]\nsize = 32\n")
    assert label_server.chosen("demo") is None
    assert CatalogueCache(label_server.place("demo")).now().squares == squares


def test_wrong_settings_hide_no_squares(squares, configure):
    configure("[normalize]\nsize = large\n")
    assert label_server.chosen("demo") is None
    assert CatalogueCache(label_server.place("demo")).now().squares == squares


def test_settings_that_change_while_the_server_runs_are_followed(squares):
    keeper, file = CatalogueCache(label_server.place("demo")), Path("luigi.cfg")
    before = file.read_text()
    assert keeper.now().squares == squares
    assert main(["run", "--until", "normalize", "--normalize-size", "32"]) == 0
    assert keeper.now().squares == squares  # that was for once
    file.write_text(before.replace("size = 16", "size = 32"))
    assert keeper.now().squares == paths.shelf("demo", "normalize").newest().folder != squares
    file.write_text(before + "[gan")
    assert len(keeper.now().pictures) == 20
    file.write_text(before)
    assert keeper.now().squares == squares


def test_what_a_dataset_is_about_counts_as_a_setting(squares, configure):
    stamps = CatalogueCache(label_server.place("demo"))
    before = stamps.now()
    settings.path("demo").write_text('{"download.sources": "folder"}')
    assert stamps.held() is None
    assert stamps.now() is before  # luigi.cfg says what this dataset is


def test_looking_leaves_nothing_behind(squares):
    before = sorted(Path().rglob("*"))
    label_server.chosen("demo")
    assert sorted(Path().rglob("*")) == before
