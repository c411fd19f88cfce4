"""The heads of manifests: what a card needs, of large and damaged ones too, and nothing else is kept."""

import json

import pytest

from pipeline.store.manifest import NAME
from pipeline.web.datasets import manifest_heads
from pipeline.web.datasets.manifest_heads import head_of, latest_head


@pytest.mark.parametrize("small", [0, 1 << 18])
def test_a_head_is_what_the_manifest_says_without_its_files(fake_dataset, monkeypatch, small):
    monkeypatch.setattr(manifest_heads, "SMALL", small)
    found = latest_head(fake_dataset.store("normalize"))
    manifest = json.loads((found.folder / NAME).read_text())
    assert (found.key, found.summary, found.outputs) == (manifest["key"], manifest["summary"], manifest["outputs"])
    assert found.number("kept") == 30
    assert not found.is_cut_short()
    (found.folder / "images.jsonl").write_text("")
    assert found.is_cut_short()


def test_a_changed_manifest_is_read_again_and_a_damaged_one_is_none(fake_dataset):
    folder = latest_head(fake_dataset.store("normalize")).folder
    path = folder / NAME
    path.write_text(path.read_text().replace('"kept": 30', '"kept": 31'))
    assert head_of(folder).number("kept") == 31
    for text in ("{", "[]", '{"key": 1}', path.read_text().replace('"summary": {', '"summary": 1, "x": {')):
        path.write_text(text)
        assert head_of(folder) is None
    path.unlink()
    assert head_of(folder) is None
