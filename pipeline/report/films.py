"""Which of the files of a film browsers play: VP9 in WebM, H.264 in MP4, or a GIF."""

from pathlib import Path

LARGEST_TABLES = 1 << 24  # bytes that are read of the tables of an MP4; a film of ours has a few thousand


def browser_film(folder: Path, name: str) -> str:
    """The name of the file of the film `name` in `folder` that browsers play best; empty if there is none."""
    webm, mp4, gif = (folder / f"{name}.{kind}" for kind in ("webm", "mp4", "gif"))
    if webm.is_file():
        return webm.name
    if _has_h264(mp4):
        return mp4.name
    return gif.name if gif.is_file() else ""


def _has_h264(path: Path) -> bool:
    """Whether the file `path` is an MP4 whose tables name H.264 (ISO/IEC 14496-12: boxes of a length and a type)."""
    try:
        with path.open("rb") as file:
            while len(head := file.read(8)) == 8:
                length, kind = int.from_bytes(head[:4], "big"), head[4:]
                if length == 1:  # 64 bits of length follow
                    length = int.from_bytes(file.read(8), "big") - 8
                if kind == b"moov":
                    return b"avc1" in file.read(min(max(length - 8, 0), LARGEST_TABLES))
                if length < 8:  # the last box, or damage
                    return False
                file.seek(length - 8, 1)
    except OSError:
        pass
    return False
