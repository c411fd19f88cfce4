"""Which labels there are to learn from, and whether they are enough."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.filter.holdout import Split, split_labels
from pipeline.labels.snapshot import read_snapshot

LEAST = 8  # of each label: fewer say nothing that could be measured
LEAST_TRAINED = 4  # of each label after some are held out
HOW = "`python -m tasks web` in the browser, or `python -m tasks labels export DIR` for folders"


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The labels of the pictures at hand."""

    split: Split  # on and off
    unsure: int
    gone: int  # labels of pictures that are not, or no longer, among the normalised ones

    def count(self, label: str) -> int:
        return sum(value == label for part in (self.split.train, self.split.holdout) for value in part.values())


def read_marks(snapshot: Path, groups: Mapping[str, str], holdout: float) -> Marks:
    """The labels in the file `snapshot` of the pictures that `groups` has, id to the name of its group; the share
    `holdout` of them kept aside, whole groups at a time.

    Errors: `UserError` if there are too few to learn from, saying how many there are and how to give more.
    """
    labels = read_snapshot(snapshot)
    present = {id: label for id, label in labels.items() if id in groups}
    certain = {id: label for id, label in present.items() if label != "unsure"}
    marks = Marks(
        split=split_labels(certain, holdout, groups),
        unsure=len(present) - len(certain),
        gone=len(labels) - len(present),
    )
    _check_enough(marks, holdout)
    return marks


def _check_enough(marks: Marks, holdout: float) -> None:
    if min(marks.count("on"), marks.count("off")) < LEAST:
        gone = f" (and {marks.gone} of pictures that are not there)" if marks.gone else ""
        raise UserError(
            f"labels: {marks.count('on')} on, {marks.count('off')} off{gone}; the classifier needs {LEAST} of each and"
            f" is good from 30 and 50. Label more: {HOW}. Or keep every picture: --filter-method none"
        )
    trained = _tally(marks.split.train)
    if min(trained.values()) < LEAST_TRAINED:
        raise UserError(
            f"labels: with holdout = {holdout} only {trained['on']} on and {trained['off']} off are left to learn from;"
            f" label more, or hold out less: --classifier-holdout 0.1"
        )


def _tally(labels: Mapping[str, str]) -> dict[str, int]:
    return {value: list(labels.values()).count(value) for value in ("on", "off")}
