"""Which weights the option `extractor` means, and that they are here before a run needs them. Loads no network."""

from pipeline.errors import UserError
from pipeline.filter import weights
from pipeline.filter.weights import AUTO, Weights
from pipeline.options.option import nearest

OWN = "own"
NAMES = {"MobileNet": "MobileNet", "Inception": "InceptionV3"}  # as the option has them, and keras.applications


def uses_classifier(wanted: str) -> bool:
    """Whether `wanted` means the classifier's features where there is a classifier."""
    return wanted in (AUTO, OWN)


def find_weights(wanted: str, *, classifier: bool) -> Weights | None:
    """The weights that the option `extractor` means as things stand on this disk; named ones whether here or not.

    None for the features of a classifier, if there is a `classifier`, and for histograms. Errors: `UserError` for a
    name that is not known and a file that is not there.
    """
    if wanted == AUTO and not classifier and weights.is_cached("MobileNet"):
        return weights.published("MobileNet")
    if uses_classifier(wanted):
        return None
    if wanted in NAMES:
        return weights.published(NAMES[wanted])
    if found := weights.given(wanted, asked="extractor"):
        return found
    words = nearest(wanted, [AUTO, OWN, *NAMES])
    raise UserError(f"extractor = {wanted!r}: there is no such file, and no network of that name; {words}")


def is_missing(wanted: str) -> bool:
    """Whether `wanted` names weights that have to be fetched."""
    return wanted in NAMES and not weights.is_cached(NAMES[wanted])


def bring(wanted: str) -> None:
    """Fetch the weights that `wanted` names, if they are not here. Errors: `UserError` if they cannot be had."""
    if not is_missing(wanted):
        return
    if reason := weights.fetch_published(NAMES[wanted]):
        raise UserError(f"extractor = {wanted}: {reason}; or give auto, own, or a file of such weights")
