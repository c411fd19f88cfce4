"""How long a stage took, and how long it is expected to take; nothing is said where nothing is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from pipeline.run_record import duration
from pipeline.store.artifacts import Artifact
from pipeline.store.manifest import Manifest

# Stages whose time follows from how many pictures they read: the field of the summary that counts them. The others
# depend on the network, on the settings, or on when a training no longer improves
PER_PICTURE = {"normalize": "images", "filter": "images"}
UP_TO_SETTINGS = ("gan", "download")  # what they took last time says less about the next time
LEAST_PERCENT, LEAST_SECONDS = 3, 5.0  # before a rest is extrapolated
MINUTE, HOUR = 60.0, 3600.0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long a stage took in another dataset, for each picture."""

    dataset: str
    seconds: float  # a picture


def seconds_of(manifest: Manifest) -> float | None:
    """How long the artifact took; of a training that was resumed the whole time. None if it does not say."""
    whole = manifest.summary.get("seconds")
    longest = max(manifest.seconds, whole if isinstance(whole, (int, float)) else 0.0)
    return longest if longest > 0 else None


def took(seconds: float) -> str:
    """How long a stage took, in words."""
    return f"took {duration(seconds)}"


def about(seconds: float) -> str:
    """A time that is not known exactly: "about 40 s", "about 4 min", "about 2 h 10 min"."""
    if seconds < MINUTE - 2.5:
        return f"about {max(5, 5 * round(seconds / 5))} s" if seconds >= 5 else "some seconds"
    minutes = round(seconds / MINUTE)
    if seconds < HOUR:
        return f"about {max(1, minutes)} min"
    hours, rest = divmod(10 * round(minutes / 10), 60)
    return f"about {hours} h" + (f" {rest} min" if rest else "")


def expected(stage: str, last: Artifact | None, pictures: int | None, elsewhere: Iterable[Pace]) -> str:
    """How long `stage` is expected to take, in words with the reason; empty if nothing is known.

    `pictures` are those it will read, as far as that is known; `elsewhere` is how long it took in other datasets.
    """
    if last and (seconds := seconds_of(last.manifest)):
        if stage in UP_TO_SETTINGS:
            return f"{about(seconds)} last time"
        pace = pace_of(stage, "", last) if pictures else None
        return f"{about(pace.seconds * (pictures or 0) if pace else seconds)}, as last time"
    if stage in PER_PICTURE and pictures:
        for pace in elsewhere:
            return f"{about(pace.seconds * pictures)}, as for the pictures of {pace.dataset}"
    return ""


def pace_of(stage: str, dataset: str, last: Artifact | None) -> Pace | None:
    """How long `stage` took in `dataset`, for each picture; None if that says nothing about others."""
    if stage not in PER_PICTURE or last is None:
        return None
    pictures, seconds = last.manifest.summary.get(PER_PICTURE[stage]), seconds_of(last.manifest)
    if not isinstance(pictures, int) or pictures <= 0 or not seconds:
        return None
    return Pace(dataset=dataset, seconds=seconds / pictures)


def left(percent: float, elapsed: float) -> float | None:
    """The seconds that a stage still needs, by how far it is; None if that says nothing yet."""
    if percent < LEAST_PERCENT or elapsed < LEAST_SECONDS:
        return None
    return elapsed * max(0.0, 100 - percent) / percent


def coarse(seconds: float | None) -> float | None:
    """`seconds` rounded to what is said about it, so that it does not change every second."""
    if seconds is None:
        return None
    step = 5 if seconds < MINUTE else 30 if seconds < 10 * MINUTE else 300
    return float(max(step, step * round(seconds / step)))


def elapsed_since(began: str, now: datetime | None = None) -> float:
    """The seconds since `began`, ISO 8601; 0 if it is not a time, or in the future."""
    try:
        start = datetime.fromisoformat(began)
    except ValueError:
        return 0.0
    if start.tzinfo is None:
        start = start.replace(tzinfo=timezone.utc)
    return max(0.0, ((now or datetime.now(timezone.utc)) - start).total_seconds())
