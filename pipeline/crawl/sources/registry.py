"""The registry of sources: from the option `sources` to source objects."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from pipeline.crawl.sources.baidu import BaiduSource
from pipeline.crawl.sources.base import Source
from pipeline.crawl.sources.bing import BingSource
from pipeline.crawl.sources.google import GoogleSource
from pipeline.crawl.sources.local import FolderSource, UrlsSource
from pipeline.crawl.sources.openverse import OpenverseSource
from pipeline.crawl.sources.site import SiteSource
from pipeline.crawl.url import normalize_url
from pipeline.options import DownloadOptions

SEARCHES: dict[str, Callable[[DownloadOptions, str], Source]] = {
    "bing": BingSource,
    "openverse": OpenverseSource,
    "baidu": BaiduSource,
    "google": GoogleSource,
}


@contextmanager
def open_sources(options: DownloadOptions) -> Iterator[list[Source]]:
    """The sources in the order that the options name them, a search service once for each query.

    The demo is served as long as the context lasts.
    """
    with ExitStack() as stack:
        yield [source for name in options.sources for source in _sources(name, options, stack)]


def _sources(name: str, options: DownloadOptions, stack: ExitStack) -> list[Source]:
    if name in SEARCHES:
        return [SEARCHES[name](options, query) for query in options.query]
    if name == "site":
        return [SiteSource(options, normalize_url(options.site))]
    if name == "demo":
        from pipeline.crawl.sources.demo import served  # it draws pictures: not loaded unless asked for

        return [stack.enter_context(served(options))]
    return [UrlsSource(options) if name == "urls" else FolderSource(options)]
