"""Which column of a table, or which field of a JSON object, holds the URL of a picture, its title, its licence, ..."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UserError
from pipeline.option_types import similar
from pipeline.text import to_plain_line

# The usual names, the likeliest first, without regard to capitals, spaces, - and _
USUAL = {
    "url": (
        "url", "imageurl", "imgurl", "fileurl", "photoimageurl", "originalurl", "contenturl", "downloadurl", "src",
        "address", "link", "image",
    ),
    "page": ("page", "pageurl", "sourceurl", "foreignlandingurl", "originallandingurl", "landingurl", "photourl"),
    "title": ("title", "caption", "text", "alt", "alttext", "description", "photodescription"),
    "license": ("license", "licence", "licenseurl", "licenceurl", "licensename", "rights"),
    "creator": ("creator", "author", "artist", "photographer", "photographerusername", "credit"),
    "class": ("class", "category", "classname", "categoryname"),
    "file": ("filename", "file", "filepath", "path", "image"),
    # What img2dataset says of a picture that it could not fetch
    "key": ("key",),
    "status": ("status",),
    "reason": ("errormessage",),
}  # fmt: skip
SHOWN, LONGEST_NAME = 12, 40  # columns in an error, and characters of each
_IGNORED = str.maketrans("", "", " _-.\ufeff")


@dataclass(frozen=True)
class Columns:
    """Finds the column of a field: the one that `download.columns` names, or else the first with a usual name."""

    given: Mapping[str, str]  # column by field

    @classmethod
    def parse(cls, pairs: Iterable[str]) -> "Columns":
        """From the texts `field=column` of the option, which has checked them."""
        parts = [pair.partition("=") for pair in pairs]
        return cls({field.strip(): column.strip() for field, _, column in parts})

    def choose(self, names: Collection[str], fields: Iterable[str]) -> dict[str, str]:
        """The column of each of `fields` that has one among `names`."""
        folded = {_fold(name): name for name in reversed([*names])}
        found = {}
        for field in fields:
            usual = next((folded[each] for each in USUAL[field] if each in folded), "")
            column = self.given.get(field, usual)
            if column and column in names:
                found[field] = column
        return found

    def check(self, names: Collection[str], *, fields: Collection[str], needed: str, where: str) -> None:
        """Raise a `UserError` if a column that was given is not among `names`, or none has the field `needed`.

        Args:
            names: The columns that there are.
            fields: The fields that are read.
            needed: The field without which there is no picture.
            where: What an error begins with.
        """
        for field, column in self.given.items():
            if field in fields and column not in names:
                near = similar(_shown(column), map(_shown, names))
                advice = f"; did you mean '{near}'?" if near else ""
                raise UserError(f"{where}: columns = {field}={_shown(column)}: {_listed(names)}{advice}")
        if needed not in self.choose(names, (needed,)):
            raise UserError(
                f"{where}: no column is called {needed}: {_listed(names)}; name it, for example columns ="
                f" {needed}={_shown(next(iter(names), 'link'))}"
            )


def as_text(value: Any) -> str:
    """The text of a value of a table: numbers as they are written; what is missing or is a list is empty."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    is_number = isinstance(value, int | float) and value == value  # NaN is how some tables write what is missing
    return str(value) if is_number else ""


def _fold(name: str) -> str:
    return name.casefold().translate(_IGNORED)


def _listed(names: Collection[str]) -> str:
    more = ", …" if len(names) > SHOWN else ""
    return f"there are the columns {', '.join(map(_shown, [*names][:SHOWN]))}{more}" if names else "it has no columns"


def _shown(name: str) -> str:
    return to_plain_line(name, LONGEST_NAME).strip() or "''"
