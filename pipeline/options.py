"""Every option of every stage: name, default, bounds, and its meaning, which the flags and docs/settings.md show too.

STAGE_OPTIONS holds the options of each stage by the stage's name, and STAGES is the one list of stages, in order.
"""

from typing import Any, Literal

from pydantic import field_validator

from pipeline.errors import UserError
from pipeline.option_types import Options, as_text, expected, field_of, nearest, option, parse, value_type

Source = Literal["demo", "bing", "openverse", "baidu", "google", "site", "urls", "folder", "imagefolder", "webdataset"]
COLUMN_FIELDS = ("url", "page", "title", "license", "creator", "class", "file")  # what download.columns may find


class DownloadOptions(Options):
    """Where pictures come from, and how requests are limited."""

    query: tuple[str, ...] = option((), "search terms, separated by commas; each is searched for in turn")
    sources: tuple[Source, ...] = option(
        ("bing", "openverse"), "where pictures come from; they are used in this order until the limit is reached"
    )
    mixed: bool = option(
        False, "take pictures from all sources and search terms in turn, not from one source after another"
    )
    limit: int = option(1000, "most pictures that one crawl requests, over all sources and search terms", low=1)
    site: str = option("", "first page for the source 'site'; links within its host are followed")
    urls: str = option(
        "",
        "file for the source 'urls': one image URL on each line, or a table (csv, tsv, jsonl, parquet) with a column of"
        " URLs; each may be gzipped; - reads the URLs from standard input",
    )
    folder: str = option("", "folder for the source 'folder'; every file in it and below it is taken as a picture")
    imagefolder: str = option(
        "",
        "folder for the source 'imagefolder': pictures in folders of their class, or with metadata.jsonl",
        added=True,
    )
    webdataset: str = option(
        "", "folder with tar shards for the source 'webdataset', as img2dataset writes them, or one shard", added=True
    )
    columns: tuple[str, ...] = option(
        (),
        "columns of tables and metadata whose names are not the usual ones, for example url=link,title=words; the"
        " fields are url, page, title, license, creator, class, and file for the source 'imagefolder'",
        added=True,
    )
    demo_pictures: int = option(700, "pictures on the web site of the source 'demo'", low=1)
    demo_seed: int = option(  # part of the content key as the digest of the demo
        0, "seed of the drawings of the source 'demo': another one gives other pictures", low=0, significant=False
    )
    pages: int = option(
        1000, "most pages read for one source and search term, because some web sites have no end", low=1
    )
    robots: bool = option(
        True, "obey robots.txt and the header X-Robots-Tag (noai, noimageai), for the pages of a site and every picture"
    )
    allow_private: bool = option(False, "allow URLs that lead to this machine or into a private network")
    max_bytes: int = option(20_000_000, "bytes; a picture is rejected if its file is larger", low=1)
    max_pixels: int = option(100_000_000, "a picture is rejected if its header states more pixels", low=1)
    redirects: int = option(5, "most redirects that are followed for one picture; browsers allow 20", low=0, high=20)
    timeout: float = option(20.0, "seconds that one request may take from start to end", low=0.1, significant=False)
    retries: int = option(2, "how often a request is repeated after a temporary failure", low=0, significant=False)
    connections: int = option(16, "most requests at the same time", low=1, high=256, significant=False)
    host_connections: int | None = option(
        None,
        "most requests at the same time to one host; auto: 6, as browsers do, and no limit in private networks",
        low=1,
        high=256,
        significant=False,
    )
    host_rate: float | None = option(
        None,
        "most requests a second to one host; auto: 10, and no limit in private networks",
        low=0.001,
        significant=False,
    )
    processes: int | None = option(
        None,
        "processes that fetch a list of URLs; auto: one, of thousands as many as cores if their hosts keep them busy",
        low=1,
        high=256,
        significant=False,
    )
    user_agent: str = option(
        "ganmill/1 (image research)", "name that every request sends; add an address where you can be reached"
    )

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, pairs: tuple[str, ...]) -> tuple[str, ...]:
        for pair in pairs:
            field, _, column = pair.partition("=")
            if field.strip() not in COLUMN_FIELDS or not column.strip():
                fields = ", ".join(COLUMN_FIELDS)
                raise ValueError(f"field=column, separated by commas, for example url=link; the fields are {fields}")
        return pairs


