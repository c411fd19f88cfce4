"""Which hosts a crawl could reach, for the message when it has found nothing."""

from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import urlsplit

from pipeline.crawl.request import RequestFault, ResponseOrRedirect

MAX_UNREACHED = 20  # hosts that the message names


@dataclass
class Reachability:
    """Whether any host answered a request, and while none did the reason of each, of `MAX_UNREACHED` at most."""

    is_any_reached: bool = False
    unreached: dict[str, str] = field(default_factory=dict)

    def record(self, url: str, result: ResponseOrRedirect) -> None:
        """Record the result of a request for `url`; a redirect, given as its target URL, counts as an answer."""
        if not isinstance(result, RequestFault) or result.host_answered:
            self.is_any_reached = True
        elif len(self.unreached) < MAX_UNREACHED:
            self.unreached.setdefault(urlsplit(url).netloc, result.reason)

    def add(self, other: "Reachability") -> None:
        """Record what another process has."""
        self.is_any_reached |= other.is_any_reached
        self.unreached = dict(islice((self.unreached | other.unreached).items(), MAX_UNREACHED))
