"""Create the sources that the option `sources` names."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from pipeline.crawl.sources.baidu import BaiduSource
from pipeline.crawl.sources.base import Source
from pipeline.crawl.sources.bing import BingSource
from pipeline.crawl.sources.google import GoogleSource
from pipeline.crawl.sources.imagefolder import ImageFolderSource
from pipeline.crawl.sources.listed import UrlsSource
from pipeline.crawl.sources.local import FolderSource
from pipeline.crawl.sources.openverse import OpenverseSource
from pipeline.crawl.sources.site import SiteSource
from pipeline.crawl.sources.webdataset import WebDatasetSource
from pipeline.crawl.url import normalize_url
from pipeline.options import DownloadOptions

SEARCH_SOURCES: dict[str, Callable[[DownloadOptions, str], Source]] = {
    "bing": BingSource,
    "openverse": OpenverseSource,
    "baidu": BaiduSource,
    "google": GoogleSource,
}
LOCAL_SOURCES: dict[str, Callable[[DownloadOptions], Source]] = {
    "urls": UrlsSource,
    "folder": FolderSource,
    "imagefolder": ImageFolderSource,
    "webdataset": WebDatasetSource,
}


@contextmanager
def open_sources(options: DownloadOptions) -> Iterator[list[Source]]:
    """The sources in the order of the option `sources`; a search service once for each query.

    The demo's web site is served until the context ends.
    """
    with ExitStack() as stack:
        yield [source for name in options.sources for source in _make_sources(name, options, stack)]


def _make_sources(name: str, options: DownloadOptions, stack: ExitStack) -> list[Source]:
    if name in SEARCH_SOURCES:
        return [SEARCH_SOURCES[name](options, query) for query in options.query]
    if name == "site":
        return [SiteSource(options, normalize_url(options.site))]
    if name == "demo":
        from pipeline.crawl.sources.demo import serve_demo  # slow to import: it loads the drawing code

        return [stack.enter_context(serve_demo(options))]
    return [LOCAL_SOURCES[name](options)]
