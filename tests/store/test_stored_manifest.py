"""A manifest in a storage is believed only if it is one that this program could have written."""

import json
import random

import pytest

from pipeline.store.digest import is_digest
from pipeline.store.manifest import Manifest
from pipeline.store.names import is_part, is_path
from pipeline.store.picture_shards import Shard
from pipeline.store.stored_manifest import RemoteArtifact, dump, number_of, parse

NAME, PREFIX = "1a2b3c4d5e6f", "cats/normalize"
ARTIFACT = RemoteArtifact(
    name=NAME,
    manifest=Manifest(
        stage="normalize",
        version=1,
        dataset="cats",
        key="1a2b3c4d5e6f" + "0" * 52,
        options={"size": 64},
        inputs={"images": "d"},
        outputs={"images": "e"},
        summary={"kept": 5, "kid": float("nan"), "lines": ["ピカ"]},
        files={"images.jsonl": [9, "a" * 64], "sheets/kept.png": [7, "b" * 64]},
        folders={"images": [5, 123]},
        seconds=3,
    ),
    upload="deadbeef",
    shards={"images": [Shard("c" * 64, 4096, 5)]},
)
ODD = ["", ".", "..", "../x", "a/../../x", "/etc/x", "a//b", "a/", "./a", "a\\b", "C:x", "C:/x", "a\x00b", "a\nb"]
ODD += ["\x1b[31m", "\u202ex", "x" * 300, "a/" * 600 + "a", "manifest.json"]


def read(body):
    return parse(json.dumps(body).encode(), name=NAME, prefix=PREFIX)


def body():
    return json.loads(dump(ARTIFACT))


def test_what_is_written_is_read():
    found = parse(dump(ARTIFACT), name=NAME, prefix=PREFIX)
    assert str(found) == str(ARTIFACT)  # NaN differs from itself


@pytest.mark.parametrize("name", ODD)
def test_no_file_is_outside_the_artifact(name):
    changed = body()
    changed["manifest"]["files"][name] = [9, "a" * 64]
    assert read(changed) is None


@pytest.mark.parametrize("name", [*ODD, "a/b", "images.jsonl", "sheets"])
def test_no_folder_of_pictures_is_outside_the_artifact(name):
    changed = body()
    changed["manifest"]["folders"] = {name: [5, 1]}
    changed["shards"] = {name: changed["shards"]["images"]}
    assert read(changed) is None


@pytest.mark.parametrize("names", [["a", "a/b"], ["images"], ["images/1.png"], ["sheets/kept.png/x"]])
def test_no_file_is_in_the_way_of_another(names):
    changed = body()
    changed["manifest"]["files"] |= {name: [9, "a" * 64] for name in names}
    assert read(changed) is None


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (["upload"], ["", "..", "deadbee", "deadbeef/", "DEADBEEF", 3, None, ["deadbeef"]]),
        (["shards"], [{}, None, [], {"images": None}, {"images": []} | {"other": []}]),
        (["shards", "images", 0], [["x", 1, 1], ["../" + "c" * 61, 1, 1], ["c" * 64, -1, 1], ["c" * 64, 1.5, 1], []]),
        (["shards", "images", 0], [["c" * 64, 1, True], ["c" * 64, 1], ["c" * 64, 1, 1, 1], 3, [None, 1, 1]]),
        (["manifest"], [None, {}, [], "x"]),
        (["manifest", "stage"], ["download", "", 3]),
        (["manifest", "dataset"], ["dogs", "", 3]),
        (["manifest", "key"], ["", "k", 3, "A" * 64]),
        (["manifest", "created"], [3, None, []]),
        (["manifest", "version"], ["1", 1.5, True]),
        (["manifest", "seconds"], ["1", True, float("nan"), float("inf")]),
        (["manifest", "summary"], [[], None, {"\ud800": 1}, {"a": "\ud800"}, {"a": ["\ud800"]}]),
        (["manifest", "outputs"], [{"a": 1}, []]),
        (["manifest", "files"], [3, None, {"a": 3}, {"a": []}, {"a": [1, "x"]}, {"a": [-1, "a" * 64]}]),
        (["manifest", "files"], [{"a": [True, "a" * 64]}, {"a": ["1", "a" * 64]}, {"a": "ab"}]),
        (["manifest", "folders"], [{}, {"images": 3}, {"images": [1, "x"]}, {"images": [-1, 1]}]),
        (["manifest", "colour"], ["red"]),
    ],
)
def test_no_field_has_another_type_or_an_odd_value(path, values):
    for value in values:
        changed = body()
        place = changed
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        assert read(changed) is None, (path, value)


def test_it_belongs_to_its_stage():
    assert parse(dump(ARTIFACT), name=NAME, prefix="dogs/normalize") is None
    assert parse(dump(ARTIFACT), name=NAME, prefix="cats/download") is None


def test_nothing_in_it_is_endless():
    deep = body()
    deep["manifest"]["summary"] = {"x": json.loads("[" * 100 + "]" * 100)}
    assert read(deep) is None
    for data in (b"[" * 1_000_000, b'{"a":' * 100_000, b'{"upload": ' + b"1" * 10_000, b""):
        assert parse(data, name=NAME, prefix=PREFIX) is None


def test_whatever_the_bytes_are_they_are_an_artifact_or_none():
    data, chance = dump(ARTIFACT), random.Random(1)
    sound = 0
    for _ in range(1500):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(damaged))
            damaged[place : place + chance.randint(0, 2)] = chance.choice(
                [bytes([chance.randrange(256)]), b"../", b"/", b"\\u0000", b"[]", b'"', b"{", b"1e999", b"-", b"null"]
            )
        found = parse(bytes(damaged), name=NAME, prefix=PREFIX)
        sound += found is not None
        if found:
            assert all(map(is_path, found.manifest.files))
            assert all(map(is_part, found.shards))
            assert all(is_digest(shard.name) for shards in found.shards.values() for shard in shards)
            dump(found)
    assert 0 < sound < 1500


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("1a2b3c4d5e6f", 1),
        ("1a2b3c4d5e6f.2", 2),
        ("1a2b3c4d5e6f.10", 10),
        ("1a2b3c4d5e6f.02", None),
        ("1a2b3c4d5e6f." + "9" * 5000, None),
        ("1a2b3c4d5e6f.x", None),
        ("shards", None),
        (".DS_Store", None),
        ("", None),
    ],
)
def test_the_folder_of_an_artifact_has_a_number(name, number):
    assert number_of(name) == number
