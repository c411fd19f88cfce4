"""Style transfer: the content of one picture drawn in the style of others (Gatys, Ecker and Bethge 2016).

`stylize` in `transfer` is the plain function; `stylized_folder` writes what it makes into a folder, with `style_card`.
`style_losses` has the three losses, `objective` their sum and its gradient, `descent` what follows the gradient.
`style_networks` chooses the network, `feature_maps` builds it; `style_pictures` reads pictures, `colour_transfer` keeps
colours, `drawn_content` draws samples to be stylised. `from pipeline.style import stylize` loads TensorFlow.
"""

from typing import TYPE_CHECKING, Any

from pipeline.style.style_options import StyleOptions

if TYPE_CHECKING:
    from pipeline.style.transfer import stylize

__all__ = ["StyleOptions", "stylize"]


def __getattr__(name: str) -> Any:
    if name != "stylize":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipeline.style.transfer import stylize

    return stylize
