"""Text from servers, files and settings is shown as text in the report, and cannot run or load anything."""

import base64
import hashlib

import pytest
from bs4 import BeautifulSoup

from pipeline.gan.card_text import StartLineage
from pipeline.report.report_page import page_script, render_page
from pipeline.store.manifest import Manifest

HOSTILE = "\"'></code></title></style><script>alert(1)</script><img src=x onerror=alert(2)>{{ 1234567 * 9 }}&lt;"
SUMMARIES = {
    "download": {
        **dict.fromkeys(("requested", "saved", "duplicate", "rejected", "failed"), 1),
        "reasons": {HOSTILE: 3},
        "sources": {HOSTILE: dict.fromkeys(("pages", "requested", "saved", "duplicate", "rejected", "failed"), 1)},
        "notices": [HOSTILE],
    },
    "normalize": {**dict.fromkeys(("images", "kept", "duplicate", "rejected"), 1), "reasons": {HOSTILE: 1}},
    "classifier": {
        **dict.fromkeys(("labels_on", "labels_off", "holdout"), 1),
        "backbone": HOSTILE,
        "hint": HOSTILE,
        "out_of_fold_average_precision": 0.5,
        "average_precision": 0.5,
    },
    "filter": {
        **dict.fromkeys(("kept", "rejected", "unsure", "fair_labels"), 1),
        **dict.fromkeys(("threshold", "expected_precision", "expected_recall", "expected_share"), 0.5),
        "band": [0.4, 0.6],
        "fair_share": [0.1, 0.2, 0.3],
        "proof": {"low": 0.1, "high": 0.9, "labels": 31},
        "confusion": {
            label: {"kept": HOSTILE, "unsure": HOSTILE, "rejected": HOSTILE} for label in ("on", "off")
        } | {"on_kept": [0.1] * 3, "off_kept": [0.1] * 3},
        "notice": HOSTILE,
        "recall": {"low": 0.1, "high": 0.9, "labels": 31, "missed": 3, "borderline": 0},
        "raise_recall": [{"way": "labels", "more": 1, "text": HOSTILE}],
    },
    "gan": {"epochs": 1, "images": 1, "size": HOSTILE, "images_per_second": 1.0, "notices": [HOSTILE]},
    "generate": {
        **dict.fromkeys(("kid", "kid_error", "kid_floor", "precision", "recall", "density", "coverage"), 0.5),
        **{"count": HOSTILE, "truncation": HOSTILE, "extractor": HOSTILE},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> BeautifulSoup:
    """The report of stages whose manifests contain only hostile text."""
    folder = tmp_path_factory.mktemp("page")
    for name in ("samples-grid.png", "training-epoch-0001.png", "squares-kept.png"):
        (folder / name).write_bytes(b"")
    found = {stage: _manifest(stage, summary) for stage, summary in SUMMARIES.items()}
    truth = {"pictures": HOSTILE, "precision": 0.5, "recall": 0.5}
    starts = [StartLineage(training=HOSTILE, dataset=HOSTILE, pictures=40), StartLineage(training="first")]
    return BeautifulSoup(render_page(HOSTILE, found, folder, {"truth": truth}, starts=starts), "lxml")


def test_report_escapes_hostile_text_in_every_field(page):
    assert [tag.string for tag in page.find_all("script")] == [page_script().text]
    assert not page.find_all(["iframe", "object", "embed", "link", "base", "form", "svg"])
    assert not [name for tag in page.find_all(True) for name in tag.attrs if name.startswith("on") or name == "style"]
    assert {tag["src"] for tag in page.find_all("img")} == {
        "samples-grid.png", "training-epoch-0001.png", "squares-kept.png"
    }  # fmt: skip
    assert len(page.find_all(True, string=lambda text: text and "alert(1)" in text)) > 20
    assert "11111103" not in page.text
    assert page.title.text == f"{HOSTILE}: crawl, filter, training, samples"


def test_report_names_the_trainings_with_whose_networks_a_training_began(page):
    text = " ".join(page.text.split())
    assert (
        f"Its networks began as those of the training {HOSTILE} of the dataset {HOSTILE}, which had learned from 40"
        in text
    )
    assert (
        "These began as those of the training first of the dataset that is not known, which had learned from an unknown"
        in text
    )


def test_report_has_a_strict_content_security_policy(page):
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for tag in (page.style, page.script):
        digest = base64.b64encode(hashlib.sha256(tag.string.encode()).digest()).decode()
        assert rules[f"{tag.name}-src"] == f"'sha256-{digest}'"
    (before,) = page.style.find_all_previous("meta", attrs={"http-equiv": True})
    assert before["content"] == policy


def _manifest(stage: str, summary: dict) -> Manifest:
    options = {"seed": HOSTILE, "definition": HOSTILE, HOSTILE: HOSTILE}
    return Manifest(
        stage=HOSTILE,
        version=1,
        dataset=HOSTILE,
        key=HOSTILE,
        options=options,
        inputs={},
        summary=summary,
        versions={HOSTILE: HOSTILE},
        created=HOSTILE,
    )
