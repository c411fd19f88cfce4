"""The source `webdataset`: shards of pictures with their metadata, as img2dataset writes them."""

import os
from pathlib import Path
from urllib.parse import quote

from pipeline.crawl.columns import Columns
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Candidate
from pipeline.crawl.request import RequestFault
from pipeline.crawl.sources.base import Page
from pipeline.crawl.sources.described import DescribedSource
from pipeline.crawl.sources.image_shards import ImageShard, ShardPicture, count_unread_failures, find_shards
from pipeline.crawl.url import absolute_path
from pipeline.text import counted


class WebDatasetSource(DescribedSource):
    """Every picture of the shards, ordered by path; each shard is a page, so no more are read than the limit needs."""

    engine = "webdataset"

    def start(self) -> str:
        """The path of the folder, or of the only shard."""
        return str(absolute_path(self.options.webdataset))

    def read(self, address: str, http_client: HttpClient) -> Page | RequestFault:
        """Read the shard at `address`; of the folder at the start list the shards."""
        path = Path(address)
        if address != self.start():
            return self._read_shard(path)
        shards = find_shards(path)
        if shards == [path] and path.is_file():
            return self._read_shard(path, note=_unread(shards))
        # With its slash the address of a folder that is a shard is another one than that of the page which lists it
        links = [str(each) if each.is_file() else os.path.join(each, "") for each in shards]
        return Page(candidates=[], links=links, cut_reason=_unread(shards))

    def _read_shard(self, path: Path, note: str = "") -> Page | RequestFault:
        shard = ImageShard(path, Columns.parse(self.options.columns))
        candidates: list[Candidate] = []
        try:
            for found in shard:
                if len(candidates) == self.max_candidates:
                    return Page(candidates=candidates, links=[], cut_reason="the limit needs no more of it")
                candidates.append(self._candidate(found, path))
        except OSError as error:
            return RequestFault(reason=f"file: {(error.strerror or 'not readable').lower()}")
        if shard.faults.end and not candidates:
            return RequestFault(reason=shard.faults.end)
        words = "; ".join(filter(None, (shard.faults.words(), note)))
        return Page(candidates=candidates, links=[], cut_reason=words)

    def _candidate(self, found: ShardPicture, shard: Path) -> Candidate:
        name = found.name.encode("utf-8", "replace").decode()
        in_shard = found.picture.place is not None or found.picture.fault is not None
        return self.make_candidate(
            found.picture,
            found.about,
            local_url=f"{shard.as_uri()}#{quote(name)}" if in_shard else found.picture.path.as_uri(),
            local_page=shard.as_uri(),
            name=f"{shard.name}#{name}" if in_shard else f"{shard.name}/{name}",
        )


def _unread(shards: list[Path]) -> str:
    """What is not known without pyarrow."""
    lists, failures = count_unread_failures(shards)
    if not lists:
        return ""
    known = f", with {counted(failures, 'failure')}" if failures else ""
    advice = "`make parquet` installs what reads them, and `python -m tasks rerun download` then does"
    return f"{counted(lists, 'Parquet file')} not read{known}; {advice}"
