"""Make a dataset: its name is checked, what it is about becomes settings, and its folder appears when all is done."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.dataset_names import check_dataset
from pipeline.errors import UserError
from pipeline.store.atomic import write_whole
from pipeline.store.digest import of_bytes
from pipeline.web.bodies import StrictBody
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.datasets.added_pictures import UPLOADS, limit_for
from pipeline.web.settings_process import SettingsProcess, check_setting
from pipeline.web.uploads import PictureStore, UploadReport, uploading

Source = Literal["words", "folder", "pictures", "site", "addresses", "demo"]
MAX_ADDRESSES = 900_000  # characters of a list, which has to fit into a request


class NewDataset(StrictBody):
    """What a new dataset is called, where its pictures come from, and its settings."""

    name: str = Field(max_length=200, description="letters, digits, - and _")
    source: Source = Field(description="where the pictures come from; `pictures` are uploaded, here or later")
    query: str = Field("", max_length=2000, description="for words: search terms, separated by commas")
    sources: str = Field("", max_length=200, description="for words: the sources to search, separated by commas")
    folder: str = Field("", max_length=4000, description="for a folder: its path on the machine of the server")
    site: str = Field("", max_length=4000, description="for a site: the address of its first page")
    addresses: str = Field("", max_length=MAX_ADDRESSES, description="for addresses: one on each line")
    settings: dict[str, str] = Field({}, description='more settings, as in {"normalize.size": "32"}')


class InvalidDataset(UserError):
    """A value of a new dataset is not allowed."""


def name_problem(name: str, paths: DatasetPaths | None) -> str:
    """Why a new dataset cannot have this name; empty if it can. `paths` are those that it would have."""
    try:
        check_dataset(name)
    except UserError as error:
        return str(error)
    taken = paths and next((each for each in _folders(paths) if each.exists()), None)
    return f"dataset = {name!r}: {taken} is there already; choose another name" if taken else ""


def make_dataset(
    wanted: NewDataset, paths: DatasetPaths, settings: SettingsProcess, fill: Callable[[PictureStore], None]
) -> UploadReport:
    """Make the dataset `wanted`; `fill` adds the uploaded pictures. If anything fails, nothing is left.

    Errors: `InvalidDataset` for a value that is not allowed, `UserError` for other reasons.
    """
    given = source_settings(wanted, paths) | wanted.settings
    for name, text in given.items():
        try:
            check_setting(name, text)
        except UserError as error:
            raise InvalidDataset(str(error)) from None
    try:
        paths.folder.mkdir(parents=True)
    except FileExistsError:
        raise UserError(f"{paths.folder} is there already; choose another name") from None
    try:
        with uploading(paths.folder / UPLOADS) as store:
            fill(store)
        if wanted.source == "addresses":
            _write_addresses(wanted, paths)
        if wanted.source == "pictures" and "download.limit" not in given:
            given |= limit_for(store.report.added)
        if given:
            settings.remember(given)
        paths.runs.mkdir()  # this makes it a dataset
    except BaseException:
        shutil.rmtree(paths.folder, ignore_errors=True)
        raise
    return store.report


def source_settings(wanted: NewDataset, paths: DatasetPaths) -> dict[str, str]:
    """The settings that say where the pictures come from. Errors: `InvalidDataset` if something is missing."""
    return {**_SETTINGS[wanted.source](wanted, paths)}


def folder_problem(text: str) -> str:
    """Why a folder cannot be a source of pictures; empty if it can."""
    folder = Path(text).expanduser()
    if not text.strip() or not folder.is_dir():
        return f"folder = {text!r}: no such folder; name a folder with pictures"
    return "" if next(_files(folder), None) else f"folder = {text!r}: the folder is empty"


def count_files(text: str, most: int) -> int:
    """How many files are in a folder and below it, at most `most`."""
    return sum(1 for _ in islice(_files(Path(text).expanduser()), most))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _folders(paths: DatasetPaths) -> tuple[Path, ...]:
    return paths.folder, paths.gan.root.parent, paths.generated


def _words(wanted: NewDataset, paths: DatasetPaths) -> Mapping[str, str]:
    if not any(term.strip() for term in wanted.query.split(",")):
        raise InvalidDataset("query is empty: give at least one search term, for example red mushroom")
    sources = {"download.sources": wanted.sources} if wanted.sources.strip() else {}
    return {"download.query": wanted.query, **sources}


def _folder(wanted: NewDataset, paths: DatasetPaths) -> Mapping[str, str]:
    if problem := folder_problem(wanted.folder):
        raise InvalidDataset(problem)
    folder = Path(wanted.folder).expanduser().resolve()
    limit = limit_for(count_files(wanted.folder, 1_000_000))
    return {"download.sources": "folder", "download.folder": str(folder), **limit}


def _pictures(wanted: NewDataset, paths: DatasetPaths) -> Mapping[str, str]:
    return {"download.sources": "folder", "download.folder": (paths.folder / UPLOADS).as_posix()}


def _site(wanted: NewDataset, paths: DatasetPaths) -> Mapping[str, str]:
    if not wanted.site.startswith(("http://", "https://")) or len(wanted.site) < 10:
        raise InvalidDataset(
            f"site = {wanted.site!r}: expected the first page, for example https://example.org/gallery"
        )
    return {"download.sources": "site", "download.site": wanted.site}


def _addresses(wanted: NewDataset, paths: DatasetPaths) -> Mapping[str, str]:
    if not any(line.strip().startswith(("http://", "https://")) for line in wanted.addresses.splitlines()):
        raise InvalidDataset("addresses: expected at least one line that begins with http:// or https://")
    return {"download.sources": "urls", "download.urls": _address_file(wanted, paths).as_posix()}


def _demo(wanted: NewDataset, paths: DatasetPaths) -> Mapping[str, str]:
    return {"download.sources": "demo"}


_SETTINGS: dict[str, Callable[[NewDataset, DatasetPaths], Mapping[str, str]]] = {
    "words": _words,
    "folder": _folder,
    "pictures": _pictures,
    "site": _site,
    "addresses": _addresses,
    "demo": _demo,
}


def _address_file(wanted: NewDataset, paths: DatasetPaths) -> Path:
    return paths.folder / "urls" / f"{of_bytes(_address_text(wanted))[:12]}.txt"


def _address_text(wanted: NewDataset) -> bytes:
    return "\n".join(line.strip() for line in wanted.addresses.splitlines()).encode("utf-8", "replace") + b"\n"


def _write_addresses(wanted: NewDataset, paths: DatasetPaths) -> None:
    file = _address_file(wanted, paths)
    file.parent.mkdir(exist_ok=True)
    write_whole(file, _address_text(wanted))
