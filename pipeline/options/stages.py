"""The options of each stage, with the reason for each default on its line."""

from dataclasses import dataclass

from pipeline.errors import UserError
from pipeline.options.option import Options, option

SOURCES = ("demo", "bing", "openverse", "baidu", "google", "site", "urls", "folder")


@dataclass(frozen=True, kw_only=True)
class DownloadOptions(Options):
    """Where pictures come from, and how politely."""

    query: tuple[str, ...] = option((), "search words, separated by commas; each is searched for in turn")
    sources: tuple[str, ...] = option(("bing", "openverse"), "tried in order until the limit", choices=SOURCES)
    mixed: bool = option(False, "take pictures from all sources and queries by turns, not from one after the other")
    limit: int = option(1000, "pictures that one crawl asks for at most, over all queries and sources", low=1)
    site: str = option("", "first page for the source 'site'; links within its host are followed")
    urls: str = option("", "file for the source 'urls': one image address a line; - reads them from the standard input")
    folder: str = option("", "folder for the source 'folder': every file below it is taken as a picture")
    demo_pictures: int = option(700, "pictures on the site of the source 'demo'", low=1)
    pages: int = option(1000, "pages read at most of one source and query: some sites never end", low=1)
    robots: bool = option(
        True, "keep to robots.txt and to X-Robots-Tag noai, noimageai: for the pages of a site and for every picture"
    )
    allow_private: bool = option(False, "allow addresses on this machine and private networks")
    max_bytes: int = option(20_000_000, "a longer body is cut off and rejected", low=1)
    max_pixels: int = option(100_000_000, "a picture whose header promises more is rejected", low=1)
    redirects: int = option(5, "redirects that one picture may lead through; browsers allow 20", low=0, high=20)
    timeout: float = option(20.0, "seconds for one request from start to end", low=0.1, significant=False)
    retries: int = option(2, "further tries after a passing fault", low=0, significant=False)
    connections: int = option(16, "requests at once", low=1, high=256, significant=False)
    host_connections: int | None = option(
        None,
        "requests at once to one host; auto: 6, as browsers do, and no bound on private networks",
        low=1,
        high=256,
        significant=False,
    )
    host_rate: float | None = option(
        None, "requests a second to one host; auto: 10, and no bound on private networks", low=0.001, significant=False
    )
    user_agent: str = option("ganmill/1 (image research)", "how requests name themselves")


