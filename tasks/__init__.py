"""When the work of pipeline is done: one Luigi task for each stage, and the command line.

`cli`, `commands`  a command -> `settings` -> `run_pipeline`, the whole chain as one task -> `runner`, which calls Luigi
`stages`           what each stage reads, and its function     `stage_task`  content key, complete, run, publish
`isolation`        a stage in a process of its own             `plan`        what would run, and why
`console` and `run_log` tell and record it; `paths` has the folders. `luigi --module tasks RunPipeline` starts here.
"""

import configparser
import os
import sys

if not (3, 10) <= sys.version_info[:2] <= (3, 13):
    raise SystemExit(f"error: this is Python {sys.version.split()[0]}; ganmill needs Python 3.10 to 3.13")
for _path in filter(os.path.lexists, ("luigi.cfg", os.environ.get("LUIGI_CONFIG_PATH", ""))):
    try:
        open(_path, "rb").close()
    except OSError as error:  # Luigi would go on without it, and a run train for hours by the defaults
        raise SystemExit(f"error: {_path} cannot be read: {error.strerror}") from None
try:
    from tasks import luigi_log
    from tasks.run_pipeline import RunPipeline
    from tasks.stages import Download, Filter, Generate, Normalize, Report, SeedLabels, TrainClassifier, TrainGan
except (configparser.Error, UnicodeDecodeError) as error:  # Luigi reads luigi.cfg while it is imported
    raise SystemExit(f"error: luigi.cfg cannot be read: {' '.join(str(error).split())}") from None
except ModuleNotFoundError as error:
    raise SystemExit(
        f"error: {error.name} is not installed for {sys.executable}; `make run` installs all that is needed into .venv,"
        " and .venv/bin/python -m tasks uses it"
    ) from None

luigi_log.install()

__all__ = [
    "Download",
    "Filter",
    "Generate",
    "Normalize",
    "Report",
    "RunPipeline",
    "SeedLabels",
    "TrainClassifier",
    "TrainGan",
]
