import json
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.gan.definition import Definition, as_tree, definition_digest, read_definition

REPOSITORY = Path(__file__).parent.parent.parent
COMMITTED = sorted((REPOSITORY / "models").glob("*.json"))


@pytest.fixture
def write(tmp_path):
    def write(text) -> Path:
        path = tmp_path / "mine.json"
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    return write


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_every_committed_definition_is_valid(path):
    assert isinstance(read_definition(path), Definition)


def test_dcgan_is_what_the_defaults_are():
    assert read_definition(REPOSITORY / "models" / "dcgan.json") == Definition()


def test_values_arrive_where_they_belong(write):
    generator = {"width": 9, "optimizer": {"learning_rate": 1}}
    found = read_definition(write({"latent": 7, "generator": generator, "augment": {"policies": ["cutout"]}}))
    assert (found.latent, found.generator.width, found.generator.optimizer.learning_rate) == (7, 9, 1.0)
    assert found.augment.policies == ("cutout",)
    assert found.discriminator == Definition().discriminator


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"latnet": 7}, ["unknown key 'latnet'", "did you mean 'latent'?"]),
        ({"generator": {"optimizer": {"learning_rat": 1}}}, ["generator: optimizer", "did you mean 'learning_rate'?"]),
        ({"generator": {"width": 0}}, ["generator", "width = 0", "at least 4"]),
        ({"generator": {"norm": "bach"}}, ["norm = 'bach'", "batch, none"]),
        ({"generator": 64}, ["generator", "an object in braces"]),
        ({"batch": "64"}, ["batch = '64'", "a whole number"]),
        ({"batch": True}, ["batch = True"]),
        ({"augment": {"policies": ["colour", "shear"]}}, ["policies", "translation"]),
        ({"loss": "hinge", "smoothing": 0.1}, ["smoothing = 0.1", "non_saturating"]),
        ([], ["an object in braces"]),
        ("{", ["not JSON"]),
    ],
)
def test_a_mistake_is_named_with_file_key_and_what_would_do(write, tree, words):
    path = write(tree)
    with pytest.raises(UserError) as caught:
        read_definition(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert [word for word in words if word not in text] == []


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.json: cannot be read"):
        read_definition(tmp_path / "none.json")


def test_the_digest_is_of_what_is_meant_not_of_how_it_is_written(write):
    short = definition_digest(read_definition(write({"ema": {"half_life": 20000}})))
    assert short == definition_digest(Definition())
    assert short != definition_digest(read_definition(write({"ema": {"half_life": 20001}})))


def test_the_tree_reads_back_as_the_same_definition(write):
    found = read_definition(write({"generator": {"width": 12}, "augment": {"flip": True}}))
    assert read_definition(write(as_tree(found))) == found
