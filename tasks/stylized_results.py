"""The folder of stylised pictures: an artifact for each, a copy of each picture, and how the work stands, for a page.

<out>/
    rose.png             a copy of each result, by the name of its content
    overview.png         all of them on one sheet, if there are several
    1a2b3c4d5e6f/        the artifact of a result: see `pipeline.style.stylized_folder`
    .work-77aa88bb99cc/  one that is being made, or was stopped; the next call goes on
    latest               names the artifact that was made or found last
    state.json           how the last call stands: see `StylizedResults`
    runs/<run>/          the record of each call, as that of a run
"""

import json
import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from pipeline.errors import UserError, disk_faults
from pipeline.images.contact_sheet import contact_sheet
from pipeline.images.png import decode_png, encode_png
from pipeline.images.raster import resize
from pipeline.progress import TellingProgress
from pipeline.result import Result
from pipeline.run_record import process_start
from pipeline.store import digest
from pipeline.store import manifest as manifests
from pipeline.store.artifacts import Artifact, ArtifactStore
from pipeline.store.atomic import write_whole
from pipeline.store.jsonl import timestamp
from pipeline.store.manifest import Manifest, list_files
from pipeline.style.drawn_content import DrawnContent
from pipeline.style.style_pictures import distinct
from pipeline.text import to_plain_line
from tasks import error_text, isolation, locks, run_log, signals
from tasks.run_log import RunLog
from tasks.stage_reporter import StageReporter

STAGE, VERSION = "stylize", 1
STATE, LATEST, RUNS, PICTURE, OVERVIEW = "state.json", "latest", "runs", "picture.png", "overview"
MAX_NAME = 150  # characters of a content's name
TILE = 256  # pixels of a result on the overview
SPARE = ("checkpoint.npz", ".*.part")  # what a finished artifact does not need
Work = Callable[..., Result]  # draws one content into `folder`


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is drawn: a file, or a sample; `digest` tells it from every other one."""

    source: Path | DrawnContent
    name: str
    digest: str
    aspect: float = 1.0  # the shorter side as a share of the longer one


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One result: its key, the name of its copy without a suffix, and how it stands."""

    content: Content
    name: str
    key: str
    state: str = "waiting"  # then working, and made or found
    folder: str = ""  # in `out`: of the artifact, or of the work

    def row(self) -> dict[str, Any]:
        """For state.json."""
        found = {"content": to_plain_line(self.content.name, MAX_NAME), "digest": self.content.digest, "key": self.key}
        return {**found, "state": self.state, "folder": self.folder, "picture": f"{self.name}.png"}


