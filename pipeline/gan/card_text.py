"""The model card as data and as text: README.md with the metadata that the Hugging Face Hub reads at its top.

No TensorFlow here: the studio writes the text again for the archive of a model.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from pipeline.filter.words import precision_words, recall_words
from pipeline.gan.evaluation.floor import compare_with_floor
from pipeline.gan.sheet_names import SHEETS, sheet_name
from pipeline.gan.stats_log import best_in_words

CARD, README = "card.json", "README.md"
MARKUP = re.compile(r"([\\`*_{}\[\]<>|#])")  # what Markdown would read in a word from the web
# How the networks are there: in the folder of a training, or in a repository, for Keras or as ONNX
Layout = Literal["training", "keras", "onnx"]
PIPELINE, TAGS = "unconditional-image-generation", ("gan", "image-generation", "ganmill")
# Nobody here can give the licence: it follows from those of the training pictures. A link would have to lead to a file
# LICENSE, which only the publisher can write
LICENCE = {"license": "other", "license_name": "see-training-pictures"}


@dataclass(frozen=True, kw_only=True)
class Origins:
    """How many of the pictures come from each source, and have each licence; '' counts pictures without a licence."""

    sources: dict[str, int]
    licences: dict[str, int]
    credited: int  # pictures whose creator is named
    unknown: int  # pictures that no line of the download is about


@dataclass(frozen=True, kw_only=True)
class StartLineage:
    """A training with whose networks another one began: the folder's name, and what is known of its pictures."""

    training: str
    dataset: str | None = None
    pictures: int | None = None
    licences: dict[str, int] | None = None


STARTS = TypeAdapter(tuple[StartLineage, ...])


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What is known of the pictures and of their selection; None, or empty, if it is not known.

    `keys` are the content keys of the stages by name, `labels` is the digest of the label snapshot, and `filter` holds
    the method, threshold, precision, and numbers of labels of the filter. `starts` are the trainings with whose
    networks this one began, and with whose that one did, the latest first.
    """

    dataset: str | None = None
    queries: tuple[str, ...] = ()
    origins: Origins | None = None
    labels: str | None = None
    filter: dict[str, Any] | None = None
    keys: dict[str, str]
    starts: tuple[StartLineage, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Card:
    """The model card of a GAN as JSON values; None if a value is not known, or was not measured."""

    made: str  # ISO 8601, UTC
    definition: dict[str, Any]
    pictures: dict[str, Any]
    lineage: dict[str, Any] | None
    training: dict[str, Any]
    networks: dict[str, Any]
    drawn: dict[str, Any]  # the epoch whose averaged generator generator.keras is, and its scores
    last: dict[str, Any]  # the last epoch, and its scores
    best: dict[str, Any] | None  # the epoch with the lowest KID, and its scores
    notices: list[str]  # warnings, notes, and alarms that last
    recovered: list[str]  # alarms that ended
    alarms: list[dict[str, Any]]  # all of them, each with its kind and its epochs
    versions: dict[str, str]


def read_starts(gan: Path) -> tuple[StartLineage, ...]:
    """The trainings with whose networks that in the folder `gan` began; none if its card.json cannot be read."""
    try:
        return STARTS.validate_python(json.loads((gan / CARD).read_bytes())["lineage"]["starts"])
    except (OSError, ValueError, LookupError, TypeError):
        return ()


def metadata(layout: Layout, *, conditional: bool = False) -> dict[str, Any]:
    """The metadata for the Hugging Face Hub. No data set is named: that of a GAN is not one of the Hub.

    The Hub has no word for the task of a `conditional` GAN.
    """
    task = {} if conditional else {"pipeline_tag": PIPELINE}
    library = {} if layout == "onnx" else {"library_name": "keras"}
    tags = [*TAGS, "onnx"] if layout == "onnx" else [*TAGS]
    return {**LICENCE, **library, **task, "tags": tags}


def front_matter(layout: Layout, *, conditional: bool = False) -> str:
    """The metadata as YAML between two lines of dashes; JSON values are YAML too, whatever is in them."""
    lines = (f"{name}: {json.dumps(value)}" for name, value in metadata(layout, conditional=conditional).items())
    return "\n".join(["---", *lines, "---"])


def sheet_of(card: Card) -> Path:
    """The sample sheet of the epoch that the generator is of, in the folder of its training."""
    return Path(SHEETS) / sheet_name(card.drawn["epoch"])


def render_card(
    card: Card,
    *,
    layout: Layout = "training",
    sheet: str | None,
    reals: str | None = None,
    scales: str | None = None,
    plots: Sequence[str] = (),
) -> str:
    """README.md: the text of `card` for networks in this `layout`.

    `sheet`, `reals`, `scales` and `plots` are the paths of pictures that it shows or links to, as far as there are any.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # here, as most commands need none

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["escape_markdown"] = _escape_markdown
    known = card.lineage or asdict(Lineage(keys={}))
    figures = known["filter"] or {}
    return environment.get_template("card.md.jinja").render(
        card=card,
        front_matter=front_matter(layout, conditional="classes" in card.networks),
        layout=layout,
        compare_with_floor=compare_with_floor,
        known=known,
        quality=[words for words in (precision_words(figures), recall_words(figures)) if words],
        lowest=best_in_words(card.best) if card.best else None,
        sheet=sheet,
        reals=reals,
        scales=scales,
        plots=plots,
    )


def _escape_markdown(text: object) -> str:
    """`text` in one line, with Markdown's characters escaped."""
    return MARKUP.sub(r"\\\1", " ".join(str(text).split()))
