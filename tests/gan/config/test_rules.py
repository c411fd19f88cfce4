"""Every rule is violated once: the message names the conflict, the reason and a remedy, which is then applied."""

import ast
import json
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.gan.config import Definition, as_tree, read_definition, rules

PENALTY = {"weight": 1}
WGAN_GP = {"loss": "wasserstein", "penalties": {"gradient": {"weight": 10}}, "discriminator": {"norm": "layer"}}
NO_NORM = {"discriminator": {"norm": "none"}}


def schedule(**fields: Any) -> dict[str, Any]:
    """A definition with this schedule of the generator's learning rate."""
    return {"generator": {"optimizer": {"schedule": fields}}}


REFUSED = {
    "a first stage without a map to decode": (
        {"growing": {"start": 8}, "discriminator": {"norm": "none", "reconstruction": 1}},
        [
            "growing and discriminator.reconstruction",
            "no map to decode",
            "set growing.start or discriminator.reconstruction to 0",
        ],
        {"discriminator": {"reconstruction": 0}},
    ),
    "an aid of a critic": (
        {**WGAN_GP, "discriminator": {"norm": "layer", "vision_aided": True}},
        ['discriminator.vision_aided and loss "wasserstein"', "nothing bounds the slope", 'set loss to "hinge"'],
        {"discriminator": {"vision_aided": False}},
    ),
    "a mean that nothing is compared with": (
        {"penalties": {"lecam": {"decay": 0.9}}},
        ["penalties.lecam: decay and weight = 0", "no mean is compared with", "set weight"],
        {"penalties": {"lecam": {"decay": 0.9, "weight": 0.3}}},
    ),
    "a way that is none": (
        {"generator": {"optimizer": {"schedule": {"final": 0.1}}}},
        ['schedule: kind "constant"', "final and over would do nothing", '"linear" or "cosine"'],
        {"generator": {"optimizer": {"schedule": {"kind": "cosine"}}}},
    ),
    "a drop of another kind": (
        schedule(kind="linear", at=[100]),
        [
            'generator.optimizer.schedule: kind "linear"',
            "factor, at and plateaus belong to drops",
            'set kind to "drop"',
        ],
        schedule(kind="drop"),
    ),
    "a factor and no drop": (
        schedule(factor=0.5),
        ['schedule: kind "constant"', "belong to drops, and would do nothing", "or remove them"],
        schedule(factor=0.1),
    ),
    "a drop with a decay": (
        schedule(kind="drop", at=[100], final=0.1),
        ['kind "drop": final and over belong to a decay', "remove them"],
        schedule(final=0.0),
    ),
    "a drop that never comes": (
        schedule(kind="drop", factor=0.5),
        ['kind "drop": nothing says when', "for example [200000]", "set plateaus to 1"],
        schedule(plateaus=1),
    ),
    "drops that do not rise": (
        schedule(kind="drop", at=[200, 100]),
        ["at = [200, 100]", "rising order"],
        schedule(at=[100, 200]),
    ),
    "a drop before the first image": (
        schedule(kind="drop", at=[0]),
        ["at = [0]", "above 0"],
        schedule(at=[1]),
    ),
    "a drop while the rate rises": (
        schedule(kind="drop", at=[100], warmup=101),
        ["at = [100] and warmup = 101", "before it has risen", "lower warmup"],
        schedule(warmup=100),
    ),
    "a memory that RMSprop has not": (
        {"discriminator": {"optimizer": {"name": "rmsprop", "beta_1": 0.9}}},
        ['optimizer: beta_1 and name "rmsprop"', "no memory of the gradient", "remove beta_1"],
        {"discriminator": {"optimizer": {"name": "adam"}}},
    ),
    "weight norm under batch norm": (
        {"generator": {"weights": "weight"}},
        ["generator: ", "removes the length of a kernel", 'norm to "none"'],
        {"generator": {"norm": "none"}},
    ),
    "weight norm under batch norm in D": (
        {"discriminator": {"weights": "weight"}},
        ["discriminator: ", "removes the length of a kernel", 'weights to "free"'],
        {"discriminator": {"weights": "free"}},
    ),
    "a memory that plain descent has not": (
        {"generator": {"optimizer": {"name": "sgd", "beta_2": 0.9}}},
        ['optimizer: beta_2 and name "sgd"', "no memory of squared gradients", 'set name to "adam"'],
        {"generator": {"optimizer": {"name": "rmsprop"}}},
    ),
    "wider than the widest": (
        {"generator": {"width": 1024}},
        ["generator: width = 1024", "above max_width = 512", "raise max_width"],
        {"generator": {"max_width": 1024}},
    ),
    "attention where nothing is": (
        {"generator": {"attention": [2, 16]}},
        ["generator: attention = [2, 16]", "4 to 7 pixels wide", "for example [32]"],
        {"generator": {"attention": [32]}},
    ),
    "attention twice": (
        {"generator": {"attention": [16, 16]}},
        ["attention = [16, 16]", "appears twice", "name each once"],
        {"generator": {"attention": [16]}},
    ),
    "spectral norm under batch norm": (
        {"discriminator": {"weights": "spectral"}},
        ["discriminator: ", "cancels the bound", 'to "none"'],
        NO_NORM,
    ),
    "gradient penalty and batch norm": (
        {"penalties": {"gradient": PENALTY}},
        ["gradient and batch norm in the discriminator", "mixes the pictures of a batch", 'to "none" or "layer"'],
        NO_NORM,
    ),
    "R1 and batch norm": (
        {"penalties": {"r1": PENALTY}},
        ["r1 and batch norm in the discriminator", "mixes the pictures of a batch"],
        NO_NORM,
    ),
    "R2 and batch norm": (
        {"penalties": {"r2": PENALTY}},
        ["r2 and batch norm in the discriminator", "mixes the pictures of a batch"],
        NO_NORM,
    ),
    "pairs and batch norm": (
        {"loss": "relativistic"},
        ['loss "relativistic" and batch norm', "the difference that the loss compares", 'to "none" or "layer"'],
        NO_NORM,
    ),
    "Wasserstein without a bound": (
        {"loss": "wasserstein"},
        ["nothing bounds D's slope", "penalties.gradient.weight to 10", "penalties.clip to 0.01"],
        {"penalties": {"clip": 0.01}},
    ),
    "clip without Wasserstein": (
        {"penalties": {"clip": 0.01}},
        ["penalties.clip = 0.01", 'for the loss "wasserstein"', "set it to 0"],
        {"penalties": {"clip": 0}},
    ),
    "two bounds": (
        WGAN_GP | {"penalties": {"gradient": {"weight": 10}, "clip": 0.01}},
        ["clip and gradient both bound", "set one of them to 0"],
        {"penalties": {"clip": 0}},
    ),
    "a bound that layer norm takes away": (
        {"loss": "wasserstein", "discriminator": {"norm": "layer", "weights": "spectral"}},
        ["nothing bounds D's slope", "penalties.clip to 0.01"],
        NO_NORM,
    ),
    "clip under spectral norm": (
        {"loss": "wasserstein", "discriminator": {"norm": "none", "weights": "spectral"}, "penalties": {"clip": 0.01}},
        ["penalties.clip and weights", "undoes the clipping", 'weights to "free"'],
        {"penalties": {"clip": 0}},
    ),
    "a penalty of no weight": (
        {"penalties": {"r1": {"every": 16}}} | NO_NORM,
        ["penalties.r1: every = 16 and weight = 0", "no penalty to apply", "set weight"],
        {"penalties": {"r1": {"weight": 1}}},
    ),
    "growing without a start": (
        {"growing": {"fade": 100}} | NO_NORM,
        ["growing: fade and hold do nothing while start is 0", "set start to 8"],
        {"growing": {"start": 8}},
    ),
    "smoothing without labels": (
        {"loss": "hinge", "smoothing": {"real": 0.1}},
        ['smoothing and loss "hinge"', "no labels to smooth", "minimax, non_saturating, least_squares"],
        {"loss": "minimax"},
    ),
    "smoothing until nothing is left": (
        {"smoothing": {"real": 0.5, "fake": 0.5}},
        ["the same label", "cannot distinguish", "lower one of them"],
        {"smoothing": {"real": 0.1}},
    ),
    "an accuracy that Wasserstein's D has not": (
        WGAN_GP | {"balance": {"skip_above": 0.9}},
        ["balance.skip_above", "has no accuracy", "set it to 0"],
        {"balance": {"skip_above": 0}},
    ),
    "an accuracy that guessing has": (
        {"balance": {"skip_above": 0.5}},
        ["balance.skip_above = 0.5", "D would never learn", "set it to 0.8"],
        {"balance": {"skip_above": 0.8}},
    ),
    "a policy twice": (
        {"augment": {"policies": ["cutout", "cutout"]}},
        ['augment.policies = ["cutout", "cutout"]', "appears twice", "name each once"],
        {"augment": {"policies": ["cutout"]}},
    ),
    "growing from too small": (
        {"growing": {"start": 4}} | NO_NORM,
        ["growing.start = 4", "at least 8", "set it to 8"],
        {"growing": {"start": 8}},
    ),
    "growing and every side at once": (
        {"growing": {"start": 8}, "multi_scale": True},
        [
            "multi_scale and growing: growing trains one side after the other",
            "nothing is left to grow",
            "set growing.start to 0, or multi_scale to false",
        ],
        {"multi_scale": False} | NO_NORM,
    ),
    "growing and batch norm": (
        {"growing": {"start": 8}},
        ["growing and batch norm in both networks", "D detects fakes by them", 'discriminator to "none"'],
        NO_NORM,
    ),
}


