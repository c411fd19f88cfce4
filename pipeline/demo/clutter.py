"""Off-target pictures as in search results: screenshots, charts, patterns. Each fills the whole canvas."""

import numpy as np

from pipeline.demo.canvas import WHITE, Canvas, box, darker, ellipse, hsv, lighter, near

_GREY = np.array([120.0, 124.0, 132.0])


def screenshot(canvas: Canvas, rng: np.random.Generator) -> None:
    """A window with a title bar, a side bar, lines of text and a button."""
    dark = rng.random() < 0.35
    paper = near(rng, 220, 0.12, 0.17 if dark else 0.97, 0.4)
    text = lighter(_GREY, 0.5) if dark else darker(_GREY, 0.4)
    accent = near(rng, rng.choice([140.0, 175.0, 210.0, 210.0, 245.0]), 0.65, 0.8)
    right, bottom = canvas.right, canvas.bottom
    canvas.fill(box(-right, -bottom, right, bottom), paper)
    canvas.fill(box(-right, -bottom, right, -bottom + 0.09), accent if rng.random() < 0.5 else darker(paper, 0.15))
    for index in range(3):
        canvas.fill(
            ellipse(-right + 0.05 + 0.055 * index, -bottom + 0.045, 0.018, 0.018, 12), hsv(20 + 50 * index, 0.6, 0.9)
        )
    side = -right + rng.uniform(0.18, 0.3)
    canvas.fill(box(-right, -bottom + 0.09, side, bottom), darker(paper, 0.12))
    for y in np.arange(-bottom + 0.16, bottom - 0.05, 0.085):
        canvas.fill(box(-right + 0.04, y, rng.uniform(-right + 0.1, side - 0.03), y + 0.02), text)
    _paragraphs(canvas, rng, side + 0.06, text, accent)
    if rng.random() < 0.6:
        x, y = rng.uniform(side + 0.1, right - 0.3), rng.uniform(0.1, bottom - 0.12)
        canvas.fill(box(x, y, x + 0.24, y + 0.085), accent)


def _paragraphs(canvas: Canvas, rng: np.random.Generator, left: float, text: np.ndarray, accent: np.ndarray) -> None:
    y = -canvas.bottom + 0.15
    while y < canvas.bottom - 0.05:
        if rng.random() < 0.15:
            high = rng.uniform(0.12, 0.26)
            canvas.fill(
                box(left, y, rng.uniform(left + 0.2, canvas.right - 0.05), y + high),
                lighter(accent, rng.uniform(0, 0.6)),
            )
            y += high + 0.04
        elif rng.random() < 0.2:
            canvas.fill(box(left, y, rng.uniform(left + 0.15, left + 0.4), y + 0.04), text)
            y += 0.085
        else:
            canvas.fill(box(left, y, rng.uniform(left + 0.25, canvas.right - 0.04), y + 0.018), lighter(text, 0.25))
            y += 0.045


def chart(canvas: Canvas, rng: np.random.Generator) -> None:
    """A chart: bars, lines, a pie or a scatter plot."""
    paper = near(rng, 45, rng.uniform(0, 0.08), 0.97, 0.3)
    canvas.fill(box(-canvas.right, -canvas.bottom, canvas.right, canvas.bottom), paper)
    first = rng.choice([30.0, 100.0, 205.0, 205.0, 250.0])
    colours = [near(rng, first + 67 * index, 0.65, 0.8) for index in range(5)]
    canvas.fill(box(-0.25, -canvas.bottom + 0.05, rng.uniform(0.05, 0.25), -canvas.bottom + 0.08), _GREY)
    [_bars, _lines, _cake, _points][rng.integers(4)](canvas, rng, colours)


def _axes(canvas: Canvas) -> None:
    for y in np.linspace(-0.28, 0.28, 5):
        canvas.stroke(np.array([(-0.38, y), (0.4, y)]), 0.003, lighter(_GREY, 0.6))
    canvas.stroke(np.array([(-0.38, -0.34), (-0.38, 0.36), (0.42, 0.36)]), 0.009, _GREY)


def _bars(canvas: Canvas, rng: np.random.Generator, colours: list[np.ndarray]) -> None:
    _axes(canvas)
    count, one = int(rng.integers(3, 9)), rng.random() < 0.5
    step = 0.74 / count
    for index in range(count):
        left = -0.35 + step * index
        top = 0.36 - rng.uniform(0.08, 0.66)
        canvas.fill(box(left, top, left + 0.7 * step, 0.36), colours[0 if one else index % 5])


def _lines(canvas: Canvas, rng: np.random.Generator, colours: list[np.ndarray]) -> None:
    _axes(canvas)
    for colour in colours[: rng.integers(1, 4)]:
        y = np.clip(np.cumsum(rng.normal(0, 0.09, 12)) + rng.uniform(-0.15, 0.2), -0.33, 0.34)
        canvas.stroke(np.stack([np.linspace(-0.36, 0.4, 12), y], axis=1), 0.014, colour)


def _cake(canvas: Canvas, rng: np.random.Generator, colours: list[np.ndarray]) -> None:
    radius = rng.uniform(0.26, 0.36)
    edges = np.concatenate([[0], np.cumsum(rng.dirichlet(np.full(5, 2.0)))]) * 2 * np.pi
    for colour, start, end in zip(colours, edges[:-1], edges[1:], strict=True):
        turn = np.linspace(start, end, 20)
        slice_ = np.stack([radius * np.sin(turn), 0.03 - radius * np.cos(turn)], axis=1)
        canvas.fill(np.concatenate([[(0, 0.03)], slice_]), colour)
    if rng.random() < 0.4:
        canvas.fill(ellipse(0, 0.03, 0.5 * radius, 0.5 * radius), WHITE)


def _points(canvas: Canvas, rng: np.random.Generator, colours: list[np.ndarray]) -> None:
    _axes(canvas)
    for colour in colours[: rng.integers(1, 4)]:
        for x, y in np.clip(rng.normal(rng.uniform(-0.2, 0.2, 2), 0.1, (25, 2)), -0.34, 0.33):
            canvas.fill(ellipse(x, y, 0.014, 0.014, 10), colour)


def pattern(canvas: Canvas, rng: np.random.Generator) -> None:
    """Cloth with dots or stripes."""
    cloth = near(rng, rng.choice([2.0, 24.0, 95.0, 175.0, 212.0, 288.0, 335.0]), 0.7, 0.82)
    canvas.fill(box(-canvas.right, -canvas.bottom, canvas.right, canvas.bottom), cloth)
    step, second = rng.uniform(0.10, 0.24), lighter(cloth, 0.92)
    wide = step * rng.uniform(0.2, 0.36)
    dotted = rng.random() < 0.6
    for row, y in enumerate(np.arange(-canvas.bottom, canvas.bottom + step, step)):
        if dotted:
            for x in np.arange(-canvas.right, canvas.right + step, step):
                canvas.fill(ellipse(x + step / 2 * (row % 2), y, wide, wide, 20), second)
        else:
            canvas.fill(box(-canvas.right, y - wide, canvas.right, y + wide), second)


CLUTTER = {"screenshot": screenshot, "chart": chart, "pattern": pattern}
