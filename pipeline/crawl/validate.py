"""Validate the options of each source before a crawl, and digest the local files that sources read."""

from pathlib import Path

from pipeline.crawl.columns import Columns
from pipeline.crawl.folder_digest import digest_folder, list_entries
from pipeline.crawl.tables import check_columns
from pipeline.crawl.url import STANDARD_INPUT, absolute_path, host_of
from pipeline.crawl.url_list import UrlList
from pipeline.errors import UserError
from pipeline.options import DownloadOptions
from pipeline.store import digest
from pipeline.text import to_plain_line

MAX_CHECKED = 100  # files of metadata whose columns are checked


def validate_sources(options: DownloadOptions, dataset: Path) -> None:
    """Raise a `UserError` that names the missing or wrong option and a valid value."""
    if not options.sources:
        raise UserError("sources is empty: name at least one, for example sources = openverse")
    if not (options.user_agent.strip() and options.user_agent.isascii()):
        raise UserError(f"user_agent = {options.user_agent!r}: expected plain ASCII text, for example ganmill/1")
    for name in options.sources:
        _VALIDATORS.get(name, _validate_nothing)(name, options, dataset)


def content_inputs(options: DownloadOptions, dataset: Path) -> dict[str, str]:
    """The digest of the local content of each source that reads some; if it changes, the stage runs again.

    Web sources have none: their results are kept until the options change.

    Args:
        dataset: the folder of the dataset that is downloaded.

    Raises:
        UserError: a source lacks an option.
    """
    validate_sources(options, dataset)
    return {name: _DIGESTS[name](options, dataset) for name in options.sources if name in _DIGESTS}


def _validate_nothing(name: str, options: DownloadOptions, dataset: Path) -> None:
    """The demo needs no options."""


def _validate_search(name: str, options: DownloadOptions, dataset: Path) -> None:
    if not any(query.strip() for query in options.query):
        raise UserError(f"source '{name}' needs a search term: set query, for example query = pikachu")


def _validate_site(name: str, options: DownloadOptions, dataset: Path) -> None:
    if not host_of(options.site):
        hint = "set site to the first page, for example site = https://example.org/gallery"
        raise UserError(f"source 'site' with site = {options.site!r}: {hint}")


def _validate_urls(name: str, options: DownloadOptions, dataset: Path) -> None:
    if options.urls == STANDARD_INPUT:
        raise UserError("source 'urls' with urls = '-': only the command line can read standard input; name a file")
    shown = f"source 'urls' with urls = {options.urls!r}"
    if not options.urls or not absolute_path(options.urls).is_file():
        raise UserError(f"{shown}: no such file; name a file with one URL per line")
    try:
        UrlList(absolute_path(options.urls), Columns.parse(options.columns)).check(shown)
    except OSError as error:
        raise UserError(f"{shown}: it cannot be read ({error.strerror})") from None


def _validate_folder(name: str, options: DownloadOptions, dataset: Path) -> None:
    _check_folder(name, options.folder, dataset)


def _validate_imagefolder(name: str, options: DownloadOptions, dataset: Path) -> None:
    from pipeline.crawl.sources import imagefolder  # slow to import, as it knows of requests

    root = _check_folder(name, options.imagefolder, dataset)
    columns = Columns.parse(options.columns)
    for path in imagefolder.find_metadata(sorted(name for name, *_ in list_entries(root)))[:MAX_CHECKED]:
        where = f"source '{name}', {to_plain_line(path, 200)}"
        check_columns(root / path, columns, fields=imagefolder.READ, needed="file", where=where)


def _validate_webdataset(name: str, options: DownloadOptions, dataset: Path) -> None:
    from pipeline.crawl.sources.image_shards import find_shards  # slow to import, as it knows of requests

    root = absolute_path(options.webdataset)
    if not root.is_file():
        root = _check_folder(name, options.webdataset, dataset)
    if not find_shards(root):
        shown = f"source '{name}' with {name} = {options.webdataset!r}"
        raise UserError(f"{shown}: there are neither tar files nor pictures; name a folder with shards, or one shard")


def _check_folder(name: str, text: str, dataset: Path) -> Path:
    """The folder that the option `name` names; a `UserError` if it cannot be read as pictures of `dataset`."""
    shown = f"source '{name}' with {name} = {text!r}"
    root = absolute_path(text)
    if not text or not root.is_dir():
        raise UserError(f"{shown}: no such folder; name a folder with pictures")
    if dataset.resolve().is_relative_to(root):
        raise UserError(f"{shown}: it contains the dataset {dataset} itself; name a folder with pictures only")
    if next(list_entries(root), None) is None:
        raise UserError(f"{shown}: the folder is empty; put pictures into it or name another folder")
    return root


_VALIDATORS = {
    "bing": _validate_search,
    "openverse": _validate_search,
    "baidu": _validate_search,
    "google": _validate_search,
    "site": _validate_site,
    "urls": _validate_urls,
    "folder": _validate_folder,
    "imagefolder": _validate_imagefolder,
    "webdataset": _validate_webdataset,
}


def _digest_of_folder(options: DownloadOptions, dataset: Path) -> str:
    return digest_folder(absolute_path(options.folder), dataset)


def _digest_of_imagefolder(options: DownloadOptions, dataset: Path) -> str:
    return digest_folder(absolute_path(options.imagefolder), dataset)


def _digest_of_webdataset(options: DownloadOptions, dataset: Path) -> str:
    from pipeline.crawl.sources.image_shards import companions

    root = absolute_path(options.webdataset)
    if root.is_dir():
        return digest_folder(root, dataset)
    beside = [path for path in companions(root) if path.is_file()]
    return digest.of_value([digest_folder(path, dataset) for path in (root, *beside)])


def _digest_of_urls(options: DownloadOptions, dataset: Path) -> str:
    return digest.of_file(absolute_path(options.urls))


def _digest_of_demo(options: DownloadOptions, dataset: Path) -> str:
    from pipeline import demo  # slow to import and needed only here

    seed = {"seed": options.demo_seed} if options.demo_seed else {}  # artifacts of the time before it stay valid
    return digest.of_value({"version": demo.VERSION, "pictures": options.demo_pictures, **seed})


_DIGESTS = {
    "folder": _digest_of_folder,
    "imagefolder": _digest_of_imagefolder,
    "webdataset": _digest_of_webdataset,
    "urls": _digest_of_urls,
    "demo": _digest_of_demo,
}
