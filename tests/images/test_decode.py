import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from pipeline.images import decode as module
from pipeline.images import rejected
from pipeline.images.crop import fit_to_square
from pipeline.images.decode import Decoded, decode
from pipeline.images.raster import resize
from pipeline.options import NormalizeOptions

OPTIONS = NormalizeOptions(min_side=1)
REASONS = {value for name, value in vars(rejected).items() if name.isupper()}


def decoded_pixels(data: bytes, **options) -> np.ndarray:
    found = decode(data, NormalizeOptions(min_side=1, **options))
    assert isinstance(found, Decoded), found
    return found.pixels


def rejection_reason(data: bytes, **options) -> str:
    return decode(data, NormalizeOptions(**options)).reason


def uniform_picture(colour, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (40, 48), colour)


def assert_colour(found: np.ndarray, colour: tuple[int, int, int], within: int = 2):
    assert found.shape == (48, 40, 3)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - colour).max() <= within


@pytest.mark.parametrize(
    ("format", "picture", "options"),
    [
        ("PNG", uniform_picture((200, 100, 50)), {}),
        ("PNG", uniform_picture((200, 100, 50, 255), "RGBA"), {}),
        ("PNG", uniform_picture((200, 100, 50)).quantize(), {}),
        ("JPEG", uniform_picture((200, 100, 50)), {"quality": 95}),
        ("JPEG", uniform_picture((200, 100, 50)), {"progressive": True}),
        ("JPEG", uniform_picture((55, 155, 205, 0), "CMYK"), {"quality": 95}),
        ("MPO", uniform_picture((200, 100, 50)), {"save_all": True, "append_images": [uniform_picture((0, 0, 0))]}),
        ("GIF", uniform_picture((200, 100, 50)), {}),
        ("GIF", uniform_picture((200, 100, 50)), {"save_all": True, "append_images": [uniform_picture((0, 0, 0))]}),
        ("PNG", uniform_picture((200, 100, 50)), {"save_all": True, "append_images": [uniform_picture((0, 0, 0))]}),
        ("WEBP", uniform_picture((200, 100, 50)), {"lossless": True}),
        (
            "WEBP",
            uniform_picture((200, 100, 50)),
            {"lossless": True, "save_all": True, "append_images": [uniform_picture((0, 0, 0))]},
        ),
        ("BMP", uniform_picture((200, 100, 50)), {}),
        ("TIFF", uniform_picture((200, 100, 50)), {"compression": "tiff_lzw"}),
        ("TIFF", uniform_picture((55, 155, 205, 0), "CMYK"), {}),
        ("TIFF", uniform_picture((200, 100, 50)), {"save_all": True, "append_images": [uniform_picture((0, 0, 0))]}),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
def test_each_format_is_decoded_to_its_colour(encode, format, picture, options):
    assert_colour(decoded_pixels(encode(picture, format, **options)), (200, 100, 50))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_grey_and_bilevel_pictures_are_decoded(encode, format):
    assert_colour(decoded_pixels(encode(uniform_picture(77, "L"), format)), (77, 77, 77))
    if format != "JPEG":
        assert_colour(decoded_pixels(encode(uniform_picture(1, "1"), format)), (255, 255, 255))
        assert_colour(decoded_pixels(encode(uniform_picture(0, "1"), format)), (0, 0, 0))


@pytest.mark.parametrize(("level", "expected"), [(0, 0), (126 * 257, 126), (32768, 128), (65535, 255)])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_saturated(encode, format, level, expected):
    deep = np.full((48, 40), level, np.uint16)
    assert_colour(decoded_pixels(encode(deep, format)), (expected,) * 3, within=0)


def test_12_and_16_bit_grey_of_each_byte_order_and_polarity():
    little, big, packed = b"\x00\x80" * 1920, b"\x80\x00" * 1920, b"\x80\x08\x00" * 960
    assert_colour(decoded_pixels(_tiff(b"II", little, bits=16)), (128, 128, 128), within=0)
    assert_colour(decoded_pixels(_tiff(b"MM", big, bits=16)), (128, 128, 128), within=0)
    assert_colour(decoded_pixels(_tiff(b"II", packed, bits=12)), (128, 128, 128), within=0)
    assert_colour(decoded_pixels(_tiff(b"II", little, bits=16, white_is_zero=True)), (127, 127, 127), within=0)


def test_16_bit_colour_is_scaled():
    deep = np.full((48, 40, 3), (50 * 257, 100 * 257, 200 * 257), np.uint16)
    assert_colour(decoded_pixels(cv2.imencode(".png", deep)[1].tobytes()), (200, 100, 50), within=1)


def test_32_bit_levels_are_rejected(encode):
    assert rejection_reason(encode(Image.new("F", (40, 48), 0.5), "TIFF")) == rejected.PIXEL_FORMAT


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_transparent_pixels_show_the_background(encode, format):
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    hidden = encode(uniform_picture((255, 0, 0, 0), "RGBA"), format, **options)
    half = encode(uniform_picture((0, 0, 0, 128), "RGBA"), format, **options)
    assert_colour(decoded_pixels(hidden), (255, 255, 255))
    assert_colour(decoded_pixels(hidden, background="#102030"), (16, 32, 48))
    assert_colour(decoded_pixels(half), (127, 127, 127))


def test_transparency_of_palettes_grey_and_colour_keys(encode):
    palette = Image.new("P", (40, 48), 0)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    assert_colour(decoded_pixels(encode(palette, transparency=0)), (255, 255, 255))
    assert_colour(decoded_pixels(encode(palette, transparency=b"\x80\xff")), (255, 127, 127))
    assert_colour(decoded_pixels(encode(palette, "GIF", transparency=0)), (255, 255, 255))
    assert_colour(decoded_pixels(encode(uniform_picture((10, 0), "LA"))), (255, 255, 255))
    assert_colour(decoded_pixels(encode(uniform_picture((9, 8, 7)), transparency=(9, 8, 7))), (255, 255, 255))
    assert_colour(decoded_pixels(encode(uniform_picture(9, "L"), transparency=9)), (255, 255, 255))
    assert_colour(decoded_pixels(encode(np.full((48, 40), 500, np.uint16), transparency=500)), (255, 255, 255))
    assert_colour(decoded_pixels(encode(np.full((48, 40), 500, np.uint16), transparency=501)), (2, 2, 2))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(draw, encode, format, orientation):
    upright = draw(1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decoded_pixels(encode(_stored(upright, orientation), format, exif=exif, quality=95))
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).mean() < 4


def test_damaged_exif_is_ignored(encode):
    assert_colour(
        decoded_pixels(encode(uniform_picture((200, 100, 50)), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff junk")),
        (200, 100, 50),
    )


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_colour_profile_is_applied(encode, format):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = profile.replace(b"rXYZ", b"....").replace(b"bXYZ", b"rXYZ").replace(b"....", b"bXYZ")
    options = {"icc_profile": exchanged, "quality": 100} | ({"lossless": True} if format == "WEBP" else {})
    assert_colour(decoded_pixels(encode(uniform_picture((255, 0, 0)), format, **options)), (0, 0, 255), within=6)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_invalid_colour_profile_is_ignored(encode, mode):
    other = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    plain = decoded_pixels(encode(uniform_picture(0, mode), "JPEG"))
    assert np.array_equal(decoded_pixels(encode(uniform_picture(0, mode), "JPEG", icc_profile=b"junk")), plain)
    assert np.array_equal(decoded_pixels(encode(uniform_picture(0, mode), "JPEG", icc_profile=other)), plain)


def test_size_limits_are_checked_in_the_header(encode):
    assert rejection_reason(encode(uniform_picture(0, "L").resize((31, 400))), max_aspect=100) == rejected.TOO_SMALL
    assert rejection_reason(encode(uniform_picture(0, "L").resize((161, 40)))) == rejected.TOO_LONG
    assert isinstance(decode(encode(uniform_picture(0, "L").resize((160, 40))), NormalizeOptions()), Decoded)
    assert rejection_reason(encode(uniform_picture(0, "L")), max_pixels=40 * 48 - 1) == rejected.TOO_MANY_PIXELS
    found = decode(encode(uniform_picture(0, "L")), NormalizeOptions(min_side=41))
    assert (found.width, found.height) == (40, 48)


@pytest.mark.parametrize("side", [10_001, 12_000, 60_000])
def test_pixel_bomb_is_rejected_without_decoding_or_warning(side):
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(1000)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rejection_reason(bomb) == rejected.TOO_MANY_PIXELS


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_truncated_file_is_rejected(draw, encode, format):
    whole = encode(draw(3), format)
    for share in (0.5, 0.9):
        assert rejection_reason(whole[: int(len(whole) * share)]) in (rejected.TRUNCATED, rejected.CORRUPT)


def test_truncated_jpeg_has_the_reason_truncated(draw, encode):
    assert rejection_reason(encode(draw(3), "JPEG")[:-400]) == rejected.TRUNCATED


@pytest.mark.parametrize("data", [b"", b"\0", b"GIF89a", b"<html></html>", b"P6 1 1 255 abc", b"%!PS-Adobe-3.0 EPSF"])
def test_other_formats_have_the_reason_unknown_format(data):
    assert rejection_reason(data) == rejected.UNKNOWN_FORMAT


@pytest.mark.parametrize(
    ("format", "mode"),
    [("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "LA")],
)
def test_square_of_a_large_picture_is_close_to_that_of_full_decoding(draw, encode, monkeypatch, format, mode):
    picture = Image.fromarray(resize(draw(4, 300, 240), 1501, 1203)).convert(mode)
    if mode in ("RGBA", "LA"):
        picture.putalpha(Image.fromarray(resize(draw(5, 300, 240), 1501, 1203)[..., 0]))
    body = encode(picture, format)
    reduced = decode(body, OPTIONS)
    assert (reduced.width, reduced.height) == (1501, 1203)
    assert max(reduced.pixels.shape) < 1501
    monkeypatch.setattr(module, "QUALITY_SIZE", 10_000)
    whole = decode(body, OPTIONS)
    assert max(whole.pixels.shape) == 1501
    for fitting in ("crop", "pad", "squash"):
        options = OPTIONS.model_copy(update={"fit": fitting})
        drift = fit_to_square(reduced.raster, options).astype(int) - fit_to_square(whole.raster, options)
        assert np.abs(drift).mean() <= 1


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_each_orientation_of_a_large_picture_gives_the_same_square(draw, encode, format):
    upright = resize(draw(6, 300, 240), 701, 501)
    for fitting in ("crop", "pad", "squash"):
        options = NormalizeOptions(fit=fitting)
        expected = fit_to_square(upright, options).astype(int)
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[0x0112] = orientation
            body = encode(_stored(upright, orientation), format, exif=exif, quality=95)
            found = decode(body, options)
            assert found.raster.scale > 1
            assert np.abs(fit_to_square(found.raster, options) - expected).mean() < 1.5


def test_opencv_and_pillow_give_equal_results_for_jpegs(draw, encode, monkeypatch):
    bodies = [encode(draw(3, 300, 200), "JPEG", quality=quality) for quality in (30, 95)]
    cut = [body[:-length] for body in bodies for length in (1, 2, 3, 50, 900)]
    fast = [decode(body, OPTIONS) for body in [*bodies, *cut]]
    monkeypatch.setattr(module, "_decode_with_opencv", lambda *_: None)
    careful = [decode(body, OPTIONS) for body in [*bodies, *cut]]
    for one, other in zip(fast[:2], careful[:2], strict=True):
        assert np.abs(one.pixels.astype(int) - other.pixels).mean() < 0.5
    assert fast[2:] == careful[2:]


def test_opencv_and_pillow_give_equal_results_for_hostile_jpegs(shared_data, monkeypatch):
    paths = [path for path in sorted((shared_data / "nasty").rglob("*.jp*g")) if path.stat().st_size < 1_000_000]
    bodies = [path.read_bytes() for path in paths]
    options = NormalizeOptions(min_side=1, max_aspect=1000)
    fast = [decode(body, options) for body in bodies]
    monkeypatch.setattr(module, "_decode_with_opencv", lambda *_: None)
    for path, body, one in zip(paths, bodies, fast, strict=True):
        other = decode(body, options)
        if isinstance(other, Decoded):
            assert isinstance(one, Decoded), path
            drift = np.abs(fit_to_square(one.raster, options).astype(int) - fit_to_square(other.raster, options))
            assert drift.mean() < 1, path
        else:
            assert one == other, path


def test_srgb_profile_changes_nothing(draw, encode):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain, tagged = encode(draw(2), "JPEG"), encode(draw(2), "JPEG", icc_profile=profile)
    assert np.array_equal(decoded_pixels(plain), decoded_pixels(tagged))


def test_large_palette_or_colour_key_is_averaged_after_transparency(encode):
    stripes = np.full((1200, 1200, 3), 201, np.uint8)
    stripes[:, ::2] = 9
    seen = fit_to_square(decoded_pixels(encode(stripes, transparency=(9, 9, 9))), OPTIONS)
    assert np.abs(seen.astype(int) - 228).max() <= 1
    palette = Image.fromarray(stripes).convert("L").quantize(2)
    seen = fit_to_square(decoded_pixels(encode(palette, transparency=palette.getpixel((0, 0)))), OPTIONS)
    assert np.abs(seen.astype(int) - 228).max() <= 1


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_damaged_file_never_raises(draw, encode, format):
    random, whole = np.random.default_rng(5), encode(draw(5, 48, 40), format)
    for _ in range(120):
        damaged = bytearray(whole)
        for index in random.integers(0, len(whole), random.integers(1, 8)):
            damaged[index] = random.integers(256)
        found = decode(bytes(damaged), NormalizeOptions(min_side=1, max_aspect=1000, max_pixels=1_000_000))
        assert isinstance(found, Decoded) or found.reason in REASONS


def _stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels as a camera stores them: the inverse of the transform that the orientation tag requests."""
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    return np.ascontiguousarray(stored[orientation])


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _tiff(order: bytes, levels: bytes, *, bits: int, white_is_zero: bool = False) -> bytes:
    """A TIFF file of 40 x 48 grey levels in one strip, of kinds that Pillow reads but does not write."""
    sign = ">" if order == b"MM" else "<"
    tags = {256: 40, 257: 48, 258: bits, 259: 1, 262: 0 if white_is_zero else 1}
    tags |= {273: 8 + 2 + 12 * 9 + 4, 277: 1, 278: 48, 279: len(levels)}
    entries = b"".join(struct.pack(f"{sign}HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    header = order + struct.pack(f"{sign}HI", 42, 8) + struct.pack(f"{sign}H", len(tags))
    return header + entries + bytes(4) + levels
