"""Addresses given on the standard input, kept in a file, so that the run can be told from its settings."""

import os
import sys
from pathlib import Path

from pipeline.errors import UserError
from pipeline.store import digest
from tasks import homes, settings


def from_standard_input(dataset: str) -> Path:
    """Write what comes on the standard input to data/<dataset>/urls/ and return the file, named by its content."""
    settings.check_dataset(dataset)
    if sys.stdin.isatty():
        print("reading addresses, one a line; ctrl-D ends them", file=sys.stderr)
    text = sys.stdin.buffer.read()
    if not text.strip():
        raise UserError("--download-urls -: nothing came on the standard input; write one address a line")
    path = homes.dataset_folder(dataset) / "urls" / f"{digest.of_bytes(text)[:12]}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(text)
    os.replace(draft, path)
    return path
