"""GAN definitions: the JSON files that say how to build and train a GAN, without code.

`schema` has every field with its default; `rules` has the combinations that cannot work. `loading` reads a file, a name
or a dict into a checked `Definition`; `messages` writes the error messages. `ibm_toolkit` translates files of IBM's
gan-toolkit. `resolutions` has the image sizes that networks can be built for; `wording`
puts definitions in lines for people.
"""

from pipeline.gan.config.loading import (
    Difference,
    LoadedDefinition,
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
    "LoadedDefinition",
    "Network",
    "Optimizer",
    "Penalties",
    "Penalty",
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
