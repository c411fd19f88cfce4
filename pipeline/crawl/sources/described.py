"""Local pictures that metadata describe: what the sources `imagefolder` and `webdataset` share."""

import json
from collections import Counter
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

    def to_text(self) -> str:
        """All of it as the URL to fetch, which the frontier keeps on the disk."""
        fault = {"reason": self.fault.reason, "outcome": self.fault.outcome} if self.fault else None
        return json.dumps([str(self.path), self.place, fault])

    @classmethod
    def from_text(cls, text: str) -> "LocalPicture":
        """The picture that `to_text` has written."""
        path, place, fault = json.loads(text)
        return cls(Path(path), place and Place(*place), fault and RequestFault(**fault))


class DescribedSource(LocalSource):
    """Pictures in files of this machine, with metadata that may name the URL of the original.

    The URL of a picture is that of its original, or a file URI if that is not known, is none of the web, or is the one
    of an earlier picture: two pictures stay two.
    """

    def __init__(self, options: DownloadOptions) -> None:
        super().__init__(options)
        self._urls: set[int] = set()  # their hashes: if two are the same, a picture gets its file URI
        self._copies: Counter[str] = Counter()  # of a file URI that comes twice or more often

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
        original = original_url(about.get("url", ""))
        is_original = bool(original) and hash(original) not in self._urls
        url = original if is_original else self._unused(local_url)
        self._urls.add(hash(url))
        page, title = original_url(about.get("page", "")), about.get("title", "").strip()
        return Candidate(
            url=url,
            fetch_url=picture.to_text(),
            page=page or local_page,
            title=title or (name if not is_original else ""),
            license=about.get("license", ""),
            creator=about.get("creator", ""),
            category=about.get("class", ""),
        )

    def _unused(self, url: str) -> str:
        """A file URI, with a number if there was one already: a shard may have two files of one name."""
        if hash(url) not in self._urls:
            return url
        self._copies[url] += 1
        return f"{url}+{1 + self._copies[url]}"

    def fetch(self, request: Request, http_client: HttpClient) -> Response | RequestFault:
        """Read the picture; what cannot be read is a fault."""
        picture = LocalPicture.from_text(request.start_url)
        return picture.fault or self.receive_file(picture.path, request, picture.place)


def original_url(text: str) -> str:
    """The normal form of a URL in metadata, if it is of the web or the demo; empty for other text."""
    text = text.strip()
    return normalize_url(text) if host_of(text) else text if text.startswith(DEMO) else ""


def is_picture_name(name: str) -> bool:
    """Whether the name of a file ends like that of a picture."""
    return name.rpartition(".")[2].lower() in PICTURE_SUFFIXES and "." in name
