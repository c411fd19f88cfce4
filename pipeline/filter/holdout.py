"""Which labels are kept aside to measure with, and how the others are dealt into folds."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.store.digest import of_bytes


@dataclass(frozen=True, kw_only=True)
class Split:
    """Labels by picture id, in two parts that share no picture and no group."""

    train: dict[str, str]
    holdout: dict[str, str]


def is_held_out(name: str, share: float) -> bool:
    """Whether the picture or group `name` is kept aside. It depends on the name alone, so it never changes when labels
    come and go; what a smaller share keeps aside, a larger one does too."""
    return _place("holdout", name) < share


def split_labels(labels: Mapping[str, str], share: float, groups: Mapping[str, str] | None = None) -> Split:
    """Keep about `share` of `labels` aside. Near-duplicates that `groups` gives one name stay on one side together."""
    groups = groups or {}
    held = {id for id in labels if is_held_out(groups.get(id, id), share)}
    return Split(
        train={id: label for id, label in labels.items() if id not in held},
        holdout={id: label for id, label in labels.items() if id in held},
    )


def deal_folds(labels: Mapping[str, str], count: int) -> dict[str, int]:
    """A number from 0 to `count` - 1 for each picture: folds of even size, with each label spread evenly over them."""
    folds = {}
    for value in sorted(set(labels.values())):
        ids = sorted((id for id in labels if labels[id] == value), key=lambda id: _place("fold", id))
        folds.update({id: place % count for place, id in enumerate(ids)})
    return folds


def _place(purpose: str, name: str) -> float:
    """A number in [0, 1) that follows from `name`, another one for each purpose."""
    return int(of_bytes(f"{purpose}:{name}".encode())[:13], 16) / 16**13
