"""What changed between two filters, and how many decisions that changed: labels, the backbone, options."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pipeline.filter.scores import Score, read_scores, read_validation
from pipeline.option_types import as_text
from pipeline.store.artifacts import Artifact

MAX_COMPARED = 10  # earlier filters in which nothing is different; more are not read


@dataclass(frozen=True, kw_only=True)
class FilterEffect:
    """How the decisions of two filters differ, and what else differs between them."""

    labels: int  # given, changed or taken back between the two, without those of the validation set
    given: int  # of these, given to squares that had none
    changed: int  # squares with another verdict (kept, rejected, borderline)
    unlabelled: int  # of these, squares without a label: what the classifier learned
    decisions: int  # squares with a verdict of both
    causes: tuple[str, ...] = ()  # what else changed: 'backbone none → MobileNet'

    def __str__(self) -> str:
        counts = f"({self.unlabelled} on squares without a label)"
        if self.causes:
            causes = ", ".join([*self._label_change(), *self.causes])
            return f"With {causes}, {self.changed} of {self.decisions} decisions changed {counts}."
        labels = "The last label" if self.labels == 1 else f"The last {self.labels} labels"
        return f"{labels} changed {self.changed} of {self.decisions} decisions {counts}."

    def _label_change(self) -> list[str]:
        if not self.labels:
            return []
        return [f"labels +{self.labels}" if self.given == self.labels else f"{self.labels} labels changed"]


def compare_scores(
    before: Sequence[Score], after: Sequence[Score], causes: Sequence[str] = (), *, validation: Collection[str] = ()
) -> FilterEffect:
    """Compare the scores of one filter with those of the next one, between which also `causes` changed.

    Labels of the squares `validation` are not counted, as nothing was learned from them.
    """
    known = {score.id: score for score in before}
    pairs = [(known[score.id], score) for score in after if score.id in known]
    changed = [(old, new) for old, new in pairs if old.outcome != new.outcome]
    labelled = [(old, new) for old, new in pairs if old.label != new.label and new.id not in validation]
    return FilterEffect(
        labels=len(labelled),
        given=sum(old.label is None for old, _ in labelled),
        changed=len(changed),
        unlabelled=sum(new.label is None and old.label is None for old, new in changed),
        decisions=len(pairs),
        causes=tuple(causes),
    )


def last_effect(
    current: Artifact, filters: Sequence[Artifact], classifiers: Sequence[Artifact], used: Sequence[str]
) -> FilterEffect | None:
    """Compare the filter `current` with the one that was used before it and differs in labels, backbone or options.

    Args:
        current: The filter artifact.
        filters: All filter artifacts for the same squares, the newest last.
        classifiers: All classifier artifacts.
        used: The content keys of the filters that runs used, the last one first; filters that no run is known to have
            used come after them, the newest first.

    Returns:
        None if there is no such filter.
    """
    others = [each for each in reversed(filters) if each.folder != current.folder]
    position = {key: index for index, key in enumerate(used)}
    if not others:
        return None
    others.sort(key=lambda each: position.get(each.manifest.key, len(used)))
    scores = read_scores(current.folder)
    for before in others[:MAX_COMPARED]:
        used_classifiers = _classifier_of(before, classifiers), _classifier_of(current, classifiers)
        causes = _causes(before, current, *used_classifiers)
        validation = frozenset[str]().union(*(_validation(each) for each in used_classifiers if each))
        effect = compare_scores(read_scores(before.folder), scores, list(causes), validation=validation)
        if effect.labels or effect.causes:
            return effect
    return None


def _causes(before: Artifact, after: Artifact, old: Artifact | None, new: Artifact | None) -> Iterator[str]:
    """What changed besides labels from the filter `before` with the classifier `old` to `after` with `new`: the
    validation set, the backbone, options of the classifier and of the filter, their code.
    """
    if old and new:
        yield from _change("validation set", *(each.manifest.summary.get("validation") or 0 for each in (old, new)))
        yield from _change("backbone", *_short(_backbone(old), _backbone(new)))
        yield from _changed_options("classifier", old, new)
    yield from _changed_options("filter", before, after)


def _changed_options(stage: str, before: Artifact, after: Artifact) -> Iterator[str]:
    old, new = before.manifest, after.manifest
    yield from _change(f"code of the {stage}", old.version, new.version)
    for name in sorted(old.options | new.options):
        yield from _change(f"{stage}.{name}", old.options.get(name), new.options.get(name))


def _change(name: str, old: object, new: object) -> Iterator[str]:
    if old != new:
        yield f"{name} {as_text(old) or 'none'} → {as_text(new) or 'none'}"


def _validation(classifier: Artifact) -> frozenset[str]:
    """The ids of the validation set."""
    return read_validation(classifier.folder) if classifier.manifest.summary.get("validation") else frozenset()


def _backbone(classifier: Artifact) -> str:
    """The backbone's name and digest."""
    manifest = classifier.manifest
    return str(manifest.summary.get("backbone") or manifest.notes.get("backbone") or "none")


def _short(old: str, new: str) -> tuple[str, str]:
    """Two backbones without their digests, unless only these differ."""
    names = old.partition(" ")[0], new.partition(" ")[0]
    return (old, new) if names[0] == names[1] else names


def _classifier_of(chosen: Artifact, classifiers: Sequence[Artifact]) -> Artifact | None:
    """The classifier that a filter used; None if it is gone, or the filter used none."""
    model = chosen.manifest.inputs.get("classifier.model")
    found = [each for each in classifiers if model and each.manifest.outputs.get("model") == model]
    return found[-1] if found else None
