"""A mistake in what was sent: one line that says what is wrong, and the JSON pointer of the field."""

from pipeline.errors import UserError
from pipeline.gan.config.json_text import json_pointer


class Mistake(UserError):
    """What was sent cannot be used (status 422)."""

    def __init__(self, line: str, *path: str | int) -> None:
        super().__init__(line)
        self.pointer = json_pointer(path)
