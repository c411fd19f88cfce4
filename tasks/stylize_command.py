"""The command `python -m tasks stylize`: draw pictures in the style of others, each an artifact below `--out`."""

import os
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import Stopped, UserError, disk_faults
from pipeline.option_types import accepted, as_text, field_of, parse
from pipeline.pretrained import Weights
from pipeline.progress import Progress, ShouldStop
from pipeline.result import Result
from pipeline.style.drawn_content import DrawnContent
from pipeline.style.style_networks import check_layers, find_network, identify
from pipeline.style.style_options import StyleOptions, layer_weights, style_shares
from pipeline.style.style_pictures import as_picture, find_pictures
from tasks import console, error_text, isolation, paths, runner, signals, trained_generators
from tasks.stylized_results import Content, StylizedResults

DATASET_PREFIX = "dataset:"
DEFAULT_SAMPLES, MOST_SAMPLES = 8, 10_000
COMMAND = "stylize"


def add_arguments(command: ArgumentParser) -> None:
    """The arguments of the command: a flag for each of the options, and what they are about."""
    command.set_defaults(function=stylize)
    command.add_argument(
        "content",
        metavar="CONTENT",
        help="a picture, a folder of pictures, or dataset:NAME for samples of that dataset's generator",
    )
    command.add_argument(
        "styles", nargs="+", metavar="STYLE", help="the pictures whose style is used; several are mixed"
    )
    command.add_argument(
        "--out", required=True, metavar="DIR", help="where the results go; one that is there already is kept"
    )
    command.add_argument(
        "--samples",
        type=int,
        default=None,
        metavar="N",
        help=f"with dataset:NAME, how many samples are drawn; --seed says which (default: {DEFAULT_SAMPLES})",
    )
    command.add_argument(
        "--download",
        action="store_true",
        help="fetch the published weights of the network (VGG19 with auto) if they are not here; says what it fetches",
    )
    for name, field in StyleOptions.model_fields.items():
        command.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"{COMMAND}.{name}",
            default=SUPPRESS,
            metavar="VALUE",
            help=f"{field.description} (default: {as_text(field.default) or 'empty'}; {accepted(field)})".replace(
                "%", "%%"
            ),
        )


def stylize(arguments: Namespace) -> int:
    """Draw CONTENT in the style of each STYLE into --out; what is there already is not made again."""
    options = read_options(arguments)
    pictures = [as_picture(style, "style") for style in arguments.styles]
    styles = [Path(os.path.expanduser(style)) for style in arguments.styles]
    style_shares(options.mix, len(pictures))
    out = _out_folder(arguments.out, arguments.content)
    contents = _contents(arguments.content, options, samples=arguments.samples)
    weights = find_network(options.network, download=arguments.download, say=partial(console.print_line, COMMAND))
    network = identify(weights)
    check_layers(network, layer_weights(options.content_layers), "content_layers")
    check_layers(network, layer_weights(options.style_layers), "style_layers")
    console.print_line(COMMAND, f"network: {network.describe(weights)}")
    inputs = {f"style-{number}": style.digest for number, style in enumerate(pictures, start=1)} | {
        "network": f"{network.name} {weights.digest}"
    }
    results = StylizedResults(
        out,
        contents,
        options=options.effective(network.name, len(styles)),
        inputs=inputs,
    )
    _refuse_own_results([*styles, *(content.source for content in contents)], results.pictures)
    work = partial(_make, options, styles=styles, weights=weights, digests=[style.digest for style in pictures])
    try:
        with signals.listening():
            results.make(work)
    except Stopped as stop:
        print(str(stop) or error_text.STOPPED, file=sys.stderr)
        return runner.EXIT_STOPPED
    except isolation.StageCrashed as error:
        print(f"error: {error_text.one_line(error)} ({results.log} has more)", file=sys.stderr)
        return runner.EXIT_FAILED
    for path in results.pictures:
        print(path)
    return 0


