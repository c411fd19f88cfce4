"""A mistake in what was sent: one line that says what is wrong, and the JSON pointer of the field."""

from collections.abc import Iterable

from pipeline.errors import UserError


class Mistake(UserError):
    """What was sent cannot be used (status 422)."""

    def __init__(self, line: str, *path: str | int) -> None:
        super().__init__(line)
        self.pointer = json_pointer(path)


def json_pointer(path: Iterable[str | int]) -> str:
    """The JSON pointer (RFC 6901) of a field: `/settings/gan.epochs`; empty for the whole."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
