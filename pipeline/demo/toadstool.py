"""The subject: a toadstool, with a domed cap on a stalk, usually with spots."""

from dataclasses import dataclass

import numpy as np

from pipeline.demo.canvas import INK, WHITE, Canvas, Pose, curve, darker, ellipse, lighter, mix, near, tube

# Share, and hue, saturation, value of the colours of caps; most are red, like fly agarics
_CAPS = {
    "red": (0.66, (2, 0.88, 0.85)),
    "orange": (0.12, (22, 0.88, 0.93)),
    "brown": (0.06, (24, 0.62, 0.55)),
    "violet": (0.06, (288, 0.50, 0.66)),
    "blue": (0.04, (212, 0.62, 0.74)),
    "yellow": (0.06, (46, 0.80, 0.95)),
}


@dataclass(frozen=True, kw_only=True)
class Cap:
    """The shape of a cap in the subject's frame: a dome over a rim that is seen slightly from above or below."""

    y: float  # of the rim
    wide: float  # half its width
    high: float
    dip: float  # of the near side of the rim
    steep: float  # exponent of the height: below 1 flat at the top, above 1 pointed
    narrow: float  # exponent of the width: above 1 bell-shaped

    def at(self, up: np.ndarray, around: np.ndarray) -> np.ndarray:
        """Points (N, 2) for angles in radians: `up` from the rim to the top, `around` from the middle to the sides."""
        flat = np.clip(np.cos(up), 0, 1)
        x = self.wide * flat**self.narrow * np.sin(around)
        y = self.y - self.high * np.clip(np.sin(up), 0, 1) ** self.steep + self.dip * flat * np.cos(around)
        return np.stack([x, y], axis=1)

    def outline(self) -> np.ndarray:
        """The outline: from the left of the rim over the top to the right, and back along the near side of the rim."""
        quarter = np.linspace(0, np.pi / 2, 20)
        left = self.at(quarter, np.full(20, -np.pi / 2))
        right = self.at(quarter[::-1], np.full(20, np.pi / 2))
        around = np.linspace(np.pi / 2, -np.pi / 2, 24)[1:-1]
        return np.concatenate([left, right[1:], self.at(np.zeros(22), around)])


def draw(canvas: Canvas, rng: np.random.Generator, pose: Pose) -> None:
    """Draw one toadstool."""
    cap = _random_cap(rng)
    colour = _cap_colour(rng)
    cream = near(rng, 42, rng.uniform(0.06, 0.22), 0.95, 0.5)
    below = rng.random() < 0.3  # seen from below, so that the gills are visible
    if below:
        _draw_cap(canvas, rng, pose, cap, colour)
        _draw_gills(canvas, pose, cap, cream)
    _draw_stalk(canvas, rng, pose, cap, cream)
    if not below:
        _draw_cap(canvas, rng, pose, cap, colour)


def _random_cap(rng: np.random.Generator) -> Cap:
    kind = rng.choice(["dome", "flat", "bell", "round"], p=[0.5, 0.18, 0.16, 0.16])
    high = {"dome": 0.42, "flat": 0.31, "bell": 0.50, "round": 0.46}[kind] + rng.normal(0, 0.025)
    wide = {"dome": 0.45, "flat": 0.50, "bell": 0.38, "round": 0.42}[kind] + rng.normal(0, 0.025)
    return Cap(
        y=-0.5 + high,
        wide=wide,
        high=high,
        dip=rng.uniform(0.05, 0.11),
        steep={"dome": 0.95, "flat": 0.9, "bell": 1.15, "round": 0.8}[kind],
        narrow={"dome": 0.95, "flat": 0.95, "bell": 1.2, "round": 0.7}[kind],
    )


def _cap_colour(rng: np.random.Generator) -> np.ndarray:
    shares = [share for share, _ in _CAPS.values()]
    _, colour = list(_CAPS.values())[rng.choice(len(shares), p=shares)]
    return near(rng, *colour)


def _draw_cap(canvas: Canvas, rng: np.random.Generator, pose: Pose, cap: Cap, colour: np.ndarray) -> None:
    outline = pose(cap.outline())
    canvas.shape(outline, colour)
    with canvas.clipped(outline):
        if not canvas.look.soft:
            away = Pose(x=pose.x + 0.13 * pose.size * canvas.look.light, y=pose.y - 0.07 * pose.size, size=pose.size)
            canvas.fill(outline, darker(colour, 0.35))
            canvas.fill(away(cap.outline()), colour)
        if rng.random() < 0.9:
            _draw_spots(canvas, rng, pose, cap, mix(WHITE, lighter(colour, 0.8), rng.uniform(0, 0.5)))
        shine = ellipse(0.45 * cap.wide * canvas.look.light, cap.y - 0.72 * cap.high, 0.14 * cap.wide, 0.06 * cap.high)
        canvas.glaze(pose(shine), WHITE, 0.45)
    if canvas.look.line:
        canvas.stroke(outline, canvas.look.line, INK, closed=True)


