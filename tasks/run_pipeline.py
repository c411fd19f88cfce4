"""The whole chain as one Luigi task, and what is printed and logged at its end."""

import sys
from datetime import datetime, timezone

import luigi

from pipeline.errors import DamagedState, UserError, of_system
from pipeline.filter.effect import last_effect
from pipeline.gan.config.resolutions import check_size
from pipeline.run_record import duration, keys_used
from pipeline.store.artifacts import Artifact
from tasks import console, gallery_updates, paths, run_log, settings
from tasks.stage_task import RunTask, StageTask
from tasks.stages import STAGE_TASKS, Report


class RunPipeline(RunTask):
    """All stages from the search terms to the report."""

    query = luigi.Parameter(default="", description="search terms, separated by commas")
    options = luigi.Parameter(default="", description="options, as in: 'gan.epochs=20 normalize.size=32'")
    unremembered = luigi.BoolParameter(significant=False, description="later runs do not use these settings")

    @classmethod
    def overrides(cls, values):
        query = {"download.query": values["query"]} if values["query"] else {}
        return settings.read_words(values["options"]) | query

    def requires(self):
        check_size(self.chosen["normalize"].size)  # raises an error before an hour of crawling
        for task in self.stages():
            task.content()
        return self.upstream(Report)

    def complete(self):
        return self.upstream(Report).complete()

    def remember(self) -> None:
        """Remember the settings, so that the next command need not repeat them; those of a trial are not, nor those of
        a run that was asked not to."""
        if self.once or self.unremembered:
            return
        try:
            settings.remember(self.dataset, self.chosen)
        except OSError as error:  # a full disk, say: what is there can be used all the same
            console.print_line("run", f"the settings of this run are not remembered: {of_system(error)}")

    def run(self):
        """Print the summary. Luigi calls this after the report is made, and not if it existed before."""
        self.remember()
        self.finish()

    def stages(self) -> list[StageTask]:
        """The tasks of the stages that this run needs, in order."""
        tasks: list[StageTask] = [self.upstream(stage) for stage in STAGE_TASKS]
        needed = {"report", *(task.stage for task in tasks[-1].stages_read())}
        return [task for task in tasks if task.stage in needed]

    def stages_until(self, stage: str) -> list[StageTask]:
        """The tasks of `stage` and the stages it needs, in order; all tasks if `stage` is empty.

        Raises:
            UserError: If these settings do not use the stage.
        """
        tasks = {task.stage: task for task in self.stages()}
        if not stage:
            return list(tasks.values())
        if stage not in tasks:
            raise UserError(f"these settings do not use the stage {stage}; they use {', '.join(tasks)}")
        needed = {stage}
        for task in reversed(tasks.values()):  # each stage reads only stages before it
            if task.stage in needed:
                needed |= {read.stage for read in task.stages_read()}
        return [task for task in tasks.values() if task.stage in needed]

    def finish(self) -> None:
        """Log reused stages, and print the six lines of the summary."""
        published, seconds = self._record_results(self.stages())
        self._print_effect(published)
        print("\n".join(console.six_lines(published, seconds, latest=not self.once)), file=sys.stderr, flush=True)

    def finish_until(self, stage: str) -> None:
        """Log and print the end of a run that stopped after `stage`."""
        published, seconds = self._record_results(self.stages_until(stage))
        self._print_effect(published)
        console.print_line(stage, console.stage_line(published[stage].manifest))
        console.print_line("took", duration(seconds))

    def _print_effect(self, published: dict[str, Artifact]) -> None:
        """Print how the filter of this run differs from the one used before, and what changed; nothing if neither."""
        current = published.get("filter")
        if current is None or run_log.record(self.dataset, self.run_name).stages().get("filter") != "ran":
            return
        squares = current.manifest.inputs.get("normalize.images")
        filters = [
            each
            for each in paths.artifact_store(self.dataset, "filter").all()
            if each.manifest.inputs.get("normalize.images") == squares
        ]
        classifiers = paths.artifact_store(self.dataset, "classifier").all()
        try:
            effect = last_effect(current, filters, classifiers, keys_used(run_log.runs_folder(self.dataset), "filter"))
        except (DamagedState, TypeError):  # scores of an earlier filter: the run itself needs none of them
            return
        if effect:
            console.print_line("filter", str(effect))

    def _record_results(self, tasks: list[StageTask]) -> tuple[dict[str, Artifact], float]:
        """Log that `tasks` are done; returns their artifacts by stage, and the duration in seconds."""
        record = run_log.record(self.dataset, self.run_name)
        touched = record.stages()
        published = {task.stage: task.finished() for task in tasks}
        for task in tasks:
            task.mark_used()
            if task.stage not in touched:
                made = console.stage_line(published[task.stage].manifest)
                record.add("stage", stage=task.stage, key=task.key(), outcome="reused", made=made)
        gallery_updates.refresh(self.dataset)  # so that it also shows trainings of an earlier release
        end = datetime.now(timezone.utc)
        seconds = (end - (record.began() or end)).total_seconds()
        record.add("end", outcome="done", seconds=round(seconds, 2))
        return published, seconds
