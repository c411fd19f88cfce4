import os

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.gan import video
from pipeline.gan.video import Video, film_notice, write_gif, write_mp4, write_video


def make_video(count: int = 6, *, height: int = 10, width: int = 14, channels: int = 3, **options) -> Video:
    """A bright bar that moves by a pixel per frame on a dark ground."""
    frames = np.full((count, height, width, channels), 40, np.uint8)
    for number, frame in enumerate(frames):
        frame[:, number : number + 3] = np.array([250, 180, 90])[:channels]
    return Video(frames=frames, **{"fps": 20} | options)


def read_gif(path) -> tuple[np.ndarray, list[int]]:
    """Frames (N, H, W, 3) and the milliseconds of each."""
    with Image.open(path) as image:
        found, times = [], []
        for number in range(image.n_frames):
            image.seek(number)
            found.append(np.asarray(image.convert("RGB")))
            times.append(image.info["duration"])
        assert image.info["loop"] == 0
    return np.stack(found), times


def read_mp4(path) -> tuple[np.ndarray, float]:
    """Frames (N, H, W, 3) RGB, and the frames per second."""
    video, found = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        found.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return np.stack(found), video.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize("channels", [1, 3])
def test_gif_and_mp4_have_every_frame_enlarged(tmp_path, channels):
    made = make_video(channels=channels)
    write_video(made, tmp_path, name="bar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bar.gif", "bar.mp4", "bar.webm"]
    large = made.frames.repeat(32, axis=1).repeat(32, axis=2)
    if channels == 1:
        large = large.repeat(3, axis=3)
    gif, times = read_gif(tmp_path / "bar.gif")
    mp4, frame_ms = read_mp4(tmp_path / "bar.mp4")
    assert gif.shape == mp4.shape == (6, 320, 448, 3)
    assert np.array_equal(gif, large)  # few colours are kept exactly
    assert np.abs(mp4.astype(int) - large).mean() < 4
    assert (times, frame_ms) == ([50] * 6, 20)


def test_last_frame_is_held(tmp_path):
    write_video(make_video(hold=1.5), tmp_path, name="bar")
    assert read_gif(tmp_path / "bar.gif")[1] == [50] * 5 + [1550]
    frames, _ = read_mp4(tmp_path / "bar.mp4")
    assert len(frames) == 6 + 30
    assert np.abs(frames[5].astype(int) - frames[-1]).mean() < 2


def test_mp4_has_even_sides(tmp_path):
    write_mp4(make_video(height=301, width=455), tmp_path / "odd.mp4")
    assert read_mp4(tmp_path / "odd.mp4")[0].shape[1:3] == (302, 456)


def test_gif_is_shrunk_to_max_bytes(tmp_path):
    noise = Video(frames=np.random.default_rng(0).integers(0, 256, (4, 100, 60, 3)).astype(np.uint8), fps=10)
    sizes = []
    for max_bytes in (10_000_000, 60_000, 10_000):
        write_gif(noise, tmp_path / "noise.gif", max_bytes=max_bytes)
        assert (tmp_path / "noise.gif").stat().st_size <= max_bytes
        sizes.append(read_gif(tmp_path / "noise.gif")[0].shape[1:3])
    assert sizes[0] == (400, 240)
    assert sizes[0] > sizes[1] > sizes[2]


def test_gif_palette_is_close_to_the_colours(tmp_path):
    y, x = np.mgrid[:64, :64].astype(np.uint8) * 4
    frames = np.stack([np.dstack([x, y, np.full_like(x, blue)]) for blue in (0, 90, 200)])
    write_gif(Video(frames=frames, fps=2), tmp_path / "ramp.gif")
    found, _ = read_gif(tmp_path / "ramp.gif")
    assert np.abs(found[:, ::7, ::7].astype(int) - frames).mean() < 12


def test_opencv_without_encoders_leaves_the_gif(tmp_path, monkeypatch):
    class Closed:
        def __init__(self, *_): ...

        def isOpened(self):
            return False

        def release(self): ...

    monkeypatch.setattr(cv2, "VideoWriter", Closed)
    write_video(make_video(), tmp_path, name="film")
    assert [path.name for path in tmp_path.iterdir()] == ["film.gif"]


def test_films_are_written_without_a_line_on_stderr(tmp_path, capfd):
    write_video(make_video(), tmp_path, name="film")
    os.write(2, b"stderr is back")
    assert capfd.readouterr().err == "stderr is back"


def test_equal_frames_give_equal_films(tmp_path):
    for name in ("a", "b"):
        write_video(make_video(), tmp_path, name=name)
    for suffix in ("gif", "webm", "mp4"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_a_film_has_a_form_that_browsers_play(tmp_path):
    write_video(make_video(), tmp_path, name="film")
    read = cv2.VideoCapture(str(tmp_path / "film.webm"))
    codec = int(read.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode()
    assert codec.upper() in ("VP90", "VP09")
    assert read.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    assert film_notice() == ""


@pytest.fixture
def encoders(monkeypatch):
    """`encoders("avc1")`: let OpenCV have these encoders only, and those of the given names write with its own."""
    real = cv2.VideoWriter

    def only(*names: str) -> list[str]:
        used: list[str] = []

        def writer(path, fourcc, fps, size):
            name = fourcc.to_bytes(4, "little").decode()
            used.append(f"{path[-4:]} {name}")
            if name not in names:
                return real()  # is not open
            return real(path, fourcc if path.endswith(".webm") else cv2.VideoWriter_fourcc(*video.CODEC), fps, size)

        monkeypatch.setattr(cv2, "VideoWriter", writer)
        return used

    video._can_encode.cache_clear()
    yield only
    video._can_encode.cache_clear()


def test_without_vp9_the_mp4_has_h264_if_opencv_can(tmp_path, encoders):
    used = encoders(video.H264, video.CODEC)
    write_video(make_video(), tmp_path, name="film")
    assert used[-1] == ".mp4 avc1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.gif", "film.mp4"]
    assert film_notice() == ""


def test_without_both_a_line_says_why_there_is_a_gif_only(tmp_path, encoders):
    used = encoders(video.CODEC)
    write_video(make_video(), tmp_path, name="film")
    assert used[-1] == ".mp4 mp4v"
    assert film_notice().startswith("browsers show the films as GIFs only: this build of OpenCV")
    assert "neither VP9 nor H.264" in film_notice()


def test_without_an_mp4_a_line_says_so(tmp_path, encoders):
    encoders(video.WEB_CODEC)
    assert film_notice().startswith("the films have no MP4: this build of OpenCV")