class StylizedResults:
    """All results of one call, in the folder `out`.

    state.json has `state` (working, finished, stopped or failed), `error` (one line, or empty), `run`, `pid` and `born`
    (the process, as a run record has it), `results` (a row for each, in order: content, digest, key, state, folder,
    picture), and `pictures` (the SHA-256 of each copy, by its name, also those of earlier calls and of calls at the
    same time; two of them while a copy is replaced).

    Raises:
        UserError: `out` is a file, or has files that this command has not made under the names of its copies.
    """

    def __init__(
        self, out: Path, contents: Sequence[Content], *, options: dict[str, Any], inputs: dict[str, str]
    ) -> None:
        self.out, self._options, self._inputs = out, options, inputs
        if out.exists() and not out.is_dir():
            raise UserError(f"--out {out} is a file; name a folder")
        self._store = ArtifactStore(out)
        names = distinct([OVERVIEW, *(content.name for content in contents)])[1:]
        self._planned = [
            Planned(content=content, name=name, key=self._key(content))
            for content, name in zip(contents, names, strict=True)
        ]
        self._refuse_other_files(self._known_copies())
        self._record = RunLog(out / RUNS / run_log.new_name())
        self._state, self._error = "working", ""

    @property
    def log(self) -> Path:
        """The log of this call."""
        return self._record.log

    @property
    def pictures(self) -> list[Path]:
        """The copies of all results, and the overview of several."""
        names = [planned.name for planned in self._planned]
        return [self.out / f"{name}.png" for name in (names if len(names) == 1 else [*names, OVERVIEW])]

    def make(self, work: Work) -> None:
        """Make each result that is not there. Errors: those of `work`; what is finished is kept."""
        with disk_faults(self.out):
            self.out.mkdir(parents=True, exist_ok=True)
        record = self._record
        record.add(
            "start", pid=os.getpid(), born=process_start(os.getpid()), host=platform.node(), versions=run_log.versions()
        )
        record.add("plan", until=STAGE, stages=[STAGE])
        outcome, error = "failed", ""
        try:
            with disk_faults(self.out):
                for index in range(len(self._planned)):
                    self._make_one(index, work)
                if len(self._planned) > 1:
                    self._write_copy(OVERVIEW, self._overview())
            outcome = "done"
        except BaseException as caught:
            stopped = isinstance(caught, KeyboardInterrupt) or error_text.outcome_of(caught) == "stopped"
            outcome, error = "stopped" if stopped else "failed", error_text.one_line(caught)
            raise
        finally:
            record.add("end", outcome=outcome, error=error)
            self._state, self._error = "finished" if outcome == "done" else outcome, error
            with suppress(OSError), self._own_state():  # what went wrong before must not be hidden
                self._write_state()

    def _make_one(self, index: int, work: Work) -> None:
        """Find or make one result, and copy its picture."""
        planned = self._planned[index]
        lock = self._store.lock(planned.key)
        notify = partial(self._record.add_and_print, "wait", stage=STAGE, reason="another call makes the same")
        with locks.acquire(lock, notify):
            found = self._store.find(planned.key)
            if found:
                self._store.point_latest(found.folder)
                text = f"{planned.content.name}: finished already, in {found.folder}"
                self._record.add_and_print("note", stage=STAGE, text=text)
            else:
                folder = self._store.work_path(planned.key).name
                self._update(index, state="working", folder=folder)
                made = self._make_artifact(planned, work, place=f"{index + 1} of {len(self._planned)}")
        artifact = found or made
        self._copy(artifact, planned.name)
        self._update(index, state="found" if found else "made", folder=artifact.folder.name)

    def _make_artifact(self, planned: Planned, work: Work, *, place: str) -> Artifact:
        began, key, store = time.monotonic(), planned.key, self._store
        if damage := store.damage(key):
            self._record.add_and_print("note", stage=STAGE, text=f"{damage}; it is made again")
        draft = self._draft(planned)
        folder = store.work(key, resume=True)
        manifests.write(draft, folder)  # so that it is known what a stopped call was making
        reporter = StageReporter(self._record, STAGE, lambda words, percent: None)
        reporter.started(key)
        several = len(self._planned) > 1
        where = f"{planned.content.name}, {place}; " if several else ""

        def progress(done: int, total: int, note: str = "") -> None:
            reporter.progress(done, total, f"{where}{note}")

        try:
            result = isolation.call(
                partial(work, planned.content),
                folder=folder,
                progress=TellingProgress(progress, reporter.tell),
                should_stop=signals.should_stop,
                log=self._record.log.absolute(),
            )
            for pattern in SPARE:
                for path in folder.rglob(pattern):
                    path.unlink()
            manifest = replace(
                draft,
                outputs=result.outputs,
                summary=result.summary,
                files=list_files(folder),
                created=timestamp(),
                seconds=round(time.monotonic() - began, 2),
            )
            artifact = store.publish(folder, manifest)
        except BaseException as error:
            reporter.failed(error_text.outcome_of(error), error_text.one_line(error), key)
            raise
        reporter.made(manifest)
        return artifact

    def _key(self, content: Content) -> str:
        return digest.of_value([STAGE, VERSION, self._options, content.digest, self._inputs])

    def _draft(self, planned: Planned) -> Manifest:
        return Manifest(
            stage=STAGE,
            version=VERSION,
            dataset="",
            key=planned.key,
            options=self._options,
            inputs={"content": planned.content.digest, **self._inputs},
            notes={"content": to_plain_line(planned.content.name, MAX_NAME)},
            versions=run_log.versions(),
            run=self._record.run,
        )

    def _copy(self, artifact: Artifact, name: str) -> None:
        """Copy the picture of `artifact` to `out`."""
        self._write_copy(name, (artifact.folder / PICTURE).read_bytes())

    def _overview(self) -> bytes:
        """A contact sheet of all results, each within a square."""
        tiles = [_tile(decode_png(path.read_bytes())) for path in self.pictures[:-1]]
        return encode_png(contact_sheet(tiles, math.ceil(math.sqrt(len(tiles)))))

    def _write_copy(self, name: str, data: bytes) -> None:
        """Write a picture into `out`. A call that is killed meanwhile leaves the old or the new one, both noted."""
        path, new = self.out / f"{name}.png", digest.of_bytes(data)
        with self._own_state():
            if path.is_file() and digest.of_file(path) == new:
                return self._write_state({path.name: [new]})
            known = self._known_copies()
            if os.path.lexists(path) and not _is_one_of(path, known):
                raise self._not_ours(path.name)
            self._write_state({path.name: [*known.get(path.name, []), new]})
            write_whole(path, data)
            self._write_state({path.name: [new]})

    def _update(self, index: int, *, state: str, folder: str) -> None:
        self._planned[index] = replace(self._planned[index], state=state, folder=folder)
        with self._own_state():
            self._write_state()

    def _own_state(self) -> FileLock:
        """The lock of state.json and the copies: other calls may write into the same folder."""
        return FileLock(self.out / ".lock-state")

    def _write_state(self, copies: dict[str, list[str]] | None = None) -> None:
        state = {
            "program": STAGE,
            "state": self._state,
            "error": self._error,
            "run": self._record.run,
            "pid": os.getpid(),
            "born": process_start(os.getpid()),
            "results": [planned.row() for planned in self._planned],
            "pictures": {**self._known_copies(), **(copies or {})},
        }
        write_whole(self.out / STATE, (json.dumps(state, indent=1, ensure_ascii=False) + "\n").encode())

    def _known_copies(self) -> dict[str, list[str]]:
        """The digests of each copy, by the state in the folder; none if it cannot be read."""
        pictures = (self._state_there() or {}).get("pictures")
        if not isinstance(pictures, dict):
            return {}
        return {name: [*filter(digest.is_digest, found)] for name, found in pictures.items() if isinstance(found, list)}

    def _state_there(self) -> dict[str, Any] | None:
        """The state that a call of this command left in the folder; None if there is none."""
        with suppress(OSError, ValueError):
            found = json.loads((self.out / STATE).read_bytes())
            return found if isinstance(found, dict) and found.get("program") == STAGE else None
        return None

    def _refuse_other_files(self, known: dict[str, list[str]]) -> None:
        """Raise a `UserError` before any work if a file would be replaced that this command has not made."""
        is_own = self._state_there() is not None
        others = [] if is_own else [name for name in (STATE, LATEST) if os.path.lexists(self.out / name)]
        others += [path.name for path in self.pictures if os.path.lexists(path) and not _is_one_of(path, known)]
        if others:
            raise self._not_ours(others[0])

    def _not_ours(self, name: str) -> UserError:
        shown = to_plain_line(name, MAX_NAME)
        return UserError(f"--out {self.out}: {shown} is there, and not by this command; name another folder")


def _is_one_of(path: Path, known: dict[str, list[str]]) -> bool:
    return path.is_file() and digest.of_file(path) in known.get(path.name, [])


def _tile(picture: np.ndarray) -> np.ndarray:
    """`picture` within a white square of TILE pixels: (TILE, TILE, 3) uint8."""
    height, width = (max(1, side * TILE // max(picture.shape[:2])) for side in picture.shape[:2])
    tile = np.full((TILE, TILE, 3), 255, np.uint8)
    top, left = (TILE - height) // 2, (TILE - width) // 2
    tile[top : top + height, left : left + width] = resize(picture, width, height)
    return tile
