"""The command line `python -m tasks COMMAND`: each command is a function of the parsed arguments."""

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from pipeline.dataset_names import DEFAULT_DATASET
from pipeline.errors import Stopped, UserError, of_system
from pipeline.labels.log import LABEL_NAMES
from pipeline.option_types import as_json, expected, nearest, similar
from pipeline.options import STAGE_OPTIONS, STAGES
from pipeline.text import to_plain_line
from tasks import commands, console, machines, paths, settings, settings_commands, status

MAX_ERROR_LENGTH = 2000  # characters: an error may quote its input
EXIT_INTERRUPTED = 130  # the exit code of a process that SIGINT ended
EXIT_CLOSED = 141  # and of one that SIGPIPE ended


class CommandParser(argparse.ArgumentParser):
    """argparse, but a parser adds its `arguments` when it is first used, and errors suggest the nearest flag."""

    def __init__(self, *given: Any, arguments: "AddArguments | None" = None, **named: Any) -> None:
        super().__init__(*given, **named)
        self._arguments = arguments

    def parse_known_args(self, args: Any = None, namespace: Any = None, **named: Any) -> Any:
        """The parsed arguments, and those that are not known."""
        self._complete()
        return super().parse_known_args(args, namespace, **named)

    def format_help(self) -> str:
        """The text of --help."""
        self._complete()
        return super().format_help()

    def _complete(self) -> None:
        add, self._arguments = self._arguments, None
        if add:
            add(self)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} ({console.program()} --help lists the commands)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            name = argparse._get_action_name(action)
            raise UserError(f"{name} {value!r} is not known; {nearest(value, action.choices)}")

    def flags(self) -> list[str]:
        """All flags of this parser and its actions."""
        self._complete()
        below = [action.choices.values() for action in self._actions if isinstance(action.choices, dict)]
        own = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        return own + [flag for parsers in below for parser in parsers for flag in parser.flags()]


AddArguments = Callable[[CommandParser], None]


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
    made = {
        name: subparsers.add_parser(name, help=help, description=help, allow_abbrev=False, arguments=arguments)
        for name, (help, arguments) in COMMANDS.items()
    }
    return parser, made


def _of_module(name: str, function: str = "add_arguments", *, dataset: str | None = None) -> AddArguments:
    """The arguments of a command that has a module of its own, which is imported when the command is used."""

    def add_arguments(parser: CommandParser) -> None:
        if dataset is not None:
            _add_dataset(parser, dataset)
        getattr(import_module(f"tasks.{name}"), function)(parser)

    return add_arguments


def _add_run(parser: CommandParser) -> None:
    _begin(parser, commands.run, options=True)
    _add_range(parser)
    parser.add_argument(
        "--unremembered",
        action="store_true",
        help="later runs do not use the flags of this one, which must not change what is made: --gan-max-minutes",
    )
    _add_once(parser)
    _add_luigi(parser)


def _add_plan(parser: CommandParser) -> None:
    _begin(parser, commands.plan, options=True)
    _add_range(parser)
    parser.add_argument(
        "--json", action="store_true", help="for programs: a JSON list of {stage, state, reason, remark}, or {error}"
    )


def _add_rerun(parser: CommandParser) -> None:
    _begin(parser, commands.rerun, options=True)
    parser.add_argument("stage", choices=STAGES, help="the stage")
    parser.add_argument("--downstream", action="store_true", help="make all stages after it again, changed or not")
    _add_luigi(parser)


def _add_generate(parser: CommandParser) -> None:
    _begin(parser, commands.generate, options=True)
    parser.add_argument(
        "--class", dest="generate.class_name", default=argparse.SUPPRESS, metavar="NAME", help="--generate-class-name"
    )
    _add_once(parser)
    _add_luigi(parser)


def _add_status(parser: CommandParser) -> None:
    _begin(parser, status.status, dataset="")
    parser.add_argument("--verify", action="store_true", help="read every file and compare its SHA-256")
    parser.add_argument("--drop", action="store_true", help="take the dataset off the list; its folders are kept aside")


def _add_options_command(parser: CommandParser) -> None:
    _begin(parser, settings_commands.options)
    parser.add_argument("--markdown", action="store_true", help="print docs/settings.md: defaults, bounds, meanings")
    parser.add_argument("--json", action="store_true", help="for programs: a JSON list of objects, or {error}")


