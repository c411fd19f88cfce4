"""The rows of images.jsonl: mark pictures with equal bytes as duplicates, and check that the counts add up."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from pipeline.crawl.frontier import Entry, Frontier
from pipeline.crawl.outcome import Outcome

OUTCOMES = ("saved", "duplicate", "rejected", "failed")


def rows_of(frontier: Frontier) -> list[dict[str, Any]]:
    """Make one row for each requested URL, ordered by source, query and rank, regardless of the order of the responses.

    Of several URLs with the same bytes the first is saved and the others are duplicates.

    Raises:
        RuntimeError: an entry has no outcome, so a picture was lost by a defect of the crawler.
    """
    lost = [entry.candidate.url for entry in frontier.entries if entry.candidate.url not in frontier.outcomes]
    if lost or len(frontier.outcomes) != len(frontier.entries):
        raise RuntimeError(f"{len(frontier.entries)} requested, {len(frontier.outcomes)} settled; lost: {lost[:3]}")
    seen: set[str] = set()
    return [_row(entry, frontier.outcomes[entry.candidate.url], seen) for entry in frontier.entries]


def counts(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Count the rows: `requested`, and the four outcomes, which add up to it."""
    rows = list(rows)
    found = Counter(row["outcome"] for row in rows)
    tally = {"requested": len(rows)} | {name: found[name] for name in OUTCOMES}
    if sum(found[name] for name in OUTCOMES) != len(rows):
        raise RuntimeError(f"the tally does not add up: {tally}, outcomes {dict(found)}")
    return tally


def reasons(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Count the rows by reason, the most frequent first."""
    found = Counter(row["reason"] for row in rows if row["reason"])
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _row(entry: Entry, outcome: Outcome, seen: set[str]) -> dict[str, Any]:
    duplicate = outcome.id in seen
    if outcome.id is not None:
        seen.add(outcome.id)
    candidate = entry.candidate
    return {
        "url": candidate.url,
        "page": candidate.page,
        "title": candidate.title,
        "query": entry.source.query,
        "engine": entry.source.engine,
        "rank": entry.rank,
        "time": outcome.time,
        "status": outcome.status,
        "type": outcome.type,
        "bytes": outcome.bytes,
        "id": outcome.id,
        "width": outcome.width,
        "height": outcome.height,
        "license": candidate.license,
        "creator": candidate.creator,
        "outcome": "duplicate" if duplicate else outcome.outcome,
        "reason": "same bytes" if duplicate else outcome.reason,
        **({"class": candidate.category} if candidate.category else {}),
    }
