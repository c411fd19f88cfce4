"""The sources that the options ask for, one after the other."""

from collections.abc import Iterator

from pipeline.crawl.address import tidy
from pipeline.crawl.sources.bing import BingSource
from pipeline.crawl.sources.files import FolderSource, UrlsSource
from pipeline.crawl.sources.openverse import OpenverseSource
from pipeline.crawl.sources.site import SiteSource
from pipeline.crawl.sources.source import Source
from pipeline.options import DownloadOptions

SEARCHES = {"bing": BingSource, "openverse": OpenverseSource}


def chosen(options: DownloadOptions) -> Iterator[Source]:
    """Yield the sources in the order that the options name them, a search service once for each query.

    The demo is served only while the caller holds its source: close the iterator when done.
    """
    for name in options.sources:
        if name == "demo":
            from pipeline.crawl.sources.demo import served  # it draws pictures: not loaded unless asked for

            with served(options) as source:
                yield source
        else:
            yield from _sources(name, options)


def _sources(name: str, options: DownloadOptions) -> list[Source]:
    if name in SEARCHES:
        return [SEARCHES[name](options, query) for query in options.query]
    if name == "site":
        return [SiteSource(options, tidy(options.site))]
    return [UrlsSource(options) if name == "urls" else FolderSource(options)]
