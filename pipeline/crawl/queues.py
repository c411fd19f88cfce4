"""The queue between icrawler's stages, without the loss that its own has."""

import queue
from typing import Any

from icrawler.utils import CachedQueue


class SureQueue(CachedQueue):
    """A `CachedQueue` that remembers only what it has really taken.

    icrawler's own remembers an item before there is room for it, so that the next try after `queue.Full` looks like a
    duplicate and is dropped. Items are told apart by their address alone, not by all that is known of them.
    """

    def is_duplicated(self, item: Any) -> bool:
        """Whether this address was put before; remembers it if not."""
        return super().is_duplicated(_address(item))

    def put(self, item: Any, block: bool = True, timeout: float | None = None, dup_callback: Any = None) -> None:
        """Put an item that is new; raise `queue.Full`, and forget the item, if there is no room in time."""
        try:
            super().put(item, block, timeout, dup_callback)
        except queue.Full:
            self._cache.pop(_address(item), None)
            raise


def _address(item: Any) -> str:
    return item["file_url"] if isinstance(item, dict) else item
