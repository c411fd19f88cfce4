"""Definition files as a user writes them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.gan.config import read


@pytest.fixture
def write(tmp_path) -> Callable[[Any], Path]:
    """Writes a definition file: text or bytes as they are, anything else as JSON."""

    def write(content: Any) -> Path:
        path = tmp_path / "mine.json"
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def mistake(write) -> Callable[[Any], str]:
    """The error message for a file: one line that begins with the path, which is removed."""

    def mistake(content: Any) -> str:
        path = write(content)
        with pytest.raises(UserError) as caught:
            read(path)
        said = str(caught.value)
        assert said.startswith(f"{path}: ")
        assert said.isprintable()
        return said.removeprefix(f"{path}: ")

    return mistake
