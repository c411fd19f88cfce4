"""Validate the options of each source before a crawl, and digest the local files that sources read."""

from pathlib import Path

from pipeline.crawl.folder_digest import digest_folder, list_entries
from pipeline.crawl.url import STANDARD_INPUT, absolute_path, host_of, read_url_list
from pipeline.errors import UserError
from pipeline.options import DownloadOptions
from pipeline.store import digest


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
    if not options.urls or not absolute_path(options.urls).is_file():
        raise UserError(f"source 'urls' with urls = {options.urls!r}: no such file; name a file with one URL per line")
    if not any(read_url_list(absolute_path(options.urls))):
        raise UserError(f"source 'urls' with urls = {options.urls!r}: the file contains no URL; write one per line")


def _validate_folder(name: str, options: DownloadOptions, dataset: Path) -> None:
    shown = f"source 'folder' with folder = {options.folder!r}"
    root = absolute_path(options.folder)
    if not options.folder or not root.is_dir():
        raise UserError(f"{shown}: no such folder; name a folder with pictures")
    if dataset.resolve().is_relative_to(root):
        raise UserError(f"{shown}: it contains the dataset {dataset} itself; name a folder with pictures only")
    if next(list_entries(root), None) is None:
        raise UserError(f"{shown}: the folder is empty; put pictures into it or name another folder")


_VALIDATORS = {
    "bing": _validate_search,
    "openverse": _validate_search,
    "baidu": _validate_search,
    "google": _validate_search,
    "site": _validate_site,
    "urls": _validate_urls,
    "folder": _validate_folder,
}


def _digest_of_folder(options: DownloadOptions, dataset: Path) -> str:
    return digest_folder(absolute_path(options.folder), dataset)


def _digest_of_urls(options: DownloadOptions, dataset: Path) -> str:
    return digest.of_file(absolute_path(options.urls))


def _digest_of_demo(options: DownloadOptions, dataset: Path) -> str:
    from pipeline import demo  # slow to import and needed only here

    seed = {"seed": options.demo_seed} if options.demo_seed else {}  # artifacts of the time before it stay valid
    return digest.of_value({"version": demo.VERSION, "pictures": options.demo_pictures, **seed})


_DIGESTS = {"folder": _digest_of_folder, "urls": _digest_of_urls, "demo": _digest_of_demo}
