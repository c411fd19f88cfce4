"""Plan, run, status, page, report and options tell one story, whatever was edited, run or run again before.

A walk is a random series of commands, edits of labels and of luigi.cfg, deletions and failures.
"""

import random
import re
import shutil
from pathlib import Path

import pytest

from pipeline.options import STAGE_OPTIONS, STAGES, split_setting
from tasks import label_snapshots, signals
from tests.tasks import fake_stages
from tests.tasks.story import CONFIG, DATASET, DONE, FAILED, FLAGS, STOPPED, Workspace, step_is

STEPS = 6  # of a walk


@pytest.fixture
def workspace(configure, monkeypatch, capsys):
    """A dataset whose stages are fakes."""
    fake_stages.use_fakes(monkeypatch)
    monkeypatch.setattr(signals, "_asked", signals.threading.Event())
    folder = configure(CONFIG)
    (folder / "models").mkdir()
    shutil.copy(Path(__file__).parents[2] / "models" / "dcgan.json", folder / "models")
    return Workspace(configure, capsys)


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


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_after_any_walk_every_command_tells_the_same_story(workspace, seed):
    walk(workspace, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 102))
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


def test_what_an_unremembered_run_makes_is_the_latest_and_its_flags_do_not_bind_the_next(workspace):
    workspace.run("--gan-epochs", "3")
    workspace.run("--gan-max-minutes", "9", "--unremembered")
    kept = workspace.command("remember")[1]
    assert "gan.epochs = 3" in kept
    assert "max_minutes" not in kept
    assert workspace.command("run", "--download-limit", "30", "--unremembered")[0] == 2


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
        stage, option = split_setting(name)
        assert option in STAGE_OPTIONS[stage].model_fields


def test_a_filter_that_reads_a_classifier_again_does_not_say_that_this_is_another(workspace):
    workspace.run()
    workspace.run("--filter-method", "none", "--download-limit", "20")
    step = workspace.plan("--filter-method", "cnn", "--normalize-size", "16")["filter"]
    assert "classifier made other" not in step["reason"]


def test_plan_says_how_a_stage_ended_that_failed(workspace):
    workspace.run("--gan-epochs", "3")
    fake_stages.fail("gan")
    workspace.command("run", "--gan-epochs", "5")
    assert workspace.plan()["gan"]["reason"] == "epochs 3 → 5, failed: the test ends it"
    fake_stages.breaks.clear()
    workspace.run("--gan-epochs", "5")
    assert workspace.plan()["gan"]["reason"] == ""


def test_status_says_that_the_next_run_returns_to_another_artifact(workspace):
    workspace.run("--gan-epochs", "3")
    first = workspace.latest()["gan"].manifest.summary["made"]
    workspace.run("--gan-epochs", "5")
    workspace.command("forget", "gan.epochs")
    workspace.configure(CONFIG.replace("[gan]", "[gan]\nepochs = 3"))
    (line,) = [line for line in workspace.command("status")[1].splitlines() if line.startswith("  gan")]
    assert first not in line
    assert re.search(r"; the next run uses another one that was made before: epochs 5 → 3, was made on ", line)


def test_status_speaks_of_the_last_run_and_counts_the_trials_after_it(workspace):
    workspace.command("run", "--once")
    assert "toads: only trials ran" in workspace.command("status")[1]
    workspace.run("--gan-epochs", "3")
    (before,) = re.findall(r"last run \S+ done", workspace.command("status")[1])
    workspace.run("--gan-epochs", "5", "--once")
    printed = workspace.command("status")[1]
    assert before in printed
    assert "), and 1 trial since then; labels" in printed


def test_settings_with_which_generate_failed_are_not_remembered(workspace):
    workspace.run()
    fake_stages.fail("generate")
    assert workspace.command("generate", "--generate-count", "9")[0] == FAILED
    fake_stages.breaks.clear()
    assert workspace.plan()["generate"] == workspace.plan()["generate"] | {"state": "up to date", "reason": ""}
    assert workspace.command("generate", "--generate-count", "9")[0] == DONE
    assert re.search(r"count = 9 +# remembered", workspace.command("options")[1])


def test_status_shows_what_was_made_though_its_folder_of_pictures_is_away(workspace):
    Path("pictures").mkdir()
    Path("pictures/a.png").write_bytes(b"x")
    workspace.run("--download-sources", "folder", "--download-folder", "pictures")
    made = workspace.latest()["gan"].manifest.summary["made"]
    Path("pictures").rename("away")
    code, printed = workspace.command("status")
    assert code == FAILED
    assert f"  gan        unknown    {made}" in printed
    assert "no such folder" in printed.splitlines()[-1]
