"""A night in words and as JSON: what the page of the morning, the mail, the console and the webhook say of a turn."""

from typing import Any, Literal

from pipeline.night_record import NightSummary, Turn
from pipeline.run_record import duration
from pipeline.text import counted, to_plain_line

OUTCOME_WORDS = {
    "done": "done",
    "next": "asks for something",
    "failed": "failed",
    "killed": "killed",
    "hung": "hung",
    "waited": "waited",
    "cut": "not finished",
    "stopped": "stopped",
    "skipped": "no turn",
    "covered": "covered",
}
JSON_VERSION = 1
CHANCE = 2.0  # standard errors by which two KIDs may differ by chance
Change = Literal["better", "worse", "same", ""]
LONGEST = 300  # characters of a line on the console and in a mail
GIB = 1 << 30


def kid_change(turn: Turn) -> Change:
    """Whether the samples got better or worse; empty if there are no two KIDs that can be compared."""
    before, after = turn.before, turn.after
    if before.kid is None or after.kid is None or before.measured_by != after.measured_by or before.kid == after.kid:
        return ""
    by_chance = CHANCE * ((before.kid_error or 0.0) ** 2 + (after.kid_error or 0.0) ** 2) ** 0.5
    if abs(before.kid - after.kid) <= by_chance:
        return "same"
    return "better" if after.kid < before.kid else "worse"


def kid_words(turn: Turn) -> str:
    """`KID 0.041 → 0.037: better`; empty if nothing was measured."""
    before, after = turn.before, turn.after
    if after.kid is None:
        return ""
    if before.kid in (None, after.kid):
        return f"KID {after.kid:.3f}"
    if before.measured_by != after.measured_by:
        return f"KID {after.kid:.3f}; before it was measured in another way: not comparable"
    words = {"better": "better", "worse": "worse", "same": "no difference beyond chance"}
    reals = "" if before.kept_digest == after.kept_digest else ", against other kept squares"
    return f"KID {before.kid:.3f} → {after.kid:.3f}: {words.get(kid_change(turn), '')}{reals}"


def kept_words(turn: Turn) -> str:
    """`kept 512 → 530`; empty if nothing is kept."""
    before, after = turn.before.kept, turn.after.kept
    if after is None:
        return ""
    return f"kept {after:,}" if before in (None, after) else f"kept {before:,} → {after:,}"


def picture_words(turn: Turn) -> str:
    """`14 new pictures`; empty if the subject had no turn."""
    return "" if turn.new_pictures is None else counted(turn.new_pictures, "new picture")


def said(turn: Turn) -> str:
    """How a turn ended, beside its outcome; empty if it did all that was asked for."""
    return turn.line.removeprefix("next: ") if turn.outcome != "done" else ""


def turn_line(turn: Turn) -> str:
    """One line about a turn, which begins with the subject."""
    why = f": {said(turn)}" if said(turn) else ""
    took = f" in {duration(turn.seconds)}" if turn.began else ""
    figures = [picture_words(turn), kept_words(turn), kid_words(turn)] if turn.began and not turn.is_bad else []
    text = "; ".join([f"{OUTCOME_WORDS[turn.outcome]}{took}{why}", *filter(None, figures)])
    log = f" ({turn.log})" if turn.is_bad and turn.log else ""
    return to_plain_line(f"{turn.subject}: {text}", LONGEST) + log


def title(summary: NightSummary) -> str:
    """`night of 2026-11-30: 37 done, 1 failed`."""
    counts = ", ".join(f"{number} {OUTCOME_WORDS[word]}" for word, number in summary.counts().items())
    return f"night of {summary.date}: {counts or 'no subject'}"


def mail_text(summary: NightSummary, page: str) -> str:
    """The plain text of the mail: what is wrong first, then a line for each subject."""
    bad = [turn for turn in summary.turns if turn.is_bad]
    asks = [turn for turn in summary.turns if turn.outcome == "next" or turn.wants]
    alarms = [f"{turn.subject}: {alarm}" for turn in summary.turns for alarm in turn.alarms]
    parts = [
        [title(summary), f"took {duration(summary.seconds)}; {disk_words(summary)}", f"page: {page}"],
        _part("Failed", [turn_line(turn) for turn in bad]),
        _part("Wants something", [f"{turn.subject}: {wish(turn)}" for turn in asks]),
        _part("Alarms", alarms),
        _part("All others", [turn_line(turn) for turn in summary.turns if not turn.is_bad]),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _part(head: str, lines: list[str]) -> list[str]:
    return [head, *(f"- {to_plain_line(line, 2 * LONGEST)}" for line in lines)] if lines else []


def wish(turn: Turn) -> str:
    """What a person should do for a subject; empty if nothing."""
    return turn.line.removeprefix("next: ") if turn.outcome == "next" else turn.wants


def disk_words(summary: NightSummary) -> str:
    """How much the datasets have on the disk, and whether the budget is kept."""
    freed = f", {size_words(summary.freed)} freed" if summary.freed else ""
    over = f"; {summary.budget}" if summary.budget else ""
    return f"{size_words(summary.bytes)} on the disk{freed}, {size_words(summary.disk_free)} free{over}"


def size_words(size: int) -> str:
    """`812 MiB`, `3.2 GiB`."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / (1 << 20):.0f} MiB"


def as_json(summary: NightSummary, page: str) -> dict[str, Any]:
    """What is posted to the webhook; docs/nightly.md describes the fields."""
    return {
        "version": JSON_VERSION,
        "night": summary.date.isoformat(),
        "outcome": summary.outcome,
        "title": title(summary),
        "counts": summary.counts(),
        "seconds": round(summary.seconds, 1),
        "bytes": summary.bytes,
        "freed": summary.freed,
        "budget": summary.budget,
        "page": page,
        "subjects": [_subject_json(turn) for turn in summary.turns],
    }


def _subject_json(turn: Turn) -> dict[str, Any]:
    return {
        "name": turn.subject,
        "outcome": turn.outcome,
        "line": turn.line,
        "new_pictures": turn.new_pictures,
        "kept": {"before": turn.before.kept, "after": turn.after.kept},
        "kid": {"before": turn.before.kid, "after": turn.after.kid, "change": kid_change(turn)},
        "alarms": list(turn.alarms),
        "wants": wish(turn),
        "seconds": turn.seconds,
        "bytes": turn.bytes,
        "log": turn.log if turn.is_bad else "",
    }
