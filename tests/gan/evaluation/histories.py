"""Rows of statistics as a training writes them, and the alarms that they raise."""

import math

import numpy as np

from pipeline.gan.evaluation.diagnostics import alarms

EPOCHS, EVERY = 120, 10


def history(*, epochs=EPOCHS, wrong=lambda epoch: {}, seed=0):
    """The rows of a good training, with the values that `wrong(epoch)` replaces."""
    draw = np.random.default_rng(seed)
    rows = []
    for epoch in range(1, epochs + 1):
        early = math.exp(-epoch / 12)
        row = {
            "epoch": epoch,
            "step": epoch * 10,
            "images_seen": epoch * 640,
            "d_loss": 0.9 + 0.1 * draw.normal(),
            "g_loss": 1.6 + 0.2 * draw.normal(),
            "d_accuracy": min(0.8 + 0.19 * early + 0.03 * draw.normal(), 1.0),
            "d_real": 0.68 + 0.2 * early + 0.02 * draw.normal(),
            "d_fake": 0.31 - 0.2 * early + 0.02 * draw.normal(),
            "d_gradient": 2.0 + 0.3 * draw.normal(),
            "g_gradient": 1.5 * (0.3 + early) * math.exp(0.3 * draw.normal()),
            "images_per_second": 50.0,
            "seconds": 12.8,
        }
        if epoch % EVERY == 0:
            row |= {
                "kid": 0.3 * math.exp(-epoch / 40) + 0.001 * draw.normal(),
                "kid_error": 0.004,
                "precision": 0.8 - 0.7 * early,
                "recall": 0.6 - 0.6 * math.exp(-epoch / 30) + 0.02 * draw.normal(),
                "diversity": 1 - 0.7 * early + 0.02 * draw.normal(),
                "memorised": max(0.0, 0.01 + 0.01 * draw.normal()),
            }
        rows.append(row | {name: value for name, value in wrong(epoch).items() if name in row})
    return rows


def lasting(rows):
    """The alarms that last at the end of `rows`."""
    return tuple(alarm for alarm in alarms(rows) if alarm.end is None)


def only(rows):
    """The one alarm that `rows` raise; it lasts."""
    (alarm,) = alarms(rows)
    assert (alarm.end, alarm.recovered) == (None, None)
    assert "\n" not in alarm.text
    assert alarm.text.startswith(f"alarm since epoch {alarm.start}: ")
    return alarm


def scores(*kids, error=0.004, **more):
    """Rows with these KIDs, at epochs 10, 20, …"""
    given = {"kid_error": error, "extractor": "one", **more}
    return [{"epoch": 10 * number, "kid": kid, **given} for number, kid in enumerate(kids, start=1)]


FALLS = [0.1 - number / 100 for number in range(6)]  # by more than the error, down to 0.05 at epoch 60
