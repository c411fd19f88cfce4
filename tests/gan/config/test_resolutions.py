import pytest

from pipeline.errors import UserError
from pipeline.gan.config.resolutions import Resolutions
from tests.gan.step_runner import define


def test_feature_maps_double_up_to_half_the_picture():
    resolutions = Resolutions.of(48)
    assert [resolutions.map_side(level) for level in range(resolutions.levels)] == [6, 12, 24]
    assert [resolutions.picture_side(level) for level in range(resolutions.levels)] == [12, 24, 48]


def test_channels_double_towards_the_coarsest_up_to_max_width():
    network = define({"generator": {"width": 8, "max_width": 20}}).generator
    resolutions = Resolutions.of(64)
    assert [resolutions.width(network, level) for level in range(resolutions.levels)] == [20, 20, 16, 8]


def test_scales_are_the_sides_of_the_pictures_that_the_networks_exchange():
    assert Resolutions.of(48).scales(define({"multi_scale": True})) == [6, 12, 24, 48]
    assert Resolutions.of(48).scales(define()) == [48]
    assert Resolutions.of(48).width(define({"generator": {"width": 8}}).generator, 3) == 4  # the map at full size


def test_size_that_cannot_be_halved_is_refused():
    with pytest.raises(UserError, match="48 or 56"):
        Resolutions.of(50)


@pytest.mark.parametrize(("start", "pictures"), [(0, [64]), (8, [8, 16, 32, 64]), (12, [16, 32, 64]), (32, [32, 64])])
def test_stages_begin_at_the_first_side_of_at_least_start(start, pictures):
    resolutions, definition = (
        Resolutions.of(64),
        define({"discriminator": {"norm": "none"}, "growing": {"start": start}}),
    )
    assert [resolutions.picture_side(level) for level in resolutions.stages(definition)] == pictures


@pytest.mark.parametrize("start", [64, 128])
def test_growing_start_that_leaves_one_stage_is_refused(start):
    with pytest.raises(
        UserError, match=f"growing.start = {start}: too large for pictures of 64 pixels.*set it to 8, or to 0"
    ):
        Resolutions.of(64).stages(define({"discriminator": {"norm": "none"}, "growing": {"start": start}}))


def test_attention_at_missing_sides_gives_a_warning():
    definition = define({"generator": {"attention": [32, 16]}, "discriminator": {"attention": [24]}})
    (warning,) = Resolutions.of(64).unused(definition)
    assert warning == (
        "discriminator.attention = [24]: feature maps of 64 px pictures are 32, 16, 8, 4 wide, so there is no"
        " attention; name one of these"
    )
    assert len(Resolutions.of(20).unused(definition)) == 2
    assert Resolutions.of(64).unused(define()) == []


def test_skip_excitation_without_a_pair_of_maps_is_a_warning():
    definition = define({"generator": {"skip_excitation": True}})
    (warning,) = Resolutions.of(64).unused(definition)
    assert warning.startswith("generator.skip_excitation: pictures of 64 px have no feature maps that are 16 times")
    assert "normalize.size 128 and more" in warning
    assert "normalize.size 128 and more" in Resolutions.of(96).unused(definition)[0]
    assert Resolutions.of(128).unused(definition) == []
    assert Resolutions.of(64).unused(define({"generator": {"skip_excitation": True}, "multi_scale": True})) == []
    assert Resolutions.of(64).unused(define()) == []
