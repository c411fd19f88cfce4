"""Videos of samples: GIF and WebM for browsers, MP4 for players; and a video of the sample sheets of a training.

Browsers play VP9 in WebM, and H.264 in MP4, but not the MPEG-4 Visual that OpenCV's own builds write into an MP4. A
build without VP9 writes H.264, if it can; without both a GIF is what browsers show, and `film_notice` says why.
"""

import io
import math
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pipeline.images.png import decode_png
from pipeline.images.raster import resize
from pipeline.store.atomic import write_whole

SHOWN_SIDE = 450  # pixels; a smaller video is enlarged by the largest whole factor that stays within
MAX_GIF_BYTES = 8_000_000  # many sites refuse larger GIFs
PALETTE_PIXELS = 1 << 16  # from which the palette is computed; more take longer and change little
CODEC = "mp4v"  # MPEG-4 Visual: OpenCV's own builds can write it into an MP4, and desktop players can read it
WEB_CODEC = "VP90"  # VP9 in WebM: what every browser plays, and OpenCV's own builds can write
WEBM_HEAD = 4096  # bytes with the tables of a WebM
TRACK_UID = b"\x73\xc5\x88"  # before the number of its track, of eight bytes
H264 = "avc1"  # in an MP4 browsers play it too; OpenCV's own builds leave it out
NAME = "training"
STDERR = 2  # its number in every process
MAX_FRAMES = 150  # more frames make the video longer and show no more
MAX_GIF_FRAMES = 60  # a GIF with more frames must be shrunk more
SECONDS, FASTEST, SLOWEST = 10, 15, 2  # target length, and bounds on frames per second
MAX_SIDE = 720  # pixels; larger sheets are shrunk, since over a hundred of them must fit into memory
HOLD = 2.0  # seconds that the last sheet stays longer
STRIP, MARGIN, WIDTH = 16, 4, 250  # pixels of the caption below a sheet of this width; it scales with the sheet
INK, PAPER = 70, 255
Sheet = tuple[int, Path]  # its epoch and its file


