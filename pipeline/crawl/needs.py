"""What each source needs from the user, checked before anything starts."""

from pathlib import Path

from pipeline.crawl.address import host_of
from pipeline.crawl.local import STANDARD_INPUT, addresses_in, files_below, place
from pipeline.errors import UserError
from pipeline.options import DownloadOptions


def check_needs(options: DownloadOptions, dataset: Path) -> None:
    """Raise a `UserError` that names the option that is missing or wrong, and what would do."""
    if not options.sources:
        raise UserError("sources is empty: name at least one, for example sources = openverse")
    if not (options.user_agent.strip() and options.user_agent.isascii()):
        raise UserError(f"user_agent = {options.user_agent!r}: expected plain ASCII text, for example ganmill/1")
    for name in options.sources:
        _CHECKS.get(name, _nothing)(name, options, dataset)


def _nothing(name: str, options: DownloadOptions, dataset: Path) -> None:
    """The demo has all it needs."""


def _search(name: str, options: DownloadOptions, dataset: Path) -> None:
    if not any(query.strip() for query in options.query):
        raise UserError(f"source '{name}' needs a search word: set query, for example query = pikachu")


def _site(name: str, options: DownloadOptions, dataset: Path) -> None:
    if not host_of(options.site):
        hint = "set site to the first page, for example site = https://example.org/gallery"
        raise UserError(f"source 'site' with site = {options.site!r}: {hint}")


def _urls(name: str, options: DownloadOptions, dataset: Path) -> None:
    if options.urls == STANDARD_INPUT:
        raise UserError("source 'urls' with urls = '-': only the command line reads the standard input; name a file")
    if not options.urls or not place(options.urls).is_file():
        raise UserError(f"source 'urls' with urls = {options.urls!r}: no such file; name one with an address a line")
    if not any(addresses_in(place(options.urls))):
        raise UserError(f"source 'urls' with urls = {options.urls!r}: the file holds no address; write one a line")


def _folder(name: str, options: DownloadOptions, dataset: Path) -> None:
    shown = f"source 'folder' with folder = {options.folder!r}"
    root = place(options.folder)
    if not options.folder or not root.is_dir():
        raise UserError(f"{shown}: no such folder; name one that holds pictures")
    if dataset.resolve().is_relative_to(root):
        raise UserError(f"{shown}: it holds the dataset {dataset} itself; name one that holds pictures alone")
    if not files_below(root):
        raise UserError(f"{shown}: the folder is empty; put pictures into it or name another one")


_CHECKS = {
    "bing": _search,
    "openverse": _search,
    "baidu": _search,
    "google": _search,
    "site": _site,
    "urls": _urls,
    "folder": _folder,
}
