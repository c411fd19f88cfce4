"""Drops of the learning rate at a plateau of the KID (`schedule.plateaus` of a definition).

They follow from the rows of stats.jsonl alone: the row of a scored epoch counts the drops up to its end in
`plateau_drops`, and the rates of the next epoch follow from the last row. So a training that was killed and resumed
takes the same steps. A drop ends the wait for a plateau, and a new wait begins.
"""

from collections.abc import Sequence

from pipeline.errors import DamagedState, UserError
from pipeline.gan.config import Definition, Optimizer
from pipeline.gan.evaluation.diagnostics import plateau_epoch
from pipeline.gan.stats_log import Row


def optimizers(definition: Definition) -> dict[str, Optimizer]:
    """The optimizers of both networks, the generator's first."""
    return {"generator": definition.generator.optimizer, "discriminator": definition.discriminator.optimizer}


def most_drops(definition: Definition) -> int:
    """How many plateaus lower a learning rate; 0 if no schedule depends on plateaus."""
    return max(optimizer.schedule.plateaus for optimizer in optimizers(definition).values())


def plateau_scales(definition: Definition, rows: Sequence[Row]) -> tuple[float, float]:
    """The factors on the learning rates of G and D in the epoch after `rows`."""
    g_scale, d_scale = (_scale(optimizer, _drops(rows)) for optimizer in optimizers(definition).values())
    return g_scale, d_scale


def drop_fields(definition: Definition, rows: Sequence[Row], row: Row) -> Row:
    """The fields that `row`, the next after `rows`, gets: its number of drops, and a note if one comes after it."""
    most, done = most_drops(definition), _drops(rows)
    if not most:
        return {}
    counted = {"plateau_drops": done}
    since = plateau_epoch([*rows, {**row, **counted}]) if done < most and row.get("kid") is not None else None
    if since is None:
        return counted
    changes = [
        f"the {network}'s learning rate is multiplied by {optimizer.schedule.factor:g}"
        for network, optimizer in optimizers(definition).items()
        if done < optimizer.schedule.plateaus
    ]
    note = f"a plateau since epoch {since}: {' and '.join(changes)}"
    return {"plateau_drops": done + 1, "note": "; ".join(filter(None, [row.get("note"), note]))}


def check_drops(definition: Definition, rows: Sequence[Row], *, epochs_done: int, scored: bool) -> None:
    """Check that a plateau can be found, if a schedule depends on one.

    Errors: `UserError` if no samples are `scored`; `DamagedState` if rows of the `epochs_done` are lost.
    """
    if not most_drops(definition):
        return
    if not scored:
        names = [name for name, optimizer in optimizers(definition).items() if optimizer.schedule.plateaus]
        raise UserError(
            f"{names[0]}.optimizer.schedule: the learning rate drops at a plateau of the KID, and this training scores"
            " no samples: call train with watch=True, or name images in at instead of plateaus"
        )
    if len(rows) != epochs_done:
        raise DamagedState(
            f"stats.jsonl has {len(rows)} of {epochs_done} epochs, and the learning rate depends on all of them: move"
            " the folder of this training away to start again, or use another copy"
        )


def _drops(rows: Sequence[Row]) -> int:
    return int(rows[-1].get("plateau_drops") or 0) if rows else 0


def _scale(optimizer: Optimizer, drops: int) -> float:
    return optimizer.schedule.factor ** min(drops, optimizer.schedule.plateaus)