def merged(tree: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`tree` with the values of `over`, key by key at every depth."""
    pairs = {key: merged(tree[key], value) if isinstance(value, dict) and isinstance(tree.get(key), dict) else value
             for key, value in over.items()}  # fmt: skip
    return tree | pairs


@pytest.mark.parametrize(("tree", "words", "remedy"), REFUSED.values(), ids=REFUSED)
def test_impossible_combination_is_refused_and_its_remedy_works(write, mistake, tree, words, remedy):
    said = mistake(tree)
    assert [word for word in words if word not in said] == []
    read_definition(write(merged(tree, remedy)))


@pytest.mark.parametrize(
    "tree",
    [
        WGAN_GP,
        {"loss": "wasserstein", "penalties": {"clip": 0.01}},  # the first WGAN kept batch norm
        {"loss": "wasserstein", "discriminator": {"norm": "none", "weights": "spectral"}},
        {"loss": "wasserstein", "discriminator": {"norm": "none"}, "penalties": {"r1": {"weight": 1}}},
        {"generator": {"weights": "spectral"}},  # SAGAN's generator has both
        {"growing": {"start": 8}, "generator": {"norm": "layer"}},
        {"multi_scale": True},
        WGAN_GP | {"multi_scale": True},  # MSG-ProGAN
    ],
    ids=str,
)
def test_combinations_of_published_recipes_are_accepted(write, tree):
    definition = as_tree(read_definition(write(tree)))
    assert all(contains(definition[name], value) for name, value in tree.items())


def contains(found, expected):
    """Whether `found` has every field of `expected`, with its value."""
    if isinstance(expected, dict):
        return all(contains(found[name], value) for name, value in expected.items())
    return found == expected


def test_every_rule_has_a_test_case():
    source = ast.parse(Path(rules.__file__).read_text())
    written = {node.lineno for node in ast.walk(source) if isinstance(node, ast.Raise)}
    assert {line_of_rule(tree) for tree, _, _ in REFUSED.values()} == written


def line_of_rule(tree: dict[str, Any]) -> int:
    """The line in rules.py that refuses `tree`."""
    with pytest.raises(ValidationError) as caught:
        Definition.model_validate_json(json.dumps(tree))
    return traceback.extract_tb(caught.value.errors()[0]["ctx"]["error"].__traceback__)[-1].lineno
