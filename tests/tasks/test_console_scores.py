from tasks.console import LINES

FOUND = {
    "count": 200,
    "kid": 0.5,
    "kid_error": 0.01,
    "kid_floor": 0.001,
    "precision": 0.6,
    "recall": 0.2,
    "density": 0.4,
    "coverage": 0.3,
    "extractor": "textures-64",
}


def test_console_names_the_extractor_and_judges_only_against_the_floor():
    line = LINES["generate"](FOUND)
    assert "by textures-64: KID 0.500 (reals against reals 0.001: worse than reals)" in line
    assert "sample precision 0.600, sample recall 0.200, density 0.400, coverage 0.300" in line
    assert "no measurable difference from reals" in LINES["generate"](FOUND | {"kid": 0.002})


def test_console_says_why_there_are_no_scores():
    assert LINES["generate"](FOUND | dict.fromkeys(("kid", "kid_error", "kid_floor"))).endswith(
        "too few pictures to score them"
    )
