"""Console output of a run: one line for each stage, progress, and the six lines at the end."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipeline.store.artifacts import Artifact
from pipeline.store.manifest import Manifest

MODULE, SCRIPT = "python -m tasks", "ganmill"


def program() -> str:
    """What the user called: the console script, or the module."""
    return SCRIPT if Path(sys.argv[0]).stem == SCRIPT else MODULE


def as_called(text: str) -> str:
    """`text` with the commands that it advises spelled as the user called this program."""
    return text.replace(MODULE, program())


def say(stage: str, line: str) -> None:
    """Print one line about a stage."""
    print(f"{stage:<11}{as_called(line)}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """`3.2 s`, `4 min 05 s`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def figure(value: Any) -> str:
    """A figure as people read it: three digits for a share or a score, `-` for none."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def stage_line(manifest: Manifest) -> str:
    """What a stage did, in one line."""
    return LINES[manifest.stage](manifest.summary)


def notices(manifest: Manifest) -> list[str]:
    """What a person should know of a stage that did its work all the same."""
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
        f"learned from {found['labels_on']} on + {found['labels_off']} off, backbone {found.get('backbone', 'none')};"
        f" average precision {figure(found['out_of_fold_average_precision'])} out of fold"
        + (f", {figure(held)} on {found['holdout']} held out" if held is not None else "")
    )


def _filter(found: dict[str, Any]) -> str:
    if found["threshold"] is None:
        return f"kept {found['kept']} of {found['images']} without a classifier"
    low, high = found["band"]
    unsure = f", {found['unsure']} unsure from {figure(low)}" if found["unsure"] else ""
    return f"kept {found['kept']} of {found['images']} at a score of {figure(high)} or above{unsure}{_proof(found)}"


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
        f"{found['epochs']} epochs of {found['images']} pictures at {found['size']} px,"
        f" {found['images_per_second']:.0f} pictures/s"
    )


def _generate(found: dict[str, Any]) -> str:
    return (
        f"drew {found['count']} pictures; KID {figure(found['kid'])} (reals against reals"
        f" {figure(found['kid_floor'])}), precision {figure(found['precision'])}, recall {figure(found['recall'])}"
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
    """The end of a run: what came in, what was kept, how good filter and samples are, how long, where to look."""
    summaries = {stage: found.manifest.summary for stage, found in published.items()}
    generated = published["report"].folder.parents[1]
    quality = [_classifier(summaries["classifier"]) if "classifier" in summaries else "none: every picture is kept"]
    truth = summaries["report"].get("truth")
    if truth:
        quality.append(f"against the truth: precision {figure(truth['precision'])}, recall {figure(truth['recall'])}")
    return [
        f"came in    {_download(summaries['download'])}",
        f"kept       {_filter(summaries['filter'])}",
        f"filter     {'; '.join(quality)}",
        f"samples    {_generate(summaries['generate'])}",
        f"took       {duration(seconds)}",
        f"look at    {_page(published['report'].folder)} and {generated / 'generate' / 'latest' / 'grid.png'}",
    ]


def _page(folder: Path) -> Path:
    return folder.parent / "latest" / "index.html"


EVERY = 10.0  # seconds between plain lines: a nightly log stays short, a stalled stage still shows


class Console:
    """The progress of one stage. Give `update` as the stage's `progress`; use as a context manager."""

    def __init__(self, stage: str, tell: Callable[[str, float | None], None] = lambda note, percent: None) -> None:
        self.stage = stage
        self.tell = tell  # the scheduler's page
        self.bar: tqdm | None = None
        self.watched = sys.stderr.isatty()
        self.last = time.monotonic()

    def __enter__(self) -> "Console":
        if not self.watched:
            print(f"{self.stage:<11}starts", file=sys.stderr, flush=True)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.leave = False
            self.bar.close()

    def update(self, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` is finished; `total` 0 means not known yet."""
        if self.watched:
            self._draw(done, total, note)
        if (now := time.monotonic()) - self.last >= EVERY:
            self.last = now
            self.tell(note, 100 * done / total if total else None)
            if not self.watched:
                part = f"{done} of {total} ({100 * done // total} %)" if total else str(done)
                print(f"{self.stage:<11}{part} {note}".rstrip(), file=sys.stderr, flush=True)

    def _draw(self, done: int, total: int, note: str) -> None:
        if self.bar is None:
            self.bar = tqdm(desc=f"{self.stage:<10}", dynamic_ncols=True, leave=False, file=sys.stderr)
        self.bar.total = total or None
        self.bar.set_postfix_str(note, refresh=False)
        self.bar.update(done - self.bar.n)
