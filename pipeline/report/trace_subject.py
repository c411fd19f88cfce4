"""What a person means by a path, a URL, an id, or a number: which thing of which dataset."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipeline.errors import UserError
from pipeline.images.png import encode_png
from pipeline.report.trace_lineage import TracedDataset
from pipeline.report.trace_picture import IMAGES, ids_starting, last_used
from pipeline.store.artifacts import ArtifactStore
from pipeline.store.digest import is_digest, of_bytes
from pipeline.store.row_search import Glance, glances
from pipeline.text import to_plain_line

MIN_PREFIX = 6  # hex digits of an id
MAX_FILE = 64 << 20  # bytes of a copy that is recognised
MAX_PIXELS = 60_000_000  # of a copy that is decoded
SHOWN = 80  # characters of what was asked for, in an error
SAMPLE = re.compile(r"(?:.*/)?([0-9a-f]{12}(?:\.\d+)?)[/:](?:images/)?(\d+)(?:\.png)?")
GRID = re.compile(r"(?:.*/)?generate/([0-9a-f]{12}(?:\.\d+)?)(?:/(?:grid|neighbours)\.png|/film\.\w+)?/?")
SHEET = re.compile(r"(?:.*/)?([0-9a-f]{12}(?:\.\d+)?)/(?:samples/)?epoch-(\d+)\.png")
PICTURE = re.compile(r"(?:.*/)?([0-9a-f]{64})(?:\.\w+)?")
WHAT = "give a sample, a sample sheet, a picture or square (a file, or 6 digits of its id), or a URL"


class UnknownSubject(UserError):
    """Nothing of that name is known."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One thing of a dataset: `artifact` is the folder's name of a sample or sheet, `number` the sample or epoch."""

    dataset: TracedDataset
    kind: str
    artifact: str = ""
    number: int | None = None
    id: str = ""
    url: str = ""


def find_subject(asked: str, datasets: Sequence[TracedDataset], *, files: bool) -> Subject:
    """The thing that `asked` names in one of `datasets`; with `files` also a copy of one of its files.

    Raises:
        UnknownSubject: There is none. The message has one line of advice.
        UserError: There are several.
    """
    asked = asked.strip()
    if not asked:
        raise UserError(f"nothing to trace; {WHAT}")
    path = _resolved(asked) if files else asked
    named = next((each for each in datasets if each.dataset in Path(path).parts), None)
    ordered = sorted(datasets, key=lambda each: each is not named)
    finders = (_number, _sample, _sheet, _url, _picture, *([_copy] if files else []))
    for find in finders:
        if found := find(path, ordered):
            return found
    raise UnknownSubject(f"{to_plain_line(asked, SHOWN)}: {_advice(asked, datasets)}")


def _resolved(asked: str) -> str:
    """The path of an existing file, with symbolic links followed, as artifacts have it."""
    try:
        path = Path(asked)
        return path.resolve().as_posix() if path.exists() else asked
    except (OSError, ValueError, RuntimeError):
        return asked


def _number(text: str, datasets: Sequence[TracedDataset]) -> Subject | None:
    if not re.fullmatch(rf"[0-9]{{1,{MIN_PREFIX - 1}}}", text):
        return None
    with_samples = [(each, found) for each in datasets if (found := last_used(each.generate))]
    if len(with_samples) != 1:
        names = ", ".join(each.dataset for each, _ in with_samples)
        raise UserError(
            f"{text}: " + (f"which dataset, {names}? add --dataset" if names else "there are no samples yet")
        )
    dataset, found = with_samples[0]
    return Subject(dataset=dataset, kind="sample", artifact=found.folder.name, number=int(text))


def _sample(text: str, datasets: Sequence[TracedDataset]) -> Subject | None:
    if grid := GRID.fullmatch(text):
        return Subject(dataset=_owner(datasets, "generate", grid[1]), kind="sample", artifact=grid[1])
    if not (match := SAMPLE.fullmatch(text)) or "/normalize/" in text or "/download/" in text:
        return None
    dataset = _owner(datasets, "generate", match[1])
    return Subject(dataset=dataset, kind="sample", artifact=match[1], number=_small(match[2]))


def _sheet(text: str, datasets: Sequence[TracedDataset]) -> Subject | None:
    if not (match := SHEET.fullmatch(text)):
        return None
    return Subject(dataset=_owner(datasets, "gan", match[1]), kind="sheet", artifact=match[1], number=_small(match[2]))


def _small(digits: str) -> int:
    if len(digits) > 9:
        raise UserError(f"{to_plain_line(digits, SHOWN)}: expected a number with at most 9 digits")
    return int(digits)


