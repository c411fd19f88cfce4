"""What people see of a training while it runs: sheets, scores, plots, alarms."""

import json

import numpy as np
import pytest

from pipeline.gan.classes import Classes
from pipeline.gan.training import observer as module
from pipeline.gan.training.null_observer import NullObserver
from pipeline.gan.training.observer import Observer
from pipeline.images.png import decode_png
from tests.gan.fake_evaluator import ScriptedEvaluator

REALS = np.zeros((30, 8, 8, 3), np.uint8)
LATENTS = np.zeros((25, 4), np.float32)


def row(epoch):
    return {"epoch": epoch, "step": epoch, "images_seen": 0, "d_loss": 1.0, "g_loss": 1.0, "images_per_second": 1.0,
            "seconds": 1.0}  # fmt: skip


class NamedExtractor:
    name = "eyes"


@pytest.fixture
def drawn():
    """How many latents each call of `draw` was given."""
    return []


@pytest.fixture
def draw(drawn):
    def draw(latents):
        drawn.append(len(latents))
        return np.full((len(latents), 8, 8, 3), 200, np.uint8)

    return draw


@pytest.fixture
def observe(tmp_path):
    """`observe(kids)`: an observer that scores with these KIDs, or not at all if None."""

    def observe(kids=None):
        evaluator = None if kids is None else ScriptedEvaluator(NamedExtractor, kids)
        return Observer(tmp_path / "gan", live=tmp_path / "live", evaluator=evaluator)

    return observe


def test_sheets_of_reals_and_samples_are_written_before_any_training_and_copied(tmp_path, observe, draw):
    observe().begin(REALS, draw, LATENTS, None)
    for folder in (tmp_path / "gan" / "samples", tmp_path / "live"):
        assert sorted(path.name for path in folder.iterdir()) == ["epoch-0000.png", "reals.png"]
    samples, reals = (decode_png((tmp_path / "live" / name).read_bytes()) for name in ("epoch-0000.png", "reals.png"))
    assert (samples[:8, :8] == 200).all()
    assert (reals[:8, :8] == 0).all()


def test_evaluation_without_an_evaluator_writes_the_sheet_and_gives_no_scores(tmp_path, observe, draw, drawn):
    assert observe().evaluate(row(3), draw, latents=LATENTS, seed=1, classes=None) == {}
    assert (tmp_path / "live" / "epoch-0003.png").exists()
    assert drawn == [25]


def test_evaluation_draws_once_for_sheet_and_scores_and_names_the_extractor(observe, draw, drawn):
    scores = observe([0.25]).evaluate(row(1), draw, latents=LATENTS, seed=1, classes=None)
    assert scores == {"kid": 0.25, "kid_error": 0.1, "extractor": "eyes"}
    assert drawn == [64]


def test_scored_samples_of_a_conditional_gan_are_of_classes_as_often_as_the_reals(observe, monkeypatch):
    classes = Classes(names=("a", "b"), labels=np.repeat([0, 1], [27, 3]))
    given, scored = [], []

    def draw(latents):
        given.append(latents)
        return np.full((len(latents), 8, 8, 3), latents[:, -2:].argmax(axis=1)[:, None, None, None], np.uint8)

    observer = observe([0.25])
    evaluate = observer.evaluator.evaluate
    monkeypatch.setattr(observer.evaluator, "evaluate", lambda samples: scored.append(samples) or evaluate(samples))
    observer.evaluate(row(1), draw, latents=LATENTS, seed=1, classes=classes)
    (drawn,), (judged,) = given, scored
    assert len(drawn) == len(LATENTS) + 64
    assert len(judged) == 64  # none of the sheet
    assert judged.mean() == pytest.approx(0.1, abs=0.08)


def test_plots_are_drawn_at_the_end_and_not_twice_within_seconds(tmp_path, observe, monkeypatch):
    watcher, plotted = observe(), []
    (tmp_path / "gan" / "stats.jsonl").write_text(json.dumps(row(1)))

    def draw_plots(rows, folder):
        plotted.append(len(rows))
        (folder / "losses.png").write_bytes(b"png")
        return ["losses.png"]

    monkeypatch.setattr(module, "draw_plots", draw_plots)
    watcher.update_plots([row(1)], last=False)
    assert plotted == []
    assert (tmp_path / "live" / "stats.jsonl").exists()
    watcher.update_plots([row(1), row(2)], last=True)
    assert plotted == [2]
    assert (tmp_path / "live" / "losses.png").read_bytes() == b"png"


def test_null_observer_shows_nothing(draw, drawn):
    quiet = NullObserver()
    quiet.begin(REALS, draw, LATENTS, None)
    assert quiet.evaluate(row(1), draw, latents=LATENTS, seed=1, classes=None) == {}
    quiet.update_plots([row(1)], last=True)
    assert drawn == []
