"""What a trace consists of: the schema of `python -m tasks trace --json` and of the REST interface.

A field that is not known, or that does not apply, is null, or an empty list. Texts are single lines.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from pipeline.text import to_plain_line

MAX_TEXT = 2000  # characters of a text of a server or a file
Line = Annotated[str, AfterValidator(lambda text: to_plain_line(text, MAX_TEXT))]
Kind = Literal["sample", "sheet", "picture", "url"]


class Part(BaseModel):
    """A part of a trace."""

    model_config = ConfigDict(frozen=True)


class ArtifactFacts(Part):
    """An artifact of a stage; `folder` is null if it was deleted, and `key` then only if that is not known either."""

    stage: Line
    key: Line | None = None
    folder: Line | None = None
    created: Line | None = None


class Crawled(Part):
    """A row of the stage download: a URL, what led to it, and what became of it."""

    url: Line
    page: Line = ""
    title: Line = ""
    query: Line = ""
    engine: Line = ""
    rank: int | None = None
    time: Line = ""
    license: Line = ""
    creator: Line = ""
    outcome: Line = ""  # saved, duplicate, rejected or failed
    reason: Line = ""
    id: Line | None = None  # of the picture
    download: Line = ""  # the artifact's folder


class SquareFacts(Part):
    """A row of the stage normalize: a picture and whether it became a square."""

    outcome: Line  # kept, duplicate or rejected
    reason: Line = ""
    duplicate_of: Line | None = None
    file: Line | None = None  # null if there is no square, or if it was deleted
    normalize: Line = ""  # the artifact's folder


class LabelChange(Part):
    """A row of the label log; `label` null withdraws the label before it."""

    label: Literal["on", "off", "unsure"] | None
    time: Line
    how: Line
    validation: bool = False


class Verdict(Part):
    """What one filter decided about a square."""

    filter: Line  # the artifact's folder
    score: float | None = None
    threshold: float | None = None
    outcome: Line = ""  # kept, rejected or unsure (borderline)
    label: Line | None = None  # that the filter knew
    current: bool = False  # the last run used this filter


class TrainingName(Part):
    """A training, by its names."""

    key: Line
    number: int | None = None
    name: Line = ""  # the folder's name for people
    definition: Line = ""
    folder: Line | None = None  # of the artifact; null if it is unfinished or was deleted


class NearestTo(Part):
    """A sample to which a picture is one of the nearest reals."""

    generate: Line  # the artifact's folder
    sample: int
    place: int  # 1 for the nearest
    distance: float
    extractor: Line = ""


class PictureFacts(Part):
    """All that is known about one picture."""

    id: Line
    crawled: list[Crawled] = []
    squares: list[SquareFacts] = []
    labels: list[LabelChange] = []
    verdicts: list[Verdict] = []
    learned_by: list[TrainingName] = []
    nearest_to: list[NearestTo] = []


class NearestReal(Part):
    """One of the nearest reals of a sample, with where it comes from."""

    id: Line
    distance: float
    square: Line | None = None  # null if it was deleted
    crawled: Crawled | None = None


class Labels(Part):
    """The label snapshot that a filter learned from."""

    digest: Line
    file: Line | None = None  # null if it was deleted
    on: int | None = None
    off: int | None = None
    unsure: int | None = None
    validation: int | None = None


class StartFacts(Part):
    """A training with whose networks another one began, and the pictures that it had learned from."""

    training: Line  # the artifact's folder
    dataset: Line | None = None
    pictures: int | None = None
    licences: dict[Line, int] | None = None  # how many pictures have each; "" if a picture has none that is known


class Lineage(Part):
    """What a training was made from, back to the download."""

    training: TrainingName | None = None
    starts: list[StartFacts] = []  # the training that it began with, the one that that began with, and so on
    epochs: int | None = None
    epoch: int | None = None  # that the generator is of
    size: int | None = None  # pixels
    reals: int | None = None  # kept squares that it learned from
    generator: Line = ""  # digest
    gan: ArtifactFacts
    filter: ArtifactFacts
    threshold: float | None = None
    labels: Labels | None = None
    normalize: ArtifactFacts
    squares: int | None = None
    download: ArtifactFacts
    pictures: int | None = None


class SampleFacts(Part):
    """A sample, and how to make it again. `number` is null for a sheet of many samples."""

    number: int | None
    file: Line | None = None  # null if it was deleted
    seed: int | None = None
    truncation: float | None = None
    class_name: Line = ""  # of a conditional GAN: that of the sample, or of all samples if one was chosen
    command: Line = ""  # that makes it again
    kid: float | None = None  # of all samples of the artifact
    kid_error: float | None = None
    extractor: Line = ""  # what the KID and the distances are measured with
    generate: ArtifactFacts
    nearest: list[NearestReal] = []


class SheetFacts(Part):
    """A sample sheet of a training."""

    file: Line | None = None
    epoch: int
    kid: float | None = None
    extractor: Line = ""


class Trace(Part):
    """What one thing is connected to. `notices` say what was deleted or cannot be read."""

    asked: Line
    dataset: Line
    kind: Kind
    sample: SampleFacts | None = None
    sheet: SheetFacts | None = None
    lineage: Lineage | None = None
    url: list[Crawled] = []
    picture: PictureFacts | None = None
    notices: list[Line] = []
