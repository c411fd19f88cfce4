"""Uploaded files and zips: what is stored under which name, and that a hostile zip leaves nothing."""

import io
import stat
import struct
import zipfile

import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.web.uploads import UploadLimits, safe_stem, uploading

SMALL = UploadLimits(files=50, file=200_000, total=1_000_000, ratio=20, free=100_000, pixels=10_000, directory=20_000)


def png(shade=0, size=(4, 4)):
    written = io.BytesIO()
    Image.new("RGB", size, (shade, 90, 30)).save(written, "PNG")
    return written.getvalue()


def zipped(*files, compression=zipfile.ZIP_DEFLATED):
    """A zip with (name or ZipInfo, content) pairs."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return written.getvalue()


def upload(folder, *files, limits=SMALL):
    with uploading(folder / "uploads", limits) as store:
        for name, content in files:
            store.add(name, io.BytesIO(content))
    return store.report


def stored(folder):
    return sorted(path.name.rsplit("-", 1)[0] + path.suffix for path in (folder / "uploads").iterdir())


def test_pictures_are_stored_by_name_and_content_and_each_content_once(tmp_path):
    report = upload(tmp_path, ("tabby.jpeg", png(1)), ("other/tabby.png", png(2)), ("copy.png", png(1)))
    assert (report.added, report.same, report.left_out) == (2, 1, 0)
    assert stored(tmp_path) == ["tabby.png", "tabby.png"]
    assert upload(tmp_path, ("again.png", png(2))).same == 1
    assert len(stored(tmp_path)) == 2


def test_what_is_no_picture_is_left_out_with_the_reason(tmp_path):
    report = upload(tmp_path, ("a.txt", b"text"), ("cat.png", png()), ("b.png", b""), ("huge.png", png(0, (200, 200))))
    assert report.added == 1
    assert report.reasons[0] == ("a.txt", "not a picture (JPEG, PNG, GIF, WebP, BMP or TIFF)")
    assert report.reasons[2] == ("huge.png", "too many pixels")
    assert upload(tmp_path, ("long.png", png(3) + bytes(300_000))).reasons == [("long.png", "larger than 0 MB")]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../etc/passwd.png", "passwd"),
        ("C:\\pictures\\cat.png", "cat"),
        ("/absolute/cat.png", "cat"),
        ("...png", "picture"),
        ("猫 🐱's.png", "猫 🐱's"),
        ('<img src=x onerror="a">.png', "_img src=x onerror=_a__"),
        ("a\nb\x00c.png", "a b c"),
        ("ü" * 300 + ".png", "ü" * 50),
        ("", "picture"),
    ],
)
def test_a_name_stays_recognisable_and_never_leaves_the_folder(tmp_path, name, stem):
    assert safe_stem(name) == stem
    upload(tmp_path, (name, png()))
    assert stored(tmp_path) == [f"{stem}.png"]
    assert len(list(tmp_path.rglob("*.png"))) == 1


def test_a_zip_is_flattened_without_the_files_of_systems(tmp_path):
    files = [("cats/a.png", png(1)), ("dogs/a.png", png(2)), ("../../up.png", png(3)), ("/root.png", png(4))]
    junk = [("__MACOSX/._a.png", b"junk"), ("cats/.DS_Store", b"junk"), ("cats/", b"")]
    assert upload(tmp_path, ("all.zip", zipped(*files, *junk))).added == 4
    assert stored(tmp_path) == ["a.png", "a.png", "root.png", "up.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["uploads"]


def test_a_link_in_a_zip_is_left_out(tmp_path):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    report = upload(tmp_path, ("all.zip", zipped((link, b"/etc/passwd"), ("cat.png", png()))))
    assert report.reasons == [("link.png", "a link, not a file")]
    assert stored(tmp_path) == ["cat.png"]


def encrypted():
    data = bytearray(zipped(("cat.png", png())))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    return bytes(data)


def lying():
    """A zip whose end claims a list of files of gigabytes."""
    data = bytearray(zipped(("cat.png", png())))
    end = data.index(b"PK\x05\x06")
    data[end + 12 : end + 16] = struct.pack("<I", 3_000_000_000)
    return bytes(data)


HOSTILE = {
    "a bomb": (lambda: zipped(("bomb.png", bytes(5_000_000))), "unpacks to more than is allowed"),
    "a bomb in many files": (
        lambda: zipped(*((f"{number}.bmp", bytes(150_000)) for number in range(9))),
        "unpacks to more than is allowed",
    ),
    "too many files": (lambda: zipped(*((f"{number}.png", b"") for number in range(60))), "has too many files"),
    "a long list": (lambda: zipped(*((f"{number}" + "x" * 1000, b"") for number in range(40))), "has too many files"),
    "a password": (encrypted, "is encrypted"),
    "a false length": (lying, "(has too many files|is no zip)"),
    "cut short": (lambda: zipped(("cat.png", png()))[:-30], "is no zip that can be read"),
    "nonsense": (lambda: b"PK\x03\x04" + b"?" * 500, "is no zip that can be read"),
    "a changed byte": (lambda: zipped(("a.png", png()), compression=0).replace(b"IHDR", b"IHDX"), "is no zip"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_is_refused_in_one_line_and_leaves_nothing(tmp_path, kind):
    make, says = HOSTILE[kind]
    with pytest.raises(UserError, match=says) as refused:
        upload(tmp_path, ("first.png", png(7)), ("evil\n<b>.zip", make()))
    assert "\n" not in str(refused.value)
    assert list(tmp_path.rglob("*")) == []


def test_a_hundred_thousand_files_are_refused_before_they_are_listed(tmp_path, monkeypatch):
    data = zipped(("cat.png", png()))
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    listed = data[start:end] * 100_000
    last = data[end : end + 8] + struct.pack("<HHII", 65535, 65535, len(listed), start) + bytes(2)
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda *_: pytest.fail("the list was read"))
    with pytest.raises(UserError, match=r"'all\.zip' has too many files; an upload may have 20,000"):
        upload(tmp_path, ("all.zip", data[:start] + listed + last), limits=UploadLimits())


def test_too_many_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="50 files at most"):
        upload(tmp_path, *((f"{number}.png", png(number)) for number in range(51)))
    assert list(tmp_path.rglob("*")) == []


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.web.uploads.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        upload(tmp_path, ("cat.png", png()))
    assert list(tmp_path.rglob("*")) == []
