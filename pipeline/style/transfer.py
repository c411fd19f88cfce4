"""Style transfer as a plain function: `stylize` draws one content in the style of one or several pictures.

It draws coarse to fine: a small picture first, whose result is enlarged and drawn on at twice the size, up to the full
one. So large shapes of the style are found where they are cheap (Gatys et al. 2017, "Controlling perceptual factors").
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np

from pipeline.devices import prepare_devices
from pipeline.errors import Stopped, UserError
from pipeline.gan.training.checkpoint import read_arrays, write_arrays
from pipeline.gan.validation import check_folder, make_folder
from pipeline.images.png import encode_png
from pipeline.progress import ShouldStop, never
from pipeline.store.digest import of_value
from pipeline.style.colour_transfer import luminance, match_histogram, match_luminance, with_colour_of
from pipeline.style.descent import Adam, Descent, Lbfgs, State
from pipeline.style.feature_maps import FeatureNetwork, build_network
from pipeline.style.objective import Objective, Value, Weights
from pipeline.style.style_networks import check_layers, find_network
from pipeline.style.style_options import LEAST_SIDE, MOST_STYLE_SIDE, StyleOptions, layer_weights, style_shares
from pipeline.style.style_pictures import Picture, as_picture

CHECKPOINT = "checkpoint.npz"
VERSION = 2  # part of every key: another number if the same inputs give another picture
Row = dict[str, Any]  # step, size, content, style, variation, total


@dataclass(frozen=True)
class Stylized:
    """What `stylize` made: the picture (H, W, 3) uint8, the rows of its losses, and what made it."""

    picture: np.ndarray
    rows: list[Row]
    network: str
    options: StyleOptions
    remark: str = ""  # what a person should know of the network

    def _repr_png_(self) -> bytes:
        """For a notebook."""
        return encode_png(self.picture)

    def __repr__(self) -> str:
        """The size, the network, and what a person should know of it."""
        height, width = self.picture.shape[:2]
        known = f"{self.network}: {self.remark}" if self.remark else self.network
        return f"<{width} x {height} pixels, compared by {known}>"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a transfer starts from. `key` tells it from every other one."""

    content: Picture
    styles: tuple[Picture, ...]
    shares: tuple[float, ...]  # their sum is 1
    weights: Weights
    network: FeatureNetwork
    options: StyleOptions
    key: str


def stylize(
    content: object,
    styles: object,
    *,
    options: StyleOptions | None = None,
    network: FeatureNetwork | None = None,
    folder: Path | str | None = None,
    on_step: Callable[[Row], None] = lambda row: None,
    on_sheet: Callable[[int, np.ndarray], None] = lambda step, picture: None,
    should_stop: ShouldStop = never,
) -> Stylized:
    """Draw `content` in the style of `styles`, bit-identical for the same inputs and options on the same device.

    Args:
        content: a path, or an array (H, W, 3) of uint8 or of numbers from 0 to 1.
        styles: one of these, or a list of them.
        options: how; without them the defaults.
        network: what compares pictures, from `load_network`; without it the one that the options name.
        folder: keeps a checkpoint there, and goes on from the one that is there.
        on_step: called after each step with its row: step, size, and the losses content, style, variation and total,
            which `objective` explains; with colour = luminance those of the picture in grey. With adam they are those
            of the picture before the step, of which the gradient was taken, with lbfgs those of the picture after it.
        on_sheet: called before the first step, now and then, and after the last, with the number of the step and the
            picture (H, W, 3) uint8 in the size of its level.
        should_stop: asked after each step. L-BFGS goes on from the last of ten steps, so up to nine are taken again.

    Raises:
        UserError: something given cannot be used, or the losses are not finite.
        Stopped: `should_stop` said so; with a `folder` the next call goes on from here.
    """
    options = StyleOptions() if options is None else options
    if not isinstance(options, StyleOptions):
        raise UserError(f"options: expected StyleOptions(...), not {type(options).__name__}")
    if not isinstance(network, FeatureNetwork | None):
        raise UserError("network: expected what load_network gives; StyleOptions(network=...) takes a name")
    place = None if folder is None else check_folder(folder)
    for name, function in {"on_step": on_step, "on_sheet": on_sheet, "should_stop": should_stop}.items():
        if not callable(function):
            raise UserError(f"{name}: expected a function, not {type(function).__name__}")
    inputs = prepare_inputs(content, styles, options=options, network=network)
    if place is not None:
        make_folder(place)
    drawing = _Drawing(inputs, folder=place, on_step=on_step, on_sheet=on_sheet, should_stop=should_stop)
    known = inputs.network.known
    return Stylized(drawing.draw(), drawing.rows, known.name, inputs.options, known.remark)


