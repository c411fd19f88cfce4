"""Films: frames as a GIF, which every browser shows, and as an MP4, which has all colours and can be halted."""

import io
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pipeline.errors import UserError
from pipeline.images.png import write_whole

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
            image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST) for image in images
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
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*CODEC), film.fps, size)
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
