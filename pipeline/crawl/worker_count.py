"""How many worker processes a crawl has: none for a small one, and at most one for each core for a large list.

Only lists are spread over processes. Pages are read in the crawler's own process, which must keep to the rate limit of
their hosts, so no other process may ask for the pictures of sources with pages.
"""

from itertools import islice

from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.rate_limit import RateLimiter
from pipeline.crawl.sources.base import Page
from pipeline.crawl.sources.listed import UrlsSource
from pipeline.crawl.sources.registry import SEARCH_SOURCES
from pipeline.crawl.url import authority
from pipeline.machine import usable_cores
from pipeline.options import DownloadOptions

WITH_PAGES = {*SEARCH_SOURCES, "site", "demo"}
LARGE = 1500  # URLs of a list, which take longer than it takes to start processes
LOOKED_AT = 100_000  # URLs of a list whose hosts are counted, under a second: a list may be sorted by host
HOSTS = 50  # with the default rate limit, that keep one process busy


def count_workers(options: DownloadOptions) -> int:
    """The number of worker processes; 0 if the crawl needs only its own process."""
    if UrlsSource.engine not in options.sources or WITH_PAGES.intersection(options.sources):
        return 0
    wanted = min(options.processes or _automatic(options), options.connections)
    return 0 if wanted == 1 else wanted


def _automatic(options: DownloadOptions) -> int:
    """As many as a large list keeps busy; its first hosts show that."""
    if options.limit < LARGE:
        return 1
    source = UrlsSource(options)
    page = source.read(source.start(), HttpClient(options))
    assert isinstance(page, Page)
    limiter, hosts, count, wanted = RateLimiter(options), set[str](), 0, 1
    for count, candidate in enumerate(islice(page.candidates, min(options.limit, LOOKED_AT)), start=1):
        host = authority(candidate.fetch_url)
        if host and host not in hosts:
            hosts.add(host)
            wanted = usable_cores() if limiter.is_unlimited(host) else max(wanted, 1 + len(hosts) // HOSTS)
        if count >= LARGE and wanted >= usable_cores():
            return usable_cores()
    return wanted if count >= LARGE else 1
