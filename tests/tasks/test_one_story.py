"""Plan, run, status, page, report and options tell one story, whatever was edited, run or run again before.

A walk is a random series of commands, edits of labels and of luigi.cfg, deletions and failures.
"""

import json
import random
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.option_types import as_text
from pipeline.options import STAGE_OPTIONS, STAGES
from pipeline.store.artifacts import Artifact
from pipeline.web.picture_index import PictureIndexCache
from tasks import label_server, label_snapshots, paths, run_log, settings, signals
from tasks.cli import main
from tests.tasks import fake_stages

DATASET = "toads"
FLAGS = {
    "download.limit": (20, 30),
    "normalize.size": (16, 32),
    "classifier.seed": (0, 1),
    "filter.method": ("cnn", "none"),
    "gan.epochs": (3, 5),
    "gan.max_minutes": (0.0, 9.0),
    "generate.count": (4, 9),
    "report.thumbnails": (100, 50),
}
CONFIG = "[toads.download]\nquery = toad\n[classifier]\nbackbone = none\n[gan]\nextractor = own\n"
STEPS = 6  # of a walk
DONE, FAILED, STOPPED = 0, 1, 130


@pytest.fixture
def workspace(configure, monkeypatch, capsys):
    """A dataset whose stages are fakes."""
    fake_stages.use_fakes(monkeypatch)
    monkeypatch.setattr(signals, "_asked", signals.threading.Event())
    folder = configure(CONFIG)
    (folder / "models").mkdir()
    shutil.copy(Path(__file__).parents[2] / "models" / "dcgan.json", folder / "models")
    return Workspace(configure, capsys)


@dataclass
class Workspace:
    """The commands of a user, with what must hold of each."""

    configure: Any
    capsys: Any
    story: list[str] = field(default_factory=list)  # what was done, for the message of a failed assert

    def command(self, *words: str) -> tuple[int, str]:
        """Exit code and standard output of a command."""
        self.story.append(" ".join(words))
        self.capsys.readouterr()
        code = main([*words, "--dataset", DATASET])
        printed = self.capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out

    def plan(self, *flags: str) -> dict[str, dict[str, str]]:
        code, printed = self.command("plan", "--json", *flags)
        assert code == DONE
        return {step["stage"]: step for step in json.loads(printed)}

    def latest(self) -> dict[str, Artifact | None]:
        return {stage: paths.artifact_store(DATASET, stage).latest() for stage in STAGES}

    def made(self) -> set[str]:
        """The stages that the last run made."""
        record = run_log.last(DATASET)
        return {stage for stage, outcome in record.stages().items() if outcome == "ran"} if record else set()

    def run(self, *flags: str, expected: int = DONE) -> None:
        """Plan, then run, then compare."""
        planned = self.plan(*[flag for flag in flags if flag != "--once"])
        before = self.latest()
        self.check_reasons(planned, before, flags)
        code, _ = self.command("run", *flags)
        nothing_to_do = all(step["state"] == "up to date" for step in planned.values())
        assert code == (DONE if nothing_to_do else expected)
        self.check_made(planned, whole=code == DONE)
        if "--once" in flags:
            after = self.latest()
            assert {stage: found and found.folder for stage, found in after.items()} == {
                stage: found and found.folder for stage, found in before.items()
            }
        elif code == DONE:
            self.check_agreement()

    def check_made(self, planned: dict[str, dict[str, str]], *, whole: bool) -> None:
        """The run made what the plan said."""
        states = {state: {s for s, step in planned.items() if step["state"] == state} for state in STATES}
        assert self.made() <= states["will run"] | states["may run"], self.story
        if whole:
            assert states["will run"] <= self.made(), self.story

    def check_reasons(self, planned: dict[str, dict[str, str]], last: dict[str, Artifact | None], flags: Any) -> None:
        """Each reason is true of the artifact that the last run used and of the settings of this one."""
        overrides = dict(zip([_setting(flag) for flag in flags[::2]], flags[1::2], strict=False))
        overrides = {name: text for name, text in overrides.items() if name in FLAGS}
        now = settings.resolve(DATASET, overrides)
        for stage, step in planned.items():
            assert step["state"] == "up to date" or step["reason"], self.story
            for reason in re.split(", (?!.* makes something new)", step["reason"]) if step["reason"] else []:
                assert self.is_true(reason, stage, last, now, planned), (stage, reason, self.story)

    def is_true(self, reason: str, stage: str, last: Any, now: Any, planned: Any) -> bool:
        store, before = paths.artifact_store(DATASET, stage), last[stage]
        if reason.startswith("labels changed"):
            return before.manifest.inputs["labels"] != label_snapshots.take_snapshot(DATASET, now)
        if reason == "never ran":
            return not store.folders()
        if found := re.fullmatch(r"(\w+) (.+) → (.+)", reason):
            name, old, new = found.groups()
            old_value = before.manifest.options.get(name)
            return (as_text(old_value), as_text(getattr(now[stage], name))) == (old, new)
        if found := re.fullmatch(r"(\w+) made other (\w+)", reason):
            upstream, output = found.groups()
            return planned[upstream]["state"] == "up to date" and f"{upstream}.{output}" in before.manifest.inputs
        if found := re.fullmatch(r"(\w+) ran", reason):
            return planned[found[1]]["state"] == "up to date"
        if found := re.fullmatch(r"if (.+) makes something new", reason):
            return all(planned[name]["state"] != "up to date" for name in re.split(r", | or ", found[1]))
        if reason == f"{store.root / store.latest_name()} of the last run was deleted":
            return before is None and bool(store.latest_name())
        if reason.startswith("started but not finished"):
            return any(store.root.glob(".work-*"))
        if found := re.fullmatch(r"was made on (\S+)", reason):
            return step_is(planned, stage, "up to date")
        return reason == "resumes"

    def check_agreement(self) -> None:
        """After a run every command speaks of what it used."""
        latest, planned = self.latest(), self.plan()
        assert [(step["state"], step["reason"]) for step in planned.values()] == [("up to date", "")] * len(planned)
        used = {stage: found for stage, found in latest.items() if stage in planned}
        assert all(used.values())
        _, status = self.command("status")
        for stage, found in used.items():
            assert f"{stage:<11}up to date {found.manifest.summary['made']}" in status, self.story
        inputs = used["report"].manifest.inputs
        assert inputs == {f"{stage}.folder": used[stage].folder.name for stage in used if stage != "report"} | {}
        index = PictureIndexCache(label_server.dataset_paths(DATASET)).current()
        assert index.squares == used["normalize"].folder
        assert index.filter.folder == used["filter"].folder
        if "classifier" in used:
            assert index.classifier.folder == used["classifier"].folder
        self.check_options(used)

    def check_options(self, used: dict[str, Artifact]) -> None:
        """`options` prints the values that the last run used."""
        _, printed = self.command("options")
        section, shown = "", {}
        for line in printed.splitlines():
            section = line[1:-1] if line.startswith("[") else section
            name, _, value = line.partition("#")[0].partition(" = ")
            shown[f"{section}.{name}"] = value.strip()
        for stage, found in used.items():
            for name, value in found.manifest.options.items():
                value = tuple(value) if isinstance(value, list) else value
                assert shown[f"{stage}.{name}"] == as_text(value), (stage, name, self.story)


