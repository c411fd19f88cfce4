"""The rows of images.jsonl and their counts, made one by one from the frontier: memory holds no row."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pipeline.crawl.frontier import Frontier, Settled

OUTCOMES = ("saved", "duplicate", "rejected", "failed")
REPEATED = "same bytes"
MAX_COUNTED = 1000  # different reasons that are counted apart, as some quote servers or metadata
MAX_SHOWN = 30  # of the most frequent
OTHER = "other reasons"


def rows_of(frontier: Frontier) -> Iterator[dict[str, Any]]:
    """Yield one row for each requested URL, in the order in which they were found, whatever the order of responses.

    That is the order of source, query and rank, but with `download.mixed`, when sources take turns. Of several URLs
    with the same bytes the first is saved and the others are duplicates.

    Raises:
        RuntimeError: an entry has no outcome, so a picture was lost by a defect of the crawler.
    """
    return map(_row, frontier.all_settled())


class Tally:
    """Counts rows as they are written: by source and outcome, and by reason."""

    def __init__(self) -> None:
        self._outcomes: Counter[tuple[str, str]] = Counter()  # by engine and outcome
        self._reasons: Counter[tuple[str, str]] = Counter()  # by engine and reason

    def add(self, row: dict[str, Any]) -> None:
        """Count `row`."""
        self._outcomes[row["engine"], row["outcome"]] += 1
        if row["reason"]:
            key = row["engine"], row["reason"]
            is_counted = key in self._reasons or len(self._reasons) < MAX_COUNTED
            self._reasons[key if is_counted else (row["engine"], OTHER)] += 1

    def counts(self, engine: str = "") -> dict[str, int]:
        """How many rows there are of `engine`, or in all: `requested`, and the four outcomes, which add up to it.

        Raises:
            RuntimeError: they do not.
        """
        found: Counter[str] = Counter()
        for (each, outcome), count in self._outcomes.items():
            found[outcome] += count * (engine in ("", each))
        tally = {"requested": found.total()} | {name: found[name] for name in OUTCOMES}
        if sum(found[name] for name in OUTCOMES) != found.total():
            raise RuntimeError(f"the tally does not add up: {tally}, outcomes {dict(found)}")
        return tally

    def reasons(self, most: int = MAX_SHOWN) -> dict[str, int]:
        """The number of rows of each of the `most` frequent reasons, the most frequent first, and of all others."""
        found: Counter[str] = Counter()
        for (_, reason), count in self._reasons.items():
            found[reason] += count
        others = found.pop(OTHER, 0)
        in_order = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        others += sum(count for _, count in in_order[most:])
        return dict(in_order[:most]) | ({OTHER: others} if others else {})

    def has_reason(self, engine: str, reason: str) -> bool:
        """Whether any row of `engine` has `reason`."""
        return bool(self._reasons[engine, reason])


def _row(settled: Settled) -> dict[str, Any]:
    source, rank, values, is_repeated = settled
    return {
        "url": values["url"],
        "page": values["page"],
        "title": values["title"],
        "query": source.query,
        "engine": source.engine,
        "rank": rank,
        "time": values["time"],
        "status": values["status"],
        "type": values["type"],
        "bytes": values["bytes"],
        "id": values["id"],
        "width": values["width"],
        "height": values["height"],
        "license": values["license"],
        "creator": values["creator"],
        "outcome": "duplicate" if is_repeated else values["outcome"],
        "reason": REPEATED if is_repeated else values["reason"],
        **({"class": values["category"]} if values["category"] else {}),
    }
