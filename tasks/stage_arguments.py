"""What the function of each stage is given beside its options and the folders of the stages that it reads."""

from pathlib import Path
from typing import TypedDict

from pipeline.cluster.client import Cluster
from pipeline.gan.continuation import Continuation
from pipeline.pretrained import Weights


class ClusterArguments(TypedDict):
    """What a stage that works on shards is given beside options and folders."""

    cluster: Cluster | None  # whose workers do them; None if this machine does


class DownloadArguments(TypedDict):
    """What `download` is given beside options and folders."""

    dataset: Path  # the folder of the dataset, for the raw pictures and the archive of URLs


class LabelArguments(TypedDict):
    """What a stage that reads the labels is given beside options and folders."""

    labels: Path  # the file of the label snapshot


class ClassifierArguments(LabelArguments):
    """What `train_classifier` is given beside options and folders."""

    weights: Weights | None  # of the pretrained backbone


class FilterArguments(LabelArguments):
    """What `filter_images` is given beside options and folders."""

    classifier: Path | None  # None, replaced by the folder of the classifier if the stage reads it
    cluster: Cluster | None  # as in ClusterArguments


class GanArguments(TypedDict):
    """What `train_gan` is given beside options and folders."""

    classifier: Path | None  # as in FilterArguments
    definition: Path  # the JSON file
    live: Path  # the folder for sample sheets while the training runs
    continues: Continuation  # the earlier training to go on from
    start: Path | None  # the checkpoint of another training whose networks it begins with


class GenerateArguments(TypedDict):
    """What `generate` is given beside options and folders."""

    classifier: Path | None  # as in FilterArguments
    cluster: Cluster | None  # as in ClusterArguments


class ReportArguments(TypedDict):
    """What `write_report` is given beside options and folders."""

    dataset: str  # its name
