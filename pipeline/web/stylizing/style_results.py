"""What a style transfer has made so far: its results, sheets, statistics and film, from the folder that it writes."""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.report.films import browser_film
from pipeline.store.jsonl import read_rows
from pipeline.style.style_networks import NETWORKS
from pipeline.text import to_plain_line
from pipeline.web.charts import Chart, Series

STATE, MANIFEST = "state.json", "manifest.json"
MAX_STATE = 1 << 20  # bytes
FOLDER = re.compile(r"(\.work-)?[0-9a-f]{8,64}(\.\d{1,9})?")  # with a number if it was made again
SHEET = re.compile(r"step-(\d{1,9})\.png")
FILMS = {"webm": "video/webm", "gif": "image/gif", "mp4": "video/mp4"}
LOSSES = ("content", "style", "variation")
MAX_POINTS = 400  # of a curve
STATES = ("waiting", "working", "made", "found")


@dataclass(frozen=True, kw_only=True)
class StyledPicture:
    """One picture that is drawn, or was."""

    name: str
    state: str  # one of `STATES`
    folder: Path | None  # of what there is of it; None before it begins

    @property
    def is_made(self) -> bool:
        """Whether it is finished."""
        return self.state in ("made", "found") and self.file("picture.png") is not None

    def file(self, name: str) -> Path | None:
        """A file of its folder; None if it is not there."""
        path = self.folder / name if self.folder else None
        return path if path and path.is_file() else None

    def steps(self) -> list[int]:
        """The steps of which there is a sheet, in order."""
        try:
            names = [path.name for path in (self.folder / "sheets").iterdir()] if self.folder else []
        except OSError:
            return []
        return sorted(int(found[1]) for name in names if (found := SHEET.fullmatch(name)))

    def sheet(self, step: int) -> Path | None:
        """The sheet of a step: the content, the picture after so many steps, the styles."""
        return self.file(f"sheets/step-{step:05d}.png")

    def film(self) -> str:
        """The format of the film that browsers play best; empty if there is none."""
        return browser_film(self.folder, "film").removeprefix("film.") if self.folder else ""

    def network(self) -> tuple[str, str]:
        """The network that compares the pictures, and what a person should know of it; empty if it is not known yet."""
        try:
            inputs = json.loads((self.folder / MANIFEST).read_bytes())["inputs"] if self.folder else {}
            known = NETWORKS[str(inputs["network"]).partition(" ")[0]]
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return "", ""
        return known.name, known.remark

    def rows(self) -> list[dict[str, Any]]:
        """Its statistics, thinned for curves."""
        found: list[dict[str, Any]] = []
        with suppress(OSError, UserError):  # a line that is not whole: those before it are shown
            if path := self.file("stats.jsonl"):
                found.extend(row for row in read_rows(path) if isinstance(row.get("step"), int))
        every = -(-len(found) // MAX_POINTS) or 1
        return [*found[:-1:every], *found[-1:]]


def styled_pictures(out: Path) -> list[StyledPicture]:
    """What the command says of each picture, in order; none before it begins."""
    path = out / STATE
    try:
        if path.stat().st_size > MAX_STATE:
            return []
        rows = json.loads(path.read_bytes())["results"]
        return [_picture(out, row) for row in rows]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []


def _picture(out: Path, row: dict[str, Any]) -> StyledPicture:
    name, folder = str(row["folder"]), None
    if FOLDER.fullmatch(name):
        folder = out / name
    state = str(row["state"])
    return StyledPicture(
        name=to_plain_line(str(row["content"]), 100),
        state=state if state in STATES else "waiting",
        folder=folder,
    )


def losses_chart(rows: list[dict[str, Any]], id: str) -> Chart | None:
    """The three losses over the steps; None before there are two points."""
    series = [
        Series(label=name, points=[(row["step"], _number(row.get(name))) for row in rows], colour=number)
        for number, name in enumerate(LOSSES)
    ]
    if len(rows) < 2:
        return None
    return Chart(id=id, title="the three losses, before their weights", x_label="step", series=series, may_be_log=True)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
