"""TensorBoard's event file of a training: scalars, notes and sample sheets, derived from stats.jsonl.

The statistics log is exact: a training that resumes drops the rows after its checkpoint. The event file follows it:
while rows are added it grows, and if rows were dropped it is written anew, so no point is doubled or lost.

An event is a record of TensorFlow's own format (TFRecord), so no other package writes it. TensorFlow is installed
together with ganmill, also where a training runs on JAX. The package `tensorboard` is needed only to look at the file.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.errors import UserError
from pipeline.gan.sheet_names import REALS, sheet_name
from pipeline.gan.stats_log import LISTS_OF_TEXTS, STATS, TEXTS, Row, read_rows

PREFIX = "events.out.tfevents."  # by which TensorBoard finds event files
MAKER = ".ganmill"
GROUPS = {
    "loss": ("d_loss", "g_loss", "d_penalty"),
    "accuracy": ("d_accuracy", "d_skipped"),
    "probability": ("d_real", "d_fake", "d_sureness"),
    "gradient": ("d_gradient", "g_gradient"),
    "rate": ("g_rate", "d_rate"),
    "augmentation": ("augment",),
    "speed": ("images_per_second", "seconds"),
    "progress": ("epoch", "images_seen", "growing", "last"),
    "setting": ("batch", "smoothing_real", "smoothing_fake"),
}
SCORES = "score"  # the group of all other figures
GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}
STEP = "step"  # the field that is TensorBoard's step
RECORD_HEAD, MAX_HEAD = 12, 1024  # bytes before a record, and of the first record, which has some dozens
SAMPLES_TAG, REALS_TAG = "samples", "reals"


def tag(name: str) -> str:
    """TensorBoard's tag for a field of stats.jsonl: `loss/d_loss`. The part before / groups its charts."""
    return f"{GROUP_OF.get(name, SCORES)}/{name}"


def event_files(folder: Path) -> list[Path]:
    """The event files in `folder`, oldest first."""
    return sorted(folder.glob(f"{PREFIX}*"))


def remove_events(folder: Path) -> None:
    """Delete the event files in `folder`."""
    for path in event_files(folder):
        path.unlink(missing_ok=True)


def write_events(folder: Path) -> None:
    """Write the event file of a training that wrote none, from the statistics and sheets in its `folder`.

    A file with events is the sign that this is done, so what does not become whole is deleted. Errors: `OSError`;
    `UserError` without TensorFlow.
    """
    log = EventLog(folder, sheets=folder)
    try:
        log.write(read_rows(folder / STATS))
    except BaseException:
        log.close()
        remove_events(folder)
        raise
    log.close()


