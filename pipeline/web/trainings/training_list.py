"""The trainings of a dataset as a list that can be filtered and ordered."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from pipeline.web.trainings.history_bodies import ScoreBody, TrainingBody
from pipeline.web.trainings.trainings_view import TrainingsView

TrainingShow = Literal["all", "starred", "done", "running", "unfinished", "failed", "deleted"]
TrainingSort = Literal["newest", "oldest", "longest", "kid"]
TRAINING_SHOWS, TRAINING_SORTS = get_args(TrainingShow), get_args(TrainingSort)


@dataclass(frozen=True, kw_only=True)
class WantedTrainings:
    """Which trainings are listed, and in which order."""

    show: str = "all"  # one of TRAINING_SHOWS
    sort: TrainingSort = "newest"
    text: str = ""  # of their name, note, definition or id


def list_trainings(view: TrainingsView, wanted: WantedTrainings) -> list[TrainingBody]:
    """The trainings that are wanted, in that order."""
    found = [body for body in map(view.body, view.all()) if _is_wanted(body, wanted)]
    if wanted.sort == "oldest":
        return found[::-1]
    if wanted.sort == "longest":
        return sorted(found, key=lambda training: -(training.seconds or 0.0))
    return sorted(found, key=lambda training: kid_place(training.score)) if wanted.sort == "kid" else found


def kid_place(score: ScoreBody | None) -> Any:
    """Where a score is in the order of KIDs; those of one extractor are together, as others cannot be compared."""
    return (score is None, score.extractor if score else "", (score.kid or 0.0) if score else 0.0)


def _is_wanted(training: TrainingBody, wanted: WantedTrainings) -> bool:
    shown = {"all": True, "starred": training.note.star}.get(wanted.show, training.state == wanted.show)
    texts = (training.folder_name, training.id, training.definition, training.note.name, training.note.note)
    return shown and wanted.text.casefold() in "\n".join(texts).casefold()
