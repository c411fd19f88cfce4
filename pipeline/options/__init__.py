"""Every setting of every stage: name, default, reason, bounds. The one place that luigi.cfg and flags are held to."""

from pipeline.options.stages import (
    ClassifierOptions,
    DownloadOptions,
    FilterOptions,
    GanOptions,
    GenerateOptions,
    NormalizeOptions,
    ReportOptions,
)

STAGE_OPTIONS = {
    "download": DownloadOptions,
    "normalize": NormalizeOptions,
    "classifier": ClassifierOptions,
    "filter": FilterOptions,
    "gan": GanOptions,
    "generate": GenerateOptions,
    "report": ReportOptions,
}

__all__ = [
    "STAGE_OPTIONS",
    "ClassifierOptions",
    "DownloadOptions",
    "FilterOptions",
    "GanOptions",
    "GenerateOptions",
    "NormalizeOptions",
    "ReportOptions",
]
