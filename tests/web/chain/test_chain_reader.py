"""The states of stages: by the plan, by the run that works, and by how the last one ended."""

import json
import time

import pytest

from tests.web import chains, fake_trainings
from tests.web.fake_dataset import FakeDataset


@pytest.fixture
def fake(tmp_path):
    return FakeDataset(tmp_path)


def reader(fake, **reasons):
    return chains.read_chain(fake, chains.planning(fake, **reasons))


def planned(chain):
    """The state when the plan was made."""
    end = time.monotonic() + chains.PLAN_SECONDS
    while (state := chain.state()).plan == "being made":
        assert time.monotonic() < end
        time.sleep(0.02)
    return state


def states(state):
    return {each.stage: each.state for each in state.stages}


def stage(state, name):
    return next(each for each in state.stages if each.stage == name)


def test_before_the_plan_is_made_a_stage_has_made_something_or_not(fake):
    chains.filtered(fake)
    state = reader(fake).state()
    assert state.plan == "being made"
    assert states(state) == {
        **dict.fromkeys(("download", "normalize", "filter"), "made"),
        **dict.fromkeys(("classifier", "gan", "generate", "report"), "not made"),
    }


def test_the_plan_gives_states_and_reasons_word_for_word(fake):
    chains.trained(fake)
    fake.label({id: "on" if number < 30 else "off" for number, id in enumerate(fake.ids(80))})
    state = planned(reader(fake, gan="most_steps 300 → 2240", report="never ran"))
    assert states(state)["filter"] == "up to date"
    assert stage(state, "gan").state == "will run"
    assert stage(state, "gan").reason == "most_steps 300 → 2240"
    assert state.next.text == "Run: gan and report are not up to date."


def test_what_was_made_before_with_these_settings_is_named_as_status_names_it(fake):
    chains.trained(fake)
    fake.label({id: "on" if number < 30 else "off" for number, id in enumerate(fake.ids(80))})
    command = chains.planning(fake)
    steps = json.loads((fake.folder / "plan.json").read_text())
    steps[4]["reason"] = "epochs 12 → auto, was made on 2026-01-01"
    (fake.folder / "plan.json").write_text(json.dumps(steps))
    chain = chains.read_chain(fake, command)
    state = planned(chain)
    reason = f"the next run uses another one that was made before: {steps[4]['reason']}"
    assert (stage(state, "gan").state, stage(state, "gan").reason) == ("up to date", reason)
    assert state.next.text == "Run: it uses what gan made before with these settings."
    chains.at_work(
        fake,
        {"event": "stage", "stage": "gan", "outcome": "reused"},
        {"event": "stage_start", "stage": "generate", "key": "a" * 64},
    )
    assert stage(chain.state(), "gan").reason == ""


def test_a_plan_is_made_once_until_something_changes(fake):
    chains.filtered(fake)
    chain = reader(fake, gan="never ran")
    planned(chain)
    for _ in range(5):
        assert chain.state().plan == "current"
    assert chains.plans_made(fake) == 1
    fake.label({fake.ids(1)[0]: "on"})
    assert chain.state().plan == "being made"
    planned(chain)
    assert chains.plans_made(fake) == 2


def test_a_plan_that_cannot_be_made_says_why(fake):
    chains.filtered(fake)
    chain = chains.read_chain(fake, ("sh", "-c", 'echo \'{"error": "luigi.cfg, line 3: no such setting"}\''))
    state = planned(chain)
    assert (state.plan, state.plan_error) == ("failed", "luigi.cfg, line 3: no such setting")


def test_while_a_run_works_its_record_gives_the_states_and_no_plan_is_made(fake):
    chains.in_training(fake)
    chains.at_work(
        fake,
        {"event": "plan", "until": "", "stages": list(chains.STAGES)},
        {"event": "stage", "stage": "filter", "outcome": "reused"},
        {"event": "stage_start", "stage": "gan", "key": "a" * 64},
        {"event": "progress", "stage": "gan", "done": 4, "total": 10, "note": "epoch 4 of 10"},
    )
    chain = reader(fake, gan="never ran")
    state = chain.state()
    assert state.run.state == "running"
    assert (state.run.stage, state.run.percent, state.run.note) == ("gan", 40, "epoch 4 of 10")
    assert states(state)["filter"] == "up to date"
    assert (stage(state, "gan").state, stage(state, "gan").percent) == ("running", 40)
    assert states(state)["generate"] == "may run"
    assert state.next.text == "follow the run"
    time.sleep(0.1)
    assert chains.plans_made(fake) == 0


def test_the_training_of_the_run_is_shown_with_its_newest_sheet_scores_and_alarm(fake):
    chains.filtered(fake)
    old = fake_trainings.training(fake, "old")
    key = chains.advance(fake, 4)
    chains.at_work(fake, {"event": "stage_start", "stage": "gan", "key": key})
    training = reader(fake).state().training
    assert training.key == key != old
    assert (training.epoch, training.epochs, training.sheet_epoch) == (4, 4, 4)
    assert "/sheets/4?v=" in training.sheet
    assert [score.epoch for score in training.scores] == [1, 2, 3, 4]
    assert {score.extractor for score in training.scores} == {"textures-64"}
    assert [(alarm.kind, alarm.start, alarm.end) for alarm in training.alarms] == [("collapse", 3, None)]


@pytest.mark.parametrize(("outcome", "word"), [("failed", "failed"), ("stopped", "stopped"), ("next", "needs you")])
def test_a_stage_at_which_the_last_run_ended_says_so_until_the_plan_has_it_up_to_date(fake, outcome, word):
    chains.filtered(fake)
    chains.ended(fake, outcome, {"event": "stage", "stage": "gan", "outcome": outcome, "error": "the disk is full"})
    state = planned(reader(fake, gan="started but not finished"))
    assert (stage(state, "gan").state, stage(state, "gan").reason) == (word, "the disk is full")
    assert states(planned(reader(fake)))["gan"] == "up to date"


def test_version_changes_with_what_is_shown_and_not_with_progress(fake):
    chains.filtered(fake)
    record = chains.at_work(fake, {"event": "stage_start", "stage": "gan", "key": "b" * 64}) / "record.jsonl"
    chain = reader(fake)
    first = chain.state()
    add(record, '{"event": "progress", "time": "2026-01-03T00:00:05+00:00", "stage": "gan", "done": 1, "total": 2}')
    second = chain.state()
    assert second.run.percent == 50
    assert second.version == first.version
    add(record, '{"event": "stage_start", "time": "2026-01-03T00:00:06+00:00", "stage": "generate", "key": "c"}')
    assert chain.state().version != first.version


def add(record, line):
    with record.open("a") as file:
        file.write(line + "\n")