class EventLog:
    """The event file in `folder` of one training, whose sheets are in the folder `sheets`.

    The time of an event is without pauses: the first file counts back from the moment at which the statistics were
    written, by the seconds of the steps since; later files begin when the first one did. `notify` is told once if the
    file cannot be written: a training does not fail because of it. Errors: `UserError` without TensorFlow.
    """

    def __init__(self, folder: Path, *, sheets: Path, notify: Callable[[str], None] = print) -> None:
        self._tf = _load_tensorflow()
        self.folder, self.sheets, self._notify = folder, sheets, notify
        self._writer: Any = None
        self._written: list[Row] = []  # the rows in the file
        self._began, self._seconds = 0.0, 0.0  # of the training; since then, at the last row in the file
        self._failed = False

    def sync(self, rows: Sequence[Row]) -> None:
        """Bring the file in line with `rows`, those of the statistics log so far."""
        try:
            self.write(rows)
        except OSError as error:
            self.close()  # the next epoch writes it anew
            if not self._failed:
                self._notify(f"TensorBoard's events in {self.folder} cannot be written ({error}); the training goes on")
            self._failed = True

    def write(self, rows: Sequence[Row]) -> None:
        """Bring the file in line with `rows`. Errors: `OSError`."""
        try:
            if not self._is_continued_by(rows):
                self._start_file(sum(row["seconds"] for row in rows))
            for row in rows[len(self._written) :]:
                self._add(row)
            self._writer.flush()
        except self._tf.errors.OpError as error:
            raise OSError(error.message) from error

    def close(self) -> None:
        """Close the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(self._tf.errors.OpError):  # every row was flushed before, or told as not written
                writer.close()

    def _is_continued_by(self, rows: Sequence[Row]) -> bool:
        """Whether the file has the first of `rows` and nothing else. After a roll back the last of them is another."""
        if self._writer is None or len(rows) < len(self._written):
            return False
        return not self._written or rows[len(self._written) - 1] is self._written[-1]

    def _start_file(self, seconds: float) -> None:
        """Replace all event files by a new one with the first sheets; the steps so far took `seconds`.

        A TensorBoard that looks at the folder needs a new name to see it, and the mark of a start to drop its points.
        """
        self.close()
        old = event_files(self.folder)
        self._began, self._seconds, self._written = self._start_time(old, seconds), 0.0, []
        stamp = max([int(time.time()), *(1 + _stamp(path) for path in old)])
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_events(self.folder)
        self._writer = self._tf.io.TFRecordWriter(str(self.folder / f"{PREFIX}{stamp:010d}{MAKER}"))
        v1 = self._tf.compat.v1
        self._write(v1.Event(wall_time=self._began, file_version="brain.Event:2"))
        start = v1.SessionLog(status=v1.SessionLog.START)
        self._write(v1.Event(wall_time=self._began, step=0, session_log=start))
        self._write_values([*self._picture(REALS_TAG, REALS), *self._picture(SAMPLES_TAG, sheet_name(0))], step=0)

    def _start_time(self, old: Sequence[Path], seconds: float) -> float:
        """When the training began, as the earlier files say; without one, `seconds` before its last statistics."""
        from google.protobuf.message import DecodeError  # comes with TensorFlow

        for path in old:
            with contextlib.suppress(OSError, DecodeError), path.open("rb") as file:
                length = int.from_bytes(file.read(RECORD_HEAD)[:8], "little")  # and a checksum
                if began := self._tf.compat.v1.Event.FromString(file.read(min(length, MAX_HEAD))).wall_time:
                    return float(began)
        try:  # also if the process was killed before the first record was whole
            return (self.folder / STATS).stat().st_mtime - seconds
        except OSError:
            return time.time() - seconds

    def _add(self, row: Row) -> None:
        self._seconds += row["seconds"]
        pictures = self._picture(SAMPLES_TAG, sheet_name(row["epoch"]))
        self._write_values([*self._figures(row), *self._texts(row), *pictures], step=row[STEP])
        self._written.append(row)

    def _write_values(self, values: list[Any], *, step: int) -> None:
        if values:
            v1 = self._tf.compat.v1
            time_of_row = self._began + self._seconds
            self._write(v1.Event(wall_time=time_of_row, step=step, summary=v1.Summary(value=values)))

    def _write(self, event: Any) -> None:
        self._writer.write(event.SerializeToString())

    def _figures(self, row: Row) -> Iterator[Any]:
        """Every number of `row`, but for its step."""
        for name, value in row.items():
            if name != STEP and type(value) in (int, float):
                yield self._tf.compat.v1.Summary.Value(tag=tag(name), simple_value=value)

    def _texts(self, row: Row) -> Iterator[Any]:
        """The note, the extractor and the alarms of `row`, for TensorBoard's page of texts."""
        v1 = self._tf.compat.v1
        metadata = v1.SummaryMetadata(plugin_data=v1.SummaryMetadata.PluginData(plugin_name="text"))
        for name in (*TEXTS, *LISTS_OF_TEXTS):
            if lines := row.get(name):
                text = self._tf.make_tensor_proto(lines if isinstance(lines, str) else "\n\n".join(lines))
                yield v1.Summary.Value(tag=f"text/{name}", tensor=text, metadata=metadata)

    def _picture(self, tag: str, name: str) -> Iterator[Any]:
        """The sheet `name`; nothing if there is none, or a damaged one."""
        try:
            data = (self.sheets / name).read_bytes()
            with Image.open(BytesIO(data)) as image:
                (width, height), channels = image.size, len(image.getbands())
        except OSError:
            return
        summary = self._tf.compat.v1.Summary
        picture = summary.Image(encoded_image_string=data, width=width, height=height, colorspace=channels)
        yield summary.Value(tag=tag, image=picture)


def _stamp(path: Path) -> int:
    """The seconds in the name of an event file; 0 if there are none."""
    seconds = path.name.removeprefix(PREFIX).partition(".")[0]
    return int(seconds) if seconds.isascii() and seconds.isdecimal() else 0


def _load_tensorflow() -> Any:
    try:
        import tensorflow
    except ImportError:
        raise UserError(
            "gan.tensorboard = true: TensorFlow, which writes the events, is not installed; pip install tensorflow, or"
            " set gan.tensorboard to false"
        ) from None
    return tensorflow
