"""The rows of images.jsonl: which of several equal pictures is the saved one, and whether the counts add up."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from pipeline.crawl.frontier import Entry, Frontier
from pipeline.crawl.outcome import Outcome

OUTCOMES = ("saved", "duplicate", "rejected", "failed")


def rows_of(ledger: Frontier) -> list[dict[str, Any]]:
    """One row a requested URL, by source, query and rank as they were asked, never as the answers came in.

    Of URLs with the same bytes the first is saved and the others are duplicates. Raises `RuntimeError` if an entry has
    no outcome: then a picture was lost on the way, which must not pass unseen.
    """
    lost = [entry.candidate.url for entry in ledger.entries if entry.candidate.url not in ledger.outcomes]
    if lost or len(ledger.outcomes) != len(ledger.entries):
        raise RuntimeError(f"{len(ledger.entries)} requested, {len(ledger.outcomes)} settled; lost: {lost[:3]}")
    seen: set[str] = set()
    return [_row(entry, ledger.outcomes[entry.candidate.url], seen) for entry in ledger.entries]


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
    }


def counts(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """`requested` and the four outcomes that it is the sum of."""
    rows = list(rows)
    found = Counter(row["outcome"] for row in rows)
    tally = {"requested": len(rows)} | {name: found[name] for name in OUTCOMES}
    if sum(found[name] for name in OUTCOMES) != len(rows):
        raise RuntimeError(f"the tally does not add up: {tally}, outcomes {dict(found)}")
    return tally


def reasons(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How often each reason was given, the most frequent first."""
    found = Counter(row["reason"] for row in rows if row["reason"])
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
