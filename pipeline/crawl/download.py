"""The download stage: fetch pictures from the chosen sources and write a row for every URL that was requested."""

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
from pipeline.crawl.rows import counts, reasons, rows_of
from pipeline.crawl.sources.registry import open_sources
from pipeline.crawl.storage import PictureStorage
from pipeline.crawl.url_archive import UrlArchive, remedy
from pipeline.crawl.validate import validate_sources
from pipeline.errors import Stopped, UserError, of_system
from pipeline.options import DownloadOptions
from pipeline.progress import Progress, ShouldStop, never, silent
from pipeline.result import Result
from pipeline.store import digest, jsonl


class Crawl:
    """The sources of `options`, crawled until the limit is reached or all have run dry."""

    def __init__(self, options: DownloadOptions, *, store: PictureStorage, archive: UrlArchive) -> None:
        self.options = options
        self.store = store
        self.archive = archive
        self.fetcher = HttpClient(options)
        self.ledger = Frontier(options.limit)
        self.readings: list[Reader] = []

    def run(self, progress: Progress, should_stop: ShouldStop) -> None:
        """Crawl; raise `Stopped` when asked to, after all threads have ended."""

        def poll() -> None:
            if should_stop():
                raise Stopped("the crawl was stopped; what it fetched is kept")
            total = max(self.options.limit, len(self.ledger.entries))
            progress(len(self.ledger.outcomes), total, f"{self.ledger.saved} saved")

        try:
            with open_sources(self.options) as sources:
                crawler = PictureCrawler(
                    sources, fetcher=self.fetcher, ledger=self.ledger, archive=self.archive, store=self.store
                )
                crawler.crawl(poll)
        except KeyboardInterrupt:
            raise Stopped("the crawl was interrupted; what it fetched is kept") from None
        finally:
            self.fetcher.close()
        self.readings = crawler.parser.readings

    @property
    def pages(self) -> Counter[str]:
        """How many pages were read of each source."""
        return sum((Counter({reading.source.engine: reading.pages}) for reading in self.readings), Counter())

    def notices(self) -> list[str]:
        """What a person should know: what went wrong with which source, and why there are fewer pictures than asked."""
        lines = [line for reading in self.readings for line in [*reading.notices(), *self._left_out(reading)]]
        found = len(self.ledger.entries) - self.ledger.earlier
        if found < self.options.limit:
            lines.append(f"asked for {found} pictures of at most {self.options.limit}: the sources had no more")
        if self.ledger.earlier:
            lines.append(f"{self.ledger.earlier} more that only earlier crawls found")
        return lines

    def _left_out(self, reading: Reader) -> list[str]:
        """Of a list or a folder all is expected to be taken; of a search there is always more."""
        if reading.source.grows:
            return []
        left = len(reading.shown.difference(entry.candidate.url for entry in self.ledger.entries)) + reading.more
        return [f"{reading.source.name}: the limit of {self.options.limit} leaves out {left}"] if left else []


ARCHIVE = "archive.sqlite"


def download(
    options: DownloadOptions,
    *,
    dataset: Path,
    folder: Path,
    progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> Result:
    """Fetch up to `options.limit` pictures and write `images.jsonl` and `images/` into `folder`.

    Bytes go to `dataset/raw`, outcomes to `dataset/archive.sqlite`, each as soon as it is known: a killed crawl goes on
    where it was, and a later one asks only for what is new or may do better now. What earlier crawls of the same words,
    with no higher limit, were answered about is there too, met again or not: a subject grows. The output "images" is
    the digest of the set of ids. Raises `UserError` if a source lacks what it needs or nothing was saved, and
    `Stopped` when asked to.
    """
    validate_sources(options, dataset)
    try:
        rows, crawl = _crawl(options, dataset, progress, should_stop)
        _publish(rows, crawl.store, folder)  # the reasons are to be read even if there is no picture
    except OSError as error:
        raise of_system(error, dataset) from error
    except sqlite3.OperationalError as error:
        raise UserError(f"{dataset / ARCHIVE}: {error}; {remedy(error)}") from error
    if not crawl.ledger.saved:
        raise UserError(_nothing(rows, crawl))
    progress(len(rows), len(rows), f"{crawl.ledger.saved} saved")
    return Result(outputs={"images": digest.of_set(_saved(rows))}, summary=_summary(rows, crawl))


def _crawl(
    options: DownloadOptions, dataset: Path, progress: Progress, should_stop: ShouldStop
) -> tuple[list[dict[str, Any]], Crawl]:
    dataset.mkdir(parents=True, exist_ok=True)
    with closing(UrlArchive(dataset / ARCHIVE)) as archive:
        crawl = Crawl(options, store=PictureStorage(dataset / "raw"), archive=archive)
        crawl.run(progress, should_stop)
    return rows_of(crawl.ledger), crawl


def _nothing(rows: list[dict[str, Any]], crawl: Crawl) -> str:
    """Why there is not one picture, and what to do."""
    reach = crawl.fetcher.reach
    if reach.unreached and not reach.reached:
        hosts = ", ".join(f"{host} ({reason})" for host, reason in sorted(reach.unreached.items()))
        return f"no source could be reached: {hosts}; check the network or proxy, or use sources = folder, urls or demo"
    told = [f"{count} {reason}" for reason, count in reasons(rows).items()] + crawl.notices()
    return f"none of {len(rows)} pictures could be saved: {'; '.join(told)}; try another query or other sources"


def _publish(rows: list[dict[str, Any]], store: PictureStorage, folder: Path) -> None:
    """Fill `folder` with the manifest and the saved pictures, whatever an earlier attempt left there."""
    pictures = folder / "images"
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    for row in rows:
        if row["outcome"] == "saved":
            name = f"{row['id']}.{EXTENSIONS[row['type']]}"
            _link(store.path(name), pictures / name)
    jsonl.write_rows(folder / "images.jsonl", rows)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _saved(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows if row["outcome"] == "saved"]


def _summary(rows: list[dict[str, Any]], crawl: Crawl) -> dict[str, Any]:
    names = dict.fromkeys(crawl.options.sources)
    sources = {name: counts(row for row in rows if row["engine"] == name) for name in names}
    return {
        **counts(rows),
        "earlier": crawl.ledger.earlier,
        "pages": crawl.pages.total(),
        "reasons": reasons(rows),
        "sources": {name: {**found, "pages": crawl.pages[name]} for name, found in sources.items()},
        "notices": crawl.notices(),
    }
