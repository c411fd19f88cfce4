"""What a user writes in models/<name>.json: a GAN without code."""

from pipeline.gan.definition.differences import Difference, differences
from pipeline.gan.definition.parts import (
    POLICIES,
    Augment,
    Balance,
    Definition,
    Discriminator,
    Ema,
    Generator,
    Growing,
    Network,
    Optimizer,
    Penalties,
    Penalty,
    Schedule,
    Smoothing,
)
from pipeline.gan.definition.reading import (
    Reading,
    as_tree,
    definition_digest,
    parse_definition,
    read,
    read_definition,
)
from pipeline.gan.definition.schema import definition_schema, schema_text

__all__ = [
    "POLICIES",
    "Augment",
    "Balance",
    "Definition",
    "Difference",
    "Discriminator",
    "Ema",
    "Generator",
    "Growing",
    "Network",
    "Optimizer",
    "Penalties",
    "Penalty",
    "Reading",
    "Schedule",
    "Smoothing",
    "as_tree",
    "definition_digest",
    "definition_schema",
    "differences",
    "parse_definition",
    "read",
    "read_definition",
    "schema_text",
]