def read_options(arguments: Namespace) -> StyleOptions:
    """The options that the flags give. Errors: `UserError` that names the flag."""
    values = {}
    for name, text in vars(arguments).items():
        stage, dot, option = name.partition(".")
        if dot and stage == COMMAND:
            values[option] = parse(field_of(StyleOptions, option, COMMAND), text, f"--{option.replace('_', '-')}")
    return StyleOptions(**values)


def _out_folder(out: str, content: str) -> Path:
    """The folder of the results. Errors: `UserError` if it is that of the content, which would be drawn again."""
    if not out:
        raise UserError("--out is empty; name a folder")
    folder, given = Path(os.path.expanduser(out)), Path(os.path.expanduser(content))
    if given.is_dir() and folder.is_dir() and folder.samefile(given):
        raise UserError(f"--out {out} is the folder of the content; name another one")
    return folder


def _refuse_own_results(sources: list[Any], pictures: list[Path]) -> None:
    """Raise a `UserError` for a content or style that the results would replace, so that the next call had another."""
    replaced = {picture.resolve() for picture in pictures}
    for source in sources:
        if isinstance(source, Path) and source.resolve() in replaced:
            raise UserError(f"{source} would be replaced by a result; name another folder with --out")


def _contents(content: str, options: StyleOptions, *, samples: int | None) -> list[Content]:
    """What is to be drawn: files, or samples of a generator."""
    if not content:
        raise UserError("content is empty; name a picture, a folder or dataset:NAME")
    if content.startswith(DATASET_PREFIX):
        count = DEFAULT_SAMPLES if samples is None else samples
        return _samples(content.removeprefix(DATASET_PREFIX), count, options.seed)
    if samples is not None:
        raise UserError(
            f"--samples {samples}: only with samples of a dataset as content, for example dataset:demo, not {content}"
        )
    path = Path(os.path.expanduser(content))
    if not path.exists() and content in paths.datasets():
        raise UserError(f"content {content}: there is no such file; did you mean '{DATASET_PREFIX}{content}'?")
    return _folder(path, options) if path.is_dir() else [_file(path, options)]


def _file(path: Path, options: StyleOptions) -> Content:
    picture = as_picture(path, "content")
    try:
        options.sizes(picture.aspect)
    except UserError as error:
        raise UserError(f"content {path}: {error}") from None
    return Content(source=path, name=path.stem, digest=picture.digest, aspect=picture.aspect)


def _folder(folder: Path, options: StyleOptions) -> list[Content]:
    """The pictures of a folder; those that cannot be used are named and left out, unless none is left."""
    found, reasons = [], []
    for path in find_pictures(folder):
        try:
            found.append(_file(path, options))
        except UserError as error:
            reasons.append(str(error))
    if not found:
        raise UserError(f"{folder} has no picture that can be used: {reasons[0]}")
    for reason in reasons:
        console.print_line(COMMAND, f"left out: {reason}")
    return found


def _samples(dataset: str, count: int, seed: int) -> list[Content]:
    """Samples of the generator that the last run of `dataset` trained or used."""
    if not 1 <= count <= MOST_SAMPLES:
        raise UserError(
            f"--samples {count}: expected a whole number, at least 1, at most {MOST_SAMPLES:,}, for example"
            f" {DEFAULT_SAMPLES}"
        )
    try:
        trained = trained_generators.of_dataset(dataset)
    except UserError as error:
        raise UserError(f"content {DATASET_PREFIX}{dataset}: {error}") from None
    drawn = [
        DrawnContent(
            gan=trained.folder,
            generator=trained.manifest.outputs["generator"],
            dataset=dataset,
            seed=seed,
            number=number,
        )
        for number in range(count)
    ]
    return [Content(source=each, name=each.name, digest=each.digest) for each in drawn]


def _make(
    options: StyleOptions,
    content: Content,
    *,
    styles: list[Path],
    weights: Weights,
    digests: list[str],
    folder: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> Result:
    """Draw one content, in a process of its own, which alone loads TensorFlow."""
    from pipeline.style.stylized_folder import make_stylized

    with disk_faults(folder):
        return make_stylized(
            options,
            content=content.source,
            styles=styles,
            weights=weights,
            digests=[content.digest, *digests],
            folder=folder,
            progress=progress,
            should_stop=should_stop,
        )
