"""What is different since the run before: settings, labels, kept squares, and the KID, of one extractor only."""

from typing import Any

from pipeline.option_types import as_text
from pipeline.options import STAGES
from pipeline.store.artifacts import Artifact, ArtifactStore
from pipeline.store.manifest import Manifest
from pipeline.text import to_plain_line
from pipeline.web.chain.stage_figures import Figure, as_words, kid_words
from pipeline.web.dataset_paths import DatasetPaths

LONGEST = 200  # characters of one change
COUNTED = {"download": ("saved", "pictures"), "normalize": ("kept", "squares"), "filter": ("kept", "kept squares")}


def last_changes(paths: DatasetPaths) -> list[Figure]:
    """Each difference between the newest artifacts and those made before them; empty if there are no earlier ones."""
    found: list[Figure] = []
    for stage in STAGES:
        store: ArtifactStore = getattr(paths, stage)
        latest = store.latest()
        if latest and (before := _made_before(store, latest)):
            found += _changes(stage, before.manifest, latest.manifest)
    return found


def _made_before(store: ArtifactStore, latest: Artifact) -> Artifact | None:
    """The artifact that was made last, but for `latest`: what the run before used, unless that went back."""
    others = [made for made in store.all() if made.folder != latest.folder]
    return others[-1] if others else None


def _changes(stage: str, before: Manifest, now: Manifest) -> list[Figure]:
    found = [_change(f"{stage}.{name}", old, new) for name, old, new in _options(before, now)]
    if stage == "filter":
        found.append(_change("labels", before.notes.get("labels"), now.notes.get("labels")))
    if stage in COUNTED:
        name, noun = COUNTED[stage]
        found.append(_change(noun, before.summary.get(name), now.summary.get(name)))
    if stage == "generate":
        found.append(_kid(before.summary, now.summary))
    return [figure for figure in found if figure]


def _options(before: Manifest, now: Manifest) -> list[tuple[str, Any, Any]]:
    names = sorted(before.options.keys() | now.options.keys())
    return [(name, before.options.get(name), now.options.get(name)) for name in names]


def _change(name: str, old: Any, new: Any) -> Figure | None:
    if old == new:
        return None
    texts = [to_plain_line(as_text(value) or "none", LONGEST) for value in (old, new)]
    return Figure(name=name, value=" → ".join(texts))


def _kid(before: dict[str, Any], now: dict[str, Any]) -> Figure | None:
    """How the KID changed; of two extractors it says that they cannot be compared."""
    old, new = kid_words(before), kid_words(now)
    if not old or not new:
        return None
    if before.get("extractor") == now.get("extractor"):
        verdict = _verdict(before, now)
        return Figure(name="KID", value=f"{old} → {new}, by {now.get('extractor')}{verdict}")
    text = f"{new} by {now.get('extractor')}; before it was measured with {before.get('extractor')}: not comparable"
    return Figure(name="KID", value=text)


def _verdict(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Whether a difference of two KIDs is more than chance: by twice the error of both together."""
    errors = [each.get("kid_error") for each in (before, now)]
    if any(not isinstance(error, (int, float)) for error in errors):
        return ""
    gain = float(before["kid"]) - float(now["kid"])
    by_chance = 2 * sum(float(error) ** 2 for error in errors if error) ** 0.5
    if abs(gain) <= by_chance:
        return ": no difference beyond chance"
    return f": better by {as_words(gain)}" if gain > 0 else f": worse by {as_words(-gain)}"
