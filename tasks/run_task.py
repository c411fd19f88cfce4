"""What every task of a run carries: the dataset, the options, the labels, all fixed when the run starts."""

import luigi

from tasks import records, snapshots
from tasks.settings import Settings, from_text, resolve

DEFAULT_DATASET = "demo"


class RunTask(luigi.Task):
    """A task of one run of one dataset.

    `settings` (what differs from the defaults), `labels` (the digest of the labels when the run started) and `forced`
    (which stages to make again) are fixed when the first task of a run is made and handed up the chain, so that a
    label edited meanwhile belongs to the next run.
    """

    dataset = luigi.Parameter(default=DEFAULT_DATASET, description="the subject's short name; folders are named by it")
    settings = luigi.Parameter(default="", description="options as JSON; those of luigi.cfg when empty")
    labels = luigi.Parameter(default="", description="digest of the labels; of those there are now when empty")
    forced = luigi.Parameter(default="", description="RUN:stage,stage makes those again")
    run_name = luigi.Parameter(default="", significant=False, description="the run's name under data/<dataset>/runs")

    @classmethod
    def get_param_values(cls, params, args, kwargs):
        """Luigi's own, with what was left empty filled in as things stand now."""
        values = dict(super().get_param_values(params, args, kwargs))
        dataset = values["dataset"]
        values["settings"] = values["settings"] or resolve(dataset, cls.overrides(values)).text()
        values["labels"] = values["labels"] or snapshots.take(dataset, from_text(values["settings"]))
        values["run_name"] = values["run_name"] or records.new_name()
        return list(values.items())

    @classmethod
    def overrides(cls, values: dict[str, str]) -> dict[str, str]:
        """The options that these parameters give beside luigi.cfg: `{"gan.epochs": "20"}`."""
        return {}

    @property
    def chosen(self) -> Settings:
        """The options of the stages as far as this task knows them."""
        return from_text(self.settings)

    def upstream(self, task: type["RunTask"]) -> "RunTask":
        """Another task of the same run; a stage is told the options of the stages up to itself, no others."""
        return self.clone(task, settings=self.chosen.text(getattr(task, "stage", None)))
