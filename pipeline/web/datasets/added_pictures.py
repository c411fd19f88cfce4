"""Add uploaded pictures to a dataset, and let its next run use them."""

import os
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import UserError
from pipeline.options import DownloadOptions
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.settings_process import SettingsProcess
from pipeline.web.uploads import PictureStore, UploadReport, uploading

UPLOADS = "uploads"  # a folder of the dataset, which the source `folder` reads


def add_pictures(paths: DatasetPaths, settings: SettingsProcess, fill: Callable[[PictureStore], None]) -> UploadReport:
    """Store the pictures that `fill` adds, and make the folder of uploads a source of the dataset, beside others.

    Errors: `UserError` if the dataset reads another folder, or if the upload is refused; then nothing is stored.
    """
    known = {str(each["name"]): str(each["value"]) for each in settings.described()}
    changed = _source_settings(known, paths.folder / UPLOADS)
    with uploading(paths.folder / UPLOADS) as store:
        fill(store)
    count = count_uploads(paths)
    if not count:  # no run works with a source that is an empty folder
        return store.report
    if count > int(known["download.limit"]):
        changed |= limit_for(count)
    if changed:
        settings.remember(changed)
    return store.report


def count_uploads(paths: DatasetPaths) -> int:
    """How many pictures were uploaded for a dataset."""
    try:
        return sum(1 for entry in os.scandir(paths.folder / UPLOADS) if entry.is_file())
    except OSError:
        return 0


def limit_for(pictures: int) -> dict[str, str]:
    """The setting that lets a crawl take so many pictures; none if the default does."""
    return {"download.limit": str(pictures)} if pictures > DownloadOptions().limit else {}


def _source_settings(known: dict[str, str], uploads: Path) -> dict[str, str]:
    """What to change so that the dataset reads the folder of its uploads too."""
    sources = [name for name in known["download.sources"].split(",") if name]
    if "folder" in sources and Path(known["download.folder"]).resolve() != uploads.resolve():
        raise UserError(
            f"this dataset takes its pictures from {known['download.folder']}; put more of them there, or make a"
            " dataset of uploaded pictures"
        )
    if "folder" in sources:
        return {}
    return {"download.sources": ",".join([*sources, "folder"]), "download.folder": uploads.as_posix()}
