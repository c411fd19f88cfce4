"""What a person reads of an error that ended a stage: one line, with the commands that it names."""

import re
import shlex

from pipeline.dataset_names import dataset_flag
from pipeline.errors import NextStep, Stopped, UserError, of_system
from tasks import isolation

STOPPED = "stopped; the next run resumes here"
WITHOUT_DATASET = ("cluster", "luigid", "models", "nightly", "stylize")  # commands about no dataset


def explain(error: BaseException) -> str:
    """One line for an error that a user can fix or asked for; empty for a fault of this program."""
    if isinstance(error, Stopped):
        return str(error) or STOPPED
    return str(error) if isinstance(error, UserError) else ""


def with_dataset_flag(advice: str, dataset: str) -> str:
    """`advice` with `--dataset` in the commands that it names: a stage does not know the name of its dataset."""
    if flag := dataset_flag(dataset):
        advice = re.sub(r"make label\b", f"make label DATASET={shlex.quote(dataset)}", advice)
        command = rf"python -m tasks (?!(?:{'|'.join(WITHOUT_DATASET)})\b)(?:labels )?\w+( --dataset)?"
        advice = re.sub(command, lambda found: found[0] + ("" if found[1] else flag), advice)
    return advice


def outcome_of(error: BaseException) -> str:
    """How a stage ended that raised `error`: stopped, next (the user does something first) or failed."""
    return "stopped" if isinstance(error, Stopped) else "next" if isinstance(error, NextStep) else "failed"


def one_line(error: BaseException) -> str:
    """`explain(error)`, what the system says, or the name of a fault of this program; its traceback is in the log."""
    if explained := explain(error):
        return explained
    if isinstance(error, OSError):
        return str(of_system(error))
    if isinstance(error, isolation.StageCrashed):
        return str(error).strip().splitlines()[-1]
    return " ".join(f"{type(error).__name__}: {error}".splitlines()[-1:])
