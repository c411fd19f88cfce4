"""A dataset with fake stages, the commands of its user, and what must hold after each."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from pipeline.option_types import as_text
from pipeline.options import STAGES
from pipeline.store.artifacts import Artifact
from pipeline.web.labelling.picture_index import PictureIndexCache
from tasks import label_snapshots, paths, run_log, settings, studio_server
from tasks.cli import main

DONE, FAILED, STOPPED = 0, 1, 130  # exit codes
DATASET = "toads"


FLAGS = {
    "download.limit": (20, 30),
    "normalize.size": (16, 32),
    "classifier.seed": (0, 1),
    "filter.method": ("cnn", "none"),
    "gan.epochs": (3, 5),
    "gan.max_minutes": (0.0, 9.0),
    "gan.total_minutes": (0.0, 9.0),
    "generate.count": (4, 9),
    "report.thumbnails": (100, 50),
}


CONFIG = "[toads.download]\nquery = toad\n[classifier]\nbackbone = none\n[gan]\nextractor = own\n"


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
        planned = self.plan(*[flag for flag in flags if flag not in ("--once", "--unremembered")])
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
        overrides = dict(zip([setting(flag) for flag in flags[::2]], flags[1::2], strict=False))
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
            old_value = before.manifest.options.get(name, now[stage].left_out(name))
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
        if reason == "was not made with these settings":
            return before is None and bool(store.folders())
        if reason == "failed: the test ends it":
            return any(record.stages().get(stage) == "failed" for record in run_log.newest(DATASET))
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
        index = PictureIndexCache(studio_server.dataset_paths(DATASET)).current()
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


def setting(flag: str) -> str:
    stage, _, name = flag.removeprefix("--").partition("-")
    return f"{stage}.{name.replace('-', '_')}"
