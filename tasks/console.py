"""Console output of a run: the lines of its events, a progress bar in a terminal, and the six lines at the end."""

import sys
from pathlib import Path
from typing import Any

from pipeline.filter.words import precision_words, recall_words
from pipeline.gan.evaluation.floor import compare_with_floor
from pipeline.images.rejected import TOO_SMALL, too_small_words
from pipeline.run_record import Event, duration, line_about
from pipeline.store.artifacts import Artifact
from pipeline.store.manifest import Manifest

MODULE, SCRIPT = "python -m tasks", "ganmill"


def program() -> str:
    """What the user called: the console script, or the module."""
    return SCRIPT if Path(sys.argv[0]).stem == SCRIPT else MODULE


def as_called(text: str) -> str:
    """`text` with the commands that it advises spelled as the user called this program."""
    return text.replace(MODULE, program())


def print_event(event: Event) -> None:
    """Print the line of an event of the run's record, if it has one."""
    if line := event.line():
        print(as_called(line), file=sys.stderr, flush=True)


def print_line(stage: str, text: str) -> None:
    """Print one line about a stage."""
    print(as_called(line_about(stage, text)), file=sys.stderr, flush=True)


def figure(value: Any) -> str:
    """A figure as a person reads it: three digits for a share or a score, `-` for None."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def stage_line(manifest: Manifest) -> str:
    """What a stage did, in one line."""
    return LINES[manifest.stage](manifest.options | manifest.summary) + _still_to_do(manifest)


def _still_to_do(manifest: Manifest) -> str:
    return f"; unfinished: {manifest.unfinished}, the next run goes on" if manifest.unfinished else ""


def notices(manifest: Manifest) -> list[str]:
    """What a person should know of a stage although it did its work."""
    summary = manifest.summary
    return [
        *summary.get("notices", ()),
        *summary.get("recovered", ()),
        *([summary["notice"]] if summary.get("notice") else ()),
    ]


def _download(found: dict[str, Any]) -> str:
    return (
        f"{found['saved']} pictures from {found['requested']} links"
        f" ({found['duplicate']} duplicates, {found['rejected']} rejected, {found['failed']} failed)"
    )


def _normalize(found: dict[str, Any]) -> str:
    return (
        f"{found['kept']} of {found['images']} pictures made {found['size']} px squares"
        f" ({found['duplicate']} duplicates, {found['rejected']} rejected{_too_small(found)})"
    )


def _too_small(found: dict[str, Any]) -> str:
    """How many pictures are too small for which setting; empty if none are."""
    count, min_side = found.get("reasons", {}).get(TOO_SMALL), found.get("min_side")
    return f", {too_small_words(count, min_side)}" if count and min_side else ""


def _classifier(found: dict[str, Any]) -> str:
    held = found["average_precision"]
    return (
        f"learned from {found['labels_on']} on target + {found['labels_off']} off target,"
        f" backbone {found.get('backbone', 'none')};"
        f" average precision {figure(found['out_of_fold_average_precision'])} out of fold"
        + (f", {figure(held)} on {found['holdout']} held out" if held is not None else "")
        + _validation(found)
    )


def _validation(found: dict[str, Any]) -> str:
    """The average precision on the validation set; empty if there is none."""
    if not found.get("validation"):
        return ""
    return f", {figure(found['validation_average_precision'])} on {found['validation']} for validation"


def _filter(found: dict[str, Any]) -> str:
    if found["threshold"] is None:
        return f"kept {found['kept']} of {found['images']} without a classifier"
    low, high = found["band"]
    borderline = f", {found['unsure']} borderline from {figure(low)}" if found["unsure"] else ""
    kept = f"kept {found['kept']} of {found['images']} at a score of {figure(high)} or above{borderline}"
    return "; ".join(part for part in (kept, precision_words(found), recall_words(found)) if part)


def _gan(found: dict[str, Any]) -> str:
    return (
        f"{found['epochs']} epochs of {found['images']} squares at {found['size']} px,"
        f" {found['images_per_second']:.0f} squares/s"
        + (f", {found['skipped_steps']} steps without the discriminator" if found.get("skipped_steps") else "")
        + (f"; ended, as {found['end']}" if found.get("end") else "")
        + _drawn_from(found)
    )


def _drawn_from(gan: dict[str, Any]) -> str:
    """Which epoch the generator is of, and why."""
    return f"; the generator is of {gan['drawn_from']}" if gan.get("drawn_from") else ""


def _generate(found: dict[str, Any]) -> str:
    if found["kid"] is None:
        return f"made {found['count']} samples; too few pictures to score them"
    names = {"sample precision": "precision", "sample recall": "recall", "density": "density", "coverage": "coverage"}
    shares = ", ".join(f"{shown} {figure(found.get(name))}" for shown, name in names.items())
    verdict = compare_with_floor(found)
    return (
        f"made {found['count']} samples; by {found['extractor']}: KID {figure(found['kid'])} (reals against reals"
        f" {figure(found['kid_floor'])}{': ' + verdict if verdict else ''}), {shares}"
    )


def _report(found: dict[str, Any]) -> str:
    return f"page with {found['figures']} figures"


def _stylize(found: dict[str, Any]) -> str:
    return (
        f"{found['width']} x {found['height']} px in {found['step']} steps by {found['network']}; losses: content"
        f" {figure(found['content'])}, style {found['style']:.4f}, variation {figure(found['variation'])}"
    )


LINES = {
    "download": _download,
    "normalize": _normalize,
    "classifier": _classifier,
    "filter": _filter,
    "gan": _gan,
    "generate": _generate,
    "report": _report,
    "stylize": _stylize,  # a command's, not a stage's
}


def six_lines(published: dict[str, Artifact], seconds: float, *, latest: bool = True) -> list[str]:
    """The six lines at the end: pictures found, squares kept, quality of filter and samples, time, where to look.

    The paths are those under `latest`, unless the artifacts are not the latest.
    """
    summaries = {stage: found.manifest.summary for stage, found in published.items()}
    report, samples = (_shown(published[stage].folder, latest) for stage in ("report", "generate"))
    quality = [_classifier(summaries["classifier"]) if "classifier" in summaries else "none: every square is kept"]
    truth = summaries["report"].get("truth")
    if truth:
        precision, recall = figure(truth["precision"]), figure(truth["recall"])
        quality.append(f"against the truth: filter precision {precision}, filter recall {recall}")
    return [
        f"pictures   {_download(summaries['download'])}",
        f"kept       {_filter(summaries['filter'])}",
        f"filter     {'; '.join(quality)}",
        f"samples    {_generate(summaries['generate'])}{_drawn_from(summaries['gan'])}"
        + _still_to_do(published["gan"].manifest),
        f"took       {duration(seconds)}",
        f"look at    {report / 'index.html'} and {samples / 'grid.png'};"
        f" all trainings: {report.parents[1] / 'index.html'}",
    ]


def _shown(folder: Path, latest: bool) -> Path:
    return folder.parent / "latest" if latest else folder