@dataclass(frozen=True, kw_only=True)
class Video:
    """Frames (N, H, W, C) uint8, grey or RGB, at `fps` per second; the last frame stays `hold` seconds longer."""

    frames: np.ndarray
    fps: float
    hold: float = 0.0

    @property
    def factor(self) -> int:
        """The factor by which small frames are enlarged, so that details can be seen."""
        return max(1, SHOWN_SIDE // max(self.frames.shape[1:3]))


def write_video(video: Video, folder: Path, *, name: str) -> None:
    """Write `name`.gif into `folder`, and .webm and .mp4 if this build of OpenCV can: see `film_notice`."""
    write_gif(video, folder / f"{name}.gif")
    write_webm(video, folder / f"{name}.webm")
    write_mp4(video, folder / f"{name}.mp4")


def write_gif(video: Video, path: Path, *, max_bytes: int = MAX_GIF_BYTES) -> None:
    """Write an endlessly repeated GIF, enlarged, or shrunk until it has at most `max_bytes` bytes.

    A GIF counts time in hundredths of a second, so its speed is off by a few percent if `fps` does not divide 100. Grey
    frames keep all levels; others share one palette, which flickers less than one palette per frame.
    """
    scale: float = video.factor
    while len(data := _gif(video, scale)) > max_bytes and min(video.frames.shape[1:3]) * scale > 2:
        # Whole factors first, as others blur; then by area, which the number of bytes follows
        scale = scale - 1 if scale > 1 else scale * min(0.95 * math.sqrt(max_bytes / len(data)), 0.95)
    write_whole(path, data)


def write_mp4(video: Video, path: Path) -> bool:
    """Write an MP4, enlarged, with even width and height, as the format requires, if this build of OpenCV can; returns
    whether it could."""
    return _write_film(video, path, H264 if _mp4_is_for_browsers() else CODEC)


def write_webm(video: Video, path: Path) -> bool:
    """Write a WebM that browsers play, if this build of OpenCV can; returns whether it could."""
    return _write_film(video, path, WEB_CODEC)


def _write_film(video: Video, path: Path, codec_name: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / f"film{path.suffix}"  # OpenCV derives the format from the name
        if written := _encode(video, temporary, codec_name) and temporary.is_file():
            write_whole(path, _without_random_number(temporary.read_bytes()))
    return written


def _without_random_number(data: bytes) -> bytes:
    """A WebM without the random number of its track (TrackUID), so that equal frames give equal bytes."""
    head = data[:WEBM_HEAD]
    at = head.find(TRACK_UID)
    number = head[at + len(TRACK_UID) :][:8]
    return head.replace(number, (1).to_bytes(8, "big")) + data[WEBM_HEAD:] if at >= 0 else data


def film_notice() -> str:
    """Which films this build of OpenCV cannot write, in a line; empty if browsers can play one and players another."""
    for_browsers = _can_encode(WEB_CODEC, "webm") or _mp4_is_for_browsers()
    for_players = _mp4_is_for_browsers() or _can_encode(CODEC, "mp4")
    if for_browsers and for_players:
        return ""
    what = "can write neither VP9 nor H.264" if not for_browsers else "cannot write MP4"
    lost = "browsers show the films as GIFs only" if not for_browsers else "the films have no MP4"
    return (
        f"{lost}: this build of OpenCV ({cv2.__version__}) {what}; pip install opencv-python-headless has one that can"
    )


def _mp4_is_for_browsers() -> bool:
    """Whether an MP4 has H.264, because there is no WebM."""
    return not _can_encode(WEB_CODEC, "webm") and _can_encode(H264, "mp4")


@cache
def _can_encode(codec_name: str, suffix: str) -> bool:
    """Whether this build of OpenCV can write videos of this codec: a tiny one is written."""
    video = Video(frames=np.zeros((2, 16, 16, 3), np.uint8), fps=2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"film.{suffix}"
        return _encode(video, path, codec_name) and path.is_file() and path.stat().st_size > 0


def animate(folder: Path, out: Path) -> int:
    """Write training.gif, .webm and .mp4 into `out` from the sheets epoch-*.png in `folder`; returns the frame count.

    The frames are spread evenly over the training, each with its epoch below it; the GIF has fewer, so that it need not
    be shrunk too much. Without a sheet nothing is written. Errors: a `ValueError` for sheets of different sizes.
    """
    sheets = _thinned(_sheets(folder), MAX_FRAMES)
    if sheets:
        write_gif(_training_video(_thinned(sheets, MAX_GIF_FRAMES)), out / f"{NAME}.gif")
        film = _training_video(sheets)
        write_webm(film, out / f"{NAME}.webm")
        write_mp4(film, out / f"{NAME}.mp4")
    return len(sheets)


def _gif(video: Video, scale: float) -> bytes:
    """The GIF file of `video`, scaled by `scale`."""
    images = _quantized(video.frames if scale >= 1 else _shrunk(video.frames, scale))
    if scale > 1:
        images = [
            image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.NEAREST)
            for image in images
        ]
    frame_ms = 10 * max(2, round(100 / video.fps))  # at least 20: browsers read 10 as 100
    durations = [frame_ms] * (len(images) - 1) + [frame_ms + round(video.hold * 1000)]
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=False)
    return file.getvalue()


def _shrunk(frames: np.ndarray, scale: float) -> np.ndarray:
    height, width = (max(1, round(side * scale)) for side in frames.shape[1:3])
    small = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]
    return np.stack(small).reshape(len(frames), height, width, frames.shape[3])


