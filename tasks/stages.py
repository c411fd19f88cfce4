"""The seven stages as Luigi tasks, in order: what each reads, and which function of pipeline/ does its work.

The function is a string, "module:name", so that a task and a plan never load TensorFlow. It is called with the options
of the stage, the folders of the stages that it reads, the `arguments()` of the task, and `folder`, `progress` and
`should_stop` (`tasks.stage_task`). A test resolves each string and compares the function with what its task gives.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import luigi

from pipeline.crawl.validate import content_inputs
from pipeline.errors import UserError, of_system
from pipeline.gan import frozen_network
from pipeline.gan.class_names import require_class
from pipeline.gan.config import definition_digest, read, read_definition
from pipeline.gan.config.resolutions import definition_warnings
from pipeline.gan.continuation import Continuation, epochs_begun, find_continuation
from pipeline.gan.training.ending import check_automatic
from pipeline.pretrained import NONE, uses_backbone
from tasks import backbones, gallery_updates, label_snapshots, machines, paths, settings, trained_generators
from tasks.make_artifact import draft_manifest
from tasks.stage_arguments import (
    ClassifierArguments,
    ClusterArguments,
    DownloadArguments,
    FilterArguments,
    GanArguments,
    GenerateArguments,
    LabelArguments,
    ReportArguments,
)
from tasks.stage_task import RunTask, StageTask

ONE_GPU = {"gpu": 1}  # for stages that train: scoring and drawing leave room for another process
Reads = dict[type[StageTask], tuple[str, ...]]


class Download(StageTask):
    """Pictures from the chosen sources, and a row for every URL."""

    stage = "download"
    function = "pipeline.crawl.download:download"
    pictures = "images"

    def content(self) -> dict[str, str]:
        return self._content

    @cached_property  # so that a folder of pictures is read once in a run
    def _content(self) -> dict[str, str]:
        return content_inputs(self.options, paths.dataset_folder(self.dataset))

    def arguments(self) -> DownloadArguments:
        return {"dataset": paths.dataset_folder(self.dataset)}


class Normalize(StageTask):
    """Squares of one size, without duplicates and without files that are not pictures."""

    stage = "normalize"
    function = "pipeline.images.normalize:normalize"
    version = 2
    resumable = True
    pictures = "images"

    def reads(self) -> Reads:
        return {Download: ("images",)}

    def arguments(self) -> ClusterArguments:
        return {"cluster": machines.cluster_of(self.dataset)}


class SeedLabels(RunTask):
    """The first labels of the demo, which knows the truth about its pictures. Other datasets are labelled by people."""

    stage = "normalize"  # the options of later stages do not matter here

    def requires(self) -> list[Any]:
        return [self.upstream(Download), self.upstream(Normalize)]

    def complete(self) -> bool:
        return bool(label_snapshots.log(self.dataset).current().others())

    def run(self) -> None:
        from pipeline.labels.seed import seed_from  # here, as it loads OpenCV, which a plan does not need

        if not self.complete():  # another run may have been faster
            download, normalize = (task.artifact_store.bring(task.finished()).folder for task in self.requires())
            label_snapshots.log(self.dataset).append(seed_from(download=download, normalize=normalize), how="seed")


class Labelled(StageTask):
    """A stage that reads the labels."""

    def deps(self) -> list[luigi.Task]:
        """The tasks that must be done first. Luigi asks for them only when it runs a chain, never for a plan: the label
        snapshot of the run is written now."""
        try:
            label_snapshots.save_snapshot(self.dataset, self.labels)
        except OSError as error:
            raise of_system(error, paths.dataset_folder(self.dataset)) from error
        return super().deps()

    def requires(self) -> list[luigi.Task]:
        seeds = [self.upstream(SeedLabels)] if self.labels == label_snapshots.SEED else []
        return [*self.stages_read(), *seeds]

    def content(self) -> dict[str, str]:
        if self.labels == label_snapshots.SEED and not self.upstream(SeedLabels).complete():
            return {}  # the run makes them
        return {"labels": label_snapshots.digest_of(self.dataset, self.labels)}

    def notes(self) -> dict[str, Any]:
        return {"labels": label_snapshots.count(self.dataset, self.labels)}

    def arguments(self) -> LabelArguments:
        return {"labels": label_snapshots.path(self.dataset, self.labels)}


class TrainClassifier(Labelled):
    """The classifier, which tells on target from off target: small CNNs, or the features of a pretrained backbone."""

    stage = "classifier"
    function = "pipeline.filter.train_classifier:train_classifier"
    version = 3
    isolated = True
    resources = ONE_GPU

    def reads(self) -> Reads:
        return {Normalize: ("images",)}

    def content(self) -> dict[str, str]:
        weights = backbones.classifier_weights(self.options.backbone)
        return super().content() | {"backbone": weights.digest if weights else "none"}

    def notes(self) -> dict[str, Any]:
        return super().notes() | {"backbone": str(backbones.classifier_weights(self.options.backbone) or "none")}

    @property
    def trains(self) -> bool:
        # With too few labels it asks for more: nobody waits for hours to be told so
        return super().trains and label_snapshots.are_enough(self.dataset, self.labels)

    def remark(self, *, again: bool) -> str:
        return backbones.describe_weights(self.options.backbone, will_train=again)

    def arguments(self) -> ClassifierArguments:
        return {**super().arguments(), "weights": backbones.classifier_weights(self.options.backbone)}


class Filter(Labelled):
    """Which squares are kept."""

    stage = "filter"
    function = "pipeline.filter.filter_images:filter_images"
    keyword = "kept"
    version = 3
    isolated = True

    def reads(self) -> Reads:
        classifier: Reads = {} if self.options.method == "none" else {TrainClassifier: ("model",)}
        return {Normalize: ("images",), **classifier}

    def arguments(self) -> FilterArguments:
        cluster = machines.cluster_of(self.dataset) if self.options.method != "none" else None
        return {**super().arguments(), "classifier": None, "cluster": cluster}


class Measured(StageTask):
    """A stage that measures samples with the features that its option `extractor` names."""

    @property
    def backbone(self) -> str:
        """The option `classifier.backbone`; 'none' if there is no classifier."""
        return self.chosen["classifier"].backbone if self.chosen["filter"].method != "none" else NONE

    def measured_by(self) -> Reads:
        """The stage whose folder holds the network that measures the samples: the classifier with a backbone, or none.
        No output of it is part of the content key, as its labels do not change its backbone."""
        own = uses_backbone(self.options.extractor) and backbones.classifier_weights(self.backbone)
        return {TrainClassifier: ()} if own else {}

    def content(self) -> dict[str, str]:
        return {"extractor": backbones.extractor_digest(self.options.extractor, self.backbone)}


class TrainGan(Measured):
    """The generator."""

    stage = "gan"
    function = "pipeline.gan.train_gan:train_gan"
    version = 4
    resumable = True
    isolated = True
    resources = ONE_GPU

    def reads(self) -> Reads:
        # The digest of the kept squares covers their pixels, so the other squares of `normalize` do not matter. The
        # classifier only measures: other labels that keep the same squares do not train a new generator. `download` is
        # read for the model card, which names where the pictures come from, and for the classes of a conditional GAN.
        classes = ("classes",) if self._is_conditional else ()
        return {Download: classes, Normalize: (), Filter: ("kept",), **self.measured_by()}

    def content(self) -> dict[str, str]:
        start = {"start": self._start.digest} if self._start else {}
        return super().content() | {"definition": self._definition} | self._frozen_network | start

    def notes(self) -> dict[str, Any]:
        return {"start": self.options.start} if self.options.start else {}

    def _definition_path(self) -> Path:
        """The file of the definition; an error says what gave its name."""
        name, setting = self.options.definition, "gan.definition"
        source = settings.source_of(self.dataset, setting, name)
        try:
            return paths.definition(name, asked=source.where(setting))
        except UserError as error:
            raise UserError(f"{error}{source.advice(self.dataset, setting)}") from None

    @cached_property  # as it was when the run began
    def _definition(self) -> str:
        definition = read_definition(self._definition_path())
        if self.options.epochs is None:
            check_automatic(definition, self.options.definition)
        return definition_digest(definition)

    @cached_property  # as it was when the run began: what it names may train again meanwhile
    def _start(self) -> trained_generators.Start | None:
        start, normalize = trained_generators.find_start(self.options.start, self.dataset), self.chosen["normalize"]
        return start and start.of_form(size=normalize.size, colour=normalize.colour, conditional=self._is_conditional)

    @cached_property
    def _frozen_network(self) -> dict[str, str]:
        """What the frozen network adds for a vision-aided discriminator."""
        aided = read_definition(self._definition_path()).discriminator.vision_aided
        return {"frozen_network": frozen_network.content()} if aided else {}

    @cached_property
    def _is_conditional(self) -> bool:
        try:
            return read_definition(self._definition_path()).conditional
        except UserError:  # `content` raises it
            return False

    def warnings(self) -> list[str]:
        path = self._definition_path()
        return definition_warnings(read(path), file=path.name, size=self.chosen["normalize"].size)

    def arguments(self) -> GanArguments:
        path = self._definition_path()
        if definition_digest(read_definition(path)) != self._definition:
            raise UserError(f"{path} was changed while the run was at earlier stages; run again to train with it")
        key = cast(str, self.key())  # known, as arguments are asked for when all that the stage reads is there
        live = paths.training_sheets(self.dataset, key)
        start = self._start.require_same() if self._start else None
        continues = self._continuation(key)
        return {"classifier": None, "definition": path, "live": live, "continues": continues, "start": start}

    def _continuation(self, key: str) -> Continuation:
        """The earlier training that the one named by `key` goes on from."""
        if self.forced_by:
            return Continuation()
        definition = read_definition(self._definition_path())
        size = self.chosen["normalize"].size
        return find_continuation(self.artifact_store, draft_manifest(self, key), definition, size=size)

    def notices_of(self, outputs: Mapping[str, str]) -> list[str]:
        """Which earlier trainings have the same generator: they share their best epoch."""
        generator, key = outputs["generator"], self.key()
        others = [each for each in self.artifact_store.all() if each.manifest.outputs["generator"] == generator]
        return [
            f"its generator is the same as that of {each.folder} ({each.manifest.summary['epochs']} epochs): both are"
            f" of epoch {each.manifest.summary['epoch_kept']}"
            for each in others[-1:]
            if each.manifest.key != key
        ]

    def remark(self, *, again: bool) -> str:
        if again and self._start and self._start.missing:
            return self._start.missing
        key = self.key() if again else None
        if key and (done := epochs_begun(self.artifact_store.work_path(key))) is not None:
            return f"{done} epochs are done"
        return self._continuation(key).remark if key else ""

    def shown(self, key: str) -> AbstractContextManager[None]:
        return gallery_updates.during_training(self, key)


class Generate(Measured):
    """Samples of the generator, and their scores."""

    stage = "generate"
    function = "pipeline.gan.generate:generate"
    version = 4
    isolated = True

    def reads(self) -> Reads:
        # With a class the reals are those of the class, as the download says it
        download: Reads = {Download: ("classes",)} if self.options.class_name else {}
        return {**download, Normalize: (), Filter: ("kept",), TrainGan: ("generator",), **self.measured_by()}

    def content(self) -> dict[str, str]:
        if self.options.class_name and (gan := self.upstream(TrainGan).published()):
            require_class(self.options.class_name, gan.folder)
        return super().content()

    def arguments(self) -> GenerateArguments:
        return {"classifier": None, "cluster": machines.cluster_of(self.dataset)}

    def shown(self, key: str) -> AbstractContextManager[None]:
        return gallery_updates.after(self.dataset)


class Report(StageTask):
    """One page about all stages."""

    stage = "report"
    function = "pipeline.report.report:write_report"
    version = 7

    def reads(self) -> Reads:
        # The page shows figures of every folder, so it is written again for any new folder, even with the same outputs
        stages: list[type[StageTask]] = [Download, Normalize, Filter, TrainGan, Generate]
        if self.chosen["filter"].method != "none":
            stages.append(TrainClassifier)
        return dict.fromkeys(stages, ("folder",))

    def arguments(self) -> ReportArguments:
        return {"dataset": self.dataset}

    def shown(self, key: str) -> AbstractContextManager[None]:
        return gallery_updates.after(self.dataset)


# In the order of pipeline.options.STAGES, which a test compares
STAGE_TASKS: tuple[type[StageTask], ...] = (
    Download,
    Normalize,
    TrainClassifier,
    Filter,
    TrainGan,
    Generate,
    Report,
)
