"""The type and size that are detected from the first bytes of a file."""

import io
import time
import zlib

import pytest
from PIL import Image

from pipeline.crawl import image_type


def picture_bytes(form, **options):
    out = io.BytesIO()
    Image.new("RGB", (7, 5), "red").save(out, form, **options)
    return out.getvalue()


def image_size_of(data, kind):
    return image_type.image_size(io.BytesIO(data), kind)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_picture_type_and_size_are_detected_from_bytes(form):
    kind = image_type.detect_type(picture_bytes(form))
    assert kind == form.lower()
    assert image_size_of(picture_bytes(form), kind) == (7, 5)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "html"),
        (b"\xef\xbb\xbf\n <!-- hello --> <HTML>", "html"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x">', "svg"),
        (b"<svg>", "svg"),
        (b'<?xml version="1.0"?><rss>', "xml"),
        (b'<?xml version="1.0"?><!-- a > b --><!DOCTYPE svg [<!ENTITY a "b"> ]>\n<svg>', "svg"),
        (b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x"><html>', "html"),
        (b"<!-- one --><!-- two --><p>text", "html"),
        (b"<pre>", "xml"),
        (b"<svgs>", "xml"),
        (b"<!-- no end", "text"),
        (b"<!>" * 400, "text"),
        (b"< 5", "text"),
        (b'{"error": 1}', "json"),
        (b"BM is how this text begins, no bitmap", "text"),
        (b"\0\0\0 ftypavif", "avif"),
        (b"\0\0\0 ftypheic", "heic"),
        (b"%PDF-1.7", "pdf"),
        (bytes(20), "binary"),
    ],
)
def test_other_types_are_named(data, kind):
    assert image_type.detect_type(data) == kind
    assert kind not in image_type.EXTENSIONS


@pytest.mark.filterwarnings("ignore")  # the room's own filter does not hold under pytest
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_damaged_header_gives_no_size_without_an_error(form):
    assert image_size_of(picture_bytes(form)[:9], form.lower()) == (None, None)


@pytest.mark.parametrize(
    "data",
    [b"\xff\xd8" + b"\xff\xe5\0\2" * 2_000_000, b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\1a\0" * 2_000_000],
    ids=["jpeg", "gif"],
)
def test_header_with_millions_of_blocks_is_read_up_to_a_limit(data):
    began = time.process_time()
    assert image_size_of(data, image_type.detect_type(data)) == (None, None)
    assert time.process_time() - began < 0.5


def test_size_of_a_pixel_bomb_is_read_without_decoding_or_warning(recwarn):
    header = bytearray(picture_bytes("PNG"))
    header[16:24] = (60_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    assert image_size_of(bytes(header), "png") == (60_000, 60_000)
    assert not recwarn.list
