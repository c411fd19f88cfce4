"""The definition of a GAN: what a user writes in models/<name>.json, without code.

`schema` has every field with its default, `rules` the combinations that cannot work; `loading` reads a file, a name or
a dict; `messages` words mistakes; `ibm_toolkit` translates files of IBM's gan-toolkit.
"""

from pipeline.gan.config.loading import (
    Difference,
    Reading,
    as_tree,
    definition_digest,
    definition_schema,
    differences,
    parse_definition,
    read,
    read_definition,
    schema_text,
)
from pipeline.gan.config.schema import (
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
