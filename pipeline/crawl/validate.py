"""Check what each source needs before a crawl starts, and digest the local content that it reads."""

from pathlib import Path

from pipeline.crawl.url import STANDARD_INPUT, absolute_path, addresses_in, files_below, host_of
from pipeline.errors import UserError
from pipeline.options import DownloadOptions
from pipeline.store import digest


def validate_sources(options: DownloadOptions, dataset: Path) -> None:
    """Raise a `UserError` that names the option that is missing or wrong, and what would do."""
    if not options.sources:
        raise UserError("sources is empty: name at least one, for example sources = openverse")
    if not (options.user_agent.strip() and options.user_agent.isascii()):
        raise UserError(f"user_agent = {options.user_agent!r}: expected plain ASCII text, for example ganmill/1")
    for name in options.sources:
        _CHECKS.get(name, _check_nothing)(name, options, dataset)


def _check_nothing(name: str, options: DownloadOptions, dataset: Path) -> None:
    """The demo has all it needs."""


def _check_search(name: str, options: DownloadOptions, dataset: Path) -> None:
    if not any(query.strip() for query in options.query):
        raise UserError(f"source '{name}' needs a search word: set query, for example query = pikachu")


def _check_site(name: str, options: DownloadOptions, dataset: Path) -> None:
    if not host_of(options.site):
        hint = "set site to the first page, for example site = https://example.org/gallery"
        raise UserError(f"source 'site' with site = {options.site!r}: {hint}")


def _check_urls(name: str, options: DownloadOptions, dataset: Path) -> None:
    if options.urls == STANDARD_INPUT:
        raise UserError("source 'urls' with urls = '-': only the command line reads the standard input; name a file")
    if not options.urls or not absolute_path(options.urls).is_file():
        raise UserError(f"source 'urls' with urls = {options.urls!r}: no such file; name one with an address a line")
    if not any(addresses_in(absolute_path(options.urls))):
        raise UserError(f"source 'urls' with urls = {options.urls!r}: the file holds no address; write one a line")


def _check_folder(name: str, options: DownloadOptions, dataset: Path) -> None:
    shown = f"source 'folder' with folder = {options.folder!r}"
    root = absolute_path(options.folder)
    if not options.folder or not root.is_dir():
        raise UserError(f"{shown}: no such folder; name one that holds pictures")
    if dataset.resolve().is_relative_to(root):
        raise UserError(f"{shown}: it holds the dataset {dataset} itself; name one that holds pictures alone")
    if not files_below(root):
        raise UserError(f"{shown}: the folder is empty; put pictures into it or name another one")


_CHECKS = {
    "bing": _check_search,
    "openverse": _check_search,
    "baidu": _check_search,
    "google": _check_search,
    "site": _check_site,
    "urls": _check_urls,
    "folder": _check_folder,
}


def content_inputs(options: DownloadOptions, dataset: Path) -> dict[str, str]:
    """A digest for each chosen source that reads what lies here: another file, and the stage runs again.

    The web is not among them: what a search gave once stays until its options change. Raises `UserError` if a source
    lacks what it needs; `dataset` is the one that the pictures are for.
    """
    validate_sources(options, dataset)
    return {name: _DIGESTS[name](options) for name in options.sources if name in _DIGESTS}


def _content_of_folder(options: DownloadOptions) -> str:
    root = absolute_path(options.folder)
    return digest.of_set([path.relative_to(root).as_posix(), digest.of_file(path)] for path in files_below(root))


def _content_of_urls(options: DownloadOptions) -> str:
    return digest.of_file(absolute_path(options.urls))


def _content_of_demo(options: DownloadOptions) -> str:
    from pipeline import demo  # its version alone is wanted, and only here

    return digest.of_value({"version": demo.VERSION, "pictures": options.demo_pictures})


_DIGESTS = {"folder": _content_of_folder, "urls": _content_of_urls, "demo": _content_of_demo}
