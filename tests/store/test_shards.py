"""Tar shards: the same samples give the same bytes, and damage costs what comes after it and nothing more."""

import io
import random
import tarfile

import pytest

from pipeline.store.shards import (
    BLOCK,
    MAX_FILES,
    DamagedShard,
    Entry,
    Place,
    Sample,
    index_shard,
    read_place,
    read_shard,
    split_name,
    write_shard,
)

SAMPLES = [
    Sample(f"{number:05d}-ab", {"png": bytes([number]) * 37 * number, "json": b"{}", "txt": "ピカ".encode()})
    for number in range(20)
]


def shard(samples=SAMPLES) -> io.BytesIO:
    file = io.BytesIO()
    write_shard(file, samples)
    return file


def entries(data: bytes) -> tuple[list[str], str]:
    """The keys of the samples that can be read, and why no more can; empty if all can."""
    found = []
    try:
        for entry in index_shard(io.BytesIO(data)):
            found.append(entry.key)
    except DamagedShard as error:
        return found, str(error)
    return found, ""


def test_samples_come_back_as_they_were_written():
    assert list(read_shard(shard())) == SAMPLES


def test_the_index_has_the_places_of_all_files():
    file = io.BytesIO()
    index = write_shard(file, SAMPLES)
    assert list(index_shard(file)) == index
    assert index[3].files["png"].size == 111
    assert read_place(file, index[3].files["png"]) == SAMPLES[3].files["png"]


def test_bytes_depend_on_the_samples_alone_and_are_a_tar_for_everybody():
    assert shard().getvalue() == shard(iter(SAMPLES)).getvalue()
    shard_file = shard()
    shard_file.seek(0)
    with tarfile.open(fileobj=shard_file) as tar:
        members = tar.getmembers()
        assert [member.name for member in members[:3]] == ["00000-ab.png", "00000-ab.json", "00000-ab.txt"]
        assert {(member.mode, member.uid, member.uname, member.mtime) for member in members} == {
            (0o644, 0, "", 315532800)
        }
        assert tar.extractfile(members[3]).read() == SAMPLES[1].files["png"]


@pytest.mark.parametrize(
    ("key", "extension"), [("a.b", "png"), ("", "png"), ("/a", "png"), ("a", ""), ("a" * 99, "png")]
)
def test_names_that_would_not_come_back_are_refused(key, extension):
    with pytest.raises(ValueError, match="cannot be a name in a shard"):
        shard([Sample(key, {extension: b""})])


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("00001.jpg", ("00001", "jpg")),
        ("./a/b.left.JPG", ("a/b", "left.jpg")),
        ("a.b/c.json", ("a.b/c", "json")),
        ("README", ("", "")),
        (".hidden", ("", "")),
        ("a/.png", ("", "")),
    ],
)
def test_the_key_ends_at_the_first_dot_of_the_name(name, parts):
    assert split_name(name) == parts


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_others_are_read_and_what_is_no_file_is_left_out(form):
    long = ["y" * 300 + ".png"] if form != tarfile.USTAR_FORMAT else []
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for name, kind in (("d", tarfile.DIRTYPE), ("l.png", tarfile.SYMTYPE), ("h.png", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        for name in ("a.png", "./d/b.JPG", "d/b.json", "README", "é.txt", *long):
            info = tarfile.TarInfo(name)
            info.size = len(name.encode())
            tar.addfile(info, io.BytesIO(name.encode()))
    found = {sample.key: sample.files for sample in read_shard(file)}
    assert found.pop("y" * 300, None) == ({"png": long[0].encode()} if long else None)
    assert found == {
        "a": {"png": b"a.png"},
        "d/b": {"jpg": b"./d/b.JPG", "json": b"d/b.json"},
        "é": {"txt": "é.txt".encode()},
    }


def test_a_shard_that_is_cut_short_has_the_samples_before_and_says_so():
    data = shard().getvalue()
    third = list(index_shard(io.BytesIO(data)))[2].files["png"]
    for cut in (third.offset + 5, third.offset, third.offset - BLOCK + 9):
        keys, why = entries(data[:cut])
        assert keys[:2] == ["00000-ab", "00001-ab"]
        assert len(keys) <= 3
        assert why == "it is cut short"
    with pytest.raises(DamagedShard, match="cut short"):
        read_place(io.BytesIO(data[: third.offset + 5]), third)
    assert entries(data[: -2 * BLOCK]) == ([sample.key for sample in SAMPLES], "it is cut short")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is no tar file"),
        (b"x" * 2000, "it is no tar file"),
        (b"\x1f\x8b" + bytes(2000), "it is compressed; only plain tar files are read"),
        (shard(SAMPLES[:1]).getvalue()[:1536] + b"x" * 2000, "it is damaged at byte 1,536"),
    ],
)
def test_what_is_no_shard_is_named(data, why):
    assert entries(data)[1] == why


def test_headers_that_promise_anything_cost_nothing():
    def header(kind: bytes, size: int, name: str = "a.png") -> bytes:
        info = tarfile.TarInfo(name)
        info.type, info.size = kind, size
        return info.tobuf(tarfile.GNU_FORMAT)

    assert entries(header(tarfile.REGTYPE, 1 << 60)) == (["a"], "it is cut short")
    assert entries(header(tarfile.XHDTYPE, 1 << 40))[1] == "the header at byte 0 is too long"
    assert entries(header(tarfile.GNUTYPE_LONGNAME, 1 << 40))[1] == "the header at byte 0 is too long"
    assert entries(header(tarfile.GNUTYPE_SPARSE, 0))[1] == "the file at byte 0 cannot be read"
    records = b"0 path=x.png\n" + b"999999 size=1\n9 size=-1\n"
    pax = header(tarfile.XHDTYPE, len(records)) + records.ljust(BLOCK, b"\0")
    assert entries(pax + header(tarfile.REGTYPE, 0) + bytes(2 * BLOCK)) == (["a"], "")


def test_a_file_larger_than_its_shard_is_not_read():
    with pytest.raises(DamagedShard, match="cut short"):
        read_place(shard(), Place(BLOCK, 1 << 50))


@pytest.mark.parametrize("digits", [20, 4000, 5000])
def test_a_size_of_endless_digits_is_damage(digits):
    info = tarfile.TarInfo("a.png")
    info.type = tarfile.XHDTYPE
    records = b"%d size=%s\n" % (len(str(digits)) + 7 + digits, b"9" * digits)
    info.size = len(records)
    pax = info.tobuf(tarfile.GNU_FORMAT) + records + bytes(-len(records) % BLOCK)
    assert entries(pax + tarfile.TarInfo("a.png").tobuf(tarfile.GNU_FORMAT) + bytes(2 * BLOCK)) == (
        [],
        "the header at byte 0 has an endless size",
    )


def test_two_samples_of_one_key_stay_two():
    samples = [Sample("a", {"png": b"1", "txt": b"x"}), Sample("a", {"png": b"2"})]
    assert list(read_shard(shard(samples))) == samples


def test_a_sample_of_endless_files_ends():
    files = {f"{number}.png": b"" for number in range(MAX_FILES + 1)}
    assert entries(shard([Sample("a", files), Sample("b", {})]).getvalue()) == (
        ["a"],
        f"a sample has more than {MAX_FILES} files",
    )


def test_no_damage_is_more_than_a_damaged_shard():
    data, chance = shard().getvalue()[:20_000], random.Random(1)
    for _ in range(500):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 20)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        entries(bytes(damaged))


def test_entries_are_plain_values():
    assert write_shard(io.BytesIO(), [Sample("a", {"PNG": b"123"})]) == [Entry("a", {"png": Place(512, 3)})]