class NormalizeOptions(Options):
    """Which pictures are accepted, and how they become squares."""

    size: int = option(64, "side of the squares in pixels; the first DCGAN used 64", low=16, high=512)
    fit: Literal["crop", "pad", "squash"] = option(
        "crop", "crop cuts off what is beyond the centre, pad adds a border, squash changes the proportions"
    )
    colour: Literal["rgb", "grey"] = option("rgb", "make the squares coloured or grey")
    background: str = option("white", "colour behind transparent pixels and of the border, a name or #rrggbb")
    min_side: int = option(
        32,
        "pixels; a picture is rejected if its shorter side has fewer; not in a set of pictures below 32 px only, such"
        " as MNIST",
        low=1,
    )
    max_pixels: int = option(  # Pillow itself refuses little more than the upper bound
        100_000_000, "a picture is rejected before it is decoded if it has more pixels", low=1, high=178_000_000
    )
    max_aspect: float = option(
        4.0, "a picture is rejected if its longer side is more than this many times the shorter one", low=1
    )
    near_duplicates: int = option(  # 8 finds the copies of drawings that 4 misses; a second comparison limits errors
        8,
        "most bits of 64 in which the hashes of near-duplicates differ, if they also look alike; -1: keep duplicates",
        low=-1,
        high=16,
    )
    blurry: float = option(0.0, "least score for sharpness; pictures with a lower one are rejected", low=0, high=1)
    dark: float = option(0.0, "least score for bright parts; pictures with a lower one are rejected", low=0, high=1)
    light: float = option(0.0, "least score for dark parts; pictures with a lower one are rejected", low=0, high=1)
    low_information: float = option(
        0.0, "least score for the variety of grey levels; pictures with a lower one are rejected", low=0, high=1
    )
    odd_aspect_ratio: float = option(
        0.0, "least share of the shorter side in the longer one; pictures with a lower one are rejected", low=0, high=1
    )
    processes: int = option(0, "worker processes; 0: one for each processor core", low=0, high=256, significant=False)

    @field_validator("background")
    @classmethod
    def _check_colour(cls, text: str) -> str:
        from PIL import ImageColor  # here, as most commands need no picture library

        try:
            ImageColor.getrgb(text)
        except ValueError:
            raise ValueError("a colour, for example white or #ffeedd") from None
        return text


class ClassifierOptions(Options):
    """How the classifier learns from the labels which squares are on target."""

    backbone: str = option(
        "auto",
        "pretrained network: 'auto' (one whose weights are cached or can be fetched in seconds, else none), 'none',"
        " MobileNet, MobileNetV3Small, MobileNetV3Large, or a file with weights of one of these",
        significant=False,  # the content key has the digest of the weights instead
    )
    steps: int = option(
        200, "training steps of each small CNN if there is no backbone; enough for a few hundred labels", low=1
    )
    members: int = option(
        3,
        "small CNNs if there is no backbone; the labels are split into as many parts, and each CNN leaves one out",
        low=2,
        high=20,
    )
    holdout: float = option(0.2, "share of the labels that is held out, to measure with", low=0.05, high=0.5)
    seed: int = option(0, "seed of every random choice", low=0)


class FilterOptions(Options):
    """Which squares are kept for the generator."""

    method: Literal["cnn", "none"] = option(
        "cnn",
        "cnn asks the classifier; none keeps every square that is not labelled off target or skip, and needs no labels",
    )
    threshold: float | None = option(
        None,
        "a square is kept if its score is at least threshold + unsure, and rejected if it is below threshold - unsure;"
        " auto: the threshold is chosen from the labels",
        low=0,
        high=1,
    )
    precision: float = option(
        0.95, "share of the kept squares that should be on target, if the threshold is auto", low=0.5, high=1
    )
    unsure: float = option(
        0.05,
        "a square is borderline, neither kept nor rejected, if its score is within this distance of the threshold",
        low=0,
        high=0.4,
    )


def _extractor() -> Any:
    """The option of both stages that measure samples."""
    return option(
        "auto",
        "what measures the samples: 'auto' (the classifier's backbone, else EfficientNet-Lite0, whose weights a package"
        " ships), 'own' (the backbone, else textures, which need no weights), MobileNet, Inception, or a file with"
        " weights of either (.h5) or of DINOv2 ViT-S/14 (.safetensors)",
        significant=False,  # the content key has the digest of the weights instead
    )


