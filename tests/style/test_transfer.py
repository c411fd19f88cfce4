"""`stylize`: what its weights, layers and options do to the picture, that it is repeatable, and what it refuses."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.images.png import encode_png
from pipeline.style import StyleOptions, stylize
from pipeline.style.colour_transfer import TO_YIQ
from pipeline.style.transfer import sheet_steps
from tests.style.drawn_pictures import checks, disc, stripes
from tests.style.tiny_network import tiny_network

USUAL = {"size": 48, "levels": 1, "steps": 60, "every": 5, "sheets": 0, "learning_rate": 0.03}


def draw(content=None, styles=None, **changed):
    calls = {name: changed.pop(name) for name in ("on_step", "on_sheet", "should_stop") if name in changed}
    options = StyleOptions(**(USUAL | changed))
    content = disc() if content is None else content
    return stylize(content, checks() if styles is None else styles, options=options, network=tiny_network(), **calls)


@pytest.fixture(scope="module")
def usual():
    return draw()


def variation(picture: np.ndarray) -> float:
    """The mean difference of neighbouring pixels, in grey levels."""
    pixels = picture.astype(float)
    return np.abs(np.diff(pixels, axis=0)).mean() + np.abs(np.diff(pixels, axis=1)).mean()


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """In grey levels."""
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize("weight", ["content_weight", "style_weight", "variation_weight"])
def test_each_weight_at_0_visibly_changes_the_result(usual, weight):
    with_more_variation = draw(variation_weight=30.0)
    reference = with_more_variation if weight == "variation_weight" else usual
    assert difference(draw(**{weight: 0.0}).picture, reference.picture) > 4


def test_without_style_the_content_is_kept_and_without_content_it_is_not():
    without = {
        weight: draw(start="noise", steps=150, **{weight: 0.0}).rows[-1]
        for weight in ("content_weight", "style_weight")
    }
    assert without["style_weight"]["content"] < 0.2 * without["content_weight"]["content"]
    assert without["content_weight"]["style"] < 0.2 * without["style_weight"]["style"]


@pytest.mark.long
def test_a_greater_variation_weight_lowers_the_measured_variation():
    found = [variation(draw(variation_weight=weight, style_weight=0.1).picture) for weight in (0.0, 10.0, 100.0)]
    assert found[0] > 1.1 * found[1]
    assert found[1] > 1.1 * found[2]


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_the_style_loss_falls_tenfold_from_noise(optimizer):
    rows = []
    draw(start="noise", optimizer=optimizer, every=1, on_step=rows.append)
    assert rows[-1]["style"] < rows[0]["style"] / 10


def test_the_total_falls_and_its_row_has_the_three_losses(usual):
    first, last = usual.rows[0], usual.rows[-1]
    assert last["total"] < first["total"]
    assert list(last) == ["step", "size", "content", "style", "variation", "total"]
    assert [row["step"] for row in usual.rows] == [1, *range(5, 61, 5)]


def test_it_is_bit_identical_for_a_seed_and_different_for_another(usual):
    assert draw().picture.tobytes() == usual.picture.tobytes()
    assert draw().rows == usual.rows
    assert draw(seed=1).picture.tobytes() != usual.picture.tobytes()


def test_levels_are_drawn_one_after_the_other_and_the_picture_has_the_full_size():
    rows, sheets = [], {}
    made = draw(
        size=96,
        levels=2,
        steps=10,
        sheets=3,
        on_step=rows.append,
        on_sheet=lambda step, picture: sheets.update({step: picture}),
    )
    assert [row["size"] for row in rows] == [48] * 10 + [96] * 10
    assert [row["step"] for row in rows] == list(range(1, 21))
    assert made.picture.shape == (96, 96, 3)
    assert {step: picture.shape[0] for step, picture in sheets.items()} == {0: 48, 10: 48, 20: 96}
    assert sheets[20].tobytes() == made.picture.tobytes()


def test_a_content_that_is_not_square_keeps_its_shape():
    assert draw(disc(40, width=80), steps=2).picture.shape == (24, 48, 3)


def test_a_mix_lies_between_its_styles():
    styles = [checks(), stripes()]
    alone = [draw(styles=styles, mix=mix).picture for mix in ((1.0, 0.0), (0.0, 1.0))]
    mixed = draw(styles=styles, mix=(1.0, 1.0)).picture
    assert alone[0].tobytes() == draw(styles=checks()).picture.tobytes()
    apart = difference(*alone)
    assert all(2 < difference(mixed, each) < apart for each in alone)


def blue_disc():
    """A disc in shades of blue: far from the red of the stripes."""
    return np.ascontiguousarray(disc()[..., :1] // 4 + np.array([20, 50, 140], np.uint8))


@pytest.mark.parametrize("colour", ["luminance", "histogram"])
def test_the_colours_of_the_content_are_kept_on_request(colour):
    def distance(picture):
        colours = [(each / 255 @ TO_YIQ.T)[..., 1:].mean(axis=(0, 1)) for each in (picture, blue_disc())]
        return np.linalg.norm(colours[0] - colours[1])

    made = {name: draw(blue_disc(), stripes(), colour=name, content_weight=0.1).picture for name in ("style", colour)}
    assert distance(made[colour]) < 0.5 * distance(made["style"])
    assert difference(made[colour], blue_disc()) > 2


def test_the_luminance_alone_leaves_each_colour_where_it_is():
    kept = draw(colour="luminance", content=disc() // 2 + 64, style_weight=0.2).picture
    expected = ((disc() // 2 + 64) / 255 @ TO_YIQ.T)[..., 1:]
    inside = ((kept > 0) & (kept < 255)).all(axis=2)  # where nothing is cut off
    np.testing.assert_allclose((kept / 255 @ TO_YIQ.T)[inside][:, 1:], expected[inside], atol=0.01)


def test_luminance_draws_and_compares_the_brightness_alone():
    grey, sheets, rows = np.repeat(disc()[..., :1], 3, axis=2), {}, []
    made = draw(grey, colour="luminance", start="noise", steps=5, sheets=2, on_sheet=sheets.__setitem__)
    for drawn in (made.picture, sheets[0]):
        assert (np.ptp(drawn.astype(int), axis=2) <= 1).all()  # of a grey content all that is drawn is grey
    draw(blue_disc(), colour="luminance", noise=0.0, steps=1, on_step=rows.append)
    assert rows[0]["content"] == pytest.approx(0, abs=1e-6)  # the first picture is the brightness of the content


@pytest.mark.parametrize("shape", [(128, 32), (32, 128)])
@pytest.mark.parametrize("changed", [{"size": 64}, {"size": 128, "levels": 5}, {"size": 64, "shift": 16}], ids=str)
def test_long_pictures_are_drawn_at_every_level(shape, changed):
    long = np.ascontiguousarray(np.resize(checks(128), (*shape, 3)))
    made = draw(long, [long], steps=2, **({"levels": None} | changed))
    assert max(made.picture.shape) == changed["size"]
    assert all(np.isfinite(row["total"]) for row in made.rows)


def test_a_size_too_small_for_a_long_content_is_refused():
    with pytest.raises(UserError, match=r"size = 40: the shorter side .* would have 10 pixels, .* give at least 64"):
        draw(np.ascontiguousarray(np.resize(checks(128), (32, 128, 3))), size=40)


def test_from_noise_the_content_is_drawn_too():
    assert draw(start="noise", steps=150).rows[-1]["content"] < 0.7


def test_a_greater_scale_gives_larger_patterns():
    found = [variation(draw(style_scale=scale, content_weight=0.0, noise=0.0).picture) for scale in (0.75, 4.0)]
    assert found[1] < 0.9 * found[0]


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_weights_of_0_leave_the_first_picture_and_every_row(optimizer):
    weights = {"content_weight": 0.0, "style_weight": 0.0, "variation_weight": 0.0}
    made = draw(optimizer=optimizer, noise=0.0, steps=23, every=10, **weights)
    assert made.picture.tobytes() == draw(steps=1, noise=0.0, **weights).picture.tobytes()
    assert [row["step"] for row in made.rows] == [1, 10, 20, 23]


def test_paths_and_arrays_give_the_same_picture(tmp_path, usual):
    for name, picture in {"content": disc(), "style": checks()}.items():
        (tmp_path / f"{name}.png").write_bytes(encode_png(picture))
    made = draw(str(tmp_path / "content.png"), [tmp_path / "style.png"])
    assert made.picture.tobytes() == usual.picture.tobytes()


def test_a_notebook_shows_the_picture(usual):
    assert usual._repr_png_() == encode_png(usual.picture)


def test_sheets_are_spread_over_the_steps():
    steps = sorted(sheet_steps(StyleOptions(size=256, steps=100, sheets=7), 3))
    assert steps[0] == 0
    assert steps[-1] == 300
    assert {after - before for before, after in pairwise(steps)} == {50}
    assert sheet_steps(StyleOptions(sheets=0), 3) == frozenset()
    assert sheet_steps(StyleOptions(steps=100, sheets=1), 3) == {300}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"style_layers": ("secnd",)}, "style_layers: .* has no layer 'secnd'; did you mean 'second'"),
        ({"content_layers": ("thrid:2",)}, "content_layers: .* has no layer 'thrid'; did you mean 'third'"),
        ({"mix": (1.0, 2.0)}, "mix = 1,2: expected a share for each of 1 styles"),
        ({"styles": []}, "style: give at least one picture"),
        ({"content": disc(16)}, "content: 16 x 16 pixels are too few"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(changed, words):
    with pytest.raises(UserError, match=words) as caught:
        draw(**changed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_losses_that_are_not_finite_end_it_in_one_line(optimizer):
    network = dataclasses.replace(tiny_network(), prepare=lambda pictures: 1e30 * pictures)
    options = StyleOptions(**(USUAL | {"optimizer": optimizer}))
    with pytest.raises(UserError, match=r"^step 1: the losses are not finite; lower style_weight.*$"):
        stylize(disc(), checks(), options=options, network=network)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"options": {"size": 32}}, "options: expected StyleOptions"),
        ({"network": "VGG19"}, "network: expected what load_network gives"),
        ({"folder": 3}, "folder = 3: expected a path"),
        ({"on_step": 3}, "on_step: expected a function, not int"),
    ],
)
def test_wrong_arguments_are_one_line(given, says):
    usual = {"options": StyleOptions(size=32, steps=1), "network": tiny_network()}
    with pytest.raises(UserError, match=says):
        stylize(disc(), checks(), **usual | given)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "art").write_text("a file")
    options = StyleOptions(size=32, steps=1, levels=1, sheets=0)
    with pytest.raises(UserError, match=r"^[^\n]*art[^\n]*$"):
        stylize(disc(), checks(), options=options, network=tiny_network(), folder=tmp_path / "art")


def test_a_folder_may_be_text(tmp_path):
    options = StyleOptions(size=32, steps=1, levels=1, sheets=0)
    stylize(disc(), checks(), options=options, network=tiny_network(), folder=str(tmp_path / "art"))
    assert (tmp_path / "art" / "checkpoint.npz").exists()
