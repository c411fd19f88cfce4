"""Which pretrained weights a run learns and measures with: looked up once a process, so that all of a run agrees."""

from collections.abc import Callable
from functools import lru_cache

from pipeline import pretrained
from pipeline.errors import UserError
from pipeline.pretrained import AUTO, Weights
from tasks import console

Say = Callable[[str, str], None]  # a line about a stage


@lru_cache(maxsize=8)
def chosen(backbone: str) -> Weights | None:
    """The weights that the option `backbone` means in this process."""
    return pretrained.find_backbone(backbone)


@lru_cache(maxsize=8)
def measuring(extractor: str, classifier: bool) -> Weights | None:
    """The weights that the option `extractor` means in this process, where there is a `classifier` or none."""
    return pretrained.find_extractor(extractor, classifier=classifier)


def remark(backbone: str, *, again: bool) -> str:
    """Which weights those are, in words for the plan; `again` if they are to be learnt with."""
    if again and backbone == AUTO and not chosen(backbone):
        return f"backbone none (auto: no weights in {pretrained.cache_folder()} yet; a run tries to fetch some)"
    return f"backbone {chosen(backbone) or 'none'}"


def bring(backbone: str, say: Say = console.say) -> None:
    """Fetch what `backbone` means, if it is not here. 'auto' goes on without where that fails, and says so.

    Errors: `UserError` if weights that were named cannot be fetched.
    """
    if not pretrained.missing_backbones(backbone):
        return
    say("classifier", "looks for pretrained weights")
    reason = pretrained.fetch_backbone(backbone)
    if reason and backbone != AUTO:
        raise UserError(f"classifier.backbone = {backbone}: {reason}; or give auto, none, or a file of weights")
    if reason:
        say("classifier", f"goes on without pretrained weights: {reason}")
    chosen.cache_clear()


def bring_to_measure(stage: str, extractor: str, say: Say = console.say) -> None:
    """Fetch what `extractor` names before hours of training, not after.

    Errors: `UserError` for what is neither a name nor a file, and weights that cannot be fetched.
    """
    pretrained.find_extractor(extractor, classifier=True)
    if pretrained.is_extractor_missing(extractor):
        say(stage, f"fetches the weights of {extractor}")
        pretrained.fetch_extractor(extractor)
