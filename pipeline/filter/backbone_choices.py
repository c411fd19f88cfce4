"""The backbones that a person can choose, and whether their weights are on this machine. Loads no network."""

from dataclasses import dataclass

from pipeline import pretrained
from pipeline.errors import UserError

CACHED, FETCHABLE, MISSING = "on this machine", "fetched by the next run", "not on this machine"


@dataclass(frozen=True, kw_only=True)
class BackboneChoice:
    """A value of the option `classifier.backbone`."""

    value: str
    state: str  # one of the words above, or what the value means
    meaning: str


def backbone_choices(current: str) -> list[BackboneChoice]:
    """The values to choose from, with the file that is chosen now if `current` is one."""
    found = pretrained.find_backbone(pretrained.AUTO)
    automatic = f"{found.name}, {CACHED}" if found else "none yet: a run tries to fetch some, about 17 MB"
    choices = [
        BackboneChoice(value=pretrained.AUTO, state=automatic, meaning="weights that are here or come in seconds"),
        BackboneChoice(value=pretrained.NONE, state="needs no weights", meaning="small networks, trained from scratch"),
        *(_published(name) for name in pretrained.KNOWN),
    ]
    if current not in {choice.value for choice in choices}:
        choices.append(BackboneChoice(value=current, state=_state_of_file(current), meaning="a file of weights"))
    return choices


def _published(name: str) -> BackboneChoice:
    cached = pretrained.is_cached(name)
    return BackboneChoice(value=name, state=CACHED if cached else FETCHABLE, meaning="trained on ImageNet")


def _state_of_file(path: str) -> str:
    try:
        return CACHED if pretrained.weights_in_file(path, option="classifier.backbone") else MISSING
    except UserError as error:
        return str(error)