STATES = ("up to date", "will run", "may run")


def step_is(planned: dict[str, dict[str, str]], stage: str, state: str) -> bool:
    return planned[stage]["state"] == state


def _setting(flag: str) -> str:
    stage, _, name = flag.removeprefix("--").partition("-")
    return f"{stage}.{name.replace('-', '_')}"


def _flag(name: str) -> str:
    return f"--{name.replace('.', '-').replace('_', '-')}"


def walk(workspace: Workspace, seed: int) -> None:
    """A random series of what a user does."""
    chance = random.Random(seed)
    workspace.run()
    for _ in range(STEPS):
        act = chance.choice(ACTS)
        act(workspace, chance)


def some_flags(chance: random.Random) -> list[str]:
    names = chance.sample(sorted(FLAGS), chance.randint(0, 2))
    return [word for name in names for word in (_flag(name), str(chance.choice(FLAGS[name])))]


def run_with_flags(workspace: Workspace, chance: random.Random) -> None:
    workspace.run(*some_flags(chance))


def run_again(workspace: Workspace, chance: random.Random) -> None:
    workspace.run()


def run_a_trial(workspace: Workspace, chance: random.Random) -> None:
    workspace.run(*some_flags(chance), "--once")


def edit_luigi_cfg(workspace: Workspace, chance: random.Random) -> None:
    name = chance.choice(sorted(FLAGS))
    stage, option = name.split(".")
    line = f"[{DATASET}.{stage}]\n{'' if stage == 'download' else f'{option} = {chance.choice(FLAGS[name])}'}\n"
    workspace.story.append(line)
    workspace.configure(CONFIG if stage == "download" else CONFIG + line)
    workspace.run()


def edit_labels(workspace: Workspace, chance: random.Random) -> None:
    ids = [f"{number:064x}" for number in range(chance.randint(1, 9))]
    workspace.story.append(f"labels {len(ids)}")
    labels = {id: chance.choice(("on", "off", None)) for id in ids}
    label_snapshots.log(DATASET).append(labels, how="page")
    workspace.run()


