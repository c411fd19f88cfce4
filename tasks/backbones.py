"""Which pretrained weights a run uses for the classifier and for metrics; looked up once in each process, so that they
agree."""

from collections.abc import Callable
from functools import lru_cache

from pipeline import pretrained
from pipeline.errors import UserError
from pipeline.pretrained import AUTO, Weights
from tasks import console

TEXTURES = "textures"  # the digest of the extractor without weights
Notify = Callable[[str, str], None]  # a line about a stage


@lru_cache(maxsize=8)
def classifier_weights(backbone: str) -> Weights | None:
    """The weights that the option `classifier.backbone` selects; None for none."""
    return pretrained.find_backbone(backbone)


@lru_cache(maxsize=8)
def extractor_weights(extractor: str, backbone: str) -> Weights | None:
    """The weights that the option `extractor` selects beside `classifier.backbone`; None for textures."""
    return pretrained.find_extractor(extractor, backbone=classifier_weights(backbone))


def extractor_digest(extractor: str, backbone: str) -> str:
    """The digest of what measures samples, which is part of content keys; the options are those of
    `extractor_weights`."""
    weights = extractor_weights(extractor, backbone)
    return weights.digest if weights else TEXTURES


def describe_weights(backbone: str, *, will_train: bool) -> str:
    """The weights as text for the plan; `will_train` if the classifier will be trained."""
    if will_train and backbone == AUTO and not classifier_weights(backbone):
        return f"backbone none (auto: no weights in {pretrained.cache_folder()} yet; a run tries to fetch some)"
    return f"backbone {classifier_weights(backbone) or 'none'}"


def fetch_classifier_weights(backbone: str, notify: Notify = console.print_line) -> None:
    """Fetch the weights that `backbone` selects if they are missing; with 'auto' continue without them if that fails.

    Raises:
        UserError: If weights that were named cannot be fetched.
    """
    if not pretrained.missing_backbones(backbone):
        return
    notify("classifier", "looks for pretrained weights")
    reason = pretrained.fetch_backbone(backbone)
    if reason and backbone != AUTO:
        raise UserError(f"classifier.backbone = {backbone}: {reason}; or set it to auto, none, or a weights file")
    if reason:
        notify("classifier", f"continues without pretrained weights: {reason}")
    classifier_weights.cache_clear()
    extractor_weights.cache_clear()  # it may be the backbone


def fetch_extractor_weights(stage: str, extractor: str, notify: Notify = console.print_line) -> None:
    """Fetch the weights that `extractor` names, before a training of hours starts.

    Raises:
        UserError: If it is neither a name nor a file, or the weights cannot be fetched.
    """
    pretrained.find_extractor(extractor)
    if pretrained.is_extractor_missing(extractor):
        notify(stage, f"fetches the weights of {extractor}")
        pretrained.fetch_extractor(extractor)
