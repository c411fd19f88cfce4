"""The download stage: pictures from the chosen sources into the raw store, and a manifest of every URL asked for."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.callbacks import Progress, ShouldStop, never, silent
from pipeline.crawl import tally
from pipeline.crawl.archive import Archive, remedy
from pipeline.crawl.crawl import Crawl
from pipeline.crawl.needs import check_needs
from pipeline.crawl.raw import RawStore
from pipeline.crawl.sniff import EXTENSIONS
from pipeline.errors import UserError, of_system
from pipeline.options import DownloadOptions
from pipeline.result import Result
from pipeline.store import digest, jsonl

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
    check_needs(options, dataset)
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
    with closing(Archive(dataset / ARCHIVE)) as archive:
        crawl = Crawl(options, store=RawStore(dataset / "raw"), archive=archive)
        crawl.run(progress, should_stop)
    return tally.rows_of(crawl.ledger), crawl


def _nothing(rows: list[dict[str, Any]], crawl: Crawl) -> str:
    """Why there is not one picture, and what to do."""
    reach = crawl.fetcher.reach
    if reach.unreached and not reach.reached:
        hosts = ", ".join(f"{host} ({reason})" for host, reason in sorted(reach.unreached.items()))
        return f"no source could be reached: {hosts}; check the network or proxy, or use sources = folder, urls or demo"
    told = [f"{count} {reason}" for reason, count in tally.reasons(rows).items()] + crawl.notices()
    return f"none of {len(rows)} pictures could be saved: {'; '.join(told)}; try another query or other sources"


def _publish(rows: list[dict[str, Any]], store: RawStore, folder: Path) -> None:
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
    sources = {name: tally.counts(row for row in rows if row["engine"] == name) for name in names}
    return {
        **tally.counts(rows),
        "earlier": crawl.ledger.earlier,
        "pages": crawl.pages.total(),
        "reasons": tally.reasons(rows),
        "sources": {name: {**found, "pages": crawl.pages[name]} for name, found in sources.items()},
        "notices": crawl.notices(),
    }