def _owner(datasets: Sequence[TracedDataset], stage: str, name: str) -> TracedDataset:
    """The dataset that has the artifact or training `name`; if it was deleted, the first one, which the path names."""
    if not datasets:
        raise UserError("there is no dataset yet")
    key = name.partition(".")[0]
    for each in datasets:
        store: ArtifactStore = getattr(each, stage)
        if (store.root / name).is_dir() or (stage == "gan" and (each.generated / "training" / key).is_dir()):
            return each
    return datasets[0]


def _url(text: str, datasets: Sequence[TracedDataset]) -> Subject | None:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text):
        return None
    for each in datasets:
        if any(row.get("url") == text for row in _download_rows(each, text)):
            return Subject(dataset=each, kind="url", url=text)
    return None


def _picture(text: str, datasets: Sequence[TracedDataset]) -> Subject | None:
    match = PICTURE.fullmatch(text)
    prefix = match[1] if match else text.rstrip("….").lower()
    if not re.fullmatch(rf"[0-9a-f]{{{MIN_PREFIX},64}}", prefix):
        return None
    found = [(each, id) for each in datasets for id in sorted(ids_starting(each, prefix))]
    if len({id for _, id in found}) > 1:
        names = ", ".join(id[: len(prefix) + 6] for _, id in found[:4])
        raise UserError(f"{prefix} begins {len(found)} ids: {names}{', …' if len(found) > 4 else ''}; give more digits")
    if len(found) > 1 and not any(each.dataset in Path(text).parts for each, _ in found):
        names = ", ".join(each.dataset for each, _ in found)
        raise UserError(f"{prefix[:12]} is in the datasets {names}; add --dataset")
    return Subject(dataset=found[0][0], kind="picture", id=found[0][1]) if found else None


def _copy(text: str, datasets: Sequence[TracedDataset]) -> Subject | None:
    """The thing that the file `text` is a copy of, by its SHA-256, or else by that of its pixels as this program
    writes them."""
    path = Path(text)
    if not _is_file(path):
        return None
    if path.stat().st_size > MAX_FILE:
        raise UserError(f"{to_plain_line(text, SHOWN)} has more than {MAX_FILE >> 20} MiB; {WHAT}")
    data = path.read_bytes()
    for digest in (of_bytes(data), _pixel_digest(path)):
        for each in datasets if digest else ():
            if found := _with_digest(each, str(digest)):
                return found
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a name, or not readable
        return False


def _pixel_digest(path: Path) -> str | None:
    """The SHA-256 of the PNG that this program would write of the picture; None if it is none."""
    try:
        import numpy as np

        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            return of_bytes(encode_png(np.asarray(picture.convert("L" if picture.mode in ("L", "1") else "RGB"))))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _with_digest(dataset: TracedDataset, sha256: str) -> Subject | None:
    """The sample, sheet, square or picture whose file has this SHA-256."""
    makers: tuple[tuple[ArtifactStore, Callable[[Glance, str], Subject | None]], ...] = (
        (dataset.generate, lambda found, name: _sample(f"generate/{found.folder.name}/{name}", [dataset])),
        (dataset.gan, lambda found, name: _sheet(f"{found.folder.name}/{name}", [dataset])),
        (dataset.normalize, lambda found, name: _picture(name, [dataset])),
    )
    for store, subject in makers:
        for each in reversed(glances(store)):
            if (name := each.find_file(sha256)) and (found := subject(each, name)):
                return found
    return _picture(sha256, [dataset])


def _download_rows(dataset: TracedDataset, text: str) -> list[dict]:
    return [row for each in reversed(glances(dataset.download)) for row in each.rows(IMAGES, _as_json(text))]


def _as_json(text: str) -> str:
    """`text` as it stands in a line of JSON, without the quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _advice(asked: str, datasets: Sequence[TracedDataset]) -> str:
    """What to do about something that is not known."""
    if not datasets:
        return "there is no dataset yet"
    names = ", ".join(each.dataset for each in datasets[:4]) + (", …" if len(datasets) > 4 else "")
    if is_digest(asked) or re.fullmatch(r"[0-9a-f]{6,}", asked):
        return f"no picture of {names} has this id"
    if ":" in asked:
        return _url_advice(asked, datasets) or f"{names} has not asked for this URL"
    return f"not known in {names}; {WHAT}"


def _url_advice(url: str, datasets: Sequence[TracedDataset]) -> str:
    """A URL that was asked for and that is like `url`: on that page, or different only in scheme or query."""
    bare = re.sub(r"^[^:]*:/*|[?#].*$", "", url)
    for each in datasets:
        rows = _download_rows(each, url) or (_download_rows(each, bare) if len(bare) > 3 else [])
        on_page = [str(row["url"]) for row in rows if row.get("page") == url]
        if on_page:
            first = to_plain_line(on_page[0], 200)
            return f"this is the page of {len(on_page)} pictures of {each.dataset}; trace one of them, as in {first}"
        if rows:
            return f"{each.dataset} has not asked for this URL; did you mean {to_plain_line(str(rows[0]['url']), 200)}?"
    return ""
