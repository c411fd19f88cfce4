"""The command `python -m tasks trace`: from a sample, a sheet, a picture or a URL to all that it is connected to."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tasks import machines, paths
from tasks.settings_commands import as_json_or_error
from tasks.studio_server import dataset_paths


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.set_defaults(function=trace)
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="a file, or a copy of one; ARTIFACT/NUMBER of a sample; an id, or 6 of its digits; a URL",
    )
    parser.add_argument("--json", action="store_true", help="for programs: an object, or {error}")


def trace(arguments: Namespace) -> int:
    """Print the trace of one thing: lines for people, or with `json` an object for programs, or {"error": ...}."""
    from pipeline.report.trace import trace as find  # here, as it loads what decodes pictures
    from pipeline.report.trace_subject import UnknownSubject
    from pipeline.report.trace_text import trace_lines

    def found() -> Any:
        names = [paths.existing_dataset(arguments.dataset)] if arguments.dataset else paths.datasets()
        try:
            return find(arguments.what, [dataset_paths(name) for name in names])
        except UnknownSubject as error:
            raise UnknownSubject(f"{error}{_not_fetched(names)}") from None

    if arguments.json:
        return as_json_or_error(lambda: found().model_dump())
    print("\n".join(trace_lines(found())))
    return 0


def _not_fetched(datasets: list[str]) -> str:
    """How to fetch squares that only the shared storage has, for the first of `datasets` that has none here."""
    missing = (name for name in datasets if paths.artifact_store(name, "normalize").latest() is None)
    return next((f"; {hint}" for name in missing if (hint := machines.how_to_fetch(name, "normalize"))), "")
