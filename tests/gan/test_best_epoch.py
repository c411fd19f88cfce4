"""One best epoch everywhere: best weights, alarm, plot, card, summary, report, and the history of `Dcgan`."""

import json

import pytest

from pipeline.gan import Dcgan, plots
from pipeline.gan.evaluation.features import FeatureExtractor
from pipeline.gan.history import History
from pipeline.gan.training.checkpoint import read_arrays
from pipeline.store.jsonl import read_rows
from tests.gan.fake_evaluator import ScriptedEvaluator

# The KID is on a plateau from epoch 5, which is told at epoch 7; within its error it is lowest later, at epoch 11
KIDS = [0.9, 0.6, 0.4, 0.45, 0.36, 0.42, 0.4, 0.41, 0.4, 0.39, 0.33, 0.4]
LOWEST = "0.3300 ± 0.1000 at epoch 11"


@pytest.mark.parametrize(("pretrained", "drawn"), [(True, 11), (False, 12)])
def test_every_text_names_the_same_best_epoch(make_workspace, fake_steps, monkeypatch, pretrained, drawn):
    extractor = FeatureExtractor(name="stub", features=len, pretrained=pretrained)
    monkeypatch.setattr("pipeline.gan.train_gan.SampleEvaluator", lambda *_, **__: ScriptedEvaluator(extractor, KIDS))
    workspace = make_workspace()
    summary = workspace.train("a", epochs=len(KIDS), sample_every=1).summary
    folder = workspace.folder("a")
    rows, card = [*read_rows(folder / "stats.jsonl")], json.loads((folder / "card.json").read_text())
    (told,) = [text for row in rows for text in row.get("alarms", [])]
    assert "0.3600 ± 0.1000 at epoch 5" in told  # the lowest at that time
    assert int(read_arrays(folder / "best.npz")["epoch"]) == 11
    assert (summary["best_epoch"], summary["best_kid"], summary["epoch_kept"]) == (11, 0.33, drawn)
    (alarm,) = summary["notices"]
    assert alarm.startswith("alarm since epoch 5: ")
    assert LOWEST in alarm
    assert (card["best"]["epoch"], card["drawn"]["epoch"], card["notices"]) == (11, drawn, [alarm])
    readme = (folder / "README.md").read_text()
    assert ("The lowest KID was " + LOWEST in readme) is not pretrained
    assert summary["drawn_from"].startswith(
        f"epoch {drawn}, {'at which the KID by stub was lowest' if pretrained else 'the last'}"
    )
    assert summary["drawn_from"] == card["drawn"]["why"]
    assert f"`generator.keras` is the generator of {summary['drawn_from']}." in readme
    labels = [line.get_label() for line in plots.figures(rows)["scores"].axes[0].get_lines()]
    assert f"lowest: {LOWEST}" in labels
    assert History(tuple(rows)).best_epoch == 11
    assert LOWEST in repr(Dcgan.load(folder))
