import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.labels.snapshot import write_snapshot
from pipeline.options import ClassifierOptions
from pipeline.progress import never, silent
from pipeline.result import Result

from .drawn import draw, write_normalized

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
QUICK = ClassifierOptions(steps=4, members=2)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Sixty squares, every second one on target, the first forty of them labelled."""

    normalize: Path
    truth: dict[str, str]
    given: dict[str, str]
    labels: Path


@dataclass(frozen=True, kw_only=True)
class Trained:
    folder: Path
    result: Result
    calls: list[tuple[int, int, str]]


@pytest.fixture(scope="session")
def subject(tmp_path_factory) -> Subject:
    top = tmp_path_factory.mktemp("subject")
    ids = write_normalized(top / "normalize", [draw(number, on=number % 2 == 0) for number in range(60)])
    truth = {id: "off" if number % 2 else "on" for number, id in enumerate(ids)}
    given = {id: truth[id] for id in ids[:40]}
    return Subject(normalize=top / "normalize", truth=truth, given=given, labels=write_snapshot(given, top))


@pytest.fixture(scope="session")
def trained(subject, tmp_path_factory) -> Trained:
    from pipeline.filter.train_classifier import train_classifier

    folder, calls = tmp_path_factory.mktemp("classifier"), []
    result = train_classifier(
        QUICK,
        normalize=subject.normalize,
        labels=subject.labels,
        weights=None,
        folder=folder,
        progress=lambda *call: calls.append(call),
        should_stop=never,
    )
    return Trained(folder=folder, result=result, calls=calls)


@pytest.fixture
def run_filter(subject, trained, tmp_path):
    """Run the filter stage on the small subject; options and inputs can be replaced."""
    from pipeline.filter.filter_images import filter_images

    def run(options, **other):
        inputs = {"normalize": subject.normalize, "labels": subject.labels, "classifier": trained.folder}
        callbacks = {"progress": silent, "should_stop": never}
        return filter_images(options, **({"folder": tmp_path} | inputs | callbacks | other))

    return run
