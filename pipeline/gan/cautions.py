"""What a person should know of a definition before a training takes its time."""

from pipeline.gan.definition import Reading
from pipeline.gan.sides import Sides


def cautions(reading: Reading, *, file: str, size: int) -> list[str]:
    """A line for each key of the definition in `file` that is not followed, or has no effect on pictures of `size`
    pixels. Errors: `UserError` for a size that no network fits."""
    return [f"{file}: {told}" for told in (*reading.warnings, *Sides.of(size).unattended(reading.definition))]