class GanOptions(Options):
    """How the generator is trained."""

    definition: str = option("dcgan", "name of the GAN definition: NAME for the file models/NAME.json")
    epochs: int | None = option(
        None,
        "passes over the kept squares; auto: until the KID no longer falls, for 2000 steps at least",
        low=1,
    )
    most_steps: int = option(
        50_000, "about how many steps a training with epochs = auto takes at most; its last epoch is a whole one", low=1
    )
    start: str = option(
        "",
        "another dataset, or the folder of a training (models/cats/gan/latest), whose networks it begins with",
        significant=False,  # the content key has the digest of its last checkpoint instead
    )
    sample_every: int | None = option(
        None,
        "epochs from one sample sheet and its scores to the next; auto: after 100, 200, 400, 600, 800 and 1000 steps,"
        " then about every 12 % more",
        low=1,
    )
    checkpoint_every: int | None = option(
        None,
        "epochs from one checkpoint to the next; a run that is killed loses what came after the last one, a run that is"
        " stopped loses nothing; auto: about 500 steps",
        low=1,
        significant=False,
    )
    max_minutes: float = option(
        0.0,
        "minutes, after which the run goes on with the unfinished generator, and the next run with its training; 0: no"
        " limit",
        low=0,
        significant=False,
    )
    total_minutes: float = option(
        0.0,
        "minutes of training, over all stops, after which it ends, however many epochs are done; 0: no limit",
        low=0,
        added=True,
    )
    xla: bool = option(False, "compile the training step with XLA; seldom faster on a CPU", significant=False)
    tensorboard: bool = option(
        False,
        "write statistics and sample sheets for TensorBoard too, while training; `make tensorboard` shows them",
        significant=False,
    )
    extractor: str = _extractor()
    seed: int = option(0, "seed of every random choice", low=0)


class GenerateOptions(Options):
    """What the trained generator makes."""

    count: int = option(200, "samples to make", low=1)
    grid: int = option(
        10,
        "rows and columns of the sample sheet, which shows the first samples; of a conditional GAN a row has one class",
        low=1,
        high=50,
    )
    extractor: str = _extractor()
    seed: int = option(0, "seed of the latents; no sample is chosen or left out", low=0)
    truncation: float = option(  # the scores of a generator are about all that it makes, so there is none by default
        0.0,
        "bound on the values of a latent: 2 or 1.5 gives less varied samples, lower bounds pale ones; 0: no bound",
        low=0,
    )
    class_name: str = option(
        "", "name of the class of all samples of a conditional GAN; nothing: each class is as likely", added=True
    )
    film: int = option(5, "samples that the film shows before it returns to the first; 0: no film", low=0, high=100)
    frames: int = option(20, "frames of the film from one of these samples to the next, 20 a second", low=1, high=200)

    @field_validator("film")
    @classmethod
    def _check_film(cls, samples: int) -> int:
        if samples == 1:
            raise ValueError("0 for none, or at least 2 samples to pass between, for example 5")
        return samples


class ReportOptions(Options):
    """How much the report shows."""

    thumbnails: int = option(100, "most pictures on each contact sheet", low=1, high=1000)


STAGE_OPTIONS: dict[str, type[Options]] = {
    "download": DownloadOptions,
    "normalize": NormalizeOptions,
    "classifier": ClassifierOptions,
    "filter": FilterOptions,
    "gan": GanOptions,
    "generate": GenerateOptions,
    "report": ReportOptions,
}
STAGES = tuple(STAGE_OPTIONS)  # each stage reads only from stages before it


def split_setting(name: str) -> tuple[str, str]:
    """The stage and the option that `gan.epochs` names. Errors: `UserError` if there is no such stage."""
    stage, dot, option = name.partition(".")
    if not dot or stage not in STAGES:
        known = [f"{stage}.{name}" for stage, options in STAGE_OPTIONS.items() for name in options.model_fields]
        raise UserError(f"there is no option '{name}'; {nearest(name, known) if dot else 'write stage.option=value'}")
    return stage, option


def parse_setting(stage: str, option: str, text: str, where: str) -> Any:
    """The value that `text` gives one option. It is checked alone, so that an error begins with `where` it is from."""
    value = parse(field_of(STAGE_OPTIONS[stage], option, stage), text, where)
    try:
        STAGE_OPTIONS[stage](**{option: value})
    except UserError as error:  # begins with the name of the option
        raise UserError(f"{where.removesuffix(option)}{error}") from None
    return value


TYPE_NAMES: dict[type, str] = {bool: "flag", int: "integer", float: "number", str: "text"}  # how a form asks


def describe_setting(stage: str, option: str) -> dict[str, Any]:
    """One setting as a JSON object: name, default, meaning, what may be given, and how a form asks for it."""
    field = STAGE_OPTIONS[stage].model_fields[option]
    kind = value_type(field.annotation)
    return {
        "name": f"{stage}.{option}",
        "default": as_text(field.default),
        "meaning": str(field.description),
        "expected": expected(field),
        "type": "list" if kind.is_list else TYPE_NAMES[kind.base_type],
        "choices": list(kind.choices),
    }
