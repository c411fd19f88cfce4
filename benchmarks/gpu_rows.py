"""The rows of `gpu_check.py speed`, the most important first."""

from dataclasses import dataclass, field
from typing import Any

from benchmarks.gpu_jobs import Job

BOTH = ("bfloat16", "float32")
# XLA's flags on a GPU. By default a training uses deterministic kernels and times none (see pipeline/devices.py)
ANY_KERNELS = ("--xla_gpu_deterministic_ops=false",)
REPEATABLE_TIMED = (*ANY_KERNELS, "--xla_gpu_exclude_nondeterministic_ops=true")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: its jobs, which run one after the other; the last job gives the values.

    `weight` is its duration relative to the plainest row. `beside` names the row that it is compared with.
    """

    name: str
    jobs: tuple[Job, ...]
    weight: float = 1.0
    gpu_only: bool = False
    beside: str = ""

    @property
    def kind(self) -> str:
        """The kind of the last job; rows of one kind take a similar time."""
        return self.jobs[-1].kind


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The size of the rows: tests use small ones."""

    side: int = 64
    batches: tuple[int, int] = (64, 512)
    width: int | None = None  # of both networks; None for that of each definition
    seconds: float = 1.0  # of a turn
    models: tuple[str, ...] = ("wide", "sagan")
    folder: str = field(default="")  # for files from one job of a row to the next


def speed_rows(scale: Scale, *, backend: str) -> list[Row]:
    """All rows, the most important first."""
    small, large = scale.batches
    narrow, full = BOTH
    return [
        *(_step(scale, batch=batch, precision=precision) for batch in scale.batches for precision in BOTH),
        *(_torch(scale, batch=batch, precision=narrow) for batch in scale.batches),
        _resume(scale, "", (), index="0"),
        *(_step(scale, batch=large, precision=narrow, **more) for more in _compile_options(backend)),
        _model(scale, scale.models[0]),
        _step(scale, batch=small, precision=narrow, side=2 * scale.side, weight=1.5),
        *(_model(scale, model) for model in scale.models[1:]),
        _step(scale, batch=small, precision=narrow, side=4 * scale.side, weight=2.0),
        *(_torch(scale, batch=batch, precision=full) for batch in scale.batches),
        *(_resume(scale, options["label"], options["flags"], index=str(index))
          for index, options in enumerate(_compile_options(backend), start=1) if "flags" in options),
    ]  # fmt: skip


def chosen(rows: list[Row], words: list[str]) -> list[Row]:
    """The rows whose names contain one of `words`; all rows without words."""
    return [row for row in rows if not words or any(word.lower() in row.name.lower() for word in words)]


def ratios(found: list[dict[str, Any]], rows: list[Row]) -> dict[str, float]:
    """The speed of ganmill's row relative to each row of PyTorch."""
    rates = {row["name"]: row["images_per_second"] for row in found if "images_per_second" in row}
    pairs = [(row.beside, row.name) for row in rows if {row.beside, row.name} <= rates.keys()]
    return {ours: round(rates[ours] / rates[theirs], 3) for ours, theirs in pairs}


def _compile_options(backend: str) -> list[dict[str, Any]]:
    """Other options to compile the step than the default, by backend."""
    if backend == "tensorflow":
        return [{"label": "XLA", "xla": True}]
    return [{"label": "any kernels", "flags": ANY_KERNELS},
            {"label": "repeatable kernels, timed", "flags": REPEATABLE_TIMED}]  # fmt: skip


def _step(
    scale: Scale,
    *,
    batch: int,
    precision: str,
    side: int = 0,
    weight: float = 1.0,
    label: str = "",
    flags: tuple[str, ...] = (),
    xla: bool = False,
) -> Row:
    side = side or scale.side
    name = _named("DCGAN", side, batch, precision, label)
    given = {"model": None, "side": side, "batch": batch, "precision": precision, "xla": xla}
    job = Job(kind="step", given={**_common(scale), **given}, flags=flags)
    return Row(name=name, jobs=(job,), weight=weight, gpu_only=bool(flags))


def _model(scale: Scale, model: str) -> Row:
    """A definition of models/ as it is, with its batch."""
    given = {"model": model, "side": scale.side, "batch": None, "precision": "bfloat16", "xla": False}
    job = Job(kind="step", given={**_common(scale), **given})
    return Row(name=f"{model}, {scale.side} px, bfloat16", jobs=(job,), weight=1.5)


def _torch(scale: Scale, *, batch: int, precision: str) -> Row:
    given = {"side": scale.side, "batch": batch, "precision": precision}
    job = Job(kind="torch", given={**_common(scale), **given})
    beside = _named("DCGAN", scale.side, batch, precision, "")
    return Row(name=f"PyTorch's {beside}", jobs=(job,), weight=1.5, beside=beside)


def _resume(scale: Scale, label: str, flags: tuple[str, ...], *, index: str) -> Row:
    """Whether a training that is resumed in another process is bit-identical."""
    batch = scale.batches[0]
    given = {"model": None, "side": scale.side, "batch": batch, "precision": "bfloat16", "xla": False}
    given = {**_common(scale), **given, "folder": f"{scale.folder}/{index}"}
    jobs = tuple(Job(kind=f"resume, {part}", given=given, flags=flags) for part in ("whole", "again"))
    return Row(name=_named("resume", scale.side, batch, "bfloat16", label), jobs=jobs, weight=2.0, gpu_only=bool(flags))


def _common(scale: Scale) -> dict[str, Any]:
    return {"width": scale.width, "seconds": scale.seconds}


def _named(what: str, side: int, batch: int, precision: str, label: str) -> str:
    return f"{what}, {side} px, batch {batch}, {precision}" + (f", {label}" if label else "")