@dataclass(frozen=True, kw_only=True)
class NormalizeOptions(Options):
    """What a picture must be, and the square that is made of it."""

    size: int = option(64, "side of the square in pixels; DCGAN's own size", low=16, high=512)
    fit: str = option("crop", "how a picture becomes square", choices=("crop", "pad", "squash"))
    colour: str = option("rgb", "colour or grey", choices=("rgb", "grey"))
    background: str = option("white", "colour behind transparent pixels and padding, a name or #rrggbb")
    min_side: int = option(32, "pictures with a shorter side are rejected", low=1)
    max_pixels: int = option(  # Pillow itself refuses little more than the upper bound
        100_000_000, "pictures with more pixels are rejected before decoding", low=1, high=178_000_000
    )
    max_aspect: float = option(4.0, "pictures longer than this many times their width are rejected", low=1)
    near_duplicates: int = option(  # 8 finds the copies of drawings that 4 misses; a second look keeps others apart
        8, "bits of 64 by which hashes of copies may differ, if they look alike; -1 keeps all", low=-1, high=16
    )
    blurry: float = option(0.0, "pictures that score below this for sharpness are rejected; 0 keeps all", low=0, high=1)
    dark: float = option(0.0, "the same for having something bright in them", low=0, high=1)
    light: float = option(0.0, "the same for having something dark in them", low=0, high=1)
    low_information: float = option(0.0, "the same for how evenly they use the levels of grey", low=0, high=1)
    odd_aspect_ratio: float = option(0.0, "the same for the shorter side's share of the longer one", low=0, high=1)
    processes: int = option(0, "0 takes one a core", low=0, high=256, significant=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        from PIL import ImageColor  # here, as most commands need no picture

        try:
            ImageColor.getrgb(self.background)
        except ValueError:
            raise UserError(
                f"background = {self.background!r}: expected a colour, for example white or #ffeedd"
            ) from None


@dataclass(frozen=True, kw_only=True)
class ClassifierOptions(Options):
    """How what tells on from off is learnt from the labels."""

    backbone: str = option(
        "auto",
        "pretrained network: 'auto' (weights that are here or quickly fetched, else none), 'none', MobileNet,"
        " MobileNetV3Small, MobileNetV3Large, or a file of such weights",
        significant=False,  # what counts is which weights that comes to
    )
    steps: int = option(
        200, "batches that each network learns from, where there is no backbone; enough for some hundred labels", low=1
    )
    members: int = option(
        3, "networks, where there is no backbone; of as many parts of the labels each leaves one out", low=2, high=20
    )
    holdout: float = option(0.2, "share of the labels kept aside to measure with", low=0.05, high=0.5)
    seed: int = option(0, "every random draw follows from it", low=0)


@dataclass(frozen=True, kw_only=True)
class FilterOptions(Options):
    """Which pictures are kept for the generator."""

    method: str = option("cnn", "'none' keeps every picture: no labels needed", choices=("cnn", "none"))
    threshold: float | None = option(None, "keep at this score or above; auto: chosen on the labels", low=0, high=1)
    precision: float = option(
        0.95, "share of the kept that should be on target, when the threshold is auto", low=0.5, high=1
    )
    unsure: float = option(
        0.05, "scores nearer to the threshold than this are neither kept nor rejected but unsure", low=0, high=0.4
    )


def _extractor() -> str:
    """The option of both stages that measure samples."""
    return option(
        "auto",
        "what samples are measured with: 'auto' (the classifier's features; without one MobileNet if it is cached, else"
        " histograms), 'own' (no MobileNet), MobileNet, Inception, or a file of weights of either",
        significant=False,  # what counts is which features that comes to
    )


@dataclass(frozen=True, kw_only=True)
class GanOptions(Options):
    """How the generator is trained."""

    definition: str = option("dcgan", "which models/<name>.json to train")
    epochs: int = option(100, "passes over the kept pictures", low=1)
    sample_every: int | None = option(
        None, "epochs between sheets of samples and their scores; auto: some thousand steps, ten to forty times", low=1
    )
    checkpoint_every: int | None = option(
        None, "epochs; what a kill may cost, a stop costs none; auto: some five hundred steps", low=1, significant=False
    )
    max_minutes: float = option(
        0.0, "then training stops with a checkpoint, and the next run goes on; 0: no limit", low=0, significant=False
    )
    xla: bool = option(False, "compile the step with XLA: seldom faster on a processor", significant=False)
    extractor: str = _extractor()
    seed: int = option(0, "every random draw follows from it", low=0)


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(Options):
    """What the trained generator draws."""

    count: int = option(200, "pictures to draw", low=1)
    grid: int = option(10, "rows and columns of the sheet of the first pictures", low=1, high=50)
    extractor: str = _extractor()
    seed: int = option(0, "the latents follow from it; nothing is chosen among the samples", low=0)
    truncation: float = option(  # what a generator is measured by is all that it draws, so none unless asked for
        0.0,
        "how far from 0 a latent's values may lie: 2 or 1.5 for less varied pictures, which fade below; 0: any",
        low=0,
    )
    film: int = option(5, "pictures that the film walks through and back to the first; 0 makes none", low=0, high=100)
    frames: int = option(20, "frames of the film from each of them to the next, 20 a second", low=1, high=200)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.film == 1:
            raise UserError("film = 1: expected 0 for none, or at least 2 pictures to walk between, for example 5")


@dataclass(frozen=True, kw_only=True)
class ReportOptions(Options):
    """How much the report shows."""

    thumbnails: int = option(100, "pictures at most on each contact sheet", low=1, high=1000)