def _quantized(frames: np.ndarray) -> list[Image.Image]:
    """The frames as palette images; without dithering, whose dots would be as large as the details."""
    if frames.shape[3] == 1:
        return [Image.fromarray(frame[..., 0]) for frame in frames]
    pixels = frames.reshape(-1, 1, 3)
    chosen = Image.fromarray(np.ascontiguousarray(pixels[:: -(-len(pixels) // PALETTE_PIXELS)]))
    palette = chosen.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=1)
    return [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


def _encode(video: Video, path: Path, codec_name: str) -> bool:
    """Let OpenCV write the frames to `path`, if it can; it reports no errors except that it is not open."""
    frames = _enlarged(video)
    size = [side * video.factor + side * video.factor % 2 for side in video.frames.shape[2:0:-1]]
    codec = cv2.VideoWriter_fourcc(*codec_name)  # type: ignore[attr-defined]  # missing in the types of OpenCV
    with _silent_stderr():
        writer = cv2.VideoWriter(str(path), codec, video.fps, size)
    try:
        if not writer.isOpened():
            return False
        for frame in frames:
            writer.write(frame)
        return True
    finally:
        writer.release()


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep OpenCV's line that WebM has no tag for VP9 from stderr: it writes one from C, and no setting prevents it."""
    try:
        kept = os.dup(STDERR)
    except OSError:  # there is no stderr
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)


def _enlarged(video: Video) -> Iterator[np.ndarray]:
    """Each frame (H, W, 3) BGR at the size of the MP4; the last frame is repeated while it is held."""
    repeats = round(video.hold * video.fps)
    for number, frame in enumerate(video.frames):
        large = frame.repeat(video.factor, axis=0).repeat(video.factor, axis=1)
        even = np.pad(large, [(0, large.shape[0] % 2), (0, large.shape[1] % 2), (0, 0)], mode="edge")
        code = cv2.COLOR_GRAY2BGR if frame.shape[2] == 1 else cv2.COLOR_RGB2BGR
        for _ in range(1 + repeats if number == len(video.frames) - 1 else 1):
            yield cv2.cvtColor(even, code)


def _training_video(sheets: list[Sheet]) -> Video:
    frames = np.stack([_captioned(_read(path), f"epoch {epoch}") for epoch, path in sheets])
    return Video(frames=frames, fps=min(FASTEST, max(SLOWEST, round(len(frames) / SECONDS))), hold=HOLD)


def _sheets(folder: Path) -> list[Sheet]:
    """The epoch and file of each sheet, in order."""
    found = [(re.fullmatch(r"epoch-(\d+)\.png", path.name), path) for path in folder.glob("epoch-*.png")]
    return sorted((int(match[1]), path) for match, path in found if match)


def _thinned(sheets: list[Sheet], max_frames: int) -> list[Sheet]:
    """At most `max_frames` of `sheets`, with the first and the last."""
    return [sheets[index] for index in np.linspace(0, len(sheets) - 1, min(len(sheets), max_frames)).astype(int)]


def _read(path: Path) -> np.ndarray:
    """A sheet (H, W, C) uint8, no wider or higher than `MAX_SIDE`."""
    sheet = decode_png(path.read_bytes())
    height, width, channels = sheet.shape
    shrink = min(1, MAX_SIDE / max(height, width))
    size = round(width * shrink), round(height * shrink)
    return resize(sheet, *size).reshape(*size[::-1], channels) if shrink < 1 else sheet


def _captioned(sheet: np.ndarray, text: str) -> np.ndarray:
    """`sheet` (H, W, C) with `text` on a strip below it."""
    scale = max(1, round(sheet.shape[1] / WIDTH))
    strip = np.full((STRIP * scale, sheet.shape[1], sheet.shape[2]), PAPER, np.uint8)
    corner, ink = (MARGIN * scale, (STRIP - MARGIN) * scale), (INK,) * sheet.shape[2]
    cv2.putText(strip, text, corner, cv2.FONT_HERSHEY_PLAIN, 0.75 * scale, ink, 1, cv2.LINE_AA)
    return np.vstack([sheet, strip])
