"""Facts of a run by its record: without its progress, and short whatever the record holds."""

import json

from pipeline.web.trainings.run_facts import full_settings, read_facts, run_folders, runs_that_began
from tests.web.fake_trainings import run

NAME = "20260102-000000-000000-1"


def options(**settings):
    text = json.dumps({name.replace("__", "."): value for name, value in settings.items()})
    return {"event": "options", "settings": text, "labels": "l" * 64, "forced": "", "once": False}


def test_facts_say_what_ran_and_how_it_ended(fake_dataset):
    folder = run(
        fake_dataset,
        NAME,
        options(gan__seed=3),
        {"event": "stage_start", "stage": "gan", "key": "k" * 64},
        *({"event": "progress", "stage": "gan", "done": done, "total": 9} for done in range(9)),
        {"event": "stage", "stage": "filter", "outcome": "reused", "made": "kept 20", "key": "f" * 64},
        {"event": "stage", "stage": "gan", "outcome": "failed", "error": "losses are NaN", "key": "k" * 64},
        {"event": "end", "outcome": "failed", "error": "gan failed: losses are NaN", "seconds": 12.5},
    )
    facts = read_facts(folder)
    assert (facts.outcome, facts.reason, facts.seconds) == ("failed", "gan failed: losses are NaN", 12.5)
    assert [(each.stage, each.outcome) for each in facts.stages] == [("filter", "reused"), ("gan", "failed")]
    assert facts.keys == {"gan": "k" * 64, "filter": "f" * 64}
    assert facts.settings == {"gan.seed": 3}


def test_record_that_grows_is_read_again(fake_dataset):
    folder = run(fake_dataset, NAME, options())
    assert read_facts(folder).outcome == ""
    with (folder / "record.jsonl").open("a") as file:
        file.write('{"event": "end", "time": "2026-01-02T00:00:09+00:00", "outcome": "done", "seconds": 9}\n')
    assert read_facts(folder).outcome == "done"


def test_megabytes_in_a_record_do_not_stay_in_memory(fake_dataset):
    long = "x" * 100_000
    folder = run(
        fake_dataset,
        NAME,
        {"event": "options", "settings": json.dumps({"gan.seed": 1, "download.site": long}), "labels": long},
        {"event": "stage", "stage": "filter", "outcome": "ran", "made": long, "summary": {"kept": 3, "x": long}},
        {"event": "end", "outcome": "failed", "error": long},
    )
    facts = read_facts(folder)
    assert facts.settings == {"gan.seed": 1}
    assert facts.figures == {"filter": {"kept": 3}}
    assert len(facts.reason) + len(facts.stages[0].text) + len(facts.state.labels) < 5000


def test_settings_that_are_no_settings_are_unknown(fake_dataset):
    for number, text in enumerate(["[]", "{", "[" * 100_000, 7]):
        event = {"event": "options", "settings": text, "labels": ""}
        assert read_facts(run(fake_dataset, f"2026010{number + 1}-000000-0-1", event)).settings is None


def test_settings_that_are_not_given_are_the_defaults():
    settings = full_settings({"gan.seed": 7})
    assert (settings["gan.seed"], settings["gan.epochs"], settings["normalize.size"]) == (7, None, 64)


def test_runs_are_found_newest_first_and_by_the_training_that_they_began(fake_dataset):
    for day, key in ((2, "a"), (4, "b"), (3, "a")):
        run(fake_dataset, f"2026010{day}-000000-0-1", {"event": "stage_start", "stage": "gan", "key": key * 64})
    (fake_dataset.data / "runs" / "empty").mkdir()
    runs = fake_dataset.data / "runs"
    assert [folder.name[:8] for folder in run_folders(runs)] == ["20260104", "20260103", "20260102"]
    assert runs_that_began(runs, "gan") == {"b" * 64: "20260104-000000-0-1", "a" * 64: "20260103-000000-0-1"}
    assert read_facts(runs / "empty") is None
