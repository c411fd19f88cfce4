import pytest

from pipeline.store.manifest import Manifest
from tasks import console


def made(stage: str, **summary) -> Manifest:
    return Manifest(stage=stage, version=1, dataset="demo", key="k", options={}, inputs={}, summary=summary)


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.21, "3.2 s"), (59.94, "59.9 s"), (245, "4 min 05 s"), (7800, "2 h 10 min")]
)
def test_duration_is_in_the_units_that_a_person_uses(seconds, text):
    assert console.duration(seconds) == text


def test_stage_line_says_that_samples_were_not_measured():
    summary = {"count": 3, "kid": None, "kid_floor": None, "precision": None, "recall": None}
    assert console.stage_line(made("generate", **summary)) == "made 3 samples; too few pictures to score them"


def test_stage_line_calls_squares_of_the_band_borderline():
    found = {"kept": 8, "images": 12, "unsure": 3, "band": [0.4, 0.6], "threshold": 0.5, "expected_precision": None}
    line = console.stage_line(made("filter", proof=None, **found))
    assert line == "kept 8 of 12 at a score of 0.600 or above, 3 borderline from 0.400"


def test_notices_has_the_notices_of_the_manifest():
    assert console.notices(made("filter", notice="precision 0.95 is out of reach")) == [
        "precision 0.95 is out of reach"
    ]
    assert console.notices(made("download", notices=["bing gave nothing"])) == ["bing gave nothing"]
    assert console.notices(made("filter", notice="")) == []
