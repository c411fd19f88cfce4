"""What a dataset may be called, and the flag that names it in a command."""

import os
import re
import shlex

from pipeline.errors import UserError

DEFAULT_DATASET = "demo"  # of commands without --dataset
DATASET = re.compile(r"\w[\w-]*")
LONGEST = 100  # bytes of a dataset's name: it is part of the names of folders and locks, which may have 255 bytes
LUIGID, NIGHTS = "luigid", "nightly"  # folders in data/ that are no datasets; NIGHTS is one in generated/ too
RESERVED = {LUIGID: "Luigi's scheduler has its state", NIGHTS: "the nightly runs have their records"}


def dataset_flag(dataset: str) -> str:
    """The flag that selects `dataset` in a command; empty for the default dataset."""
    return "" if dataset == DEFAULT_DATASET else f" --dataset {shlex.quote(dataset)}"


def check_dataset(dataset: str) -> None:
    """Raise a `UserError` unless `dataset` can be the name of a folder and of a section of luigi.cfg."""
    if dataset in RESERVED:
        raise UserError(f"dataset = {dataset!r}: this name is reserved, as {RESERVED[dataset]} there; choose another")
    if not DATASET.fullmatch(dataset) or len(os.fsencode(dataset)) > LONGEST:
        shown = dataset if len(dataset) <= LONGEST else f"{dataset[:20]}…"
        raise UserError(
            f"dataset = {shown!r}: expected letters, digits, - and _, at most {LONGEST} bytes (a name for folders, not"
            " the search terms: those go into --query)"
        )