def load_network(options: StyleOptions) -> FeatureNetwork:
    """The network that the options name, which several calls may share. Errors: `UserError` as of `find_network`."""
    prepare_devices()
    return build_network(find_network(options.network), pooling=options.pooling)


def prepare_inputs(content: object, styles: object, *, options: StyleOptions, network: FeatureNetwork | None) -> Inputs:
    """Check and read what is given. Errors: `UserError`."""
    given = list(styles) if isinstance(styles, list | tuple) else [styles]
    if not given:
        raise UserError("style: give at least one picture")
    found = tuple(as_picture(style, "style") for style in given)
    shares = style_shares(options.mix, len(found))
    picture = as_picture(content, "content")
    network = network or load_network(options)
    effective = options.effective(network.known.name, len(found))
    key = of_value([VERSION, effective, network.digest, picture.digest, [style.digest for style in found]])
    weights = choose_weights(options, network)
    return Inputs(
        content=picture, styles=found, shares=shares, weights=weights, network=network, options=options, key=key
    )


def choose_weights(options: StyleOptions, network: FeatureNetwork) -> Weights:
    """The weights of losses and layers. Errors: `UserError` for a layer that the network does not have."""
    known = network.known
    content, style = layer_weights(options.content_layers), layer_weights(options.style_layers)
    check_layers(known, content, "content_layers")
    check_layers(known, style, "style_layers")
    return Weights(
        content=options.content_weight,
        style=known.beta(options),
        variation=options.variation_weight * known.variation_weight,
        content_layers=content or known.content,
        style_layers=style or known.style,
    )


class _StopWithin(Exception):
    """The descent is to stop before it returns."""


