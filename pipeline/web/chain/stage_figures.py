"""The figures of a finished stage in words: a short line for the chain, and a table with everything.

All come from the summary in the artifact's manifest. What an earlier version did not write is left out.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel

from pipeline.filter.words import kept_from, precision_words, recall_words, validation_words
from pipeline.gan.evaluation.floor import compare_with_floor
from pipeline.store.manifest import Manifest
from pipeline.text import counted

Summary = dict[str, Any]
Pairs = Iterable[tuple[str, Any]]
LONGEST = 400  # characters of a figure


class Figure(BaseModel):
    """One figure of a stage."""

    name: str
    value: str


def headline(manifest: Manifest) -> str:
    """What a stage made, in a few words; empty if its summary does not say."""
    try:
        return HEADLINES[manifest.stage](manifest.summary)
    except (KeyError, TypeError, ValueError):
        return ""


def figures(manifest: Manifest) -> list[Figure]:
    """Everything that the summary of a stage says, each with its name."""
    found: list[Figure] = []
    try:
        for name, value in TABLES[manifest.stage](manifest.summary):
            if text := as_words(value):
                found.append(Figure(name=name, value=text[:LONGEST]))
    except (KeyError, TypeError, ValueError, AttributeError):  # written by another version: what was read is shown
        pass
    return found


def notices(manifest: Manifest) -> list[str]:
    """What a person should know of a stage although it did its work: warnings, and alarms with their end."""
    summary = manifest.summary
    lists = [summary.get("notices"), summary.get("recovered"), [summary.get("notice")]]
    texts = [text for each in lists if isinstance(each, list) for text in each if isinstance(text, str) and text]
    unfinished = [f"unfinished: {manifest.unfinished}; the next run goes on"] if manifest.unfinished else []
    return list(dict.fromkeys([*texts, *unfinished]))


def as_words(value: Any) -> str:
    """A figure as a person reads it: three digits for a share or a score; empty for None."""
    if value is None or value == "":
        return ""
    if isinstance(value, float):
        return f"{round(value, 3) + 0.0:.3f}"  # never -0.000
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def kid_words(summary: Summary, *, kid: str = "kid", error: str = "kid_error") -> str:
    """A KID with its standard error: "15.811 ± 0.831"; empty without one."""
    if summary.get(kid) is None:
        return ""
    by_chance = summary.get(error)
    return as_words(float(summary[kid])) + (f" ± {as_words(float(by_chance))}" if by_chance is not None else "")


def _download(found: Summary) -> Pairs:
    yield "links found", found.get("requested")
    yield "pictures saved", found.get("saved")
    yield "duplicates", found.get("duplicate")
    yield "rejected", found.get("rejected")
    yield "failed", found.get("failed")


def _normalize(found: Summary) -> Pairs:
    yield "pictures read", found.get("images")
    yield "squares", found.get("kept")
    yield "size", f"{found['size']} px" if found.get("size") else None
    yield "duplicates", found.get("duplicate")
    yield "rejected", found.get("rejected")
    yield "why", ", ".join(f"{count} {why}" for why, count in (found.get("reasons") or {}).items())


def _classifier(found: Summary) -> Pairs:
    yield "learned from", f"{found['labels_on']} on target, {found['labels_off']} off target"
    yield "backbone", found.get("backbone")
    yield "average precision", found.get("out_of_fold_average_precision")
    held = found.get("average_precision")
    yield "on labels held out", f"{as_words(held)} ({found.get('holdout')} labels)" if held is not None else None
    yield "more labels", found.get("hint")


def _filter(found: Summary) -> Pairs:
    yield "kept", f"{found['kept']} of {found['images']} squares"
    yield "rejected", found.get("rejected")
    yield "borderline", found.get("unsure")
    yield "kept from a score of", kept_from(found)
    yield "precision", precision_words(found).removeprefix("filter precision ")
    yield "recall", recall_words(found).removeprefix("filter recall ")
    yield "validation", validation_words(found)


def _gan(found: Summary) -> Pairs:
    yield "epochs", found.get("epochs")
    yield "steps", found.get("steps")
    yield "squares", f"{found['images']} at {found['size']} px"
    yield "ended, as", found.get("end")
    yield "the generator is of", found.get("drawn_from")
    yield "lowest KID", kid_words(found, kid="best_kid", error="best_kid_error")
    speed = found.get("images_per_second")
    yield "speed", f"{speed:.0f} squares/s" if speed else None


def _generate(found: Summary) -> Pairs:
    yield "samples", found.get("count")
    yield "KID", kid_words(found)
    yield "KID of reals (floor)", found.get("kid_floor")
    yield "which means", compare_with_floor(found)
    yield "extractor", found.get("extractor")
    yield from ((name, found.get(name)) for name in ("precision", "recall", "density", "coverage"))
    yield "seed", found.get("seed")


def _report(found: Summary) -> Pairs:
    yield "figures", found.get("figures")
    if truth := found.get("truth"):
        yield "against the truth: filter precision", truth.get("precision")
        yield "against the truth: filter recall", truth.get("recall")


TABLES: dict[str, Callable[[Summary], Pairs]] = {
    "download": _download,
    "normalize": _normalize,
    "classifier": _classifier,
    "filter": _filter,
    "gan": _gan,
    "generate": _generate,
    "report": _report,
}
HEADLINES: dict[str, Callable[[Summary], str]] = {
    "download": lambda found: f"{as_words(found['saved'])} of {as_words(found['requested'])} saved",
    "normalize": lambda found: f"{as_words(found['kept'])} squares of {found['size']} px",
    "classifier": lambda found: f"from {counted(found['labels_on'] + found['labels_off'], 'label')}",
    "filter": lambda found: f"{as_words(found['kept'])} of {as_words(found['images'])} kept",
    "gan": lambda found: counted(found["epochs"], "epoch"),
    "generate": lambda found: f"KID {kid_words(found)}" if kid_words(found) else counted(found["count"], "sample"),
    "report": lambda found: counted(found["figures"], "figure"),
}
