"""Count the votes of a race: first places, and for rankings Borda points."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.web.races.ballots import Choice


@dataclass(frozen=True, kw_only=True)
class Score:
    """What an entry got."""

    id: str
    place: int  # 1 is the best; entries with the same figures share a place
    first: int  # voters who put it first
    points: float  # Borda points


def tally(entries: Sequence[str], choices: Iterable[Choice], *, ranking: bool) -> list[Score]:
    """The scores of `entries`, the best first: by Borda points for a ranking, else by first places.

    Borda: with n entries, the first of a voter gets n - 1 points, the next n - 2, and so on to 0. Those that a voter
    did not rank share the points that are left equally.
    """
    first, points = dict.fromkeys(entries, 0), dict.fromkeys(entries, 0.0)
    for choice in choices:
        ranked = [id for id in dict.fromkeys(choice) if id in first]
        if ranked:
            first[ranked[0]] += 1
            for id, given in _borda(entries, ranked).items():
                points[id] += given
    figure = points if ranking else first
    order = sorted(entries, key=lambda id: (-figure[id], -first[id]))
    best = {id: (figure[id], first[id]) for id in entries}
    return [
        Score(id=id, place=1 + sum(best[other] > best[id] for other in entries), first=first[id], points=points[id])
        for id in order
    ]


def _borda(entries: Sequence[str], ranked: Sequence[str]) -> dict[str, float]:
    count, rest = len(entries), len(entries) - len(ranked)
    points = {id: float(count - 1 - place) for place, id in enumerate(ranked)}
    return {id: points.get(id, (rest - 1) / 2) for id in entries}
