"""The list of trainings: filtered and ordered."""

import pytest

from pipeline.web.trainings.notes import TRAINING, change_note
from pipeline.web.trainings.training_list import WantedTrainings, list_trainings
from pipeline.web.trainings.trainings_view import TrainingsView
from tests.web.fake_trainings import samples, training


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [4, 3, 2, 1]),
        ({"show": "starred"}, [2]),
        ({"show": "unfinished"}, [4]),
        ({"text": "WGAN"}, [3]),
        ({"text": "sharp"}, [2]),
        ({"sort": "oldest"}, [1, 2, 3, 4]),
        ({"sort": "kid"}, [2, 3, 1, 4]),  # by extractor a; by extractor b; without a score
    ],
)
def test_trainings_are_filtered_and_ordered(fake_dataset, wanted, numbers):
    keys = [training(fake_dataset, name, definition="wgan-gp" if name == "3" else "dcgan") for name in "123"]
    training(fake_dataset, "4", finished=False)
    for key, extractor, kid in zip(keys, "bab", (0.3, 0.9, 0.1), strict=True):
        samples(fake_dataset, key, extractor=extractor, kid=kid)
    change_note(fake_dataset.data, TRAINING, keys[1][:12], star=True, name="sharp")
    found = list_trainings(TrainingsView(fake_dataset.paths()), WantedTrainings(**wanted))
    assert [each.number for each in found] == numbers
