"""The command line `python -m tasks COMMAND`: each command is a function of the parsed arguments."""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from pipeline.errors import Stopped, UserError, of_system
from pipeline.labels.log import LABEL_NAMES
from pipeline.option_types import as_json, expected, nearest, similar
from pipeline.options import DEFAULT_DATASET, STAGE_OPTIONS, STAGES
from pipeline.report.export_layouts import LAYOUTS
from pipeline.text import to_plain_line
from tasks import (
    cluster_command,
    commands,
    console,
    datasets_command,
    export_command,
    gc_command,
    luigid_command,
    machines,
    paths,
    sampler_command,
    settings,
    settings_commands,
    status,
    stylize_command,
    tensorboard_command,
    trace_command,
)
from tasks.nightly import nightly_command
from tasks.studio_server import studio, web

MAX_ERROR_LENGTH = 2000  # characters: an error may quote its input
EXIT_INTERRUPTED = 130  # the exit code of a process that SIGINT ended
EXIT_CLOSED = 141  # and of one that SIGPIPE ended


class CommandParser(argparse.ArgumentParser):
    """argparse, but errors suggest the nearest flag."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} ({console.program()} --help lists the commands)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            name = argparse._get_action_name(action)
            raise UserError(f"{name} {value!r} is not known; {nearest(value, action.choices)}")

    def flags(self) -> list[str]:
        """All flags of this parser and its actions."""
        below = [action.choices.values() for action in self._actions if isinstance(action.choices, dict)]
        own = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        return own + [flag for parsers in below for parser in parsers for flag in parser.flags()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 a stage failed, 2 wrong arguments or settings, 3 the user
    does something first, which is named, 130 interrupted."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may contain bytes that are not text
    try:
        return _dispatch(sys.argv[1:] if arguments is None else list(arguments))
    except UserError as error:
        return _print_error(error)
    except (KeyboardInterrupt, Stopped):
        print("stopped; the next run resumes here", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the output was closed: `python -m tasks options | head`
        sys.stderr.close()
        return EXIT_CLOSED
    except OSError as error:  # for example a full disk, an unreadable folder, a name that is too long
        return _print_error(of_system(error))


def _print_error(error: UserError) -> int:
    print(f"error: {to_plain_line(console.as_called(str(error)), MAX_ERROR_LENGTH)}", file=sys.stderr)
    return 2


def _dispatch(arguments: list[str]) -> int:
    parser, parsers = build_parser()
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise _unknown_argument(parsed.command, unknown[0], parsers.get(parsed.command, parser).flags())
    machines.use_flags(parsed)
    try:
        if hasattr(parsed, "storage"):
            machines.check()
        return parsed.function(parsed)
    except UserError as error:
        raise _with_nearest_dataset(error, getattr(parsed, "dataset", "")) from None


def _unknown_argument(command: str, argument: str, known: Sequence[str]) -> UserError:
    """The error about an `argument` that `command` does not take, with what was probably meant."""
    name = argument.partition("=")[0]
    if not argument.startswith("-") and "--dataset" in known:
        advice = f"did you mean '--dataset {argument}'?"
    elif found := similar(name, known):
        advice = f"did you mean '{found}'?"
    else:
        advice = f"{console.program()} {command} --help lists what it takes"
    return UserError(f"{command} does not take {name!r}; {advice}")


def _with_nearest_dataset(error: UserError, dataset: str) -> UserError:
    """`error`, and the nearest name if there is neither such a `dataset` nor a section for it in luigi.cfg, but a
    dataset whose name is similar."""
    hint = "" if settings.is_configured(dataset) else paths.similar_dataset(dataset)
    return UserError(f"{error}. {hint}") if hint and "did you mean" not in str(error) else error


def build_parser() -> tuple[CommandParser, dict[str, CommandParser]]:
    """Build the parser; returns it and the parser of each command."""
    parser = CommandParser(prog=console.program(), description="Search terms in, a trained image generator out.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {}

    def add(
        name: str, function: commands.Command, help: str, *, options: bool = False, dataset: bool = True
    ) -> CommandParser:
        command = subparsers.add_parser(name, help=help, description=help, allow_abbrev=False)
        command.set_defaults(function=function)
        if dataset:
            help_text = "the dataset's name (default: %(default)s)"
            command.add_argument("--dataset", default=DEFAULT_DATASET, help=help_text)
        if options:
            _add_options(command)
        parsers[name] = command
        return command

    run = add("run", commands.run, "run every stage that is not up to date", options=True)
    plan = add("plan", commands.plan, "show which stages a run would make, and why", options=True)
    for command in (run, plan):
        command.add_argument("--refresh", action="store_true", help="crawl again for new pictures")
        command.add_argument("--until", choices=STAGES, default="", help="only this stage and the stages it needs")
    plan.add_argument(
        "--json", action="store_true", help="for programs: a JSON list of {stage, state, reason, remark}, or {error}"
    )
    run.add_argument(
        "--unremembered",
        action="store_true",
        help="later runs do not use the flags of this one, which must not change what is made: --gan-max-minutes",
    )
    rerun = add("rerun", commands.rerun, "make one stage again, and the stages that it changes", options=True)
    rerun.add_argument("stage", choices=STAGES, help="the stage")
    rerun.add_argument("--downstream", action="store_true", help="make all stages after it again, changed or not")
    generate = add("generate", commands.generate, "generate samples with the trained generator", options=True)
    for command in (run, generate):
        command.add_argument(
            "--once", action="store_true", help="a trial: later commands neither use its settings nor show what it made"
        )
    for command in (run, rerun, generate):
        command.add_argument("--scheduler", metavar="URL", default="", help="luigid to report to (default: none)")
        command.add_argument("--workers", type=int, default=1, help="processes that run stages (default: %(default)s)")
    state = add("status", status.status, "show the stages, labels and last run of one dataset or all")
    state.set_defaults(dataset="")
    state.add_argument("--verify", action="store_true", help="read every file and compare its SHA-256")
    state.add_argument("--drop", action="store_true", help="take the dataset off the list; its folders are kept aside")
    every = add("datasets", datasets_command.list_datasets, "list, archive, restore or delete datasets", dataset=False)
    every.add_argument("--json", action="store_true", help="for programs: a JSON list of objects, or {error}")
    datasets_command.add_actions(every)
    listing = add(
        "options", settings_commands.options, "list every setting: its value, where that comes from, its meaning"
    )
    listing.add_argument("--markdown", action="store_true", help="print docs/settings.md: defaults, bounds, meanings")
    listing.add_argument("--json", action="store_true", help="for programs: a JSON list of objects, or {error}")
    keep = add("remember", settings_commands.remember, "save settings for a dataset, as if given by flag")
    keep.add_argument("settings", nargs="*", metavar="SETTING=VALUE", help="as in gan.epochs=20 (default: only list)")
    forget = add("forget", settings_commands.forget, "forget settings that the last run had by flag")
    forget.add_argument("names", nargs="*", metavar="SETTING", help="as in gan.epochs (default: all but the subject)")
    forget.add_argument("--all", action="store_true", help="what the dataset is about too: query, sources, site, ...")
    for command in (keep, forget):
        command.add_argument(
            "--json", action="store_true", help="for programs: print what `options --json` prints then"
        )
    _add_labels(add("labels", commands.labels_check, "count, import, export or repair labels"))
    _add_models(add("models", commands.models_list, "list the GAN definitions, explain one, check them", dataset=False))
    out = add(
        "export",
        export_command.export,
        "copy squares, samples or the trained networks into a folder, with metadata or a model card",
    )
    out.add_argument("kind", choices=export_command.KINDS, help=export_command.HELP)
    out.add_argument("to", type=Path, metavar="DIR", help="a new or empty folder, or an earlier export of the same")
    out.add_argument("--as", dest="layout", choices=LAYOUTS, default="", help=export_command.LAYOUT_HELP)
    board = add("tensorboard", tensorboard_command.tensorboard, "show the trainings of a dataset in TensorBoard")
    board.add_argument(
        "--port", type=int, default=tensorboard_command.PORT, help="port to listen on (default: %(default)s)"
    )
    trace = add("trace", trace_command.trace, "show all that a sample, sample sheet, picture or URL is connected to")
    trace.set_defaults(dataset="")
    trace.add_argument(
        "what",
        metavar="WHAT",
        help="a file, or a copy of one; ARTIFACT/NUMBER of a sample; an id, or 6 of its digits; a URL",
    )
    trace.add_argument("--json", action="store_true", help="for programs: an object, or {error}")
    parts = add(
        "cluster", cluster_command.certificates, "certificates, scheduler and workers of a cluster", dataset=False
    )
    cluster_command.add_actions(parts)
    _add_server(add("studio", studio, "look, label, run, compare and vote in the browser"))
    _add_server(add("web", web, "the studio, opened at the page for labelling"))
    add(
        "sampler",
        sampler_command.sampler,
        "for the studio: draw samples, as JSON lines on standard input and output say",
        dataset=False,
    )
    style = add("stylize", stylize_command.stylize, "draw pictures in the style of others", dataset=False)
    stylize_command.add_arguments(style)
    gc = add("gc", gc_command.gc, "delete old artifacts; pictures, labels and current artifacts stay", options=True)
    gc_command.add_arguments(gc)
    night = add("nightly", nightly_command.nightly, "bring many datasets up to date, each in its turn", dataset=False)
    nightly_command.add_arguments(night)
    scheduler = add("luigid", luigid_command.luigid, "Luigi's scheduler, with its page and its log", dataset=False)
    luigid_command.add_arguments(scheduler)
    return parser, parsers


def _add_server(parser: CommandParser) -> None:
    parser.set_defaults(dataset="")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine)")
    parser.add_argument("--port", type=int, default=8090, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--token", default="", help="token in the address; random by default if --host admits other machines"
    )
    parser.add_argument(
        "--scheduler", metavar="URL", default="", help="luigid to which the runs report (default: as luigi.cfg says)"
    )
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="only print the address")


def _add_options(parser: CommandParser) -> None:
    parser.add_argument("--query", default=argparse.SUPPRESS, help="search terms, separated by commas")
    group = parser.add_argument_group("machines (where work is done and where its results are shared)")
    for name in ("storage", "cluster"):
        meaning = str(machines.MachineOptions.model_fields[name].description)
        group.add_argument(f"--{name}", metavar="ADDRESS", help=meaning)
    for stage, options in STAGE_OPTIONS.items():
        group = parser.add_argument_group(f"{stage} ({str(options.__doc__).splitlines()[0].rstrip('.').lower()})")
        for name, field in options.model_fields.items():
            default = as_json(field.default)
            switch: dict[str, Any] = {"nargs": "?", "const": "true"} if field.annotation is bool else {}
            group.add_argument(
                f"--{stage}-{name.replace('_', '-')}",
                dest=f"{stage}.{name}",
                default=argparse.SUPPRESS,
                **switch,
                metavar="VALUE",
                help=f"{field.description} (default: {default}; {expected(field)})".replace("%", "%%"),
            )


def _add_labels(parser: CommandParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    import_ = actions.add_parser("import", help="label the pictures in folders", allow_abbrev=False)
    import_.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="folder with on/, off/ or unsure/ in it")
    for label, name in LABEL_NAMES.items():
        import_.add_argument(f"--{label}", type=Path, metavar="DIR", help=f"folder of pictures to label {name}")
    import_.add_argument("--unlabelled", type=Path, metavar="DIR", help="folder of pictures to remove the label of")
    import_.add_argument(
        "--validation",
        action="store_true",
        help="label for validation: the filter is measured on these pictures, and never trained on them",
    )
    import_.set_defaults(function=commands.labels_import)
    export = actions.add_parser("export", help="copy the squares into on/, off/, unlabelled/", allow_abbrev=False)
    export.add_argument("to", type=Path, metavar="DIR", help="folder to create")
    export.set_defaults(function=commands.labels_export)
    repair = actions.add_parser("repair", help="move unreadable lines out of the label log", allow_abbrev=False)
    repair.set_defaults(function=commands.labels_repair)
    for action in (import_, export, repair):
        action.add_argument("--dataset", default=argparse.SUPPRESS, help="the dataset's name")


def _add_models(parser: CommandParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    show = actions.add_parser(
        "show", help="show how a definition differs from the defaults, and all of it", allow_abbrev=False
    )
    show.add_argument("name", metavar="NAME", help="name of a file in models/, or a path")
    show.set_defaults(function=commands.models_show)
    check = actions.add_parser("check", help="check definitions, one line each", allow_abbrev=False)
    check.add_argument("names", nargs="*", metavar="NAME", help="name of a file in models/, or a path (default: all)")
    check.set_defaults(function=commands.models_check)
    schema = actions.add_parser("schema", help="write the JSON schema for editors", allow_abbrev=False)
    target = Path("models") / paths.SCHEMA
    schema.add_argument("--output", type=Path, metavar="FILE", default=target, help="(default: %(default)s)")
    schema.set_defaults(function=commands.models_schema)
