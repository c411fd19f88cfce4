import subprocess
import sys

import cv2
import numpy as np
import pytest

from pipeline.gan.plots import Curve, draw_plots, figures

ALL = {"losses.png", "accuracy.png", "probabilities.png", "gradients.png", "speed.png", "scores.png"}
LINE, OFF = (0x7A, 0x50, 0x31), (0x3B, 0x52, 0xB5)  # BGR


def row(epoch: int, **figures) -> dict:
    """A row of stats.jsonl with every value."""
    always = {"d_loss": 1.2, "g_loss": 1.5, "d_accuracy": 0.8, "d_real": 0.7, "d_fake": 0.3, "images_per_second": 90.0}
    rest = {"d_gradient": 2.0, "g_gradient": 0.4, "kid": 0.3 / epoch, "kid_error": 0.01, "kid_floor": 0.002}
    return {"epoch": epoch, **always, **rest, "precision": 0.5, "recall": 0.1, **figures}


def shown(path, colour) -> int:
    """The number of pixels of exactly this colour in a plot."""
    return int((cv2.imread(str(path)) == colour).all(axis=2).sum())


@pytest.mark.parametrize("epochs", [1, 7, 200])
def test_every_plot_is_drawn_for_few_and_many_epochs(tmp_path, epochs):
    written = draw_plots([row(epoch) for epoch in range(1, epochs + 1)], tmp_path)
    assert set(written) == ALL == {path.name for path in tmp_path.iterdir()}
    for name in ALL:
        assert shown(tmp_path / name, LINE if name != "probabilities.png" else OFF) > 20


def test_missing_values_are_not_drawn(tmp_path):
    rows = [{"epoch": 1, "d_loss": 1.0, "g_loss": None}, {"epoch": 2, "d_loss": float("nan"), "kid": None}]
    assert draw_plots(rows, tmp_path, prefix="training-") == ["training-losses.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["training-losses.png"]
    assert shown(tmp_path / "training-losses.png", LINE) > 20
    assert shown(tmp_path / "training-losses.png", OFF) == 0


def test_skipped_steps_are_plotted_if_there_are_any(tmp_path):
    assert "skipped.png" not in draw_plots([row(1, d_skipped=0), row(2, d_skipped=0)], tmp_path)
    assert "skipped.png" in draw_plots([row(1, d_skipped=0), row(2, d_skipped=7)], tmp_path)
    assert shown(tmp_path / "skipped.png", LINE) > 20


def test_no_rows_give_no_plots(tmp_path):
    assert draw_plots([], tmp_path) == []


def test_scores_of_a_few_epochs_are_plotted(tmp_path):
    rows = [{"epoch": 1}, {"epoch": 10, "kid": -0.001, "kid_error": None}, {"epoch": 20, "recall": 0.2}]
    assert draw_plots(rows, tmp_path) == ["scores.png"]


def test_smoothed_line_follows_the_mean_up_to_the_ends():
    rows = [{"epoch": epoch, "g_loss": epoch + (-1) ** epoch} for epoch in range(200)]
    smoothed = Curve.of(rows, "g_loss").smoothed()
    assert np.abs(smoothed - np.arange(200))[20:-20].max() < 0.1
    assert np.abs(smoothed - np.arange(200)).max() < 6


def spans(rows: list[dict]) -> dict[str, list[tuple[float, float, str]]]:
    """What is shaded in each plot: from epoch, to epoch, label."""
    from matplotlib.patches import Rectangle

    return {
        name: [
            (patch.get_x(), patch.get_x() + patch.get_width(), patch.get_label())
            for axes in figure.axes
            for patch in axes.patches
            if isinstance(patch, Rectangle)
        ]
        for name, figure in figures(rows).items()
    }


def test_epochs_of_each_alarm_are_marked_where_it_can_be_seen():
    rows = [row(epoch, diversity=0.2 if epoch in (20, 21) else 0.9, kid_error=0.0) for epoch in range(1, 41)]
    rows = [each | ({"d_accuracy": 0.999} if each["epoch"] > 25 else {}) for each in rows]
    found = spans(rows)
    ahead = [(25.5, 40.5, "the discriminator too far ahead, from epoch 26")]
    assert found["accuracy"] == found["probabilities"] == found["gradients"] == ahead
    assert found["scores"] == [(19.5, 21.5, "mode collapse, epochs 20 to 21, recovered")]
    assert found["losses"] == found["speed"] == []


def test_plateau_is_marked_in_the_panel_of_the_kid():
    rows = [row(epoch, kid=max(0.3 - epoch / 50, 0.1), diversity=0.9) for epoch in range(1, 41)]
    panels = figures(rows)["scores"].axes
    assert [len(panel.patches) for panel in panels] == [1, 0]
    assert spans(rows)["scores"] == [(8.5, 40.5, "a plateau, from epoch 9")]


def test_importing_plots_loads_neither_matplotlib_nor_tensorflow():
    code = "import sys, pipeline.gan.plots; print(sorted({'matplotlib', 'tensorflow', 'keras'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
