"""The download stage: fetch pictures from the chosen sources and write one row for each requested URL."""

import json
import os
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.crawl.crawler import PictureCrawler
from pipeline.crawl.frontier import Frontier
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.image_type import EXTENSIONS
from pipeline.crawl.reader import Reader
from pipeline.crawl.request import PRIVATE
from pipeline.crawl.rows import Tally, rows_of
from pipeline.crawl.sources.listed import UrlsSource
from pipeline.crawl.sources.registry import open_sources
from pipeline.crawl.storage import PictureStorage
from pipeline.crawl.url_archive import UrlArchive, remedy
from pipeline.crawl.validate import validate_sources
from pipeline.crawl.worker_count import count_workers
from pipeline.errors import Stopped, UserError, of_system
from pipeline.images.picture_class import ClassesDigest
from pipeline.options import DownloadOptions
from pipeline.progress import Progress, ShouldStop, never, silent
from pipeline.result import Result
from pipeline.store import digest, jsonl
from pipeline.text import counted

ARCHIVE = "archive.sqlite"
FRONTIER = "frontier.sqlite"  # while the crawl runs
MAX_CAUSES = 10  # reasons in the error about a crawl without a picture


class Crawl:
    """One crawl of the sources of `options`, up to the limit or until all sources are exhausted."""

    def __init__(
        self, options: DownloadOptions, *, storage: PictureStorage, archive: UrlArchive, frontier: Frontier
    ) -> None:
        self.options = options
        self.storage = storage
        self.archive = archive
        self.frontier = frontier
        self.http_client = HttpClient(options)
        self.readers: list[Reader] = []

    def run(self, progress: Progress, should_stop: ShouldStop) -> None:
        """Crawl; raise `Stopped` if requested, after all threads have ended."""

        def poll() -> None:
            if should_stop():
                raise Stopped("the crawl was stopped; what it fetched is kept")
            total = max(self.options.limit, self.frontier.found)
            progress(self.frontier.settled, total, f"{self.frontier.saved} saved")

        try:
            with open_sources(self.options) as sources:
                crawler = PictureCrawler(
                    sources,
                    http_client=self.http_client,
                    frontier=self.frontier,
                    archive=self.archive,
                    storage=self.storage,
                )
                crawler.crawl(poll)
        except KeyboardInterrupt:
            raise Stopped("the crawl was interrupted; what it fetched is kept") from None
        finally:
            self.http_client.close()
        self.readers = crawler.parser.readers

    @property
    def pages(self) -> Counter[str]:
        """The number of pages read, by the name of the source."""
        return sum((Counter({reader.source.engine: reader.pages}) for reader in self.readers), Counter())

    def notices(self, tally: Tally) -> list[str]:
        """Messages for the user: which pages failed, and why fewer pictures were requested than the limit allows."""
        lines = [line for reader in self.readers for line in [*reader.notices(), *self._left_out_by_limit(reader)]]
        found = self.frontier.found - self.frontier.earlier
        if found < self.options.limit:
            lines.append(f"asked for {found} pictures of at most {self.options.limit}: the sources had no more")
        if self.frontier.earlier:
            lines.append(f"{self.frontier.earlier} more found by earlier crawls only")
        if self._is_named_address_private(tally):
            lines.append("private addresses are refused; if these are yours, `--download-allow-private` allows them")
        return lines

    def _is_named_address_private(self, tally: Tally) -> bool:
        """Whether the user named an address that was refused as private: no advice for one that a page links to."""
        pages = [(reader, *fault) for reader in self.readers for fault in reader.faults]
        return tally.has_reason(UrlsSource.engine, PRIVATE) or any(
            fault.reason == PRIVATE and address == reader.source.start() for reader, address, fault in pages
        )

    def _left_out_by_limit(self, reader: Reader) -> list[str]:
        """A message about pictures beyond the limit, for a list or a folder; a search always has more results."""
        if reader.source.grows:
            return []
        left = self.frontier.left_out(reader.source) + reader.omitted
        parts = [str(left)] if left else []
        if self.frontier.full and reader.unread_pages:
            parts.append(f"what {counted(reader.unread_pages, 'page')} more show")
        words = " and ".join(parts)
        return [f"{reader.source.name}: the limit of {self.options.limit} leaves out {words}"] if words else []


