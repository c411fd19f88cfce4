from pipeline.demo.catalogue import entry
from pipeline.report.report import against_truth


def picture(truth: str, *, skip: int = 0) -> str:
    """The address of the first picture (but `skip`) of the embedded subject with that truth."""
    found = [each for number in range(100) if (each := entry(number)).truth == truth]
    return f"demo:/v1/100{found[skip].path}"


def downloaded(id: str, url: str, engine: str = "demo") -> dict:
    return {"id": id, "url": url, "engine": engine, "outcome": "saved"}


def scored(id: str, outcome: str, label: str | None = None) -> dict:
    return {"id": id, "outcome": outcome, "label": label}


def test_what_was_kept_is_held_against_the_truth_where_nobody_labelled():
    rows = [downloaded("a", picture("on")), downloaded("b", picture("off")), downloaded("c", picture("on", skip=1))]
    scores = [scored("a", "kept"), scored("b", "kept"), scored("c", "rejected", label="on")]
    assert against_truth(rows, scores) == {"pictures": 2, "precision": 0.5, "recall": 1.0}


def test_other_subjects_have_no_truth():
    assert against_truth([downloaded("a", "http://x/1.jpg", "bing")], [scored("a", "kept")]) is None
