"""The embedded subject as a source: a small web site on loopback, crawled as any other."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from pipeline import demo
from pipeline.crawl.sources.site import SiteSource
from pipeline.options import DownloadOptions


class DemoSource(SiteSource):
    """The demo's site. Its port is another one at each start, so its addresses are archived without it."""

    engine = "demo"
    grows = False

    def name_of(self, address: str) -> str:
        """`demo:/v1/700/pictures/0001.jpg`: the demo's version, its size, and the path within it."""
        parts = urlsplit(address)
        query = f"?{parts.query}" if parts.query else ""
        return f"demo:/v{demo.VERSION}/{self.options.demo_pictures}{parts.path}{query}"


@contextmanager
def served(options: DownloadOptions) -> Iterator[DemoSource]:
    """Serve the demo while its source is in use."""
    with demo.serve(seed=0, pictures=options.demo_pictures) as site:
        # It stands on loopback, which other sources may not lead to unless the user says so.
        yield DemoSource(options.model_copy(update={"allow_private": True}), site.url)
