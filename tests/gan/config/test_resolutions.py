import pytest

from pipeline.errors import UserError
from pipeline.gan.config.resolutions import Resolutions
from tests.gan.play import define


def test_maps_double_from_the_coarsest_to_half_the_picture():
    resolutions = Resolutions.of(48)
    assert [resolutions.map_side(level) for level in range(resolutions.levels)] == [6, 12, 24]
    assert [resolutions.picture_side(level) for level in range(resolutions.levels)] == [12, 24, 48]


def test_channels_double_towards_the_coarsest_up_to_the_most():
    network = define({"generator": {"width": 8, "max_width": 20}}).generator
    resolutions = Resolutions.of(64)
    assert [resolutions.width(network, level) for level in range(resolutions.levels)] == [20, 20, 16, 8]


def test_a_size_that_does_not_halve_is_refused():
    with pytest.raises(UserError, match="48 or 56"):
        Resolutions.of(50)


@pytest.mark.parametrize(("start", "pictures"), [(0, [64]), (8, [8, 16, 32, 64]), (12, [16, 32, 64]), (32, [32, 64])])
def test_pictures_grow_from_the_first_side_that_is_as_large_as_asked(start, pictures):
    resolutions, definition = (
        Resolutions.of(64),
        define({"discriminator": {"norm": "none"}, "growing": {"start": start}}),
    )
    assert [resolutions.picture_side(level) for level in resolutions.stages(definition)] == pictures


@pytest.mark.parametrize("start", [64, 128])
def test_a_start_that_leaves_nothing_to_grow_is_refused(start):
    with pytest.raises(
        UserError, match=f"growing.start = {start}: too large for pictures of 64 pixels.*set it to 8, or to 0"
    ):
        Resolutions.of(64).stages(define({"discriminator": {"norm": "none"}, "growing": {"start": start}}))


def test_attention_at_sides_that_a_picture_lacks_is_told():
    definition = define({"generator": {"attention": [32, 16]}, "discriminator": {"attention": [24]}})
    (warning,) = Resolutions.of(64).unused_attention(definition)
    assert warning == (
        "discriminator.attention = [24]: feature maps of 64 px pictures are 32, 16, 8, 4 wide, so there is no"
        " attention; name one of these"
    )
    assert len(Resolutions.of(20).unused_attention(definition)) == 2
    assert Resolutions.of(64).unused_attention(define()) == []
