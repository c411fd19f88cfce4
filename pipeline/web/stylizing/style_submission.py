"""Check what is submitted for a style transfer, and store its pictures."""

import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.option_types import field_of, parse
from pipeline.pretrained import AUTO
from pipeline.style.style_networks import NETWORKS, check_layers, find_network, identify
from pipeline.style.style_options import StyleOptions, layer_weights, style_shares
from pipeline.style.style_pictures import as_picture
from pipeline.text import to_plain_line
from pipeline.web.jobs.job import Job, new_id
from pipeline.web.jobs.job_queue import Submission
from pipeline.web.mistakes import Mistake
from pipeline.web.stylizing.style_queue import CONTENT, SAMPLES_OF, STYLE, StyleQueue
from pipeline.web.uploads import PictureStore, UploadLimits, uploading

MAX_STYLES, MAX_CONTENT = 8, 100  # pictures
MAX_SAMPLES = 64
MAX_NAME = 80
LIMITS = UploadLimits(files=MAX_CONTENT, total=1 << 29)
UNSUITABLE = ("checkpoint_every", "every")  # of the machine, not of the picture

UPLOADED = re.compile(r"-[0-9a-f]{12}(?=\.\w+$)")  # what an upload adds to the name of a file
_DECODING = threading.Lock()  # a large picture takes half a gigabyte while it is decoded

Fill = Callable[[PictureStore], None]


def checked_options(given: dict[str, str]) -> dict[str, str]:
    """The options as texts. Errors: `Mistake` that names the field of one that is wrong."""
    values = _parsed(given)
    if (network := values.get("network", AUTO)) not in (AUTO, *NETWORKS):
        raise Mistake(
            f"network = {to_plain_line(str(network), MAX_NAME)!r}: expected {', '.join(NETWORKS)} or {AUTO}",
            "options",
            "network",
        )
    try:
        _check_network(StyleOptions(**values))
    except UserError as error:
        name = next((name for name in values if str(error).startswith(name)), "")
        raise Mistake(str(error), "options", *([name] if name else [])) from None
    return dict(given)


def _parsed(given: dict[str, str]) -> dict[str, Any]:
    values = {}
    for name, text in given.items():
        try:
            values[name] = parse(field_of(StyleOptions, name, "stylize"), text, name)
        except UserError as error:
            raise Mistake(str(error), "options", name) from None
    return values


def _check_network(options: StyleOptions) -> None:
    """Raise a `UserError` if the network is not here, or has not the layers."""
    try:
        network = identify(find_network(options.network))
    except UserError:  # whose line names files of this machine, and flags that nobody can give here
        raise UserError(
            f"network = {options.network}: its weights are not on the machine of this server; expected another of"
            f" {', '.join(NETWORKS)}, or {AUTO}"
        ) from None
    check_layers(network, layer_weights(options.content_layers), "content_layers")
    check_layers(network, layer_weights(options.style_layers), "style_layers")


def submit(
    queue: StyleQueue,
    *,
    name: str,
    options: dict[str, str],
    samples_of: str,
    samples: int,
    fill_content: Fill,
    fill_styles: list[tuple[str, Fill]],
) -> Job:
    """Store the pictures, and queue the transfer.

    Args:
        queue: Where.
        name: What the person calls it.
        options: Of `StyleOptions`, checked.
        samples_of: The dataset whose samples are drawn; empty: `fill_content` gives the pictures.
        samples: How many samples.
        fill_content: Adds the pictures that are drawn.
        fill_styles: For each style the name of its file, and what adds its picture.

    Errors: `Mistake` if pictures are missing or are none; `UserError`; nothing is stored then.
    """
    if not 1 <= len(fill_styles) <= MAX_STYLES:
        raise Mistake(f"style: expected 1 to {MAX_STYLES} pictures, and {len(fill_styles)} came", "style")
    chosen = StyleOptions(**_parsed(options))
    try:
        style_shares(chosen.mix, len(fill_styles))
    except UserError as error:
        raise Mistake(str(error), "options", "mix") from None
    work = new_id()
    folder = queue.work(work)
    folder.mkdir(parents=True)
    try:
        for number, (file, fill) in enumerate(fill_styles, start=1):
            _store_style(folder, number, file, fill)
        if samples_of:
            content = {SAMPLES_OF: samples_of, "samples": str(samples)}
        else:
            content = {}
            _store_content(folder, fill_content, chosen)
        title = to_plain_line(name.strip(), MAX_NAME)
        return queue.submit(Submission(dataset=work, settings={**options, **content}, name=title))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _store_style(folder: Path, number: int, name: str, fill: Fill) -> None:
    """Store the picture of a style in the folder style-<number>."""
    place = folder / f"{STYLE}{number}"
    with uploading(place, LIMITS) as store:
        fill(store)
    files = list(place.iterdir())
    if len(files) != 1:
        reason = store.report.reasons[0][1] if store.report.reasons else f"it has {len(files)} pictures"
        raise Mistake(f"style: {to_plain_line(name, MAX_NAME)}: {reason}", "style")
    _check_picture(files[0], to_plain_line(name, MAX_NAME), "style")
    _as_it_was_called(files[0])


def _check_picture(path: Path, name: str, what: str) -> float:
    """The aspect of a picture. Errors: a `Mistake` that has the person's `name` if no transfer can use it."""
    try:
        with _DECODING:
            return as_picture(path, what).aspect
    except UserError as error:
        raise Mistake(str(error).replace(str(path), name, 1), what) from None


def _store_content(folder: Path, fill: Fill, options: StyleOptions) -> None:
    with uploading(folder / CONTENT, LIMITS) as store:
        fill(store)
    if not store.report.added:
        why = "; ".join(f"{name}: {reason}" for name, reason in store.report.reasons[:1])
        raise Mistake(f"content: no picture came{f' ({why})' if why else ''}", "content")
    for path in sorted((folder / CONTENT).iterdir()):
        name = UPLOADED.sub("", path.name)
        aspect = _check_picture(path, name, "content")
        try:
            options.sizes(aspect)
        except UserError as error:
            raise Mistake(f"content: {name}: {error}", "content") from None
        _as_it_was_called(path)


def _as_it_was_called(path: Path) -> None:
    """Give a file the name that a person gave it, which the card has too, unless another one has it already."""
    called = path.with_name(UPLOADED.sub("", path.name))
    if not called.exists():
        path.rename(called)
