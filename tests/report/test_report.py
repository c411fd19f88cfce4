from pathlib import Path

import numpy as np
import pytest

from pipeline.images.contact_sheet import write_png
from pipeline.options import ReportOptions
from pipeline.report.report import StageFolders, _copy_overview, _copy_samples, _write_training
from pipeline.report.report_page import _overview
from pipeline.store.jsonl import write_rows


def test_overview_lists_contact_sheets_by_frequency():
    summary = {"kept": 9, "duplicate": 0, "reasons": {"too small": 1, "low_information": 4, "corrupt": 4}}
    assert _overview(summary) == [
        ("squares-kept.png", "kept", 9),
        ("squares-corrupt.png", "corrupt", 4),
        ("squares-low-information.png", "low information", 4),
        ("squares-too-small.png", "too small", 1),
    ]


@pytest.mark.parametrize("made", [True, False])
def test_report_copies_contact_sheets_if_they_exist(tmp_path: Path, made):
    normalize, page = tmp_path / "normalize", tmp_path / "page"
    page.mkdir()
    if made:
        (normalize / "sheets").mkdir(parents=True)
        write_png(normalize / "sheets" / "kept.png", np.zeros((4, 4, 3), np.uint8))
    _copy_overview(ReportOptions(), _stage_folders(tmp_path, normalize=normalize), page)
    assert [path.name for path in page.iterdir()] == ["squares-kept.png"] * made


@pytest.mark.parametrize("film", [True, False])
def test_report_copies_the_sample_film_if_it_exists(tmp_path: Path, film):
    generate, page = tmp_path / "generate", tmp_path / "page"
    for folder in (page, generate / "images"):
        folder.mkdir(parents=True)
    for name in ["grid.png", "samples.json", *["film.gif", "film.mp4"] * film]:
        (generate / name).write_bytes(b"")
    _copy_samples(ReportOptions(), _stage_folders(tmp_path, generate=generate), page)
    shown = ["samples-film.gif", "samples-film.mp4"] * film + ["samples-grid.png"]
    assert sorted(path.name for path in page.iterdir()) == shown


def test_report_has_training_plots_and_film(tmp_path: Path):
    gan, page = tmp_path / "gan", tmp_path / "page"
    for folder in (page, gan / "samples"):
        folder.mkdir(parents=True)
    write_rows(gan / "stats.jsonl", [{"epoch": 1, "d_loss": 1.0, "images_per_second": 9.0}])
    write_png(gan / "samples" / "epoch-0000.png", np.zeros((30, 30, 3), np.uint8))
    _write_training(ReportOptions(), _stage_folders(tmp_path, gan=gan), page)
    shown = ["training-losses.png", "training-speed.png", "training.gif", "training.mp4", "training.webm"]
    assert sorted(path.name for path in page.iterdir()) == shown


def _stage_folders(other: Path, **folders: Path) -> StageFolders:
    return StageFolders(**dict.fromkeys(("download", "normalize", "kept", "gan", "generate"), other) | folders)
