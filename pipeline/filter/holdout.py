"""Which labels are kept aside to measure with, and in which groups the others may be parted into folds."""

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


def number_groups(labels: Mapping[str, str], groups: Mapping[str, str] | None = None) -> dict[str, int]:
    """A number from 0 up for the group of each picture, so that every n-th number has its share of each label.

    Near-duplicates that `groups` gives one name get one number: folds made of numbers never part them.
    """
    groups = groups or {}
    members: dict[str, list[str]] = {}
    for id in sorted(labels):
        members.setdefault(groups.get(id, id), []).append(id)
    order = sorted(members, key=lambda name: (labels[members[name][0]], _place("fold", name)))
    return {id: number for number, name in enumerate(order) for id in members[name]}


def _place(purpose: str, name: str) -> float:
    """A number in [0, 1) that follows from `name`, another one for each purpose."""
    return int(of_bytes(f"{purpose}:{name}".encode())[:13], 16) / 16**13
