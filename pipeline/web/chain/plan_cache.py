"""The plan of a run, which a process of about a second makes: it is kept until something changes that it depends on."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.options import STAGES
from pipeline.web.dataset_paths import DatasetPaths, Site

OLDEST = 600.0  # seconds after which a plan is made again: a folder of pictures elsewhere may have changed
RETRY = 20.0  # seconds after which a plan that failed is made again

Step = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan, or why there is none."""

    steps: dict[str, Step] = field(default_factory=dict)  # by stage
    error: str = ""
    made: bool = False  # False: a thread makes the first one


class PlanCache:
    """The plan of one dataset."""

    def __init__(self, make: Callable[[str], list[Step]], fingerprint: Callable[[], object]) -> None:
        """Keep what `make("")` returns as long as `fingerprint` returns the same."""
        self._make, self._fingerprint = make, fingerprint
        self._lock = threading.Lock()
        self._plan = Plan()
        self._made_of: object = None
        self._made_at = 0.0
        self._working = False

    def current(self, *, renew: bool = True) -> tuple[Plan, bool]:
        """The plan that was made last, and whether it is up to date; if not, a thread makes a new one.

        Without `renew` none is made, as while a run works.
        """
        fingerprint = self._fingerprint()
        with self._lock:
            age = time.monotonic() - self._made_at
            most = RETRY if self._plan.error else OLDEST
            fresh = self._plan.made and self._made_of == fingerprint and age < most
            if not fresh and renew and not self._working:
                self._working = True
                threading.Thread(target=self._renew, args=(fingerprint,), daemon=True, name="plan").start()
            return self._plan, fresh

    def _renew(self, fingerprint: object) -> None:
        try:
            steps = {str(step.get("stage")): step for step in self._make("") if isinstance(step, dict)}
            plan = Plan(steps=steps, made=True)
        except (UserError, OSError) as error:
            plan = Plan(error=str(error), made=True)
        except Exception:
            with self._lock:
                self._plan = Plan(error="the plan could not be made; the server's console shows why", made=True)
                self._made_of, self._made_at, self._working = fingerprint, time.monotonic(), False
            raise
        with self._lock:
            self._plan, self._made_of = plan, fingerprint
            self._made_at, self._working = time.monotonic(), False


def fingerprint(site: Site, paths: DatasetPaths) -> tuple[Any, ...]:
    """When the files changed that a plan depends on: settings, labels, definitions, artifacts, and the last run."""
    home = site.data.parent
    files = [home / "luigi.cfg", paths.folder / "settings.json", paths.labels, home / "models"]
    files += _within(home / "models", ".json")
    files += [getattr(paths, stage).root for stage in STAGES]
    files += [paths.runs, *_newest_record(paths.runs)]
    return tuple(_stamp(path) for path in files)


def _stamp(path: Path) -> tuple[str, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return str(path), found.st_mtime_ns, found.st_size


def _within(folder: Path, suffix: str) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == suffix)
    except OSError:
        return []


def _newest_record(runs: Path) -> Iterator[Path]:
    try:
        newest = max((path.name for path in runs.iterdir()), default="")
    except OSError:
        return
    if newest:
        yield runs / newest / "record.jsonl"
