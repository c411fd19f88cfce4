"""Colours as float RGB triples in 0 to 255, and the lights and shades between them."""

import colorsys

import numpy as np

WHITE = np.array([255.0, 255.0, 255.0])
INK = np.array([44.0, 30.0, 34.0])  # of outlines: a warm black, as pens have


def hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """The colour of a hue in degrees and of a saturation and value in 0 to 1."""
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 360 / 360, min(saturation, 1), min(value, 1)))


def near(rng: np.random.Generator, hue: float, saturation: float, value: float, spread: float = 1.0) -> np.ndarray:
    """A colour near the given one: by some 5 degrees of hue, .06 of saturation and value, times `spread`."""
    turn, pale, light = spread * rng.normal(0, (5, 0.06, 0.06))
    return hsv(hue + turn, float(np.clip(saturation + pale, 0, 1)), float(np.clip(value + light, 0, 1)))


def mix(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """`share` of the second colour in the first."""
    return first + (second - first) * share


def darker(colour: np.ndarray, share: float) -> np.ndarray:
    """The colour in shadow: less light, and what there is of it a little bluer."""
    return mix(colour, colour * (0.34, 0.24, 0.40), share)


def lighter(colour: np.ndarray, share: float) -> np.ndarray:
    """The colour in full light: towards a warm white."""
    return mix(colour, np.array([255.0, 248.0, 232.0]), share)
