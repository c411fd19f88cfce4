import pytest

WIDTH = "expected a whole number, at least 4, at most 1024, for example 32"
SHARE = "expected a number, at least 0, at most 1, for example"


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"latnet": 7}, "unknown key 'latnet'; did you mean 'latent'?"),
        ({"zz": 7}, "unknown key 'zz'; known are: augment, balance, batch"),
        ({"a\nb": 7}, r"unknown key 'a\nb'"),
        ({"": 7}, "unknown key ''"),
        ({"generator": {"optimizer": {"learning_rat": 1}}}, "generator.optimizer: unknown key 'learning_rat'; did you"),
        ({"width": 7}, "unknown key 'width'; it belongs in discriminator.width or generator.width"),
        ({"generator": {"batch": 7}}, "generator: unknown key 'batch'; it belongs in batch at the top"),
        ({"generator": {"minibatch": "stddev"}}, "it belongs in discriminator.minibatch"),
        ({"discriminator_step": 5}, "did you mean balance.discriminator_steps?"),
        ({"polices": []}, "did you mean augment.policies?"),
        ({"generator": {"learning_rat": 1}}, "did you mean generator.optimizer.learning_rate?"),
        ({"generator": {"latnet": 5}}, "generator: unknown key 'latnet'; did you mean latent at the top?"),
        ({"generator": {"width": 0}}, f"generator.width = 0: {WIDTH}"),
        ({"generator": {"width": 1025}}, f"generator.width = 1025: {WIDTH}"),
        ({"generator": {"width": "64"}}, f'generator.width = "64": {WIDTH}'),
        ({"generator": {"width": True}}, f"generator.width = true: {WIDTH}"),
        ({"generator": {"width": 64.5}}, f"generator.width = 64.5: {WIDTH}"),
        ({"generator": {"width": [64]}}, f"generator.width = [64]: {WIDTH}"),
        ({"generator": {"width": None}}, f"generator.width = null: {WIDTH}; remove the key to use the default"),
        ({"generator": {"width": 10**400}}, f"…: {WIDTH}"),
        ({"ema": {"ramp": 1.5}}, f"ema.ramp = 1.5: {SHARE} 0.05"),
        ({"ema": {"ramp": float("nan")}}, f"ema.ramp = NaN: {SHARE} 0.05"),
        ({"ema": {"ramp": float("inf")}}, f"ema.ramp = Infinity: {SHARE} 0.05"),
        ({"ema": {"ramp": False}}, f"ema.ramp = false: {SHARE} 0.05"),
        ({"ema": {"ramp": 10**400}}, f"…: {SHARE} 0.05"),
        ({"generator": {"norm": "bach"}}, 'generator.norm = "bach": expected one of none, batch, layer'),
        ({"generator": {"norm": None}}, "generator.norm = null: expected one of none, batch, layer"),
        ({"generator": 64}, "generator = 64: expected an object in braces, with keys out of width, max_width"),
        ({"ema": None}, "ema = null: expected an object in braces"),
        ({"penalties": {"r1": 1}}, "penalties.r1 = 1: expected an object in braces, with keys out of weight, every"),
        ({"augment": {"flip": "yes"}}, 'augment.flip = "yes": expected one of auto, always, never'),
        ({"augment": {"flip": 1}}, "augment.flip = 1: expected one of auto, always, never"),
        ({"augment": {"policies": "cutout"}}, 'expected a list in square brackets out of "colour", "translation"'),
        ({"augment": {"policies": ["cutout", "shear"]}}, 'augment.policies[1] = "shear": expected one of colour'),
        ({"generator": {"attention": 32}}, "expected a list of whole numbers in square brackets, for example [32]"),
        ({"generator": {"attention": [32, "16"]}}, 'generator.attention[1] = "16": expected a whole number'),
        ({"description": 5}, "description = 5: expected text in double quotes"),
        ({"smoothing": 0.7}, "smoothing.real = 0.7: expected a number, at least 0, at most 0.5, for example 0"),
        ({"smoothing": True}, "smoothing = true: expected an object in braces, with keys out of real, fake"),
        ([], "expected an object in braces; {} takes every default"),
        (None, "expected an object in braces"),
        ("5", "expected an object in braces"),
    ],
    ids=str,
)
def test_validation_error_names_field_value_and_what_is_expected(mistake, tree, says):
    assert says in mistake(tree)


def test_unknown_key_is_reported_before_other_errors(mistake):
    assert "unknown key 'lss'" in mistake({"batch": 0, "lss": "hinge"})
