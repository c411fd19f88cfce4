"""The files of an export: names that can be followed to the source and are safe everywhere, and their metadata."""

import tracemalloc
from pathlib import Path

import pytest

from pipeline.filter.scores import Score, write_scores
from pipeline.report.export_files import PLAIN, export_samples, export_squares
from pipeline.report.export_layouts import shards_of
from pipeline.store.artifacts import Artifact
from pipeline.store.jsonl import write_rows
from pipeline.store.manifest import Manifest

IDS = [letter * 64 for letter in "abc"]
FACTS = {"page": "https://x.org/", "query": "cat", "engine": "bing", "rank": 1, "time": "2026-01-01T00:00:00+00:00"}
FACTS |= {"license": "CC0", "creator": "me", "outcome": "saved"}


def download(folder: Path, *rows: dict) -> Path:
    folder.mkdir()
    write_rows(folder / "images.jsonl", ({"title": "", **FACTS, **row} for row in rows))
    return folder


def normalize(folder: Path, *ids: str, outcome: str = "kept") -> Path:
    folder.mkdir()
    rows = [{"id": id, "outcome": outcome, "width": 90, "height": 80, "sha256": id, "file": f"{id}.png"} for id in ids]
    write_rows(folder / "images.jsonl", rows)
    return folder


def names(tmp_path: Path, *rows: dict) -> list[str]:
    """The names of squares whose pictures have these rows in the download."""
    rows = tuple({"id": f"{number:064x}", **row} for number, row in enumerate(rows))
    squares = normalize(tmp_path / "normalize", *(row["id"] for row in rows))
    found = download(tmp_path / "download", *rows)
    return [file.name for file in export_squares(squares, download=found, kept=None, labels={}, only_kept=False)]


def test_names_have_number_host_original_name_and_id_in_the_order_of_the_download(tmp_path):
    rows = [{"id": IDS[2], "url": "https://a.org/x/Red%20Cat.JPG?w=9"}, {"id": IDS[0], "url": "http://b.org:80/"}]
    squares = normalize(tmp_path / "normalize", *IDS)
    found = export_squares(
        squares, download=download(tmp_path / "download", *rows), kept=None, labels={}, only_kept=False
    )
    assert [file.name for file in found] == [
        "0001-a.org-Red-Cat-cccccccccccc.png",
        "0002-b.org-picture-aaaaaaaaaaaa.png",
        "0003-picture-bbbbbbbbbbbb.png",  # nobody knows where it comes from
    ]


def test_name_of_a_file_has_its_path_below_the_folder_and_its_number_in_an_idx_file(tmp_path):
    rows = [
        {"url": "file:///p/tabby/1.png", "title": "tabby/1.png", "engine": "folder"},
        {"url": "file:///p/t10k-images-idx3-ubyte.gz#7", "title": "t10k-images-idx3-ubyte.gz#7", "engine": "folder"},
    ]
    assert names(tmp_path, *rows) == [
        "0001-folder-tabby-1-000000000000.png",
        "0002-folder-t10k-images-idx3-ubyte-7-000000000000.png",
    ]


HOSTILE = [
    "https://x.org/..%2f..%2f..%2fetc%2fpasswd",
    "https://x.org/%00%0a%1b[31m",
    "https://x.org/CON.png",
    "https://../../..",
    "https://x.org/" + "a" * 5000 + ".png",
    "https://" + "a." * 2000 + "org/",
    "https://[::1/ipv6",
    "https://x.org/\u202egnp.exe",
    "https://x.org/.hidden",
    "https://x.org/-rf",
    "https://x.org/a?b=c/../d",
    "https://x.org/ピカチュウ.png",
    "file:///etc/passwd",
    "data:image/png;base64,AAAA",
    "\\\\server\\share\\..\\x",
    "",
]


def test_no_url_makes_a_name_that_leaves_the_folder_or_is_too_long(tmp_path):
    found = names(tmp_path, *({"url": url} for url in HOSTILE))
    assert len(set(found)) == len(HOSTILE)
    for number, name in enumerate(found, start=1):
        assert PLAIN.fullmatch(name), name
        assert name.startswith(f"{number:04d}-")
        assert ".." not in name
        assert len(name) < 200
    assert found[2] == "0003-x.org-CON-000000000000.png"


