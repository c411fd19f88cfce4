"""Console output of a run: the lines of its events, a progress bar in a terminal, and the six lines at the end."""

import sys
from pathlib import Path
from typing import Any

from pipeline.gan.evaluation.floor import compare_with_floor
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
    return LINES[manifest.stage](manifest.summary)


def notices(manifest: Manifest) -> list[str]:
    """What a person should know of a stage although it did its work."""
    summary = manifest.summary
    return [*summary.get("notices", ()), *([summary["notice"]] if summary.get("notice") else ())]


def _download(found: dict[str, Any]) -> str:
    return (
        f"{found['saved']} pictures from {found['requested']} links"
        f" ({found['duplicate']} duplicates, {found['rejected']} rejected, {found['failed']} failed)"
    )


def _normalize(found: dict[str, Any]) -> str:
    return (
        f"{found['kept']} of {found['images']} pictures made {found['size']} px squares"
        f" ({found['duplicate']} duplicates, {found['rejected']} rejected)"
    )


def _classifier(found: dict[str, Any]) -> str:
    held = found["average_precision"]
    return (
        f"learned from {found['labels_on']} on target + {found['labels_off']} off target,"
        f" backbone {found.get('backbone', 'none')};"
        f" average precision {figure(found['out_of_fold_average_precision'])} out of fold"
        + (f", {figure(held)} on {found['holdout']} held out" if held is not None else "")
    )


def _filter(found: dict[str, Any]) -> str:
    if found["threshold"] is None:
        return f"kept {found['kept']} of {found['images']} without a classifier"
    low, high = found["band"]
    borderline = f", {found['unsure']} borderline from {figure(low)}" if found["unsure"] else ""
    return f"kept {found['kept']} of {found['images']} at a score of {figure(high)} or above{borderline}{_proof(found)}"


def _proof(found: dict[str, Any]) -> str:
    proof = found["proof"]
    if found["expected_precision"] is None or proof["low"] is None:
        return ""
    return (
        f"; precision about {figure(found['expected_precision'])} ({figure(proof['low'])} to {figure(proof['high'])}"
        f" by {proof['labels']} labels)"
    )


def _gan(found: dict[str, Any]) -> str:
    return (
        f"{found['epochs']} epochs of {found['images']} squares at {found['size']} px,"
        f" {found['images_per_second']:.0f} squares/s"
    )


def _generate(found: dict[str, Any]) -> str:
    if found["kid"] is None:
        return f"made {found['count']} samples; too few pictures to score them"
    shares = ", ".join(f"{name} {figure(found.get(name))}" for name in ("precision", "recall", "density", "coverage"))
    verdict = compare_with_floor(found)
    return (
        f"made {found['count']} samples; by {found['extractor']}: KID {figure(found['kid'])} (reals against reals"
        f" {figure(found['kid_floor'])}{': ' + verdict if verdict else ''}), {shares}"
    )


def _report(found: dict[str, Any]) -> str:
    return f"page with {found['figures']} figures"


LINES = {
    "download": _download,
    "normalize": _normalize,
    "classifier": _classifier,
    "filter": _filter,
    "gan": _gan,
    "generate": _generate,
    "report": _report,
}


def six_lines(published: dict[str, Artifact], seconds: float) -> list[str]:
    """The six lines at the end: pictures found, squares kept, quality of filter and samples, time, where to look."""
    summaries = {stage: found.manifest.summary for stage, found in published.items()}
    generated = published["report"].folder.parents[1]
    quality = [_classifier(summaries["classifier"]) if "classifier" in summaries else "none: every square is kept"]
    truth = summaries["report"].get("truth")
    if truth:
        quality.append(f"against the truth: precision {figure(truth['precision'])}, recall {figure(truth['recall'])}")
    return [
        f"pictures   {_download(summaries['download'])}",
        f"kept       {_filter(summaries['filter'])}",
        f"filter     {'; '.join(quality)}",
        f"samples    {_generate(summaries['generate'])}",
        f"took       {duration(seconds)}",
        f"look at    {_page(published['report'].folder)} and {generated / 'generate' / 'latest' / 'grid.png'}",
    ]


def _page(folder: Path) -> Path:
    return folder.parent / "latest" / "index.html"
