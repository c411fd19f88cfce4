import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DamagedState, Stopped, UserError
from pipeline.images import normalize as module
from pipeline.images import rejected, worker_pool
from pipeline.images.dataset import read_images
from pipeline.images.normalize import normalize
from pipeline.images.prepare import Picture, Prepared, prepare
from pipeline.options import NormalizeOptions
from pipeline.progress import never, silent
from pipeline.store import digest

REPOSITORY = Path(__file__).parents[2]
OPTIONS = NormalizeOptions(size=16, processes=1)


def run(download: Path, folder: Path, options=OPTIONS, progress=silent, should_stop=never):
    folder.mkdir(exist_ok=True)
    return normalize(options, download=download, folder=folder, progress=progress, should_stop=should_stop)


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "images.jsonl").read_text().splitlines()]


def file_contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def mixed(draw, encode, make_download) -> Path:
    """Six pictures, a copy of one of them, one that is too small, one truncated, one text file."""
    pictures = [encode(draw(seed)) for seed in range(6)]
    copy = encode(draw(0, 48, 40), "JPEG", quality=90)
    return make_download([*pictures, copy, encode(draw(9, 20, 20)), encode(draw(8), "JPEG")[:-300], b"<html>"])


@pytest.fixture
def many(draw, encode, make_download) -> Path:
    """Enough pictures for several batches of work."""
    return make_download([*(encode(draw(seed), "BMP") for seed in range(3 * worker_pool.SHARD)), b"text"])


def test_each_picture_has_a_row_with_its_outcome(mixed, tmp_path, encode, draw):
    result, folder = run(mixed, tmp_path / "out"), tmp_path / "out"
    assert result.summary == {
        "images": 10,
        "kept": 6,
        "duplicate": 1,
        "rejected": 3,
        "reasons": {rejected.TOO_SMALL: 1, rejected.TRUNCATED: 1, rejected.UNKNOWN_FORMAT: 1},
        "size": 16,
    }
    assert Counter(row["outcome"] for row in rows(folder)) == {"kept": 6, "duplicate": 1, "rejected": 3}
    by_id = {row["id"]: row for row in rows(folder)}
    first = by_id[digest.of_bytes(encode(draw(0)))]
    copy = by_id[digest.of_bytes(encode(draw(0, 48, 40), "JPEG", quality=90))]
    assert (first["outcome"], first["width"], first["height"], len(first["phash"])) == ("kept", 96, 80, 16)
    assert (copy["outcome"], copy["of"], copy["file"]) == ("duplicate", first["id"], "")


def test_folder_contains_kept_squares_rows_and_sheets_only(mixed, tmp_path):
    result, folder = run(mixed, tmp_path / "out"), tmp_path / "out"
    kept = {row["file"]: row["sha256"] for row in rows(folder) if row["outcome"] == "kept"}
    sheets = {f"sheets/{name}.png" for name in ("kept", "duplicates", "too-small", "truncated", "unknown-format")}
    assert set(file_contents(folder)) == {"images.jsonl", *kept, *sheets}
    assert all(digest.of_file(folder / file) == sha256 for file, sha256 in kept.items())
    assert result.outputs == {"images": digest.of_set([[Path(file).stem, kept[file]] for file in kept])}
    assert read_images(folder).images.shape == (6, 16, 16, 3)


def test_squares_show_their_pictures(mixed, tmp_path, draw, encode):
    run(mixed, tmp_path / "out", NormalizeOptions(size=16, fit="squash", colour="grey"))
    ids, images = read_images(tmp_path / "out")
    assert images.shape == (6, 16, 16, 1)
    shown = images[ids.index(digest.of_bytes(encode(draw(4))))].astype(float)
    assert abs(shown.mean() - (draw(4) @ [0.299, 0.587, 0.114]).mean()) < 1


def test_result_is_bit_identical_for_any_number_of_processes(many, tmp_path):
    one = run(many, tmp_path / "one", NormalizeOptions(processes=1))
    three = run(many, tmp_path / "three", NormalizeOptions(processes=3))
    assert one == three
    assert file_contents(tmp_path / "one") == file_contents(tmp_path / "three")


def test_progress_counts_to_the_total(mixed, tmp_path):
    seen = []
    run(mixed, tmp_path / "out", progress=lambda done, total, note="": seen.append((done, total)))
    assert seen == [(done, 10) for done in range(11)]


