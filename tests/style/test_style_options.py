"""The options of style transfer: sizes of the levels, weights of layers, refusals."""

import pytest

from pipeline.errors import UserError
from pipeline.style.style_options import StyleOptions, layer_weights, style_shares


@pytest.mark.parametrize(
    ("size", "levels", "sizes"),
    [
        (256, None, (64, 128, 256)),
        (512, None, (64, 128, 256, 512)),
        (512, 2, (256, 512)),
        (300, None, (75, 150, 300)),
        (100, None, (100,)),
        (256, 1, (256,)),
        (64, 5, (32, 64)),
    ],
)
def test_each_level_has_twice_the_size_of_the_one_before(size, levels, sizes):
    assert StyleOptions(size=size, levels=levels).sizes() == sizes


def test_from_noise_the_first_level_is_smaller():
    assert StyleOptions(size=256, start="noise").sizes() == (32, 64, 128, 256)
    assert StyleOptions(size=256, start="noise", levels=2).sizes() == (128, 256)


def test_a_layer_has_the_weight_that_follows_its_name():
    assert layer_weights(("a", "b:2", "c:0.5")) == {"a": 1.0, "b": 2.0, "c": 0.5}


@pytest.mark.parametrize("layers", [("a:x",), ("a", "a:2"), ("a:-1",), ("a:0",), ("a:nan",), ("a:inf",)])
def test_layers_of_another_form_are_refused_in_one_line(layers):
    with pytest.raises(UserError, match=r"style_layers = .*: expected names of layers") as caught:
        StyleOptions(style_layers=layers)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"size": 16}, "at least 32"),
        ({"size": 1000}, "at most 512"),
        ({"style_weight": 1e300}, "at most 1e.06"),
        ({"colour": "luminence"}, "did you mean 'luminance'"),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_do(wrong, named):
    with pytest.raises(UserError, match=named):
        StyleOptions(**wrong)


def test_an_unknown_option_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'style_weight'"):
        StyleOptions(style_wieght=2)


def test_shares_are_made_to_sum_to_1():
    assert style_shares((3.0, 1.0), 2) == (0.75, 0.25)
    assert style_shares((), 4) == (0.25,) * 4


@pytest.mark.parametrize("mix", [(0.0, 0.0), (1.0, -1.0)])
def test_shares_that_are_no_shares_are_refused(mix):
    with pytest.raises(UserError, match=r"mix = .*shares of at least 0"):
        StyleOptions(mix=mix)


def test_another_number_of_shares_than_styles_is_refused():
    with pytest.raises(UserError, match=r"mix = 1,2: expected a share for each of 3 styles"):
        style_shares((1.0, 2.0), 3)


def test_what_changes_no_picture_is_not_part_of_the_key():
    assert not {"network", "checkpoint_every"} & StyleOptions().significant().keys()
