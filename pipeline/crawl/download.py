"""The download stage: fetch pictures from the chosen sources and write one row for each requested URL."""

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
from pipeline.crawl.rows import counts, reasons, rows_of
from pipeline.crawl.sources.listed import UrlsSource
from pipeline.crawl.sources.registry import open_sources
from pipeline.crawl.storage import PictureStorage
from pipeline.crawl.url_archive import UrlArchive, remedy
from pipeline.crawl.validate import validate_sources
from pipeline.errors import Stopped, UserError, of_system
from pipeline.options import DownloadOptions
from pipeline.progress import Progress, ShouldStop, never, silent
from pipeline.result import Result
from pipeline.store import digest, jsonl
from pipeline.text import counted

ARCHIVE = "archive.sqlite"


class Crawl:
    """One crawl of the sources of `options`, up to the limit or until all sources are exhausted."""

    def __init__(self, options: DownloadOptions, *, storage: PictureStorage, archive: UrlArchive) -> None:
        self.options = options
        self.storage = storage
        self.archive = archive
        self.http_client = HttpClient(options)
        self.frontier = Frontier(options.limit)
        self.readers: list[Reader] = []

    def run(self, progress: Progress, should_stop: ShouldStop) -> None:
        """Crawl; raise `Stopped` if requested, after all threads have ended."""

        def poll() -> None:
            if should_stop():
                raise Stopped("the crawl was stopped; what it fetched is kept")
            total = max(self.options.limit, len(self.frontier.entries))
            progress(len(self.frontier.outcomes), total, f"{self.frontier.saved} saved")

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

    def notices(self) -> list[str]:
        """Messages for the user: which pages failed, and why fewer pictures were requested than the limit allows."""
        lines = [line for reader in self.readers for line in [*reader.notices(), *self._left_out_by_limit(reader)]]
        found = len(self.frontier.entries) - self.frontier.earlier
        if found < self.options.limit:
            lines.append(f"asked for {found} pictures of at most {self.options.limit}: the sources had no more")
        if self.frontier.earlier:
            lines.append(f"{self.frontier.earlier} more found by earlier crawls only")
        if self._is_named_address_private():
            lines.append("private addresses are refused; if these are yours, `--download-allow-private` allows them")
        return lines

    def _is_named_address_private(self) -> bool:
        """Whether the user named an address that was refused as private: no advice for one that a page links to."""
        pages = [(reader, *fault) for reader in self.readers for fault in reader.faults]
        listed = [entry.candidate.url for entry in self.frontier.entries if entry.source.engine == UrlsSource.engine]
        outcomes = [self.frontier.outcomes[url] for url in listed if url in self.frontier.outcomes]
        return any(outcome.reason == PRIVATE for outcome in outcomes) or any(
            fault.reason == PRIVATE and address == reader.source.start() for reader, address, fault in pages
        )

    def _left_out_by_limit(self, reader: Reader) -> list[str]:
        """A message about pictures beyond the limit, for a list or a folder; a search always has more results."""
        if reader.source.grows:
            return []
        left = (
            len(reader.shown_urls.difference(entry.candidate.url for entry in self.frontier.entries)) + reader.omitted
        )
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
        The output "images" is the digest of the set of picture ids.

    Raises:
        UserError: a source lacks an option, or no picture was saved.
        Stopped: the run was asked to stop.
    """
    validate_sources(options, dataset)
    try:
        rows, crawl = _run_crawl(options, dataset, progress, should_stop)
        _publish(rows, crawl.storage, folder)  # even without a picture, so that the user can read the reasons
    except OSError as error:
        raise of_system(error, dataset) from error
    except sqlite3.OperationalError as error:
        raise UserError(f"{dataset / ARCHIVE}: {error}; {remedy(error)}") from error
    if not crawl.frontier.saved:
        raise UserError(_no_pictures_message(rows, crawl))
    progress(len(rows), len(rows), f"{crawl.frontier.saved} saved")
    return Result(outputs={"images": digest.of_set(_saved_ids(rows))}, summary=_summary(rows, crawl))


def _run_crawl(
    options: DownloadOptions, dataset: Path, progress: Progress, should_stop: ShouldStop
) -> tuple[list[dict[str, Any]], Crawl]:
    dataset.mkdir(parents=True, exist_ok=True)
    with closing(UrlArchive(dataset / ARCHIVE)) as archive:
        crawl = Crawl(options, storage=PictureStorage(dataset / "raw"), archive=archive)
        crawl.run(progress, should_stop)
    return rows_of(crawl.frontier), crawl


def _no_pictures_message(rows: list[dict[str, Any]], crawl: Crawl) -> str:
    """Why no picture was saved, and what to do."""
    reachability = crawl.http_client.reachability
    if reachability.unreached and not reachability.reached:
        hosts = ", ".join(f"{host} ({reason})" for host, reason in sorted(reachability.unreached.items()))
        return f"no source could be reached: {hosts}; check the network or proxy, or use sources = folder, urls or demo"
    causes = [f"{count} {reason}" for reason, count in reasons(rows).items()] + crawl.notices()
    return f"none of {len(rows)} pictures could be saved: {'; '.join(causes)}; try another query or other sources"


def _publish(rows: list[dict[str, Any]], storage: PictureStorage, folder: Path) -> None:
    """Write images.jsonl and the saved pictures into `folder`; replace what an earlier attempt left there."""
    pictures = folder / "images"
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    for row in rows:
        if row["outcome"] == "saved":
            name = f"{row['id']}.{EXTENSIONS[row['type']]}"
            _link(storage.path(name), pictures / name)
    jsonl.write_rows(folder / "images.jsonl", rows)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def _saved_ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows if row["outcome"] == "saved"]


def _summary(rows: list[dict[str, Any]], crawl: Crawl) -> dict[str, Any]:
    names = dict.fromkeys(crawl.options.sources)
    sources = {name: counts(row for row in rows if row["engine"] == name) for name in names}
    return {
        **counts(rows),
        "earlier": crawl.frontier.earlier,
        "pages": crawl.pages.total(),
        "reasons": reasons(rows),
        "sources": {name: {**found, "pages": crawl.pages[name]} for name, found in sources.items()},
        "notices": crawl.notices(),
    }