def test_stopped_run_resumes_bit_identical(many, tmp_path):
    whole, seen = run(many, tmp_path / "whole"), []

    def progress(done, total, note=""):
        seen.append(done)

    with pytest.raises(Stopped):
        run(many, tmp_path / "out", progress=progress, should_stop=lambda: bool(seen) and seen[-1] >= 20)
    done = seen[-1]
    assert done < 3 * worker_pool.SHARD
    seen.clear()
    assert run(many, tmp_path / "out", progress=progress) == whole
    assert seen[0] == done
    assert file_contents(tmp_path / "out") == file_contents(tmp_path / "whole")


def test_killed_run_resumes_bit_identical(many, tmp_path):
    whole, folder = run(many, tmp_path / "whole"), tmp_path / "out"
    folder.mkdir()
    code = f"""if True:
        import time
        from pathlib import Path
        from pipeline.progress import never
        from pipeline.images.normalize import normalize
        from pipeline.options import NormalizeOptions
        normalize(NormalizeOptions(size=16, processes=2), download=Path({str(many)!r}), folder=Path({str(folder)!r}),
                  progress=lambda done, total, note="": time.sleep(0.05), should_stop=never)"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY)
    journal = folder / "prepared.jsonl"
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 10):
        time.sleep(0.01)
    assert process.poll() is None
    process.kill()
    process.wait()
    assert run(many, folder) == whole
    assert file_contents(folder) == file_contents(tmp_path / "whole")


def test_incomplete_files_of_a_killed_run_are_made_again(many, tmp_path):
    whole, folder, seen = run(many, tmp_path / "whole"), tmp_path / "out", []
    with pytest.raises(Stopped):
        run(many, folder, progress=lambda done, *_: seen.append(done), should_stop=lambda: bool(seen) and seen[-1] > 20)
    short, empty, gone, *_ = squares = sorted((folder / "images").glob("*.png"))
    short.write_bytes(short.read_bytes()[:100])
    empty.write_bytes(b"")
    gone.unlink()
    squares[3].with_name(f".{squares[3].name}.part").write_bytes(b"half")
    journal = folder / "prepared.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    assert run(many, folder) == whole
    assert file_contents(folder) == file_contents(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_damaged_raw_picture_raises_damaged_state_with_command(mixed, tmp_path, damage):
    victim = sorted((mixed / "images").iterdir())[3]
    if damage == "missing":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes() + b"\0")
    with pytest.raises(DamagedState, match=f"{victim.stem}.*tasks rerun download"):
        run(mixed, tmp_path / "out")


def test_pictures_that_crash_or_hang_the_decoder_are_rejected(mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_SECONDS", 2.0)
    monkeypatch.setattr(module, "prepare", prepare_or_die)
    summary = run(mixed, tmp_path / "out").summary
    assert (summary["images"], summary["kept"], summary["duplicate"]) == (10, 6, 1)
    assert summary["reasons"] == {rejected.CRASHED: 1, rejected.TOO_SLOW: 1, rejected.TRUNCATED: 1}


def test_no_kept_picture_raises_user_error_with_reasons(encode, draw, make_download, tmp_path):
    with pytest.raises(
        UserError, match=r"none of 2 pictures .*1 too small.*; 1 below normalize.min_side = 32: lower it to keep it$"
    ):
        run(make_download([encode(draw(1, 20, 20)), b"text"]), tmp_path / "out")


def test_pictures_rejected_for_other_reasons_name_the_settings(make_download, tmp_path):
    with pytest.raises(UserError, match=r"none of 1 pictures .*; change the limits, which are settings of normalize$"):
        run(make_download([b"text"]), tmp_path / "out")


def test_empty_download_raises_user_error(make_download, tmp_path):
    with pytest.raises(UserError, match="the download saved none"):
        run(make_download([]), tmp_path / "out")


def test_invalid_background_raises_user_error():
    with pytest.raises(UserError, match="background = 'whiteish': expected a colour"):
        NormalizeOptions(background="whiteish")


def test_negative_near_duplicates_keeps_all_copies(mixed, tmp_path):
    options = NormalizeOptions(size=16, near_duplicates=-1, processes=1)
    assert run(mixed, tmp_path / "out", options).summary["kept"] == 7


def test_hostile_files_are_kept_or_rejected(shared_data, make_download, tmp_path):
    paths = [path for path in sorted((shared_data / "nasty").rglob("*")) if path.is_file()]
    bodies = list({digest.of_bytes(body): body for body in (path.read_bytes() for path in paths)}.values())
    options = NormalizeOptions(min_side=1, max_aspect=1000, near_duplicates=-1)
    summary = run(make_download(bodies), tmp_path / "out", options).summary
    assert summary["images"] == len(bodies) == summary["kept"] + summary["rejected"]
    assert summary["kept"] > 900
    assert rejected.CRASHED not in summary["reasons"]
    assert rejected.TOO_SLOW not in summary["reasons"]
    assert np.isfinite(read_images(tmp_path / "out").images).all()


def prepare_or_die(raw: Picture, **options) -> Prepared:
    """`prepare`, except that text crashes it and small pictures make it hang. Runs in other processes."""
    found = prepare(raw, **options)
    if found.reason == rejected.UNKNOWN_FORMAT:
        os.kill(os.getpid(), signal.SIGSEGV)
    if found.reason == rejected.TOO_SMALL:
        time.sleep(600)
    return found


def test_each_decoded_picture_has_quality_scores(mixed, tmp_path):
    run(mixed, tmp_path / "out")
    for row in rows(tmp_path / "out"):
        assert (row["quality"] is None) == (row["outcome"] == "rejected")
        if row["quality"]:
            assert set(row["quality"]) == {"blurry", "dark", "light", "low_information", "odd_aspect_ratio"}
            assert all(0 <= score <= 1 for score in row["quality"].values())
            assert row["quality"]["odd_aspect_ratio"] == round(row["height"] / row["width"], 4)


def test_quality_is_independent_of_the_shape_of_the_square(mixed, tmp_path):
    found = []
    for number, shape in enumerate(
        [{}, {"size": 16}, {"fit": "pad"}, {"fit": "squash", "colour": "grey", "size": 128}]
    ):
        run(mixed, tmp_path / str(number), NormalizeOptions(processes=1, **shape))
        found.append({row["id"]: row["quality"] for row in rows(tmp_path / str(number))})
    assert all(each == found[0] for each in found)


def test_picture_below_a_quality_score_is_rejected_with_its_name(encode, draw, make_download, tmp_path):
    night = encode(draw(1) // 20)
    download = make_download([night, encode(draw(2)), encode(draw(3))])
    result = run(download, tmp_path / "out", NormalizeOptions(size=16, processes=1, dark=0.3))
    assert (result.summary["kept"], result.summary["reasons"]) == (2, {"dark": 1})
    row = next(row for row in rows(tmp_path / "out") if row["id"] == digest.of_bytes(night))
    assert (row["outcome"], row["reason"], row["file"]) == ("rejected", "dark", "")
    assert row["quality"]["dark"] < 0.3
    assert len(list((tmp_path / "out" / "images").iterdir())) == 2


@pytest.fixture
def download_of_sides(draw, encode, make_download):
    """`download_of_sides(28, 100)`: a download of pictures with these sides, which its rows have as a crawl's have."""

    def make(*sides: int) -> Path:
        folder = make_download([encode(draw(seed, side, side)) for seed, side in enumerate(sides)])
        path = folder / "images.jsonl"
        found = [json.loads(line) for line in path.read_text().splitlines()]
        for row, side in zip(found[1:], sides, strict=True):
            row |= {"width": side, "height": side, "engine": "folder"}
        path.write_text("".join(json.dumps(row) + "\n" for row in found))
        return folder

    return make


@pytest.mark.parametrize(
    ("sides", "min_side", "kept"),
    [
        ((28, 28, 20), 32, 3),
        ((28, 28, 20), 64, 3),
        ((28, 28, 100), 32, 1),  # thumbnails beside a picture
        ((28, 31, 32), 32, 1),
        ((28, 8, 8), 10, 1),
    ],
)
def test_min_side_does_not_hold_for_a_set_of_small_pictures_alone(download_of_sides, tmp_path, sides, min_side, kept):
    options = NormalizeOptions(size=16, processes=1, near_duplicates=-1, min_side=min_side)
    assert run(download_of_sides(*sides), tmp_path / "out", options).summary["kept"] == kept


def test_min_side_that_was_asked_for_holds_for_ordinary_pictures(download_of_sides, tmp_path):
    options = NormalizeOptions(size=16, processes=1, min_side=256)
    with pytest.raises(UserError, match=r"none of 2 pictures can be used \(2 too small\)") as caught:
        run(download_of_sides(100, 200), tmp_path / "out", options)
    assert str(caught.value).endswith("; 2 below normalize.min_side = 256: lower it to keep them")
