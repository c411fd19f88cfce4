"""The command line: `python -m tasks COMMAND` or `ganmill COMMAND`. Each command is a function of the arguments."""

import argparse
import dataclasses
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from pipeline.errors import Stopped, UserError, of_system
from pipeline.options import STAGE_OPTIONS
from pipeline.options.option import as_json, expected, nearest
from pipeline.text import plain
from tasks import commands, console, paths
from tasks.label_server import web
from tasks.stage_task import DEFAULT_DATASET

LONGEST = 2000  # characters of a line: a mistake may quote what was given
INTERRUPTED = 130  # what shells give a process that SIGINT ended


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong flag is answered with the nearest right one."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} ({console.MODULE} --help lists the commands)")

    def flags(self) -> list[str]:
        """Every flag that this parser takes, those of its actions too."""
        below = [action.choices.values() for action in self._actions if isinstance(action.choices, dict)]
        own = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        return own + [flag for parsers in below for parser in parsers for flag in parser.flags()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 a stage failed, 2 a mistake in what was asked, 130 stopped."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may hold bytes that are no text
    try:
        return _dispatch(sys.argv[1:] if arguments is None else list(arguments))
    except UserError as error:
        return _mistake(error)
    except (KeyboardInterrupt, Stopped):
        print("stopped; the next run goes on from here", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone: `python -m tasks options | head`
        sys.stderr.close()
        return 0
    except OSError as error:  # a full disk, a folder that may not be read, a name that is too long
        return _mistake(of_system(error))


def _mistake(error: UserError) -> int:
    print(f"error: {plain(console.as_called(str(error)), LONGEST)}", file=sys.stderr)
    return 2


def _dispatch(words: list[str]) -> int:
    parser, parsers = build_parser()
    given, unknown = parser.parse_known_args(words)
    if unknown:
        flag = unknown[0].partition("=")[0]
        known = parsers[given.command].flags() if given.command in parsers else parser.flags()
        raise UserError(f"{given.command} does not take {flag!r}; {nearest(flag, known)}")
    return given.function(given)


def build_parser() -> tuple[Parser, dict[str, Parser]]:
    """The parser, and the one of each command."""
    parser = Parser(prog=console.program(), description="One search word in, a trained image generator out.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {}

    def add(name: str, function: commands.Command, help: str, *, options: bool = False, dataset: bool = True) -> Parser:
        made = subparsers.add_parser(name, help=help, description=help, allow_abbrev=False)
        made.set_defaults(function=function)
        if dataset:
            about = "the subject's short name (default: %(default)s)"
            made.add_argument("--dataset", default=DEFAULT_DATASET, help=about)
        if options:
            _add_options(made)
        parsers[name] = made
        return made

    run = add("run", commands.run, "run every stage that is not up to date", options=True)
    plan = add("plan", commands.plan, "show what a run would do, and why", options=True)
    for made in (run, plan):
        made.add_argument("--refresh", action="store_true", help="crawl again, for what is new since the last crawl")
        made.add_argument("--until", choices=list(STAGE_OPTIONS), default="", help="only this stage and what it needs")
    plan.add_argument("--json", action="store_true", help="one JSON list of {stage, state, reason}, for programs")
    rerun = add("rerun", commands.rerun, "make one stage again, and what depends on it", options=True)
    rerun.add_argument("stage", choices=list(STAGE_OPTIONS), help="the stage")
    rerun.add_argument("--downstream", action="store_true", help="make all stages below it again, changed or not")
    generate = add("generate", commands.generate, "draw pictures with the trained generator", options=True)
    for made in (run, rerun, generate):
        made.add_argument("--scheduler", metavar="URL", default="", help="luigid to report to (default: none)")
        made.add_argument("--workers", type=int, default=1, help="processes that run stages (default: %(default)s)")
    status = add("status", commands.status, "show what there is, for one dataset or all")
    status.set_defaults(dataset="")
    status.add_argument("--verify", action="store_true", help="read every file and compare its SHA-256")
    add("options", commands.options, "list every setting, its value and what it does")
    _add_labels(add("labels", commands.labels_check, "bring in, take out or mend the labels"))
    _add_models(add("models", commands.models_list, "list the GAN definitions, explain one, check them", dataset=False))
    page = add("web", web, "label the pictures in the browser")
    page.set_defaults(dataset="")
    page.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine)")
    page.add_argument("--port", type=int, default=8090, help="port to listen on (default: %(default)s)")
    page.add_argument("--token", default="", help="what the address must hold; made up when --host lets others in")
    page.add_argument("--no-browser", dest="browser", action="store_false", help="only print the address")
    gc = add("gc", commands.gc, "delete old results; raw images, labels and what is current stay", options=True)
    gc.add_argument("--keep", type=int, default=3, metavar="N", help="newest of each stage to keep (default: 3)")
    gc.add_argument("--dry-run", action="store_true", help="only say what would go")
    return parser, parsers


def _add_options(parser: Parser) -> None:
    parser.add_argument("--query", default=argparse.SUPPRESS, help="search words, separated by commas")
    for stage, options in STAGE_OPTIONS.items():
        group = parser.add_argument_group(f"{stage} ({str(options.__doc__).splitlines()[0].rstrip('.').lower()})")
        for field in dataclasses.fields(options):
            default = as_json(field.default)
            group.add_argument(
                f"--{stage}-{field.name.replace('_', '-')}",
                dest=f"{stage}.{field.name}",
                default=argparse.SUPPRESS,
                metavar="VALUE",
                help=f"{field.metadata['help']} (default: {default}; {expected(field)})".replace("%", "%%"),
            )


def _add_labels(parser: Parser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    bring = actions.add_parser("import", help="label the pictures that lie in folders", allow_abbrev=False)
    for label in ("on", "off", "unsure"):
        bring.add_argument(f"--{label}", type=Path, metavar="DIR", help=f"folder of pictures to label '{label}'")
    bring.add_argument("--unlabelled", type=Path, metavar="DIR", help="folder of pictures to take the label back from")
    bring.set_defaults(function=commands.labels_import)
    take = actions.add_parser("export", help="copy the pictures into on/, off/, unlabelled/", allow_abbrev=False)
    take.add_argument("to", type=Path, metavar="DIR", help="folder to make")
    take.set_defaults(function=commands.labels_export)
    mend = actions.add_parser("repair", help="set unreadable lines of the label log aside", allow_abbrev=False)
    mend.set_defaults(function=commands.labels_repair)
    for made in (bring, take, mend):
        made.add_argument("--dataset", default=argparse.SUPPRESS, help="the subject's short name")


def _add_models(parser: Parser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    show = actions.add_parser("show", help="what one has other than the defaults, and all of it", allow_abbrev=False)
    show.add_argument("name", metavar="NAME", help="of a file in models/, or a path")
    show.set_defaults(function=commands.models_show)
    check = actions.add_parser("check", help="what is wrong with each, in one line", allow_abbrev=False)
    check.add_argument("names", nargs="*", metavar="NAME", help="of a file in models/, or a path (default: all)")
    check.set_defaults(function=commands.models_check)
    schema = actions.add_parser("schema", help="write the schema that editors complete from", allow_abbrev=False)
    target = Path("models") / paths.SCHEMA
    schema.add_argument("--output", type=Path, metavar="FILE", default=target, help="(default: %(default)s)")
    schema.set_defaults(function=commands.models_schema)
