"""The figures of all datasets for Prometheus, gathered from what the cards of the home page read.

No square is looked at, and what the cards remember is not read again: a scrape of forty datasets takes milliseconds.
Labels of a metric are names of datasets, stages and outcomes; nothing else of a dataset is told.
"""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException

from pipeline.dataset_names import NIGHTS
from pipeline.night_record import newest_summary
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.datasets.dataset_cards import DatasetCard, Heads, read_heads
from pipeline.web.monitoring.stage_counts import StageCounts
from pipeline.web.studio import Studio

SHARED_SECONDS = 2.0  # for which an answer is given again, whoever asks
RUN_STATES = ("done", "failed", "stopped", "next", "ended", "running", "queued")


class StudioMetrics(Collector):
    """Gathers the figures of one studio."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._stages = StageCounts()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._lock = threading.Lock()
        self._made, self._text = float("-inf"), b""

    def describe(self) -> Iterable[Metric]:
        """Nothing: so the registry does not gather all figures when the server starts."""
        return []

    def text(self) -> bytes:
        """The figures as Prometheus reads them; those of a moment ago if somebody has just asked."""
        with self._lock:
            if time.monotonic() - self._made > SHARED_SECONDS:
                self._text = generate_latest(self._registry)
                self._made = time.monotonic()
            return self._text

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        paths = {}
        for name in self._studio.site.datasets():
            with suppress(HTTPException):  # archived in this moment
                paths[name] = self._studio.paths(name)
        cards = [self._studio.cards.card(each) for each in paths.values()]
        yield GaugeMetricFamily("ganmill_datasets", "Datasets on the list", value=len(cards))
        yield from _disk(self._studio.site.data)
        yield self._jobs()
        yield from _runs(cards)
        yield from _figures(cards)
        heads = {name: read_heads(each) for name, each in paths.items()}
        yield from _artifacts(heads)
        yield self._counted(paths)
        yield from _night(self._studio.site.data / NIGHTS)

    def _jobs(self) -> Metric:
        states = Counter(job.state for job in self._studio.jobs.store.all())
        metric = GaugeMetricFamily("ganmill_jobs", "Jobs of the studio that wait or work", labels=["state"])
        for state in ("queued", "running"):
            metric.add_metric([state], states[state])
        return metric

    def _counted(self, paths: dict[str, DatasetPaths]) -> Metric:
        for name, each in paths.items():
            self._stages.update(name, each.runs)
        labels = ["dataset", "stage", "outcome"]
        metric = CounterMetricFamily("ganmill_stages", "Stages that ended since the studio started", labels=labels)
        for key, number in sorted(self._stages.counts.items()):
            metric.add_metric(list(key), number)
        return metric


def _disk(data: Path) -> Iterator[Metric]:
    with suppress(OSError):
        usage = shutil.disk_usage(data)
        yield GaugeMetricFamily("ganmill_disk_free_bytes", "Free bytes of the disk of data/", value=usage.free)
        yield GaugeMetricFamily("ganmill_disk_used_bytes", "Used bytes of the disk of data/", value=usage.used)


def _runs(cards: list[DatasetCard]) -> Iterator[Metric]:
    """How the last run of each dataset stands, and when it began."""
    state = GaugeMetricFamily("ganmill_last_run", "1 for how the last run stands", labels=["dataset", "outcome"])
    began = GaugeMetricFamily("ganmill_last_run_start_time_seconds", "When the last run began", labels=["dataset"])
    for card in cards:
        if card.run.state not in RUN_STATES:
            continue
        for each in RUN_STATES:
            state.add_metric([card.name, each], float(each == card.run.state))
        if (seconds := _seconds(card.run.began)) is not None:
            began.add_metric([card.name], seconds)
    yield from (state, began)


def _figures(cards: list[DatasetCard]) -> Iterator[Metric]:
    """What each dataset has, as its card shows it."""
    for name, meaning, value in (
        ("ganmill_pictures", "Pictures that were saved", "saved"),
        ("ganmill_squares", "Squares that were made", "squares"),
        ("ganmill_kept_squares", "Squares that the filter keeps", "kept"),
    ):
        metric = GaugeMetricFamily(name, meaning, labels=["dataset"])
        for card in cards:
            if (number := getattr(card, value)) is not None:
                metric.add_metric([card.name], number)
        yield metric
    labels = GaugeMetricFamily("ganmill_labels", "Labels that people gave", labels=["dataset", "label"])
    for card in cards:
        for label in ("on", "off", "skip"):
            labels.add_metric([card.name, label], getattr(card.labels, label))
    yield labels


def _artifacts(heads: dict[str, Heads]) -> Iterator[Metric]:
    """How long each stage of the last run took to make what it uses, and how good the samples are."""
    took = GaugeMetricFamily(
        "ganmill_stage_seconds", "How long the artifact took that the last run used", labels=["dataset", "stage"]
    )
    kid = GaugeMetricFamily("ganmill_kid", "Kernel inception distance of the samples", labels=["dataset"])
    for name, found in heads.items():
        for stage, head in vars(found).items():
            if head:
                took.add_metric([name, stage], head.seconds)
        if found.generate and isinstance(value := found.generate.summary.get("kid"), float):
            kid.add_metric([name], value)
    yield from (took, kid)


def _night(folder: Path) -> Iterator[Metric]:
    """How the last night went; nothing if there was none."""
    summary = newest_summary(folder)
    if summary is None:
        return
    subjects = GaugeMetricFamily("ganmill_night_subjects", "Subjects of the last night", labels=["outcome"])
    for outcome, number in summary.counts().items():
        subjects.add_metric([outcome], number)
    yield subjects
    if (ended := _seconds(summary.ended)) is not None:
        yield GaugeMetricFamily("ganmill_night_end_time_seconds", "When the last night ended", value=ended)
    yield GaugeMetricFamily("ganmill_night_seconds", "How long its turns took together", value=summary.seconds)
    yield GaugeMetricFamily("ganmill_night_bytes", "Bytes of all datasets after it", value=summary.bytes)
    over = float(bool(summary.budget))
    yield GaugeMetricFamily("ganmill_night_over_budget", "1 if the budget of disk was not kept", value=over)


def _seconds(moment: str) -> float | None:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (ValueError, OverflowError):
        return None
