"""Videos of samples: GIF for browsers, MP4 with all colours; and a video of the sample sheets of a training."""

import io
import math
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pipeline.errors import UserError
from pipeline.images.png import decode_png, write_whole
from pipeline.images.raster import resize

WATCHED = 450  # pixels; a smaller film is enlarged by the largest whole factor that stays within
LARGEST_GIF = 8_000_000  # bytes; sites that show GIFs begin to refuse them about there
SAMPLED = 1 << 16  # pixels that the palette is chosen from; more take longer and change little
CODEC = "mp4v"  # MPEG-4 Visual: what OpenCV's own builds can write into an MP4 and desktop players can read


@dataclass(frozen=True, kw_only=True)
class Film:
    """Frames (N, H, W, C) uint8, grey or RGB, at `fps` a second; the last one stays on for `hold` seconds besides."""

    frames: np.ndarray
    fps: float
    hold: float = 0.0

    @property
    def factor(self) -> int:
        """How many times larger it is shown, so that one sees what small pictures show."""
        return max(1, WATCHED // max(self.frames.shape[1:3]))


def write_film(film: Film, folder: Path, *, name: str) -> None:
    """Write `name`.gif and `name`.mp4 into `folder`. Errors: those of `write_mp4`; the GIF is there then."""
    write_gif(film, folder / f"{name}.gif")
    write_mp4(film, folder / f"{name}.mp4")


def write_gif(film: Film, path: Path, *, most: int = LARGEST_GIF) -> None:
    """Write an endlessly repeated GIF, enlarged or, where it would exceed `most` bytes, as small as that needs.

    A GIF counts time in hundredths of a second, so that its pace is off by some percent where `fps` does not divide
    100. Grey frames keep all their levels; others share one palette, which is steadier than one a frame.
    """
    scale: float = film.factor
    while len(data := _gif(film, scale)) > most and min(film.frames.shape[1:3]) * scale > 2:
        # Whole factors as long as there are any: other ones blur. Then by area, as bytes go with it
        scale = scale - 1 if scale > 1 else scale * min(0.95 * math.sqrt(most / len(data)), 0.95)
    write_whole(path, data)


def write_mp4(film: Film, path: Path) -> None:
    """Write an MP4, enlarged, of even width and height as the format asks for.

    Errors: a `UserError` where OpenCV was built without an encoder for it.
    """
    with tempfile.TemporaryDirectory() as place:
        draft = Path(place) / "film.mp4"  # OpenCV tells the format from the name
        _encode(film, draft)
        write_whole(path, draft.read_bytes())


def _gif(film: Film, scale: float) -> bytes:
    """The GIF file of `film`, `scale` times as large."""
    images = _quantized(film.frames if scale >= 1 else _shrunk(film.frames, scale))
    if scale > 1:
        images = [
            image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.NEAREST)
            for image in images
        ]
    pace = 10 * max(2, round(100 / film.fps))  # milliseconds; browsers take 10 for 100
    durations = [pace] * (len(images) - 1) + [pace + round(film.hold * 1000)]
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=False)
    return file.getvalue()


def _shrunk(frames: np.ndarray, scale: float) -> np.ndarray:
    height, width = (max(1, round(side * scale)) for side in frames.shape[1:3])
    small = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]
    return np.stack(small).reshape(len(frames), height, width, frames.shape[3])


