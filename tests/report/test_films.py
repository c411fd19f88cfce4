"""The film that a page shows is one that browsers play."""

import pytest

from pipeline.report.films import browser_film


def box(kind: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def mp4(codec: bytes) -> bytes:
    """An MP4 with its tables at the end, as OpenCV writes it; the pictures hold a name of a codec by chance."""
    return box(b"ftyp", b"isom") + box(b"free") + box(b"mdat", b"..avc1..") + box(b"moov", box(b"stsd", codec))


LARGE = box(b"ftyp") + (1).to_bytes(4, "big") + b"mdat" + (16 + 5).to_bytes(8, "big") + b"12345" + box(b"moov", b"avc1")


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        ({"film.webm": b"", "film.mp4": mp4(b"avc1"), "film.gif": b""}, "film.webm"),
        ({"film.mp4": mp4(b"avc1"), "film.gif": b""}, "film.mp4"),
        ({"film.mp4": LARGE, "film.gif": b""}, "film.mp4"),
        ({"film.mp4": mp4(b"mp4v"), "film.gif": b""}, "film.gif"),
        ({"film.mp4": mp4(b"mp4v")}, ""),
        ({"film.mp4": b"\0\0\0\0moov", "film.gif": b""}, "film.gif"),
        ({"film.mp4": bytes(64), "film.gif": b""}, "film.gif"),
        ({"film.mp4": b"\0\0\0\1mdat", "other.gif": b""}, ""),
        ({}, ""),
    ],
)
def test_the_best_file_for_browsers_is_chosen(tmp_path, files, shown):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert browser_film(tmp_path, "film") == shown
