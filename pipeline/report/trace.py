"""From anything that can be named, everything that it is connected to, in both directions.

`trace_subject` finds what is meant; `trace_lineage` goes from a generator back to the download; `trace_picture` has all
that is known about a picture; `trace_model` is the schema of the result, `trace_text` its text for people.
"""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from pipeline.dataset_names import dataset_flag
from pipeline.errors import UserError
from pipeline.report.trace_lineage import TracedDataset, facts_of, lineage_of, number, whole
from pipeline.report.trace_model import ArtifactFacts, Lineage, SampleFacts, SheetFacts, Trace
from pipeline.report.trace_picture import class_of_sample, crawl_rows, nearest_reals, picture_facts
from pipeline.report.trace_subject import Subject, find_subject
from pipeline.store.row_search import Glance, glance, glances


def trace(asked: str, datasets: Sequence[TracedDataset], *, files: bool = True) -> Trace:
    """What `asked` is connected to: a sample, a sample sheet, a square or picture, or a URL.

    Args:
        asked: A path, `ARTIFACT/NUMBER` or a number for a sample, an id or its first digits, or a URL.
        datasets: Those to look in.
        files: Whether the path of any file may be given, which is then compared with the files of the datasets.

    Raises:
        UserError: Nothing of that name is known, or several things are.
    """
    subject = find_subject(asked, datasets, files=files)
    notices: list[str] = []
    made = {"sample": _sample, "sheet": _sheet, "picture": _picture, "url": _url}[subject.kind](subject, notices)
    return Trace.model_validate(
        {"asked": asked, "dataset": subject.dataset.dataset, "kind": subject.kind, **made, "notices": notices}
    )


def _sample(subject: Subject, notices: list[str]) -> dict[str, object]:
    paths = subject.dataset
    generate = glance(paths.generate.root / subject.artifact)
    if generate is None:
        notices.append(f"the samples {subject.artifact} were deleted: what made them is not known any more")
        facts = SampleFacts(number=subject.number, generate=ArtifactFacts(stage="generate", key=subject.artifact))
        return {"sample": facts}
    return {
        "sample": sample_facts(paths, generate, subject.number, notices),
        "lineage": lineage_of_samples(paths, generate, notices),
    }


def sample_facts(paths: TracedDataset, generate: Glance, sample: int | None, notices: list[str]) -> SampleFacts:
    """A sample of the artifact `generate`, with its nearest reals; None for all of them."""
    manifest, file = generate.manifest, None
    count = whole(manifest.summary.get("count")) or 0
    if sample is not None and sample >= count:
        raise UserError(f"{generate.folder} has no sample {sample}: its samples are 0 to {count - 1}")
    if sample is not None:
        file = generate.folder / "images" / f"{sample:0{max(5, len(str(count - 1)))}d}.png"
    seed, truncation, chosen = (manifest.options.get(name) for name in ("seed", "truncation", "class_name"))
    return SampleFacts(
        number=sample,
        file=str(file) if file and file.is_file() else None,
        seed=whole(seed),
        truncation=number(truncation),
        class_name=str(chosen or (class_of_sample(generate, sample, notices) if sample is not None else "")),
        command=generate_command(paths.dataset, seed, count, truncation, chosen),
        kid=number(manifest.summary.get("kid")),
        kid_error=number(manifest.summary.get("kid_error")),
        extractor=str(manifest.summary.get("extractor", "")),
        generate=facts_of("generate", generate),
        nearest=nearest_reals(paths, generate, sample, notices) if sample is not None else [],
    )


def generate_command(dataset: str, seed: object, count: int, truncation: object, class_name: object = "") -> str:
    """The command that makes the first `count` samples of a seed again, with the generator of the last run."""
    more = f" --generate-truncation {truncation}" if truncation else ""
    more += f" --class {shlex.quote(str(class_name))}" if class_name else ""
    flag = dataset_flag(dataset)
    return f"python -m tasks generate --once{flag} --generate-seed {seed} --generate-count {count}{more}"


def lineage_of_samples(paths: TracedDataset, generate: Glance, notices: list[str]) -> Lineage:
    """What the generator of the samples was made from."""
    inputs = generate.manifest.inputs
    generator = inputs.get("gan.generator", "")
    made = [each for each in glances(paths.gan) if each.manifest.outputs.get("generator") == generator]
    before = [each for each in made if each.manifest.created <= generate.manifest.created]
    gan = next(reversed(before or made), None)
    return lineage_of(paths, notices, gan=gan, key=None, kept=inputs.get("filter.kept"), generator=generator)


def _sheet(subject: Subject, notices: list[str]) -> dict[str, object]:
    paths, key = subject.dataset, subject.artifact.partition(".")[0]
    gan = next((each for each in reversed(glances(paths.gan)) if each.folder.name.partition(".")[0] == key), None)
    name = f"epoch-{subject.number:04d}.png"
    folders = [paths.generated / "training" / key, *([gan.folder / "samples"] if gan else [])]
    file = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if file is None:
        _refuse_epoch(folders, name)
    row = _stats_row([folders[0], *([gan.folder] if gan else [])], subject.number)
    facts = SheetFacts(
        file=str(file) if file else None,
        epoch=subject.number or 0,
        kid=number(row.get("kid")),
        extractor=str(row.get("extractor") or ""),
    )
    return {"sheet": facts, "lineage": lineage_of(paths, notices, gan=gan, key=key)}


def _refuse_epoch(folders: Sequence[Path], name: str) -> None:
    for folder in folders:
        if known := sorted(path.name for path in folder.glob("epoch-*.png")):
            raise UserError(f"{folder} has no {name}; its sheets are {known[0]} to {known[-1]}")
    raise UserError(f"there is no training {folders[0].name}, or its sheets were deleted")


def _stats_row(folders: Sequence[Path], epoch: int | None) -> dict[str, object]:
    """The row of `epoch` in the statistics of a training; empty if there is none."""
    wanted = re.compile(rb'"epoch": ' + str(epoch).encode() + rb"[,}]")
    for folder in folders:
        try:
            lines = (folder / "stats.jsonl").read_bytes().splitlines()
        except OSError:
            continue
        for line in reversed(lines):
            try:
                if wanted.search(line) and (row := json.loads(line)).get("epoch") == epoch:
                    return row
            except (ValueError, AttributeError):
                continue
    return {}


def _picture(subject: Subject, notices: list[str]) -> dict[str, object]:
    return {"picture": picture_facts(subject.dataset, subject.id, notices)}


def _url(subject: Subject, notices: list[str]) -> dict[str, object]:
    needle = subject.url.replace("\\", "\\\\").replace('"', '\\"')
    rows = crawl_rows(subject.dataset, [needle], lambda row: row.url == subject.url, notices)
    id = next((row.id for row in rows if row.id), None)
    picture = picture_facts(subject.dataset, id, notices) if id else None
    return {"url": rows, "picture": picture}
