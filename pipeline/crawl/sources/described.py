"""Local pictures that metadata describe: what the sources `imagefolder` and `webdataset` share."""

from pathlib import Path
from typing import NamedTuple

from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import Request, RequestFault, Response
from pipeline.crawl.sources.local import LocalSource
from pipeline.crawl.tables import Row
from pipeline.crawl.url import host_of, normalize_url
from pipeline.options import DownloadOptions
from pipeline.store.shards import Place

FIELDS = ("url", "page", "title", "license", "creator", "class")  # of metadata that are read
# Also those of pictures that are rejected, so that each has a row with its reason
PICTURE_SUFFIXES = {
    "jpg", "jpeg", "jpe", "jfif", "png", "gif", "webp", "bmp", "dib", "tif", "tiff", "avif", "heic", "heif", "jp2",
    "ppm", "pgm", "pbm", "tga", "svg",
}  # fmt: skip
DEMO = "demo:/"  # the URLs of the demo's pictures begin with it


class LocalPicture(NamedTuple):
    """Where a picture is: a file, or a place in it; or a fault if the metadata speak of a picture that is not there."""

    path: Path
    place: Place | None = None
    fault: RequestFault | None = None


class DescribedSource(LocalSource):
    """Pictures in files of this machine, with metadata that may name the URL of the original.

    The URL of a picture is that of its original, or a file URI if that is not known, is none of the web, or is the one
    of an earlier picture: two pictures stay two.
    """

    def __init__(self, options: DownloadOptions) -> None:
        super().__init__(options)
        self._found: dict[str, LocalPicture] = {}  # by the URL to fetch
        self._urls: set[str] = set()

    def make_candidate(
        self, picture: LocalPicture, about: Row, *, local_url: str, local_page: str, name: str
    ) -> Candidate:
        """The candidate of a picture.

        Args:
            picture: Where it is.
            about: What its metadata say.
            local_url: Its file URI.
            local_page: The file URI of the folder or shard that it is in.
            name: Its path there, the title of a picture that has neither a title nor a URL on the web.
        """
        while local_url in self._found:  # a shard may have two files of one name
            local_url += "+"
        self._found[local_url] = picture
        url = original_url(about.get("url", ""))
        if not url or url in self._urls:
            url = local_url
        self._urls.add(url)
        page, title = original_url(about.get("page", "")), about.get("title", "").strip()
        return Candidate(
            url=url,
            fetch_url=local_url,
            page=page or local_page,
            title=title or (name if url == local_url else ""),
            license=about.get("license", ""),
            creator=about.get("creator", ""),
            category=about.get("class", ""),
        )

    def fetch(self, request: Request, http_client: HttpClient) -> Response | RequestFault:
        """Read the picture; what cannot be read is a fault."""
        picture = self._found[request.start_url]
        return picture.fault or self.receive_file(picture.path, request, picture.place)


def original_url(text: str) -> str:
    """The normal form of a URL in metadata, if it is of the web or the demo; empty for other text."""
    text = text.strip()
    return normalize_url(text) if host_of(text) else text if text.startswith(DEMO) else ""


def is_picture_name(name: str) -> bool:
    """Whether the name of a file ends like that of a picture."""
    return name.rpartition(".")[2].lower() in PICTURE_SUFFIXES and "." in name