def download(
    options: DownloadOptions,
    *,
    dataset: Path,
    folder: Path,
    progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> Result:
    """Fetch up to `options.limit` pictures; write `images.jsonl` and `images/` into `folder`.

    Picture bytes are stored in `dataset/raw` and outcomes in `dataset/archive.sqlite`, each as soon as it is known. So
    a killed crawl resumes, and a later crawl requests only URLs that are new or whose failure may be transient.
    Pictures that earlier crawls of the same query found, with the same or a lower limit, are included: a dataset only
    grows.

    Returns:
        The output "images" is the digest of the set of picture ids, "classes" that of what their rows say of classes.

    Raises:
        UserError: a source lacks an option, or no picture was saved.
        Stopped: the run was asked to stop.
    """
    validate_sources(options, dataset)
    try:
        for each in (dataset, folder):
            each.mkdir(parents=True, exist_ok=True)
        with (
            closing(UrlArchive(dataset / ARCHIVE)) as archive,
            closing(Frontier(folder / FRONTIER, options.limit, count_workers(options))) as frontier,
        ):
            storage = PictureStorage(dataset / "raw")
            crawl = Crawl(options, storage=storage, archive=archive, frontier=frontier)
            crawl.run(progress, should_stop)
            return _result(crawl, folder, progress)
    except OSError as error:
        raise of_system(error, dataset) from error
    except sqlite3.OperationalError as error:
        raise UserError(f"{dataset}: {error}; {remedy(error)}") from error


def _result(crawl: Crawl, folder: Path, progress: Progress) -> Result:
    """Write the rows and pictures of `crawl` into `folder`."""
    tally = Tally()
    classes = _publish(crawl, folder, tally)  # even without a picture, so that the user can read the reasons
    if not crawl.frontier.saved:
        raise UserError(_no_pictures_message(crawl, tally))
    progress(crawl.frontier.found, crawl.frontier.found, f"{crawl.frontier.saved} saved")
    outputs = {"images": digest.of_json_texts(map(json.dumps, crawl.frontier.saved_ids())), "classes": classes}
    return Result(outputs=outputs, summary=_summary(crawl, tally))


def _no_pictures_message(crawl: Crawl, tally: Tally) -> str:
    """Why no picture was saved, and what to do."""
    reachability = crawl.http_client.reachability
    if reachability.unreached and not reachability.is_any_reached:
        hosts = ", ".join(f"{host} ({reason})" for host, reason in sorted(reachability.unreached.items()))
        return f"no source could be reached: {hosts}; check the network or proxy, or use sources = folder, urls or demo"
    causes = [f"{count} {reason}" for reason, count in tally.reasons(MAX_CAUSES).items()] + crawl.notices(tally)
    found = crawl.frontier.found
    return f"none of {found} pictures could be saved: {'; '.join(causes)}; try another query or other sources"


def _publish(crawl: Crawl, folder: Path, tally: Tally) -> str:
    """Write images.jsonl and the saved pictures into `folder`, replacing what an earlier attempt left there; returns
    the digest of their classes."""
    pictures, classes = folder / "images", ClassesDigest()
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)

    def publish(row: dict[str, Any]) -> dict[str, Any]:
        tally.add(row)
        if row["outcome"] == "saved":
            name = f"{row['id']}.{EXTENSIONS[row['type']]}"
            _link(crawl.storage.path(name), os.path.join(pictures, name))
            classes.add(row)
        return row

    jsonl.write_rows(folder / "images.jsonl", map(publish, rows_of(crawl.frontier)))
    return classes.hexdigest()


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def _summary(crawl: Crawl, tally: Tally) -> dict[str, Any]:
    names = dict.fromkeys(crawl.options.sources)
    return {
        **tally.counts(),
        "earlier": crawl.frontier.earlier,
        "pages": crawl.pages.total(),
        "reasons": tally.reasons(),
        "sources": {name: {**tally.counts(name), "pages": crawl.pages[name]} for name in names},
        "notices": crawl.notices(tally),
    }
