"""The report of gpu_check.py: a table, printed row by row, and the same as JSON in a file."""

import json
import os
from pathlib import Path
from typing import Any

from pipeline.store.atomic import write_whole

Found = dict[str, Any]
NAME = 44  # characters
SPEED = ("images/s", "ms/step", "in step", "compile s", "peak MiB")
QUALITY = ("KID", "error", "of reals", "images/s", "images seen")


class Report:
    """Prints a table with `columns`, and updates the file `path`, if there is one, after each row."""

    def __init__(self, columns: tuple[str, ...], path: Path | None) -> None:
        self.path, self._columns = path, columns
        self.found: Found = {"device": None, "rows": [], "seconds": 0.0}
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def on_gpu(self) -> bool:
        """Whether the backend has a GPU; False until a job has reported its device."""
        return bool(self.found["device"]) and self.found["device"]["kind"] == "gpu"

    def device(self, device: Found) -> None:
        """Report the device, once, and print the head of the table."""
        if not self.found["device"]:
            self.found["device"] = device
            print(", ".join(f"{name} {value}" for name, value in device.items() if value), flush=True)
            print(_line("", self._columns), flush=True)
            self._write()

    def row(self, name: str, cells: list[Any] | str, found: Found, *, seconds: float) -> None:
        """Add a row of cells, or a row with one sentence; `seconds` is the total time so far."""
        self.found["rows"].append({"name": name, **{key: _short(value) for key, value in found.items()}})
        self.found["seconds"] = round(seconds, 1)
        print(f"{name:<{NAME}}  {cells}" if isinstance(cells, str) else _line(name, cells), flush=True)
        self._write()

    def end(self, *, seconds: float, **more: Any) -> None:
        """Print the whole report as one line of JSON."""
        self.found |= {"seconds": round(seconds, 1), **more}
        self._write()
        print(json.dumps(self.found), flush=True)

    def _write(self) -> None:
        """Write atomically: the machine may be taken away at any time."""
        if self.path:
            write_whole(self.path, (json.dumps(self.found, indent=1) + "\n").encode(), sync=False)


def where(out: Path | None, name: str) -> Path | None:
    """The file for the JSON: `out`, else `name` in the folder of the environment variable OUT, else none."""
    if out or not os.environ.get("OUT"):
        return out
    return Path(os.environ["OUT"]) / name


def speed_cells(found: Found) -> list[Any]:
    """The cells of a row of SPEED."""
    share, peak = found.get("share_in_step"), found["peak_bytes"]
    return [
        f"{found['images_per_second']:.1f}",
        f"{found['ms_per_step']:.2f}",
        "" if share is None else f"{share:.0%}",
        f"{found['compile_seconds']:.1f}",
        f"{peak / 2**20:.0f}",
    ]


def quality_cells(found: Found) -> list[Any]:
    """The cells of a row of QUALITY."""
    figures = [_figure(found.get(name)) for name in ("kid", "kid_error", "kid_floor")]
    return [*figures, f"{found['images_per_second']:.0f}", found["images_seen"]]


def _short(value: Any) -> Any:
    """A float rounded to five digits."""
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _line(name: str, cells: Any) -> str:
    return f"{name:<{NAME}}" + "".join(f"{cell!s:>13}" for cell in cells)
