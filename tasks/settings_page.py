"""The page docs/settings.md: every setting with its default, the values it accepts and its meaning.

`python -m tasks options --markdown > docs/settings.md` writes it; a test compares the file with the options.
"""

from pydantic.fields import FieldInfo

from pipeline.option_types import Options, accepted, as_text
from pipeline.options import STAGE_OPTIONS
from tasks import machines
from tasks.machines import MachineOptions
from tasks.nightly import night_options
from tasks.nightly.night_options import NightlyOptions
from tasks.settings import SUBJECT

INTRODUCTION = f"""\
# Settings

This page is generated: `python -m tasks options --markdown > docs/settings.md`. `python -m tasks options` prints the
current values, for a dataset if you add `--dataset pikachu`.

Each stage of the pipeline has options of its own. The setting `gan.epochs` is the option `epochs` of the stage `gan`.
Set it with a flag, which is remembered for this dataset, or in luigi.cfg. With `run --once` a flag holds for one run
only. In the name of a flag, `-` stands for `.` and `_`:

```
python -m tasks run --dataset pikachu --gan-epochs 300
make run DATASET=pikachu ARGS="--gan-epochs 300"
```

In luigi.cfg, the section `[gan]` is for every dataset and `[pikachu.gan]` for the dataset pikachu:

```
[gan]
epochs = 200

[pikachu.gan]
epochs = 300
```

Luigi's own command line has one flag for all settings:

```
luigi --module tasks RunPipeline --local-scheduler --dataset pikachu --options 'gan.epochs=300 normalize.size=32'
```

If a setting is given in several places, the first of these wins:

1. a flag
2. what the last run of this dataset used, which is kept in `data/<dataset>/settings.json`
3. luigi.cfg, in a section for the dataset: `[pikachu.gan]`
4. luigi.cfg, in a section for every dataset: `[gan]`
5. the default

So a flag holds until another run changes it, and `status`, `plan`, `generate` and the label page need no flags. A line
of luigi.cfg that was edited after the run wins over what the run used. `run --once` is a trial: its flags are not
remembered, and what it makes does not become the latest. `options` prints where each value comes from, and
`forget gan.epochs` undoes a flag; `forget` undoes all but what the dataset is about:
{", ".join(SUBJECT)}.

A list is written with commas: `query = cat,kitten`. A switch is `true` or `false`; `yes`, `no`, `on` and `off` mean the
same. Where `auto` is accepted, the program chooses. In luigi.cfg, write `%%` for `%`. A wrong name or value stops the
command before anything runs, and the message says what is accepted.

If you change a setting, the next run makes its stage again, and the later stages if the output is different. Settings
marked with \\* are not part of the content key: after a change the stage does not run again if its artifact (its
finished folder) is there. Most of them change only how fast or where a stage works. `classifier.backbone`,
`gan.extractor` and `generate.extractor` do change what is made: the digest of the weights that they name is part of the
content key instead, so the stage runs again when the weights are different. So does `download.demo_seed`, which is part
of the digest of the demo.
"""
NIGHTLY = """\
## nightly

What `python -m tasks nightly` does in one night: [nightly.md](nightly.md).

These are for all datasets, in the section `[nightly]` of luigi.cfg. A flag of `nightly` wins over it for one night:
`--minutes 10`, `--subjects-file subjects.txt`.

"""
# What a reader should know about the settings of a stage besides
NOTES = {
    "normalize": """\
Every picture gets five scores from 0 (it has the problem) to 1 (it has not): `blurry`, `dark`, `light`,
`low_information` and `odd_aspect_ratio`, which are CleanVision's names for these problems. They are in
`data/<dataset>/normalize/latest/images.jsonl`, under `quality`. By default no picture is rejected for its scores: look
at them first, then set for example `normalize.blurry` to 0.3.
""",
    machines.SECTION: """\
These are for all datasets: the section of luigi.cfg is `[machines]`, and the flags are `--storage` and `--cluster`.
They are not remembered, and not part of any content key. [cluster.md](cluster.md) explains them.
""",
}


def as_markdown() -> str:
    """The whole page."""
    sections: dict[str, type[Options]] = {**STAGE_OPTIONS, machines.SECTION: MachineOptions}
    shown = [_section(name, options) for name, options in sections.items()]
    return "\n".join([INTRODUCTION, *shown, NIGHTLY + _table(night_options.SECTION, NightlyOptions)])


def _section(stage: str, options: type[Options]) -> str:
    note = [NOTES[stage]] if stage in NOTES else []
    return "\n".join([f"## {stage}", "", (options.__doc__ or "").splitlines()[0], "", *note, _table(stage, options)])


def _table(section: str, options: type[Options]) -> str:
    head = ["| setting | default | accepts | meaning |", "|---|---|---|---|"]
    rows = [row(section, name, field) for name, field in options.model_fields.items()]
    return "\n".join([*head, *rows, ""])


def row(stage: str, name: str, field: FieldInfo) -> str:
    """The row of one setting in the table of its stage."""
    default = f"`{text}`" if (text := as_text(field.default)) else ""
    mark = r"\*" if field.exclude else ""
    return f"| `{stage}.{name}`{mark} | {default} | {accepted(field)} | {field.description} |"
