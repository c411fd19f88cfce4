import math
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.gan.config import Definition, Smoothing, as_tree, definition_digest, differences, read_definition

MODELS = Path(__file__).parent.parent.parent.parent / "models"
COMMITTED = [path for path in sorted(MODELS.glob("*.json")) if path.stem != "schema"]


def digest(path) -> str:
    return definition_digest(read_definition(path))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_every_committed_definition_is_valid_and_says_what_it_is_for(path):
    assert read_definition(path).description


def test_dcgan_is_what_the_defaults_are():
    assert differences(read_definition(MODELS / "dcgan.json")) == []


def test_values_arrive_where_they_belong(write):
    generator = {"width": 9, "optimizer": {"learning_rate": 1}}
    found = read_definition(write({"latent": 7, "generator": generator, "augment": {"policies": ["cutout"]}}))
    assert (found.latent, found.generator.width, found.generator.optimizer.learning_rate) == (7, 9, 1.0)
    assert found.augment.policies == ("cutout",)
    assert found.discriminator == Definition().discriminator


def test_smoothing_may_be_one_number_which_is_that_of_the_reals(write):
    assert read_definition(write({"smoothing": 0.1})).smoothing == Smoothing(real=0.1, fake=0.0)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.json: cannot be read: No such file"):
        read_definition(tmp_path / "none.json")


def test_a_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path}: cannot be read"):
        read_definition(tmp_path)


@pytest.mark.parametrize(
    "tree",
    [
        {"ema": {"half_life": 20000}},
        {"ema": {"half_life": 20000.0, "ramp": 5e-2}},
        {"smoothing": 0},
        {"generator": {}, "latent": 100},
        {"description": "for flowers", "$schema": "./schema.json"},
    ],
)
def test_the_digest_is_of_what_is_meant_not_of_how_it_is_written(write, tree):
    assert digest(write(tree)) == definition_digest(Definition())


def test_every_value_counts_in_the_digest(write):
    trees = [{}, {"ema": {"half_life": 20001}}, {"smoothing": 0.1}, {"generator": {"width": 65}}, {"latent": 99}]
    assert len({digest(write(tree)) for tree in trees}) == len(trees)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_the_tree_reads_back_as_the_same_definition(write, path):
    found = read_definition(path)
    assert read_definition(write(as_tree(found))) == found


def test_a_definition_cannot_be_changed_or_made_wrong_in_code():
    with pytest.raises(ValueError, match="frozen"):
        Definition().batch = 5
    with pytest.raises(ValueError, match="finite"):
        Smoothing(real=math.nan)