def test_row_says_where_the_picture_is_from_and_what_the_filter_thinks_of_it(tmp_path):
    rows = [{"id": id, "url": f"https://x.org/{id[0]}.png", "class": "7"} for id in IDS]
    kept = tmp_path / "kept"
    kept.mkdir()
    verdicts = [("on", "kept"), ("unsure", "unsure"), (None, "rejected")]
    scores = [
        Score(id=id, score=0.5, label=label, outcome=outcome)
        for id, (label, outcome) in zip(IDS, verdicts, strict=True)
    ]
    write_scores(scores, kept)
    squares = normalize(tmp_path / "normalize", *IDS)
    sources = download(tmp_path / "download", *rows)
    files = export_squares(squares, download=sources, kept=kept, labels={IDS[0]: "off"}, only_kept=False)
    assert files[0].row() == {
        "file": "0001-x.org-a-aaaaaaaaaaaa.png",
        "id": IDS[0],
        "url": "https://x.org/a.png",
        "title": "",
        **{name: value for name, value in FACTS.items() if name != "outcome"},
        "class": "7",
        "width": 90,
        "height": 80,
        "label": "on target",
        "score": 0.5,
        "verdict": "kept",
    }
    assert [(row["label"], row["verdict"]) for row in (file.row() for file in files[1:])] == [
        ("skip", "borderline"),
        (None, "rejected"),
    ]
    only = export_squares(squares, download=sources, kept=kept, labels={}, only_kept=True)
    assert [file.path for file in only] == [f"{IDS[0]}.png"]


def test_square_without_a_verdict_has_its_label_and_rejected_pictures_are_left_out(tmp_path):
    squares = normalize(tmp_path / "normalize", IDS[0])
    (row,) = (
        file.row()
        for file in export_squares(squares, download=None, kept=None, labels={IDS[0]: "off"}, only_kept=False)
    )
    assert (row["label"], row["score"], row["verdict"], row["url"]) == ("off target", None, None, None)
    none = normalize(tmp_path / "rejected", IDS[0], outcome="rejected")
    assert export_squares(none, download=None, kept=None, labels={}, only_kept=False) == []


@pytest.mark.parametrize("has_gan", [True, False])
def test_samples_name_their_generator_and_the_number_of_their_latent(tmp_path, has_gan):
    facts = {"version": 1, "dataset": "cats", "key": IDS[0]}
    generate = Manifest(
        stage="generate",
        options={"seed": 3, "truncation": 0.0},
        inputs={"gan.generator": IDS[1]},
        files={f"images/{number:05d}.png": [1, IDS[2]] for number in (1, 0)} | {"grid.png": [1, IDS[2]]},
        created="2026-01-01",
        **facts,
    )
    gan = Manifest(stage="gan", options={"definition": "sn/hinge"}, inputs={}, summary={"epoch_kept": 40}, **facts)
    found = export_samples(Artifact(tmp_path, generate), Artifact(tmp_path, gan) if has_gan else None)
    middle = "sn-hinge-epoch-40" if has_gan else "generator"
    assert [file.name for file in found] == [f"0000{number}-{middle}-seed-3-bbbbbbbbbbbb.png" for number in (0, 1)]
    assert found[1].row() == {
        "file": found[1].name,
        "seed": 3,
        "number": 1,
        "truncation": 0.0,
        "definition": "sn/hinge" if has_gan else None,
        "epoch": 40 if has_gan else None,
        "generator": IDS[1],
        "time": "2026-01-01",
    }


def test_samples_of_a_conditional_gan_have_their_class(tmp_path):
    files = {f"images/{number:05d}.png": [1, IDS[2]] for number in (0, 1)} | {"neighbours.jsonl": [1, IDS[2]]}
    facts = {"version": 1, "dataset": "cats", "key": IDS[0], "inputs": {}, "options": {"seed": 3}}
    generate = Artifact(tmp_path, Manifest(stage="generate", files=files, **facts))
    for classes, expected in ((["red", "blue"], ["red", "blue"]), ([None, None], [None, None])):
        rows = [{"sample": number} | ({"class": name} if name else {}) for number, name in enumerate(classes)]
        write_rows(tmp_path / "neighbours.jsonl", rows)
        assert [file.row().get("class") for file in export_samples(generate, None)] == expected


def test_files_of_an_export_take_little_memory_as_metadata_are_made_for_who_reads_them(tmp_path):
    """There may be a million of them, also in shards, beside as many rows of URLs that failed."""
    count, ids = 2000, [f"{number:064x}" for number in range(2000)]
    rows = [{"id": id, "url": f"https://x.org/{id}", "type": "png", "bytes": 1, "reason": id} for id in ids]
    found = download(tmp_path / "download", *rows, *({**row, "id": None, "outcome": "failed"} for row in rows))
    squares = normalize(tmp_path / "normalize", *ids)
    tracemalloc.start()
    try:
        files = export_squares(squares, download=found, kept=None, labels={}, only_kept=False)
        shards = shards_of(files, "webdataset")
        held = tracemalloc.get_traced_memory()[0] / count
    finally:
        tracemalloc.stop()
    assert [file.metadata["url"] for file in files] == [row["url"] for row in rows]
    assert sum(len(shard.pictures) for shard in shards) == count
    assert held < 2000  # bytes for each
