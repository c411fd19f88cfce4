"""Layouts of exports: what other programs find in them."""

import io
import json
import tarfile

import pytest
from PIL import Image

from pipeline.report import export_layouts
from pipeline.report.export_files import ExportFile
from pipeline.report.export_layouts import as_image_folder, shards_of
from pipeline.store.digest import of_bytes
from pipeline.store.shards import read_shard


def png(number: int, size: tuple[int, int] = (6, 4)) -> bytes:
    blob = io.BytesIO()
    Image.new("RGB", size, (number, 7, 9)).save(blob, "PNG")
    return blob.getvalue()


@pytest.fixture
def pictures(tmp_path):
    """`pictures({"title": "a"}, {})`: files of an export with this metadata."""

    def make(*rows: dict) -> list[ExportFile]:
        found = []
        for number, row in enumerate(rows, start=1):
            path = f"{number}.png"
            (tmp_path / path).write_bytes(png(number))
            name, sha256 = f"{number:04d}-a.org-x-{number:012x}.png", of_bytes(png(number))
            found.append(ExportFile(name=name, folder=tmp_path, path=path, sha256=sha256, metadata=row))
        return found

    return make


def written(shard) -> io.BytesIO:
    file = io.BytesIO()
    shard.write(file)
    return file


def test_image_folder_names_its_files_as_datasets_wants_it(pictures):
    (file,) = as_image_folder(pictures({"title": "a", "class": "7"}))
    assert json.dumps(file.row()) == '{"file_name": "0001-a.org-x-000000000001.png", "title": "a", "class": "7"}'


def test_a_shard_of_webdataset_has_picture_metadata_and_title(pictures):
    (shard,) = shards_of(pictures({"title": "ピカ", "license": "CC0", "score": 0.5}, {"title": None}), "webdataset")
    assert shard.name == "00000.tar"
    first, second = read_shard(written(shard))
    assert first.key == "0001-000000000001"  # without the dots of a host: a key ends at its first dot
    assert list(first.files) == ["png", "json", "txt"]
    assert first.files["png"] == png(1)
    assert json.loads(first.files["json"]) == {"title": "ピカ", "license": "CC0", "score": 0.5}
    assert first.files["txt"].decode() == "ピカ"
    assert (second.key, second.files["txt"]) == ("0002-000000000002", b"")


def test_pictures_without_titles_have_no_captions(pictures):
    (shard,) = shards_of(pictures({"seed": 3}, {"seed": 3}), "webdataset")
    assert [list(sample.files) for sample in read_shard(written(shard))] == [["png", "json"], ["png", "json"]]


def test_all_samples_have_the_same_fields_and_the_same_kind_of_value(pictures):
    rows = {"label": None, "score": None}, {"label": "on target", "score": None, "class": "7"}
    (shard,) = shards_of(pictures(*rows), "webdataset")
    assert [json.loads(sample.files["json"]) for sample in read_shard(written(shard))] == [
        {"label": "", "score": None, "class": ""},
        {"label": "on target", "score": None, "class": "7"},
    ]


def test_pictures_are_split_in_their_order(pictures, monkeypatch):
    monkeypatch.setattr(export_layouts, "SHARD_PICTURES", 2)
    shards = shards_of(pictures(*({"n": number} for number in range(5))), "tfrecord")
    assert [shard.name for shard in shards] == ["00000.tfrecord", "00001.tfrecord", "00002.tfrecord"]
    assert [[picture.metadata["n"] for picture in shard.pictures] for shard in shards] == [[0, 1], [2, 3], [4]]
    assert shards_of([], "tfrecord") == []


@pytest.mark.parametrize("layout", ["webdataset", "tfrecord"])
def test_the_same_pictures_give_the_same_bytes_and_others_another_source(pictures, layout):
    rows = {"title": "a"}, {"title": "b"}
    (one,), (again,), (other,) = (shards_of(pictures(*each), layout) for each in (rows, rows, rows[::-1]))
    assert written(one).getvalue() == written(again).getvalue()
    assert one.source == again.source != other.source
    assert one.source != shards_of(pictures(*rows), {"webdataset": "tfrecord"}.get(layout, "webdataset"))[0].source


def test_every_name_of_an_export_is_a_key(pictures, tmp_path):
    names = ("0001-picture-aaaaaaaaaaaa.png", "00017-dcgan-epoch-40-seed-0.png", "0002-a.b-..c.png", "0003.png")
    files = [ExportFile(name=name, folder=tmp_path, path="1.png", sha256="", metadata={}) for name in names]
    pictures({})
    (shard,) = shards_of(files, "webdataset")
    with tarfile.open(fileobj=io.BytesIO(written(shard).getvalue())) as tar:
        keys = [name.partition(".")[0] for name in tar.getnames()[::2]]
    assert len(set(keys)) == len(names)
