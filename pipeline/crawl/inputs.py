"""Digests of the content on this machine that the download stage reads, for the stage's key."""

from pathlib import Path

from pipeline.crawl.local import files_below, place
from pipeline.crawl.needs import check_needs
from pipeline.options import DownloadOptions
from pipeline.store import digest


def content_inputs(options: DownloadOptions, dataset: Path) -> dict[str, str]:
    """A digest for each chosen source that reads what lies here: another file, and the stage runs again.

    The web is not among them: what a search gave once stays until its options change. Raises `UserError` if a source
    lacks what it needs; `dataset` is the one that the pictures are for.
    """
    check_needs(options, dataset)
    return {name: _DIGESTS[name](options) for name in options.sources if name in _DIGESTS}


def _folder(options: DownloadOptions) -> str:
    root = place(options.folder)
    return digest.of_set([path.relative_to(root).as_posix(), digest.of_file(path)] for path in files_below(root))


def _urls(options: DownloadOptions) -> str:
    return digest.of_file(place(options.urls))


def _demo(options: DownloadOptions) -> str:
    from pipeline import demo  # its version alone is wanted, and only here

    return digest.of_value({"version": demo.VERSION, "pictures": options.demo_pictures})


_DIGESTS = {"folder": _folder, "urls": _urls, "demo": _demo}