def _quantized(frames: np.ndarray) -> list[Image.Image]:
    """The frames as Pillow's images of one byte a pixel; undithered, as dots would be as large as what they dot."""
    if frames.shape[3] == 1:
        return [Image.fromarray(frame[..., 0]) for frame in frames]
    pixels = frames.reshape(-1, 1, 3)
    chosen = Image.fromarray(np.ascontiguousarray(pixels[:: -(-len(pixels) // SAMPLED)]))
    palette = chosen.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=1)
    return [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


def _encode(film: Film, path: Path) -> None:
    """Have OpenCV write the frames to `path`; it says nothing of failures but that it is not open."""
    frames = _enlarged(film)
    size = [side * film.factor + side * film.factor % 2 for side in film.frames.shape[2:0:-1]]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODEC), film.fps, size)
    try:
        if not writer.isOpened():
            raise UserError(
                f"this build of OpenCV ({cv2.__version__}) cannot write MP4 films; the one that pip installs as"
                " opencv-python-headless can"
            )
        for frame in frames:
            writer.write(frame)
    finally:
        writer.release()


def _enlarged(film: Film) -> Iterator[np.ndarray]:
    """Each frame (H, W, 3) BGR at the size of the MP4, the last one as often as it is held."""
    again = round(film.hold * film.fps)
    for number, frame in enumerate(film.frames):
        large = frame.repeat(film.factor, axis=0).repeat(film.factor, axis=1)
        even = np.pad(large, [(0, large.shape[0] % 2), (0, large.shape[1] % 2), (0, 0)], mode="edge")
        code = cv2.COLOR_GRAY2BGR if frame.shape[2] == 1 else cv2.COLOR_RGB2BGR
        for _ in range(1 + again if number == len(film.frames) - 1 else 1):
            yield cv2.cvtColor(even, code)


Sheet = tuple[int, Path]  # its epoch and its file
NAME = "training"
MOST = 150  # frames; with more of them the film gets longer and shows no more
MOST_IN_GIF = 60  # one of a whole page of pictures must be shrunk the more, the more frames it has
SECONDS, FASTEST, SLOWEST = 10, 15, 2  # the length aimed at, and the bounds on frames a second
LARGEST = 720  # pixels; larger sheets are shrunk to it: a hundred and more of them have to fit the memory
HOLD = 2.0  # seconds that the last sheet stays on
STRIP, MARGIN, WIDTH = 16, 4, 250  # pixels; of the caption below a sheet of this width, larger ones' are larger
INK, PAPER = 70, 255


def animate(folder: Path, out: Path) -> int:
    """Write training.gif and training.mp4 into `out` from the sheets epoch-*.png in `folder`; returns the frames.

    The frames are spread evenly over the training, each with its epoch below it; the GIF has fewer, as it would not
    be large enough to see otherwise. Without a sheet nothing is written. Errors: a `UserError` as of `write_mp4`, when
    the GIF is there; a `ValueError` for sheets of more than one size.
    """
    sheets = _thinned(_sheets(folder), MOST)
    if sheets:
        write_gif(_film(_thinned(sheets, MOST_IN_GIF)), out / f"{NAME}.gif")
        write_mp4(_film(sheets), out / f"{NAME}.mp4")
    return len(sheets)


def _film(sheets: list[Sheet]) -> Film:
    frames = np.stack([_captioned(_read(path), f"epoch {epoch}") for epoch, path in sheets])
    return Film(frames=frames, fps=min(FASTEST, max(SLOWEST, round(len(frames) / SECONDS))), hold=HOLD)


def _sheets(folder: Path) -> list[Sheet]:
    """Epoch and file of each sheet, in order."""
    found = [(re.fullmatch(r"epoch-(\d+)\.png", path.name), path) for path in folder.glob("epoch-*.png")]
    return sorted((int(match[1]), path) for match, path in found if match)


def _thinned(sheets: list[Sheet], most: int) -> list[Sheet]:
    """At most `most` of them, the first and the last among those."""
    return [sheets[place] for place in np.linspace(0, len(sheets) - 1, min(len(sheets), most)).astype(int)]


def _read(path: Path) -> np.ndarray:
    """A sheet (H, W, C) uint8, no wider or higher than `LARGEST`."""
    sheet = decode_png(path.read_bytes())
    height, width, channels = sheet.shape
    shrink = min(1, LARGEST / max(height, width))
    size = round(width * shrink), round(height * shrink)
    return resize(sheet, *size).reshape(*size[::-1], channels) if shrink < 1 else sheet


def _captioned(sheet: np.ndarray, text: str) -> np.ndarray:
    """`sheet` (H, W, C) with `text` on a strip below it."""
    scale = max(1, round(sheet.shape[1] / WIDTH))
    strip = np.full((STRIP * scale, sheet.shape[1], sheet.shape[2]), PAPER, np.uint8)
    place, ink = (MARGIN * scale, (STRIP - MARGIN) * scale), (INK,) * sheet.shape[2]
    cv2.putText(strip, text, place, cv2.FONT_HERSHEY_PLAIN, 0.75 * scale, ink, 1, cv2.LINE_AA)
    return np.vstack([sheet, strip])
