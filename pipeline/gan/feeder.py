"""Makes the next step's inputs ready while the step before is at work, so that no step waits for its pictures."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Feeder(Generic[Made]):
    """`make(number)` ahead of time, one number after the other; asked for another number, it makes that one at once."""

    def __init__(self, make: Callable[[int], Made]) -> None:
        self._make = make
        self._ahead: tuple[int, Future[Made]] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feeder")

    def take(self, number: int) -> Made:
        """What `make(number)` gives; the next number is begun."""
        expected, future = self._ahead or (None, None)
        made = future.result() if future is not None and expected == number else self._make(number)
        self._ahead = (number + 1, self._thread.submit(self._make, number + 1))
        return made

    def __enter__(self) -> "Feeder[Made]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)
