"""Measure how long style transfer takes, and how near its networks come to a style, by each other's measure.

    .venv/bin/python benchmarks/style_transfer.py [--network auto --network FILE ...] [--size 256] [--start noise]
        [--out DIR]
    .venv/bin/python benchmarks/style_transfer.py --example docs/images/style.jpg

Draws three toadstools of the demo in three textures of `style_textures.py` with each network and the default options,
and prints seconds, seconds of the processor, and the losses of the results by every network: its content and style
loss at its own layers, where 1 is a picture without features, beside those of the toadstool itself. A network is best
by its own measure, since it has made that small; so look at the others' columns. With `--start noise` three patterns
are styles too, and it prints by how much the style's loss fell from the first step to the last. Seconds are of a
machine that is shared unless nothing else runs; those of the processor are less so. `--example` draws the picture of
docs/style.md.
"""

import argparse
import sys
import time
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.machine import machine
from benchmarks.style_textures import PATTERNS, TEXTURES
from pipeline.demo.picture import draw
from pipeline.images.contact_sheet import contact_sheet, write_png
from pipeline.images.raster import resize
from pipeline.style import StyleOptions, stylize
from pipeline.style.feature_maps import FeatureNetwork
from pipeline.style.objective import Objective
from pipeline.style.style_pictures import as_picture
from pipeline.style.transfer import choose_weights, load_network

SEEDS = (4, 11, 23)  # of the toadstools
SHOWN = 224  # pixels of a picture in the example
QUALITY = 82  # of its JPEG


def main() -> None:
    """Measure, or draw the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="append", default=None)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--start", choices=("content", "noise"), default="content")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--example", type=Path)
    arguments = parser.parse_args()
    given = {"size": arguments.size, "start": arguments.start, "sheets": 0}
    options = [StyleOptions(network=name, **given) for name in arguments.network or ["auto"]]
    networks = [(each, load_network(each)) for each in options]
    styles = {name: style() for name, style in (TEXTURES | (PATTERNS if arguments.start == "noise" else {})).items()}
    pairs = [
        (draw("toadstool", np.random.default_rng(seed), (256, 256)), style)
        for seed, style in zip(cycle(SEEDS), styles.values(), strict=False)
    ]
    if arguments.example:
        example(pairs, *networks[0], arguments.example)
        return
    print(f"{machine()}; {arguments.size} px, {len(options[0].sizes())} levels of {options[0].steps} steps")
    judged("the toadstool itself", [content for content, _ in pairs], pairs, networks)
    for chosen, network in networks:
        made = [
            timed(name, content, style, chosen, network) for name, (content, style) in zip(styles, pairs, strict=True)
        ]
        judged(network.known.name, made, pairs, networks)
        if arguments.out:
            arguments.out.mkdir(parents=True, exist_ok=True)
            write_png(arguments.out / f"{network.known.name}.png", contact_sheet(made, len(made)))


def timed(
    name: str, content: np.ndarray, style: np.ndarray, options: StyleOptions, network: FeatureNetwork
) -> np.ndarray:
    """Draw one picture; print the seconds that it took and, from noise, by how much the style's loss fell."""
    began, worked = time.perf_counter(), time.process_time()
    made = stylize(content, style, options=options, network=network)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    fell = made.rows[0]["style"] / made.rows[-1]["style"]
    told = f", its loss fell {fell:.1f} times" if options.start == "noise" else ""
    print(f"  {network.known.name:<18} {name:<10} {seconds:6.1f} s, {processor:6.1f} s of the processor{told}")
    return made.picture


def judged(
    name: str,
    made: list[np.ndarray],
    pairs: list[tuple[np.ndarray, np.ndarray]],
    networks: list[tuple[StyleOptions, FeatureNetwork]],
) -> None:
    """Print the mean losses of `made` by each network."""
    for options, judge in networks:
        losses = []
        for picture, (content, style) in zip(made, pairs, strict=True):
            objective = Objective(
                judge,
                as_picture(content, "content").scaled(options.size),
                [as_picture(style, "style").scaled(options.size)],
                shares=(1.0,),
                weights=choose_weights(options, judge),
                shift=0,
                seed=0,
            )
            losses.append(objective(as_picture(picture, "picture").scaled(options.size), 0))
        style_loss, content_loss = (np.mean([getattr(each, kind) for each in losses]) for kind in ("style", "content"))
        print(f"{name:<22} by {judge.known.name:<18} style {style_loss:.4f}, content {content_loss:.3f}")


def example(pairs: list, options: StyleOptions, network: FeatureNetwork, path: Path) -> None:
    """Write a JPEG with a column for each pair: the toadstool, the style, the result."""
    rows: list[list[np.ndarray]] = [[], [], []]
    for content, style in pairs:
        made = stylize(content, style, options=options, network=network).picture
        for row, picture in zip(rows, (content, style, made), strict=True):
            row.append(resize(picture, SHOWN, SHOWN))
    sheet = contact_sheet([picture for row in rows for picture in row], len(pairs))
    written, data = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert written
    path.write_bytes(data.tobytes())
    print(f"{path}: {len(data):,} bytes, drawn by {network.known.name}")


if __name__ == "__main__":
    main()
