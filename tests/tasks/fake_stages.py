"""Stages that take milliseconds and depend on the same settings and inputs as the real ones.

`use_fakes` lets the tasks call them: everything else, Luigi and the store included, is real.
"""

import json
from pathlib import Path
from typing import Any

from luigi.setup_logging import InterfaceLogging

from pipeline.errors import Stopped, UserError
from pipeline.result import Result
from pipeline.store import digest
from tasks import console
from tasks.stages import STAGE_TASKS

# The output of each stage, and the options and inputs that change it; the rest has no effect on the result
OUTPUTS = {
    "download": "images",
    "normalize": "images",
    "classifier": "model",
    "filter": "kept",
    "gan": "generator",
    "generate": "samples",
    "report": "page",
}
EFFECTIVE = {
    "download": ("limit",),
    "normalize": ("size",),
    "classifier": ("seed",),
    "filter": ("method",),
    "gan": ("epochs", "seed"),
    "generate": ("count",),
    "report": ("thumbnails",),
}
ROW_FILES = {"download": "images.jsonl", "normalize": "images.jsonl", "filter": "scores.jsonl"}
breaks: dict[str, type[Exception]] = {}  # by stage: the error with which it ends


def _stage(name: str) -> Any:
    def work(options: Any, *, folder: Path, progress: Any, should_stop: Any, **arguments: Any) -> Result:
        inputs = {key: _content(key, path) for key, path in sorted(arguments.items()) if isinstance(path, Path)}
        if name in breaks:
            raise breaks[name]("the test ends it")
        settings = {option: getattr(options, option) for option in EFFECTIVE[name]}
        epochs = settings.get("epochs")
        if epochs is not None:  # no epoch after the fifth is better
            settings["epochs"] = min(epochs, 5)
        made = digest.of_value([name, settings, {key: value for key, value in inputs.items() if value}])
        (folder / "made.txt").write_text(made)
        if name in ROW_FILES:
            (folder / ROW_FILES[name]).write_text("")
        return Result(
            outputs={OUTPUTS[name]: made},
            summary={"made": made[:12], "settings": settings, "epochs": epochs, "epoch_kept": 5},
        )

    return work


def _content(argument: str, path: Path) -> str:
    if argument == "labels":  # only whether there are few or many labels has an effect
        return str(len(path.read_text().splitlines()) // 3)
    manifest = path / "manifest.json"
    read = json.loads(manifest.read_text())["outputs"] if manifest.is_file() else {}
    return str(read.get(OUTPUTS.get({"kept": "filter"}.get(argument, argument), ""), ""))


download, normalize, classifier, filter, gan, generate, report = map(_stage, OUTPUTS)


def use_fakes(monkeypatch: Any) -> None:
    """Let every stage call its fake in this process."""
    breaks.clear()
    monkeypatch.setattr(InterfaceLogging, "_configured", True)  # no handler that keeps the standard error of one test
    for task in STAGE_TASKS:
        monkeypatch.setattr(task, "function", f"tests.tasks.fake_stages:{task.stage}")
        monkeypatch.setattr(task, "isolated", False)
        monkeypatch.setattr(task, "resources", {})  # a training of another process need not end first
    line = {stage: lambda found: f"{found['made']} by {found['settings']}" for stage in OUTPUTS}
    monkeypatch.setattr(console, "LINES", line)
    monkeypatch.setattr(console, "six_lines", lambda published, seconds, latest: [f"took {seconds}"])


def fail(stage: str) -> None:
    """Let `stage` fail."""
    breaks[stage] = UserError


def stop(stage: str) -> None:
    """Let `stage` end as if somebody had stopped it."""
    breaks[stage] = Stopped
