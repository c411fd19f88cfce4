"""The sources that the options ask for."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pipeline.crawl.address import tidy
from pipeline.crawl.sources.baidu import BaiduSource
from pipeline.crawl.sources.bing import BingSource
from pipeline.crawl.sources.files import FolderSource, UrlsSource
from pipeline.crawl.sources.google import GoogleSource
from pipeline.crawl.sources.openverse import OpenverseSource
from pipeline.crawl.sources.site import SiteSource
from pipeline.crawl.sources.source import Source
from pipeline.options import DownloadOptions

SEARCHES = {"bing": BingSource, "openverse": OpenverseSource, "baidu": BaiduSource, "google": GoogleSource}


@contextmanager
def chosen(options: DownloadOptions) -> Iterator[list[Source]]:
    """The sources in the order that the options name them, a search service once for each query.

    The demo is served as long as the context lasts.
    """
    with ExitStack() as stack:
        yield [source for name in options.sources for source in _sources(name, options, stack)]


def _sources(name: str, options: DownloadOptions, stack: ExitStack) -> list[Source]:
    if name in SEARCHES:
        return [SEARCHES[name](options, query) for query in options.query]
    if name == "site":
        return [SiteSource(options, tidy(options.site))]
    if name == "demo":
        from pipeline.crawl.sources.demo import served  # it draws pictures: not loaded unless asked for

        return [stack.enter_context(served(options))]
    return [UrlsSource(options) if name == "urls" else FolderSource(options)]
