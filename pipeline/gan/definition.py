"""What a user writes in models/<name>.json: the networks, the loss, the optimizers. No code, and no unknown key."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import UserError
from pipeline.options.option import Options, as_json, check, nearest, option
from pipeline.store.digest import of_value

POLICIES = ("colour", "translation", "cutout")


class Part(Options):
    """A piece of a definition; its own fields are checked here, the parts inside it have checked themselves."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not _is_part(field):
                check(field, value)
            if field.type is float:
                object.__setattr__(self, field.name, float(value))  # 1 and 1.0 are the same, so their digest is too


@dataclass(frozen=True, kw_only=True)
class Adam(Part):
    """Kingma and Ba 2015, with DCGAN's values (Radford et al. 2016, section 4)."""

    learning_rate: float = option(2e-4, "lower it when losses turn NaN or samples flicker", low=1e-8, high=1)
    beta_1: float = option(0.5, "0.9 oscillates in adversarial training", low=0, high=0.999)
    beta_2: float = option(0.999, "memory of the squared gradients", low=0, high=0.99999)


@dataclass(frozen=True, kw_only=True)
class Network(Part):
    """One of the two networks. Its channels double with every halving of the side, up to `max_width`."""

    width: int = option(64, "channels at half the picture's side; time grows with its square", low=4, high=1024)
    max_width: int = option(512, "channels at most, at the coarsest sides", low=4, high=4096)
    norm: str = option("batch", "normalisation between the layers", choices=("batch", "none"))
    optimizer: Adam = dataclasses.field(default_factory=Adam)


@dataclass(frozen=True, kw_only=True)
class Augment(Part):
    """DiffAugment (Zhao et al. 2020): what D sees of reals and fakes alike, lest it learn the reals by heart."""

    policies: tuple[str, ...] = option(POLICIES, "all three for hundreds of pictures, [] for many", choices=POLICIES)
    probability: float = option(0.8, "of each policy for each picture; at 1 cutout shows in the samples", low=0, high=1)
    flip: bool = option(False, "mirror at random: only where left and right do not matter")


@dataclass(frozen=True, kw_only=True)
class Ema(Part):
    """The moving average of the generator's weights, which draws the samples (Karras et al. 2020)."""

    half_life: float = option(20_000.0, "in images seen", low=1)
    ramp: float = option(0.05, "half-life at most this share of the images seen: short runs need it", low=0, high=1)


@dataclass(frozen=True, kw_only=True)
class Definition(Part):
    """All that says how to build and train a GAN, but for the size and channels, which the pictures give."""

    latent: int = option(100, "random numbers that make one picture", low=1, high=4096)
    generator: Network = dataclasses.field(default_factory=Network)
    discriminator: Network = dataclasses.field(default_factory=Network)
    loss: str = option("non_saturating", "what the two networks play for", choices=("non_saturating", "hinge"))
    smoothing: float = option(0.0, "one-sided label smoothing, for the non-saturating loss", low=0, high=0.5)
    augment: Augment = dataclasses.field(default_factory=Augment)
    ema: Ema = dataclasses.field(default_factory=Ema)
    batch: int = option(64, "pictures in one step", low=2, high=4096)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.smoothing and self.loss != "non_saturating":
            raise UserError(f"smoothing = {self.smoothing:g}: only the non_saturating loss has labels; set it to 0")


AnyPart = TypeVar("AnyPart", bound=Part)


def read_definition(path: Path) -> Definition:
    """The definition in the JSON file `path`. Errors: a `UserError` that names the file, the key and what would do."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{path}: not JSON: {error}") from None
    return _build(Definition, tree, str(path))


def definition_digest(definition: Definition) -> str:
    """The hex SHA-256 of the whole tree, so that a key left out and its default written out are the same."""
    return of_value(as_tree(definition))


def as_tree(part: Part) -> dict[str, Any]:
    """`part` as JSON has it, every default written out."""
    values = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
    return {name: as_tree(value) if isinstance(value, Part) else as_json(value) for name, value in values.items()}


def _build(kind: type[AnyPart], tree: Any, where: str) -> AnyPart:
    """`tree` as a `kind`; `where` is the file and the key that led here."""
    if not isinstance(tree, dict):
        raise UserError(f"{where}: expected an object in braces, got {tree!r}")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in tree:
        if name not in fields:
            raise UserError(f"{where}: unknown key '{name}'; {nearest(name, fields)}")
    values = {name: _value(fields[name], value, f"{where}: {name}") for name, value in tree.items()}
    try:
        return kind(**values)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _value(field: dataclasses.Field, value: Any, where: str) -> Any:
    """`value` as `field` has it: an object is a part, a list a tuple."""
    if _is_part(field):
        return _build(field.type, value, where)
    return tuple(value) if isinstance(value, list) else value


def _is_part(field: dataclasses.Field) -> bool:
    return isinstance(field.type, type) and issubclass(field.type, Part)
