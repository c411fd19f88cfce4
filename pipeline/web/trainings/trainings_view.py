"""The trainings of a dataset as the studio shows them: each with its files, state, scores, sheets and alarms."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException

from pipeline.errors import DamagedState, UserError
from pipeline.gan.class_names import read_names
from pipeline.gan.config import Definition, read_definition
from pipeline.gan.evaluation.diagnostics import PLATEAU
from pipeline.gan.evaluation.floor import compare_with_floor
from pipeline.gan.stats_log import STATS, best_in_words
from pipeline.images.contact_sheet import GAP, GRID
from pipeline.report.training_files import (
    DONE,
    MadeArtifacts,
    TrainingFiles,
    epochs_done,
    epochs_in_words,
    find_files,
    group_artifacts,
    training_of,
)
from pipeline.report.trainings import Training, Trainings
from pipeline.run_record import LONGEST_LINE
from pipeline.store.artifacts import SHORT, Artifact
from pipeline.text import to_plain_line
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.rendering import dataset_url
from pipeline.web.trainings.history_bodies import (
    AlarmBody,
    LatentsBody,
    NoteBody,
    ScoreBody,
    SheetBody,
    TrainingBody,
    TrainingDetail,
)
from pipeline.web.trainings.notes import NONE, TRAINING, Note, Notes, read_notes
from pipeline.web.trainings.run_facts import full_settings, read_facts, runs_that_began
from pipeline.web.trainings.training_course import Course, read_course

DELETED = "deleted"  # `gc` has deleted all of it; its row in the register stays
SHEET = re.compile(r"epoch-(\d{1,12})\.png")
DEFINITION = "definition.json"
LONGEST_NAME = 200  # characters of the name of a definition
FILMS = {"gif": "image/gif", "mp4": "video/mp4", "webm": "video/webm"}


@dataclass(frozen=True, kw_only=True)
class FoundTraining:
    """One training with what there is of it."""

    training: Training
    files: TrainingFiles
    state: str
    note: Note

    @property
    def id(self) -> str:
        """The first digits of its content key, as in the names of its folders."""
        return self.training.key[:SHORT]

    @property
    def title(self) -> str:
        """What people call it: the name that somebody gave it, or that of its folder."""
        return self.note.name or self.training.name

    @property
    def summary(self) -> Mapping[str, Any]:
        """The figures of the finished or unfinished training; empty while there is none."""
        return self.files.gan.manifest.summary if self.files.gan else {}

    @property
    def drawn(self) -> int | None:
        """The epoch that the generator is of; None if that is not known."""
        return _whole(self.summary.get("epoch_kept"))

    def sheets(self) -> dict[int, Path]:
        """The sample sheets by epoch, in order: those that people see first, or else those of the artifact."""
        folders = [self.files.sheets, *([self.files.gan.folder / "samples"] if self.files.gan else [])]
        found: dict[int, Path] = {}
        for folder in folders:
            for path in folder.glob("epoch-*.png"):
                if match := SHEET.fullmatch(path.name):
                    found.setdefault(int(match[1]), path)
        return dict(sorted(found.items()))

    def file(self, name: str) -> Path | None:
        """The file `name` of the sheets, or of the artifact."""
        folders = [self.files.sheets]
        folders += [self.files.gan.folder / part for part in ("samples", "plots", "")] if self.files.gan else []
        return next((folder / name for folder in folders if (folder / name).is_file()), None)

    def course(self) -> Course:
        """What its statistics say."""
        folders = [self.files.sheets, *([self.files.gan.folder] if self.files.gan else [])]
        return read_course(folder / STATS for folder in folders)


class TrainingsView:
    """The trainings of one dataset, as they are now."""

    def __init__(self, paths: DatasetPaths) -> None:
        self.paths = paths
        self.api = f"/api/v1/datasets/{quote(paths.dataset, safe='')}"

    @cached_property
    def _begun(self) -> dict[str, str]:
        return runs_that_began(self.paths.runs, "gan")

    def all(self) -> list[FoundTraining]:
        """Every training that ever began, the newest first."""
        made, notes = group_artifacts(self.paths.trainings), read_notes(self.paths.folder)
        return [self._found(training, made, notes) for training in self._known(made)]

    def find(self, id: str) -> FoundTraining:
        """The training with this id; status 404 if there is none."""
        made = group_artifacts(self.paths.trainings)
        training = next((each for each in self._known(made) if each.key.startswith(id)), None)
        if training is None or len(id) != SHORT:
            raise HTTPException(404, f"there is no training {to_plain_line(id, 40)!r} of this dataset")
        return self._found(training, made, read_notes(self.paths.folder))

    def _known(self, made: MadeArtifacts) -> list[Training]:
        """The trainings of the register, the newest first; before them those that the next run will number."""
        known = Trainings(self.paths.generated).all()
        keys = {training.key for training in known}
        others = [training_of(gan) for key, gan in made.gan_of.items() if key not in keys]
        return sorted(others, key=lambda training: training.began)[::-1] + known[::-1]

    def _found(self, training: Training, made: MadeArtifacts, notes: Notes) -> FoundTraining:
        sheets = Trainings(self.paths.generated).sheets(training)
        files = find_files(self.paths.trainings, sheets, training, made, running=True)
        note = notes.get((TRAINING, training.key[:SHORT]), NONE)
        return FoundTraining(training=training, files=files, state=_state(files, training), note=note)

    def body(self, found: FoundTraining) -> TrainingBody:
        """A training in a list."""
        return TrainingBody(**self._facts(found))

    def detail(self, found: FoundTraining) -> TrainingDetail:
        """All that there is to see of a training."""
        course = found.course()
        facts = self._facts(found)
        return TrainingDetail(
            **facts,
            sheets=[self._sheet(found, course, epoch, path) for epoch, path in found.sheets().items()],
            latents=LatentsBody(seed=facts["seed"], size=latent_size(self.paths, found), grid=GRID, gap=GAP),
            best=f"{best_in_words(course.best)} by {course.best['extractor']}" if course.best else "",
            alarms=_alarms(found, course),
            notices=_notices(found, course),
            links=self._links(found),
        )

    def _facts(self, found: FoundTraining) -> dict[str, Any]:
        training, manifest = found.training, found.files.gan.manifest if found.files.gan else None
        run = manifest.run if manifest else self._begun.get(training.key, "")
        return {
            "id": found.id,
            "number": training.number,
            "folder_name": training.name,
            "definition": to_plain_line(training.definition, LONGEST_NAME),
            "size": training.size,
            "state": found.state,
            "error": to_plain_line(training.error, LONGEST_LINE),
            "began": to_plain_line(training.began, 40),
            "seconds": manifest.seconds if manifest else None,
            "epochs_planned": training.epochs,
            "epochs_done": epochs_done(found.files, found.state),
            "epochs": epochs_in_words(training, found.files, found.state),
            "drawn_from": to_plain_line(str(found.summary.get("drawn_from", "")), LONGEST_LINE),
            "images": _whole(found.summary.get("images")),
            "seed": seed_of(self.paths, found, run),
            "run": run,
            "score": score_of(found.files.generate) if found.files.generate else None,
            "note": NoteBody(**asdict(found.note)),
        }

    def _sheet(self, found: FoundTraining, course: Course, epoch: int, path: Path) -> SheetBody:
        try:
            version = f"{path.stat().st_mtime_ns:x}"
        except OSError:
            version = ""
        url = f"{self.api}/trainings/{found.id}/sheets/{epoch}?v={version}"
        return SheetBody(epoch=epoch, images_seen=course.seen_at(epoch), url=url)

    def _links(self, found: FoundTraining) -> dict[str, str]:
        """The addresses of what else there is of a training, by what it is."""
        api, page = f"{self.api}/trainings/{found.id}", dataset_url(self.paths.dataset)
        links = {
            "reals": f"{api}/reals" if found.file("reals.png") else "",
            "samples": f"{page}samples?training={found.id}" if found.files.generate else "",
            "report": f"{page}trainings/{found.id}/report/index.html" if found.files.report else "",
            "generator": f"{api}/generator" if found.file("generator.keras") else "",
            "statistics": f"{api}/stats",
        }
        films = {f"film.{kind}": f"{api}/film?format={kind}" for kind in FILMS if found.file(f"training.{kind}")}
        return {name: url for name, url in (links | films).items() if url}


def score_of(generate: Artifact) -> ScoreBody | None:
    """The scores of samples; None if they were not measured."""
    summary = generate.manifest.summary
    names = ("kid", "kid_error", "kid_floor", "precision", "recall", "density", "coverage")
    values = {name: number(summary.get(name)) for name in names}
    if values["kid"] is None:
        return None
    extractor = to_plain_line(str(summary.get("extractor", "")), 200)
    return ScoreBody(**values, extractor=extractor, verdict=compare_with_floor(values))


def number(value: Any) -> float | None:
    """`value` if it is a number, and not so large that it is none."""
    return float(value) if type(value) in (int, float) and abs(value) < 1e300 else None


def seed_of(paths: DatasetPaths, found: FoundTraining, run: str) -> int | None:
    """The seed of the training: by its artifact, or by the record of the run that makes it."""
    if found.files.gan:
        return _whole(found.files.gan.manifest.options.get("seed"))
    facts = read_facts(paths.runs / run) if run else None
    return _whole(full_settings(facts.settings).get("gan.seed")) if facts and facts.settings is not None else None


def latent_size(paths: DatasetPaths, found: FoundTraining) -> int | None:
    """How many numbers a latent has; None if the definition is gone."""
    definition = definition_of(paths, found)
    try:
        return definition.latent + len(read_names(_gan_folder(paths, found))) if definition else None
    except DamagedState:
        return None


def definition_of(paths: DatasetPaths, found: FoundTraining) -> Definition | None:
    """The definition that the training was made with; None if it is gone or cannot be read."""
    path = _gan_folder(paths, found) / DEFINITION
    try:
        return _read_definition(path, path.stat().st_mtime_ns)
    except (OSError, UserError):
        return None


def _gan_folder(paths: DatasetPaths, found: FoundTraining) -> Path:
    gan = found.files.gan
    return gan.folder if gan else paths.gan.work_path(found.training.key)


@lru_cache(maxsize=256)  # a few kB each
def _read_definition(path: Path, modified: int) -> Definition:
    return read_definition(path)


def _state(files: TrainingFiles, training: Training) -> str:
    return files.state(training) if files.exist else DELETED


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None


def _alarms(found: FoundTraining, course: Course) -> list[AlarmBody]:
    """The alarms of a training; one that ended at a plateau by itself needs no advice about that."""
    told = found.summary.get("alarms") if found.state == DONE else None
    kinds = _told_alarms(told) if isinstance(told, list) else None
    return [
        AlarmBody(kind=alarm.kind, start=alarm.start, end=alarm.end, text=to_plain_line(alarm.text, LONGEST_LINE))
        for alarm in course.alarms
        if kinds is None or alarm.kind != PLATEAU or (alarm.kind, str(alarm.start)) in kinds
    ]


def _told_alarms(told: list[Any]) -> set[tuple[str, str]]:
    """Kind and start of the alarms in a summary."""
    return {(str(each.get("kind")), str(each.get("start"))) for each in told if isinstance(each, dict)}


def _notices(found: FoundTraining, course: Course) -> list[str]:
    """What a person should know beside the alarms."""
    alarms = {alarm.text for alarm in course.alarms}
    told = found.summary.get("notices") if found.state == DONE else None
    lines = told if isinstance(told, list) else course.notes
    return [to_plain_line(str(line), LONGEST_LINE) for line in lines if line not in alarms]
