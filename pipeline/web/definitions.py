"""The GAN definitions of the studio: which there are, what a text would be, and saving one as a file in models/."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, Field

from pipeline.errors import UserError
from pipeline.gan.config import Definition, differences, read
from pipeline.gan.config.json_text import MAX_BYTES, DefinitionError, read_text
from pipeline.gan.config.loading import BUILT_IN_DEFINITIONS, BUILT_IN_NAMES, SCHEMA, definitions, parse
from pipeline.gan.config.resolutions import SIZES, Resolutions
from pipeline.gan.config.wording import as_json_text, description_line, difference_line, ignored_words, warning_line
from pipeline.store.atomic import write_whole

FOLDER = Path("models")  # of the working folder
NAME = re.compile(r"\w[\w-]*")
LONGEST = 80  # bytes of a name
KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:')


class DefinitionCheck(BaseModel):
    """What a text would be as a definition."""

    error: str = Field("", description="the line that `models check` prints; empty if it can be used")
    pointer: str = Field("", description="JSON pointer to the field that is wrong; empty for the whole text")
    line: int | None = Field(None, description="the line of the text that is wrong, from 1, if it is known")
    warnings: list[str] = Field([], description="the warnings that `models check` prints")
    loss: str = ""
    description: str = ""
    sizes: list[int] = Field([], description="sides of squares, in pixels, that its networks can be built for")
    differences: list[str] = Field(
        [], description="the fields that differ from their defaults, as `models show` prints"
    )
    translated: str = Field("", description="a file of gan-toolkit as a definition, with every default")


class DefinitionSummary(BaseModel):
    """One definition in models/."""

    name: str
    kind: str = Field(description="`built-in` or `own`")
    loss: str = ""
    description: str = ""
    smallest: int | None = Field(None, description="the smallest squares that it can be built for, in pixels")
    largest: int | None = None
    ignored: str = Field("", description="how many fields of a gan-toolkit file are not followed")
    error: str = Field("", description="why it cannot be used; empty if it can")


def list_definitions() -> list[DefinitionSummary]:
    """All definitions, by name."""
    return [summary(name, path) for name, path in definitions().items()]


def summary(name: str, path: Path) -> DefinitionSummary:
    """One definition in a line."""
    kind = "built-in" if is_built_in(name) else "own"
    try:
        reading = read(path)
    except UserError as error:
        return DefinitionSummary(name=name, kind=kind, error=str(error))
    sizes = buildable_sizes(reading.definition)
    return DefinitionSummary(
        name=name,
        kind=kind,
        loss=reading.definition.loss,
        description=description_line(reading.definition),
        smallest=min(sizes, default=None),
        largest=max(sizes, default=None),
        ignored=ignored_words(reading),
    )


def is_built_in(name: str) -> bool:
    """Whether a definition comes with this program; a user's own file of the same name may replace it."""
    found = definitions().get(name)
    return name in BUILT_IN_NAMES and (found is None or found.parent.resolve() == BUILT_IN_DEFINITIONS.resolve())


def text_of(name: str) -> str:
    """The text of the file of a definition. Errors: `UserError` if it cannot be read."""
    return read_text(definitions()[name])


def check_definition(text: str, name: str) -> DefinitionCheck:
    """What `text` would be as the definition `name`; a mistake is described, not raised."""
    source = FOLDER / f"{name or 'new'}.json"
    try:
        reading = parse(text, str(source))
    except UserError as error:
        pointer = error.pointer if isinstance(error, DefinitionError) else ""
        line = (error.line if isinstance(error, DefinitionError) else None) or line_of(text, pointer)
        return DefinitionCheck(error=str(error), pointer=pointer, line=line)
    definition = reading.definition
    return DefinitionCheck(
        warnings=[warning_line(source, each) for each in reading.warnings],
        loss=definition.loss,
        description=description_line(definition),
        sizes=list(buildable_sizes(definition)),
        differences=[difference_line(each) for each in differences(definition)],
        translated=as_json_text(definition) if reading.warnings else "",
    )


def buildable_sizes(definition: Definition) -> Sequence[int]:
    """The sides of squares, in pixels, that the networks of `definition` can be built for."""
    return [size for size in SIZES if _can_be_built(definition, size)]


def line_of(text: str, pointer: str) -> int | None:
    """The line of `text` with the field that a JSON pointer names; None for the whole text or if it is not found."""
    place, found = 0, False
    for key in pointer.split("/")[1:]:
        match = next((each for each in KEY.finditer(text, place) if each[1] == key), None)
        if match:
            place, found = match.start() + 1, True
    return text.count("\n", 0, place) + 1 if found else None


def name_problem(name: str) -> str:
    """Why no file may have this name; empty if one may."""
    if not NAME.fullmatch(name) or len(os.fsencode(name)) > LONGEST or f"{name}.json" == SCHEMA:
        return f"name = {name[:LONGEST]!r}: expected letters, digits, - and _, at most {LONGEST} bytes, not 'schema'"
    if is_built_in(name):
        return f"name = {name!r}: this definition is built in; choose another name"
    return ""


def save_definition(text: str, name: str, *, replace: bool) -> Path:
    """Write `text` as the definition `name`, all of it or nothing; with `replace` over a file that is there.

    Errors: `UserError` for a text that is no definition, a name that is not allowed, or a file that is there.
    """
    if problem := name_problem(name):
        raise UserError(problem)
    path = FOLDER / f"{name}.json"
    if path.exists() and not replace:
        raise UserError(f"{path} is there already; confirm that it is replaced, or choose another name")
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > MAX_BYTES:
        raise UserError(f"{path}: has more than {MAX_BYTES:,} bytes; a definition has a few hundred")
    parse(text, str(path))
    FOLDER.mkdir(exist_ok=True)
    write_whole(path, data, unique=True)
    return path


def _can_be_built(definition: Definition, size: int) -> bool:
    try:
        Resolutions.of(size).stages(definition)
    except UserError:
        return False
    return True
