"""The whole chain as one task, and what is said and recorded when it is done."""

import sys
from datetime import datetime, timezone

import luigi

from pipeline.errors import UserError
from pipeline.gan.config.resolutions import check_size
from pipeline.store.artifacts import Artifact
from tasks import console, run_log, settings
from tasks.stage_task import RunTask, StageTask
from tasks.stages import STAGES, Report


class RunPipeline(RunTask):
    """Everything from the search word to the report."""

    query = luigi.Parameter(default="", description="search words, separated by commas")
    options = luigi.Parameter(default="", description="options, as in: 'gan.epochs=20 normalize.size=32'")

    @classmethod
    def overrides(cls, values):
        query = {"download.query": values["query"]} if values["query"] else {}
        return settings.read_words(values["options"]) | query

    def requires(self):
        check_size(self.chosen["normalize"].size)  # a wrong setting is said before an hour of crawling
        for task in self.stages():
            task.content()
        return self.upstream(Report)

    def complete(self):
        return self.upstream(Report).complete()

    def remember(self) -> None:
        """Keep what this dataset is about, so that the next command need not say it."""
        known = settings.resolve(self.dataset, {}, memory=False)
        settings.remember(self.dataset, self.chosen["download"], known["download"])

    def run(self):
        """Say how it went. Luigi calls this when the report is there, and not at all if it was there before."""
        self.remember()
        self.finish()

    def stages(self) -> list[StageTask]:
        """The tasks of the stages that this run needs, in order."""
        tasks: list[StageTask] = [self.upstream(stage) for stage in STAGES]
        needed = {"report", *(task.stage for task in tasks[-1].stages_read())}
        return [task for task in tasks if task.stage in needed]

    def stages_until(self, stage: str) -> list[StageTask]:
        """The tasks of `stage` and of what it needs, in order; all of them when `stage` is empty.

        Errors: `UserError` if these settings do not use that stage.
        """
        tasks = {task.stage: task for task in self.stages()}
        if not stage:
            return list(tasks.values())
        if stage not in tasks:
            raise UserError(f"these settings do not use the stage {stage}; they use {', '.join(tasks)}")
        needed = {stage}
        for task in reversed(tasks.values()):  # each stage reads only from those before it
            if task.stage in needed:
                needed |= {read.stage for read in task.stages_read()}
        return [task for task in tasks.values() if task.stage in needed]

    def finish(self) -> None:
        """Record what was reused, and print the six lines."""
        published, seconds = self._close(self.stages())
        print("\n".join(console.six_lines(published, seconds)), file=sys.stderr, flush=True)

    def finish_until(self, stage: str) -> None:
        """The same for a run that ended with `stage`: one line says what that stage made."""
        published, seconds = self._close(self.stages_until(stage))
        console.say(stage, console.stage_line(published[stage].manifest))
        console.say("took", console.duration(seconds))

    def _close(self, tasks: list[StageTask]) -> tuple[dict[str, Artifact], float]:
        """Record that `tasks` are done; returns their folders by stage, and how many seconds the run took."""
        record = run_log.record(self.dataset, self.run_name)
        touched = record.stages()
        published = {task.stage: task.finished() for task in tasks}
        for task in tasks:
            task.shelf.point_latest(published[task.stage].folder)  # it may be an earlier one, gone back to
            if task.stage not in touched:
                record.add("stage", stage=task.stage, key=task.key(), outcome="reused")
        now = datetime.now(timezone.utc)
        seconds = (now - (record.began() or now)).total_seconds()
        record.add("end", outcome="done", seconds=round(seconds, 2))
        return published, seconds
