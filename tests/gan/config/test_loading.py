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
def test_every_built_in_definition_is_valid_and_described(path):
    assert read_definition(path).description


def test_dcgan_is_from_scratch_with_an_aid():
    (aid,) = differences(read_definition(MODELS / "dcgan.json"))
    assert (aid.key, aid.value) == ("discriminator.vision_aided", True)
    assert differences(read_definition(MODELS / "from-scratch.json")) == []


def test_values_are_read_into_their_fields(write):
    generator = {"width": 9, "optimizer": {"learning_rate": 1}}
    found = read_definition(write({"latent": 7, "generator": generator, "augment": {"policies": ["cutout"]}}))
    assert (found.latent, found.generator.width, found.generator.optimizer.learning_rate) == (7, 9, 1.0)
    assert found.augment.policies == ("cutout",)
    assert found.discriminator == Definition().discriminator


def test_smoothing_as_one_number_is_that_of_the_reals(write):
    assert read_definition(write({"smoothing": 0.1})).smoothing == Smoothing(real=0.1, fake=0.0)


def test_missing_file_error_names_the_file(tmp_path):
    with pytest.raises(UserError, match=r"none\.json: cannot be read: No such file"):
        read_definition(tmp_path / "none.json")


def test_folder_instead_of_file_error_names_it(tmp_path):
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
def test_digest_depends_on_the_meaning_not_the_spelling(write, tree):
    assert digest(write(tree)) == definition_digest(Definition())


def test_digest_is_that_of_earlier_versions():
    """Else every GAN would be trained again, and no earlier training could be resumed."""
    earlier = {"generator": {"upsample": "transposed"}, "augment": {"flip": False}}
    found = definition_digest(Definition.model_validate(earlier))
    assert found == "996d8cfe6e2d57070b7d60e2f189664af19d8c6044d1196dea4ae4576a1230f0"


def test_digest_of_a_multi_scale_definition_is_another_one():
    assert definition_digest(Definition(multi_scale=True)) != definition_digest(Definition())


def test_digest_depends_on_every_value(write):
    trees = [{}, {"ema": {"half_life": 20001}}, {"smoothing": 0.1}, {"generator": {"width": 65}}, {"latent": 99}]
    drops = [{"at": [100]}, {"at": [200]}, {"at": [100], "factor": 0.5}, {"plateaus": 1}, {"plateaus": 2}]
    trees += [{"generator": {"optimizer": {"schedule": {"kind": "drop", **drop}}}} for drop in drops]
    assert len({digest(write(tree)) for tree in trees}) == len(trees)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_as_tree_reads_back_as_the_same_definition(write, path):
    found = read_definition(path)
    assert read_definition(write(as_tree(found))) == found


def test_definition_is_frozen_and_validated_in_code():
    with pytest.raises(ValueError, match="frozen"):
        Definition().batch = 5
    with pytest.raises(ValueError, match="finite"):
        Smoothing(real=math.nan)
