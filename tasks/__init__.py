"""Luigi tasks, one for each stage, and the command line.

`cli` parses the command line and calls a function of `commands`; `settings` reads the options. `run_pipeline` is the
whole chain as one Luigi task, `stages` has a task for each stage, `stage_task` is their base. `runner` starts Luigi,
`isolation` runs a stage in its own process, `run_log` and `console` report, `plan` shows what a run would do.
nightly/ runs many datasets, each in its turn. `luigi --module tasks RunPipeline` starts here.
"""

import configparser
import gc
import os
import sys
from contextlib import suppress

NO_SERVER = {"-h", "--help", "--workers"}  # flags of a run that needs none, or whose processes have their own

if not (3, 10) <= sys.version_info[:2] <= (3, 13):
    raise SystemExit(f"error: this is Python {sys.version.split()[0]}; ganmill needs Python 3.10 to 3.13")
gc.disable()  # until all is imported, as there is no garbage yet: that takes a tenth less time
for _path in filter(os.path.lexists, ("luigi.cfg", os.environ.get("LUIGI_CONFIG_PATH", ""))):
    try:
        open(_path, "rb").close()
    except OSError as error:  # Luigi would ignore the file, and a run would train for hours with the defaults
        raise SystemExit(f"error: {_path} cannot be read: {error.strerror}") from None
try:
    from pipeline.fork_server import WORKERS
    from pipeline.machine import usable_cores

    if sys.argv[1:2] == ["run"] and NO_SERVER.isdisjoint(sys.argv) and usable_cores() > 1:
        with suppress(RuntimeError):  # in a process of the run, which may start none while it imports
            WORKERS.begin()  # it imports what a crawl needs while this process imports Luigi
    from tasks import luigi_log
    from tasks.nightly.night_tasks import Night, NightPage, NightSubject
    from tasks.run_pipeline import RunPipeline
    from tasks.stages import Download, Filter, Generate, Normalize, Report, SeedLabels, TrainClassifier, TrainGan
except KeyboardInterrupt:  # ctrl-C in the first second, while modules are loaded
    raise SystemExit(130) from None
except (configparser.Error, UnicodeDecodeError) as error:  # Luigi reads luigi.cfg on import
    raise SystemExit(f"error: luigi.cfg cannot be read: {' '.join(str(error).split())}") from None
except ModuleNotFoundError as error:
    raise SystemExit(
        f"error: {error.name} is not installed for {sys.executable}; `make run` installs what is needed into .venv,"
        " and .venv/bin/python -m tasks uses it"
    ) from None

luigi_log.install()
gc.enable()

__all__ = [
    "Download",
    "Filter",
    "Generate",
    "Night",
    "NightPage",
    "NightSubject",
    "Normalize",
    "Report",
    "RunPipeline",
    "SeedLabels",
    "TrainClassifier",
    "TrainGan",
]
