"""What a person does next with a dataset, in one sentence: run, label so many more, or look."""

from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, Field

from pipeline.errors import UserError
from pipeline.labels.log import LabelLog
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.rendering import dataset_url

WANTED_ON, WANTED_OFF = 30, 50  # labels that a first filter should have
AT_WORK = {
    "running": "A run is at work; the overview follows it.",
    "queued": "A run waits for its turn; the overview follows it.",
}


class NextStep(BaseModel):
    """What a person does next, and the page where."""

    text: str
    page: str = Field(description="the address of that page")


def next_step(paths: DatasetPaths, run: str) -> NextStep:
    """What is next, by what has been made; `run` is the state of the run, as in `RunStatus`."""
    here = dataset_url(paths.dataset)
    if run in AT_WORK:
        return NextStep(text=AT_WORK[run], page=here)
    if paths.download.latest() is None:
        return NextStep(text="Run: it downloads pictures and makes squares of them.", page=here)
    if paths.normalize.latest() is None:
        return NextStep(text="Run: it makes squares of the pictures.", page=here)
    if paths.filter.latest() is None and (missing := missing_labels(paths.labels)):
        return NextStep(text=f"Label {missing}, then run.", page=dataset_url(paths.dataset, "label"))
    if paths.generate.latest() is None:
        return NextStep(text="Run: it makes everything up to the samples.", page=here)
    return NextStep(text="Look at the samples.", page=dataset_url(paths.dataset, "samples"))


def missing_labels(log: Path) -> str:
    """How many labels a first filter still needs: "12 more: 4 on target and 8 off target"; empty if it has enough."""
    on, off = _counts(log)
    lacking = {"on target": max(0, WANTED_ON - on), "off target": max(0, WANTED_OFF - off)}
    parts = [f"{count} {name}" for name, count in lacking.items() if count]
    return f"{sum(lacking.values())} more: {' and '.join(parts)}" if parts else ""


def _counts(log: Path) -> tuple[int, int]:
    try:
        found = log.stat()
    except OSError:
        return 0, 0
    return _read_counts(log, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=256)
def _read_counts(log: Path, changed: int, size: int) -> tuple[int, int]:
    """How many squares are labelled on and off target; none if the log is damaged, which the label page says."""
    try:
        labels = list(LabelLog(log).effective().values())
    except (UserError, OSError):
        return 0, 0
    return labels.count("on"), labels.count("off")
