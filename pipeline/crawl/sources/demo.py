"""The demo dataset as a source: a small web site on loopback, crawled like any other."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from pipeline import demo
from pipeline.crawl.sources.site import SiteSource
from pipeline.options import DownloadOptions


class DemoSource(SiteSource):
    """The demo's web site. Its port differs at each start, so archived URLs do not contain it."""

    engine = "demo"
    grows = False

    def stable_url(self, address: str) -> str:
        """`demo:/v1/700/pictures/0001.jpg`: the demo's version, its number of pictures, and the path; with another seed
        than 0 `demo:/v1/700/seed-7/pictures/0001.jpg`."""
        parts = urlsplit(address)
        query = f"?{parts.query}" if parts.query else ""
        seed = f"/seed-{self.options.demo_seed}" if self.options.demo_seed else ""
        return f"demo:/v{demo.VERSION}/{self.options.demo_pictures}{seed}{parts.path}{query}"


@contextmanager
def serve_demo(options: DownloadOptions) -> Iterator[DemoSource]:
    """Serve the demo's web site while its source is in use."""
    with demo.serve(seed=options.demo_seed, pictures=options.demo_pictures) as site:
        # Its address is loopback, which other sources may use only with the option allow_private.
        yield DemoSource(options.model_copy(update={"allow_private": True}), site.url)