def _add_remember(parser: CommandParser) -> None:
    _begin(parser, settings_commands.remember)
    parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE", help="as in gan.epochs=20 (default: only list)")
    parser.add_argument("--json", action="store_true", help="for programs: print what `options --json` prints then")


def _add_forget(parser: CommandParser) -> None:
    _begin(parser, settings_commands.forget)
    parser.add_argument("names", nargs="*", metavar="SETTING", help="as in gan.epochs (default: all but the subject)")
    parser.add_argument("--all", action="store_true", help="what the dataset is about too: query, sources, site, ...")
    parser.add_argument("--json", action="store_true", help="for programs: print what `options --json` prints then")


def _add_gc(parser: CommandParser) -> None:
    _add_dataset(parser, DEFAULT_DATASET)
    _add_options(parser)
    _of_module("gc_command")(parser)


def _begin(
    parser: CommandParser, function: commands.Command, *, dataset: str = DEFAULT_DATASET, options: bool = False
) -> None:
    """Add what most commands have: a dataset, and with `options` all settings."""
    parser.set_defaults(function=function)
    _add_dataset(parser, dataset)
    if options:
        _add_options(parser)


def _add_dataset(parser: CommandParser, default: str) -> None:
    parser.add_argument("--dataset", default=default, help="the dataset's name (default: %(default)s)")


def _add_range(parser: CommandParser) -> None:
    parser.add_argument("--refresh", action="store_true", help="crawl again for new pictures")
    parser.add_argument("--until", choices=STAGES, default="", help="only this stage and the stages it needs")


def _add_once(parser: CommandParser) -> None:
    parser.add_argument(
        "--once", action="store_true", help="a trial: later commands neither use its settings nor show what it made"
    )


def _add_luigi(parser: CommandParser) -> None:
    parser.add_argument("--scheduler", metavar="URL", default="", help="luigid to report to (default: none)")
    parser.add_argument("--workers", type=int, default=1, help="processes that run stages (default: %(default)s)")


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
    _begin(parser, commands.labels_check)
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
    parser.set_defaults(function=commands.models_list)
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


# What `--help` lists: each command with its meaning and what adds its arguments
COMMANDS: dict[str, tuple[str, AddArguments]] = {
    "run": ("run every stage that is not up to date", _add_run),
    "plan": ("show which stages a run would make, and why", _add_plan),
    "rerun": ("make one stage again, and the stages that it changes", _add_rerun),
    "generate": ("generate samples with the trained generator", _add_generate),
    "status": ("show the stages, labels and last run of one dataset or all", _add_status),
    "datasets": ("list, archive, restore or delete datasets", _of_module("datasets_command")),
    "options": ("list every setting: its value, where that comes from, its meaning", _add_options_command),
    "remember": ("save settings for a dataset, as if given by flag", _add_remember),
    "forget": ("forget settings that the last run had by flag", _add_forget),
    "labels": ("count, import, export or repair labels", _add_labels),
    "models": ("list the GAN definitions, explain one, check them", _add_models),
    "export": (
        "copy squares, samples or the trained networks into a folder, with metadata or a model card",
        _of_module("export_command", dataset=DEFAULT_DATASET),
    ),
    "tensorboard": (
        "show the trainings of a dataset in TensorBoard",
        _of_module("tensorboard_command", dataset=DEFAULT_DATASET),
    ),
    "trace": (
        "show all that a sample, sample sheet, picture or URL is connected to",
        _of_module("trace_command", dataset=""),
    ),
    "cluster": ("certificates, scheduler and workers of a cluster", _of_module("cluster_command")),
    "studio": (
        "look, label, run, compare and vote in the browser",
        _of_module("studio_server", "add_studio", dataset=""),
    ),
    "web": ("the studio, opened at the page for labelling", _of_module("studio_server", "add_web", dataset="")),
    "sampler": (
        "for the studio: draw samples, as JSON lines on standard input and output say",
        _of_module("sampler_command"),
    ),
    "stylize": ("draw pictures in the style of others", _of_module("stylize_command")),
    "gc": ("delete old artifacts; pictures, labels and current artifacts stay", _add_gc),
    "nightly": ("bring many datasets up to date, each in its turn", _of_module("nightly.nightly_command")),
    "luigid": ("Luigi's scheduler, with its page and its log", _of_module("luigid_command")),
}