def fail_and_run(workspace: Workspace, chance: random.Random) -> None:
    stage = chance.choice(STAGES)
    chance.choice((fake_stages.fail, fake_stages.stop))(stage)
    workspace.story.append(f"{fake_stages.breaks}")
    planned = workspace.plan()
    code, _ = workspace.command("run", *some_flags(chance))
    assert code in (DONE, FAILED, STOPPED)
    fake_stages.breaks.clear()
    assert planned
    workspace.run()


def make_again(workspace: Workspace, chance: random.Random) -> None:
    stages = sorted(workspace.plan())
    downstream = ["--downstream"] if chance.random() < 0.3 else []
    code, _ = workspace.command("rerun", chance.choice(stages), *downstream)
    assert code == DONE
    workspace.check_agreement()


def generate_more(workspace: Workspace, chance: random.Random) -> None:
    code, folder = workspace.command("generate", "--generate-count", str(chance.choice((4, 9))))
    assert code == DONE
    assert Path(folder.strip()) == workspace.latest()["generate"].folder
    workspace.run()


def delete_an_artifact(workspace: Workspace, chance: random.Random) -> None:
    found = chance.choice([artifact for artifact in workspace.latest().values() if artifact])
    workspace.story.append(f"rm {found.folder}")
    shutil.rmtree(found.folder)
    workspace.run()


def collect_garbage(workspace: Workspace, chance: random.Random) -> None:
    code, _ = workspace.command("gc", "--keep", str(chance.choice((0, 1))))
    assert code == DONE
    workspace.check_agreement()


def forget(workspace: Workspace, chance: random.Random) -> None:
    workspace.command("forget")
    workspace.run()


ACTS = (
    run_with_flags,
    run_with_flags,
    run_again,
    run_a_trial,
    edit_luigi_cfg,
    edit_labels,
    edit_labels,
    fail_and_run,
    make_again,
    generate_more,
    delete_an_artifact,
    collect_garbage,
    forget,
)


@pytest.mark.parametrize("seed", range(10))
def test_after_any_walk_every_command_tells_the_same_story(workspace, seed):
    walk(workspace, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 110))
def test_after_a_hundred_walks_every_command_tells_the_same_story(workspace, seed):
    walk(workspace, seed)


def test_plan_of_earlier_options_says_that_they_were_made_before(workspace):
    workspace.run("--gan-epochs", "3")
    workspace.run("--gan-epochs", "5")
    step = workspace.plan("--gan-epochs", "3")["gan"]
    assert step["state"] == "up to date"
    assert re.fullmatch(r"epochs 5 → 3, was made on \d{4}-\d\d-\d\d", step["reason"])


def test_plan_does_not_promise_a_training_that_may_be_there_already(workspace):
    workspace.run("--gan-epochs", "3")
    workspace.run("--gan-epochs", "5", "--filter-method", "none")
    planned = workspace.plan("--gan-epochs", "3", "--report-thumbnails", "7")
    assert step_is(planned, "gan", "will run")  # never trained 3 epochs on these squares
    workspace.run("--filter-method", "cnn", "--classifier-seed", "1")
    planned = workspace.plan("--classifier-seed", "2", "--gan-epochs", "3")
    assert planned["gan"] == {**planned["gan"], "state": "may run", "reason": "if filter makes something new"}


def test_status_shows_what_the_last_run_used_not_the_newest(workspace):
    workspace.run("--gan-epochs", "3")
    first = workspace.latest()["gan"].manifest.summary["made"]
    workspace.run("--gan-epochs", "5")
    workspace.run("--gan-epochs", "3")
    assert f"gan        up to date {first}" in workspace.command("status")[1]


def test_a_trial_leaves_every_command_as_it_was(workspace):
    workspace.run()
    told = [workspace.command(*words) for words in (["status"], ["plan"], ["options"])]
    workspace.run("--gan-epochs", "5", "--normalize-size", "16", "--once")
    after = [workspace.command(*words) for words in (["status"], ["plan"], ["options"])]
    assert [out.splitlines()[1:] for _, out in after] == [out.splitlines()[1:] for _, out in told]


def test_trainings_that_share_their_best_epoch_say_so(workspace):
    workspace.run("--gan-epochs", "5")
    first = workspace.latest()["gan"]
    workspace.run("--gan-epochs", "8")
    latest = workspace.latest()
    assert latest["gan"].manifest.summary["notices"] == [
        f"its generator is the same as that of {first.folder} (5 epochs): both are of epoch 5"
    ]
    assert latest["generate"].manifest.run == first.manifest.run  # the samples are the same too


def test_every_setting_of_a_walk_is_one():
    for name in FLAGS:
        stage, option = settings.split(name)
        assert option in STAGE_OPTIONS[stage].model_fields
