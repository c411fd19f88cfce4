"""Single rows and files of an artifact, found without parsing all of it."""

import pytest

from pipeline.errors import DamagedState
from pipeline.store.artifacts import ArtifactStore
from pipeline.store.digest import of_bytes
from pipeline.store.jsonl import write_rows
from pipeline.store.manifest import Manifest, list_files, read
from pipeline.store.row_search import glance, glances


@pytest.fixture
def publish(tmp_path):
    store = ArtifactStore(tmp_path / "cats" / "normalize")

    def publish(key="a", **files):
        work = store.work(key * 64, resume=False)
        for name, text in files.items():
            (work / f'{name} "x"').write_text(text)
        write_rows(work / "images.jsonl", [{"id": "one", "of": None}, {"id": "two", "of": "one"}])
        facts = {"options": {"files": {"a": 1}}, "inputs": {}, "created": key, "summary": {"text": '\n "files": {\n'}}
        made = Manifest(stage="normalize", version=1, dataset="cats", key=key * 64, files=list_files(work), **facts)
        return store.publish(work, made).folder

    publish.store = store
    return publish


def test_the_head_of_a_manifest_is_the_manifest_with_few_of_its_files(publish):
    folder = publish(a="text")
    whole, head = read(folder), glance(folder).manifest
    assert head.files == {"images.jsonl": [0, whole.files["images.jsonl"][1]]}
    assert (head.key, head.options, head.summary, head.created) == (
        whole.key,
        whole.options,
        whole.summary,
        whole.created,
    )


def test_rows_with_a_text_are_found(publish):
    found = glance(publish())
    assert found.rows("images.jsonl", '"one"') == [{"id": "one", "of": None}, {"id": "two", "of": "one"}]
    assert found.rows("images.jsonl", '"id": "two"') == [{"id": "two", "of": "one"}]
    assert found.rows("images.jsonl", '"three"') == []
    assert found.rows("no.jsonl", '"one"') == []


def test_a_changed_file_is_refused(publish):
    folder = publish()
    with (folder / "images.jsonl").open("a") as file:
        file.write('{"id": "three"}\n')
    with pytest.raises(DamagedState, match=r"images\.jsonl is not what was written"):
        glance(folder).rows("images.jsonl", "three")


def test_a_file_is_found_by_its_content(publish):
    found = glance(publish(a="text"))
    assert found.find_file(of_bytes(b"text")) == 'a "x"'
    assert found.find_file(of_bytes(b"other")) is None


def test_folders_without_a_readable_manifest_are_left_out(publish):
    folder = publish("b")
    publish("a")
    for key, text in (("c", "[" * 9), ("d", "[]"), ("e", "")):
        (publish(key) / "manifest.json").write_text(text)
    assert [each.manifest.created for each in glances(publish.store)] == ["a", "b"]
    assert glance(folder / "no") is None
