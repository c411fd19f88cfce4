"""The style and script inside the written pages, the policy that permits exactly these, and how large pictures are."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

HERE = Path(__file__).parent
LOOK = "look.css"  # what all written pages share
SHOWN_SIDE, MOST = 1000, 3  # pixels that an enlarged picture has at most, and the largest factor: more shows no more
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_HEAD = 24  # bytes up to the height


@dataclass(frozen=True, kw_only=True)
class Inline:
    """A style or script that is part of a page, and its digest as a content security policy names it."""

    text: Markup
    source: str


@dataclass(frozen=True, kw_only=True)
class Size:
    """The sides of a picture in pixels."""

    width: int
    height: int


@cache
def inline(*names: str) -> Inline:
    """The files `names` of this package as one style or script."""
    text = "".join((HERE / name).read_text(encoding="utf-8") for name in names)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Inline(text=Markup(text), source=f"'sha256-{digest}'")  # our own files


def render(name: str, **values: Any) -> str:
    """The page of the template `name`. All values are escaped: they come from people, servers and files."""
    from jinja2 import Environment, FileSystemLoader  # slow to import, and most commands write no page

    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(name).render(**values)


def png_size(path: Path) -> Size | None:
    """The size that the first bytes of a PNG name; None if `path` is none."""
    try:
        with path.open("rb") as file:
            head = file.read(PNG_HEAD)
    except OSError:
        return None
    width, height = (int.from_bytes(head[start : start + 4], "big") for start in (16, 20))
    if not head.startswith(PNG_SIGNATURE) or not width or not height:
        return None
    return Size(width=width, height=height)


def shown_size(path: Path) -> Size | None:
    """Its own size or a whole multiple, so that all its pixels are shown alike; None if `path` is no PNG."""
    size = png_size(path)
    if size is None:
        return None
    factor = max(1, min(MOST, SHOWN_SIDE // max(size.width, size.height)))
    return Size(width=size.width * factor, height=size.height * factor)
