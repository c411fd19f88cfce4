"""The seven stages, in order: what each reads, and which function does its work."""

from functools import cached_property

from pipeline.crawl.validate import content_inputs
from pipeline.errors import UserError, of_system
from pipeline.gan.config import definition_digest, read, read_definition
from pipeline.gan.config.resolutions import cautions
from pipeline.pretrained import uses_classifier
from tasks import backbones, label_snapshots, paths
from tasks.stage_task import RunTask, StageTask

ONE_GPU = {"gpu": 1}


class Download(StageTask):
    """Pictures from the chosen sources, and a row for every address."""

    stage = "download"
    function = "pipeline.crawl.download:download"

    def content(self):
        return self._content

    @cached_property  # a folder of pictures is read once a run
    def _content(self):
        return content_inputs(self.options, paths.dataset_folder(self.dataset))

    def arguments(self):
        return {"dataset": paths.dataset_folder(self.dataset)}


class Normalize(StageTask):
    """Squares of one size, without copies and what is no picture."""

    stage = "normalize"
    function = "pipeline.images.normalize:normalize"
    version = 2
    resumable = True

    def reads(self):
        return {Download: ("images",)}


class SeedLabels(RunTask):
    """The first labels of the embedded subject, from the truth that it knows; any other subject's come from people."""

    stage = "normalize"  # the last one whose options matter here

    def requires(self):
        return [self.upstream(Download), self.upstream(Normalize)]

    def complete(self):
        return bool(label_snapshots.log(self.dataset).effective())

    def run(self):
        from pipeline.labels.seed import seed_from  # it draws: OpenCV is not loaded for a plan

        if not self.complete():  # another run may have been faster
            download, normalize = (task.published().folder for task in self.requires())
            label_snapshots.log(self.dataset).append(seed_from(download=download, normalize=normalize), how="seed")


class Labelled(StageTask):
    """A stage that reads the labels."""

    def deps(self):
        """What Luigi asks for when it begins to run a chain, and a plan never does: the labels are written down now."""
        try:
            label_snapshots.keep(self.dataset, self.labels)
        except OSError as error:
            raise of_system(error, paths.dataset_folder(self.dataset)) from error
        return super().deps()

    def requires(self):
        seeds = [self.upstream(SeedLabels)] if self.labels == label_snapshots.SEED else []
        return [*self.stages_read(), *seeds]

    def content(self):
        return {"labels": label_snapshots.digest(self.dataset, self.labels)}

    def notes(self):
        return {"labels": label_snapshots.count(self.dataset, self.labels)}

    def arguments(self):
        return {"labels": label_snapshots.path(self.dataset, self.labels)}


class TrainClassifier(Labelled):
    """What tells on target from off: a small CNN and its companions, or a backbone's features."""

    stage = "classifier"
    function = "pipeline.filter.train_classifier:train_classifier"
    version = 3
    isolated = True
    resources = ONE_GPU

    def reads(self):
        return {Normalize: ("images",)}

    def content(self):
        weights = backbones.chosen(self.options.backbone)
        return super().content() | {"backbone": weights.digest if weights else "none"}

    def notes(self):
        return super().notes() | {"backbone": str(backbones.chosen(self.options.backbone) or "none")}

    def remark(self, *, again):
        return backbones.remark(self.options.backbone, again=again)

    def arguments(self):
        return super().arguments() | {"weights": backbones.chosen(self.options.backbone)}


class Filter(Labelled):
    """Which pictures are kept."""

    stage = "filter"
    function = "pipeline.filter.filter_images:filter_images"
    keyword = "kept"
    version = 2
    isolated = True
    resources = ONE_GPU

    def reads(self):
        classifier = {} if self.options.method == "none" else {TrainClassifier: ("model",)}
        return {Normalize: ("images",)} | classifier

    def arguments(self):
        return {"classifier": None, **super().arguments()}


class Measured(StageTask):
    """A stage that measures samples with what its option `extractor` means."""

    @property
    def has_classifier(self) -> bool:
        """Whether there is one, and so features of its own."""
        return self.chosen["filter"].method != "none"

    def measured_by(self) -> dict[type[StageTask], tuple[str, ...]]:
        """The classifier, if its features are what is meant."""
        own = self.has_classifier and uses_classifier(self.options.extractor)
        return {TrainClassifier: ("model",)} if own else {}

    def content(self):
        weights = backbones.measuring(self.options.extractor, self.has_classifier)
        return {"extractor": weights.digest if weights else "own"}


class TrainGan(Measured):
    """The generator."""

    stage = "gan"
    function = "pipeline.gan.train_gan:train_gan"
    resumable = True
    isolated = True
    resources = ONE_GPU

    def reads(self):
        # The digest of the kept covers their pixels: other images of the normalised set do not matter
        # The classifier's figures are looked at, and nothing hangs on them: labels that keep the same pictures train
        # nothing anew. Nor does anything hang on where the pictures come from, which the model card tells
        return {Download: (), Normalize: (), Filter: ("kept",), **dict.fromkeys(self.measured_by(), ())}

    def content(self):
        return super().content() | {"definition": self._definition}

    @cached_property  # as it was when the run began
    def _definition(self):
        return definition_digest(read_definition(paths.definition(self.options.definition)))

    def warnings(self):
        path = paths.definition(self.options.definition)
        return cautions(read(path), file=path.name, size=self.chosen["normalize"].size)

    def arguments(self):
        path = paths.definition(self.options.definition)
        if definition_digest(read_definition(path)) != self._definition:
            raise UserError(f"{path} was changed while the run was at earlier stages; run again to train with it")
        return {"classifier": None, "definition": path, "live": paths.training_sheets(self.dataset, str(self.key()))}


class Generate(Measured):
    """What the generator draws, and how good it is."""

    stage = "generate"
    function = "pipeline.gan.generate:generate"
    isolated = True
    resources = ONE_GPU

    def reads(self):
        return {Normalize: (), Filter: ("kept",), TrainGan: ("generator",)} | self.measured_by()

    def arguments(self):
        return {"classifier": None}


class Report(StageTask):
    """One page about all of it."""

    stage = "report"
    function = "pipeline.report.report:write_report"
    version = 3

    def reads(self):
        # The page shows every figure of every folder, so another folder means another page
        stages = [Download, Normalize, Filter, TrainGan, Generate]
        classifier = [] if self.chosen["filter"].method == "none" else [TrainClassifier]
        return dict.fromkeys(stages + classifier, ("folder",))

    def arguments(self):
        return {"dataset": self.dataset, "classifier": None}


STAGES: tuple[type[StageTask], ...] = (Download, Normalize, TrainClassifier, Filter, TrainGan, Generate, Report)
