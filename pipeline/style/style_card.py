"""The card of a stylised picture: README.md for people and card.json for programs, with all that it was made from."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline import devices
from pipeline.store.atomic import write_whole
from pipeline.style.style_networks import NETWORKS
from pipeline.style.style_options import layer_weights, style_shares
from pipeline.style.style_pictures import Picture
from pipeline.style.transfer import Stylized

CARD, README = "card.json", "README.md"
MARKUP = re.compile(r"([\\`*_{}\[\]<>|#])")  # what Markdown would read in the name of a file


def write_style_card(
    folder: Path,
    made: Stylized,
    *,
    content: Picture,
    styles: Sequence[Picture],
    digest: str,
    last_sheet: str,
    notices: Sequence[str],
) -> None:
    """Write README.md and card.json into `folder`. They do not say when, so that equal inputs give equal files."""
    card = _card(made, content, styles, digest) | {"notices": [*notices]}
    write_whole(folder / CARD, (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode())
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["escape_markdown"] = _escape_markdown
    text = environment.get_template("style_card.md.jinja").render(card=card, sheet=last_sheet)
    write_whole(folder / README, text.encode())


def _card(made: Stylized, content: Picture, styles: Sequence[Picture], digest: str) -> dict[str, Any]:
    options, known = made.options, NETWORKS[made.network]
    shares = style_shares(options.mix, len(styles))
    return {
        "width": made.picture.shape[1],
        "height": made.picture.shape[0],
        "content": _source(content),
        "styles": [{**_source(style), "share": share} for style, share in zip(styles, shares, strict=True)],
        "network": {
            "name": known.name,
            "digest": digest,
            "remark": known.remark,
            "content_layers": layer_weights(options.content_layers) or known.content,
            "style_layers": layer_weights(options.style_layers) or known.style,
            "content_weight": options.content_weight,
            "style_weight": known.beta(options),
            "variation_weight": options.variation_weight * known.variation_weight,
        },
        "options": options.effective(known.name, len(styles)),
        "first": made.rows[0],
        "last": made.rows[-1],
        "device": devices.device(),
        "versions": devices.versions(),
    }


def _source(picture: Picture) -> dict[str, str]:
    return {"name": picture.name, "digest": picture.digest, "origin": picture.origin}


def _escape_markdown(text: object) -> str:
    """`text` in one line, with Markdown's characters escaped."""
    return MARKUP.sub(r"\\\1", " ".join(str(text).split()))