class _Drawing:
    """One transfer: its levels, its checkpoints, its rows."""

    def __init__(
        self,
        inputs: Inputs,
        *,
        folder: Path | None,
        on_step: Callable[[Row], None],
        on_sheet: Callable[[int, np.ndarray], None],
        should_stop: ShouldStop,
    ) -> None:
        self._inputs, self._options, self._folder = inputs, inputs.options, folder
        self._on_step, self._on_sheet, self._should_stop = on_step, on_sheet, should_stop
        self._sizes = inputs.options.sizes(inputs.content.aspect)
        self._sheet_steps = sheet_steps(inputs.options, len(self._sizes))
        self.rows: list[Row] = []

    def draw(self) -> np.ndarray:
        """Go through the levels; returns the picture (H, W, 3) uint8. Errors: `Stopped`, `UserError`."""
        steps = self._options.steps
        first, done, state = self._resume() or (-1, steps, None)
        for level in range(first if done < steps else first + 1, len(self._sizes)):
            descent = self._descent(level)
            if state is None or done == steps:
                state, done = descent.start(self._begin(level, state)), 0
                if level == 0:
                    self._show(0, state["picture"])
            while done < steps:
                count, rows = min(descent.segment, steps - done), len(self.rows)
                try:
                    state = descent.advance(state, done, count, self._reporter(level, done + count))
                except _StopWithin:
                    del self.rows[rows:]
                    self._stop(level, done, state)
                done += count
                if done % self._options.checkpoint_every < count or done == steps:
                    self._save(level, done, state)
                if self._should_stop():
                    self._stop(level, done, state)
        assert state is not None
        return self._finish(state["picture"])

    def _stop(self, level: int, done: int, state: State) -> NoReturn:
        self._save(level, done, state)
        steps = self._options.steps
        step = level * steps + done
        goes_on = "goes on" if self._folder else "begins again, as no folder was named"
        raise Stopped(f"stopped after {step} of {len(self._sizes) * steps} steps; the next call {goes_on}")

    def _descent(self, level: int) -> "Descent":
        """What takes the steps of a level."""
        options, size = self._options, self._sizes[level]
        content = self._inputs.content.scaled(size)
        side = min(size * options.style_scale, MOST_STYLE_SIDE)
        styles = [
            self._recoloured(style.scaled(max(side, LEAST_SIDE / style.aspect)), content)
            for style in self._inputs.styles
        ]
        is_grey = options.colour == "luminance"
        objective = Objective(
            self._inputs.network,
            luminance(content) if is_grey else content,
            styles,
            shares=self._inputs.shares,
            weights=self._inputs.weights,
            shift=options.shift,
            seed=options.seed,
            grey=is_grey,
        )
        if options.optimizer == "lbfgs":
            return Lbfgs(objective)
        return Adam(objective, learning_rate=options.learning_rate, steps=options.steps)

    def _recoloured(self, style: np.ndarray, content: np.ndarray) -> np.ndarray:
        if self._options.colour == "luminance":
            return match_luminance(style, content)
        return match_histogram(style, content) if self._options.colour == "histogram" else style

    def _begin(self, level: int, state: State | None) -> np.ndarray:
        """The picture before the first step of a level: that of the level before, or the first picture of all."""
        content = self._inputs.content.scaled(self._sizes[level])
        if state is not None:
            height, width = content.shape[:2]
            return np.clip(cv2.resize(state["picture"], (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
        random = np.random.default_rng(self._options.seed)
        if self._options.start == "noise":
            first = random.random(content.shape, np.float32)
        else:
            noise = random.standard_normal(content.shape, np.float32)
            first = np.clip(content + np.float32(self._options.noise) * noise, 0, 1)
        return luminance(first) if self._options.colour == "luminance" else first

    def _reporter(self, level: int, last: int) -> Callable[[int, np.ndarray, Value], None]:
        """What is called after each step of a level, up to the step `last`, after which the descent returns."""
        options, size = self._options, self._sizes[level]

        def report(number: int, picture: np.ndarray, value: Value) -> None:
            step = level * options.steps + number
            if not math.isfinite(value.total) or not np.isfinite(value.gradient).all():
                raise UserError(
                    f"step {step}: the losses are not finite; lower style_weight, content_weight or learning_rate"
                )
            row = {"step": step, "size": size, **value.losses()}
            if options.has_line(step):
                self.rows.append(row)
            self._on_step(row)
            self._show(step, picture)
            if number < last and self._should_stop():
                raise _StopWithin

        return report

    def _show(self, step: int, picture: np.ndarray) -> None:
        if step in self._sheet_steps:
            self._on_sheet(step, self._finish(picture))

    def _finish(self, picture: np.ndarray) -> np.ndarray:
        """The picture as pixels, with the content's colours if only brightness was drawn."""
        if self._options.colour == "luminance":
            picture = with_colour_of(picture, self._inputs.content.scaled(max(picture.shape)))
        return np.round(picture * 255).astype(np.uint8)

    def _save(self, level: int, done: int, state: State) -> None:
        if self._folder is None:
            return
        rows = json.dumps({"key": self._inputs.key, "rows": self.rows}).encode()
        place = {"level": np.asarray(np.int64(level)), "done": np.asarray(np.int64(done))}
        write_arrays(self._folder / CHECKPOINT, {**state, **place, "rows": np.frombuffer(rows, np.uint8)})

    def _resume(self) -> tuple[int, int, State] | None:
        """Level, steps done in it, and state of the checkpoint; None if there is none, or a damaged one."""
        arrays = read_arrays(self._folder / CHECKPOINT) if self._folder else None
        if arrays is None:
            return None
        saved = json.loads(arrays.pop("rows").tobytes())
        if saved["key"] != self._inputs.key:
            raise UserError(f"{self._folder}: the checkpoint there is of another transfer; name another folder")
        self.rows = saved["rows"]
        level, done = int(arrays.pop("level")), int(arrays.pop("done"))
        return level, done, arrays


def saved_rows(folder: Path) -> list[Row]:
    """The rows in the checkpoint of `folder`; none if there is no usable one."""
    arrays = read_arrays(folder / CHECKPOINT)
    return json.loads(arrays["rows"].tobytes())["rows"] if arrays else []


def sheet_steps(options: StyleOptions, levels: int) -> frozenset[int]:
    """The steps after which there is a sheet: spread evenly, 0 and the last among them; one sheet is the last."""
    total = levels * options.steps
    if options.sheets == 1:
        return frozenset({total})
    return frozenset(np.linspace(0, total, options.sheets).round().astype(int).tolist() if options.sheets else [])