def _draw_spots(canvas: Canvas, rng: np.random.Generator, pose: Pose, cap: Cap, colour: np.ndarray) -> None:
    """Draw round warts on the dome, apart from each other and foreshortened towards its edges."""
    radius = rng.uniform(0.13, 0.22)
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    for up, around in _scattered(rng, count=int(rng.integers(7, 15)), apart=2.5 * radius):
        own = radius * rng.uniform(0.65, 1.15)
        ups = up + own * np.sin(turn)
        arounds = around + own * np.cos(turn) / max(np.cos(up), 0.3)
        canvas.fill(pose(cap.at(np.clip(ups, -0.2, np.pi / 2), np.clip(arounds, -np.pi / 2, np.pi / 2))), colour)


def _scattered(rng: np.random.Generator, *, count: int, apart: float) -> list[tuple[float, float]]:
    """Up to `count` positions on the near half of a dome, at least about `apart` radians apart."""
    kept: list[tuple[float, float]] = []
    for up, around in zip(rng.uniform(0.0, 1.35, 60), rng.uniform(-1.5, 1.5, 60), strict=True):
        near_by = any(np.hypot(up - u, (around - a) * np.cos((up + u) / 2)) < apart for u, a in kept)
        if not near_by and len(kept) < count:
            kept.append((up, around))
    return kept


def _draw_gills(canvas: Canvas, pose: Pose, cap: Cap, cream: np.ndarray) -> None:
    """Draw the underside: a flat ellipse with rays."""
    disc = ellipse(0, cap.y, 0.96 * cap.wide, 0.9 * cap.dip + 0.01)
    canvas.shape(pose(disc), darker(cream, 0.28))
    for edge in disc[::2]:
        canvas.stroke(pose(np.array([(0, cap.y), edge])), 0.006 * pose.size, darker(cream, 0.48))


def _draw_stalk(canvas: Canvas, rng: np.random.Generator, pose: Pose, cap: Cap, cream: np.ndarray) -> None:
    thick = rng.uniform(0.085, 0.135)
    axis = curve([(0, cap.y - 0.02), (rng.normal(0, 0.035), cap.y / 2 + 0.25), (0, 0.5)], 40)
    along = np.linspace(0, 1, len(axis))
    rounded = np.sqrt(1 - (np.clip(along - 0.9, 0, 0.1) / 0.104) ** 2)
    widths = thick * (1 + rng.uniform(0.1, 0.75) * along**2) * rounded
    outline = pose(tube(axis, widths))
    canvas.shape(outline, cream)
    with canvas.clipped(outline):
        if not canvas.look.soft:
            away = axis - (0.55 * thick * canvas.look.light, 0)
            canvas.fill(pose(tube(away, widths * 0.55)), darker(cream, 0.22))
        canvas.glaze(
            pose(ellipse(0, cap.y + 0.02, 2 * thick, cap.dip + 0.05)), darker(cream, 0.9), 0.3
        )  # the cap's shadow
    if canvas.look.line:
        canvas.stroke(outline, canvas.look.line, INK, closed=True)
    if rng.random() < 0.5:
        _draw_ring(canvas, pose, axis[12], thick, cream)


def _draw_ring(canvas: Canvas, pose: Pose, position: np.ndarray, thick: float, cream: np.ndarray) -> None:
    """Draw the torn veil: a small skirt around the stalk."""
    x, y = position
    across = np.linspace(-1, 1, 15)
    frayed = y + 0.05 + 0.035 * (1 - across**2) + 0.008 * (-1.0) ** np.arange(15)
    upper = np.stack([x + 1.05 * thick * across, y - 0.03 + 0.02 * (1 - across**2)], axis=1)
    skirt = np.concatenate([upper, np.stack([x + 1.75 * thick * across[::-1], frayed], axis=1)])
    canvas.glaze(pose(np.add(skirt, (0, 0.025))), darker(cream, 0.9), 0.3)
    canvas.shape(pose(skirt), lighter(cream, 0.5), line=0.7)
