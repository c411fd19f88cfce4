from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.filter.effect import compare_scores, last_effect
from pipeline.filter.scores import VALIDATION, Score, write_scores, write_unseen
from pipeline.store.artifacts import Artifact
from pipeline.store.manifest import Manifest

PLAIN = {f"{number}": 0.9 for number in range(10)}


def make_filter(
    folder: Path, scores: dict[str, float], *, labels: dict[str, str] | None = None, model="one", **options
):
    folder.mkdir()
    labels = labels or {}
    write_scores(
        (
            Score(id=id, score=score, label=labels.get(id), outcome="kept" if score > 0.5 else "rejected")
            for id, score in scores.items()
        ),
        folder,
    )
    return Artifact(folder, manifest("filter", folder.name, options, {"classifier.model": model}))


def make_classifier(model: str, backbone: str, **options) -> Artifact:
    made = manifest("classifier", model, options, {})
    return Artifact(Path(model), replace(made, outputs={"model": model}, summary={"backbone": backbone}))


def manifest(stage: str, key: str, options: dict, inputs: dict) -> Manifest:
    return Manifest(stage=stage, version=1, dataset="cats", key=key, options=options, inputs=inputs)


NONE, MOBILE = make_classifier("one", "none"), make_classifier("two", "MobileNet 725ccbd03d61")


def test_labels_alone_are_credited_to_labels(tmp_path):
    filters = [
        make_filter(tmp_path / "a", PLAIN),
        make_filter(tmp_path / "b", PLAIN | {"3": 0.1}, labels={"1": "on", "2": "on"}),
    ]
    effect = last_effect(filters[1], filters, [NONE], [])
    assert str(effect) == "The last 2 labels changed 1 of 10 decisions (1 on squares without a label)."


def test_a_validation_set_is_not_called_labels(tmp_path):
    held = {str(number): "on" for number in range(4)}
    filters = [
        make_filter(tmp_path / "a", PLAIN),
        make_filter(tmp_path / "b", PLAIN | {"3": 0.1}, labels=held | {"7": "off"}, model="measured"),
    ]
    measured = make_classifier("measured", "none")
    folder = tmp_path / "classifier"
    folder.mkdir()
    write_unseen(held, dict.fromkeys(held, 0.5), folder / VALIDATION)
    measured = Artifact(folder, replace(measured.manifest, summary={"backbone": "none", "validation": 4}))
    assert str(last_effect(filters[1], filters, [NONE, measured], [])) == (
        "With labels +1, validation set 0 → 4, 1 of 10 decisions changed (0 on squares without a label)."
    )


def test_another_backbone_is_credited_to_the_backbone(tmp_path):
    filters = [make_filter(tmp_path / "a", PLAIN), make_filter(tmp_path / "b", PLAIN | {"3": 0.1}, model="two")]
    effect = last_effect(filters[1], filters, [NONE, MOBILE], [])
    assert str(effect) == ("With backbone none → MobileNet, 1 of 10 decisions changed (1 on squares without a label).")


def test_labels_and_backbone_are_both_named(tmp_path):
    labels = {str(number): "on" for number in range(3)}
    filters = [make_filter(tmp_path / "a", PLAIN), make_filter(tmp_path / "b", PLAIN, labels=labels, model="two")]
    assert str(last_effect(filters[1], filters, [NONE, MOBILE], [])).startswith(
        "With labels +3, backbone none → MobileNet, 0 of 10"
    )


def test_labels_that_were_changed_or_taken_back_are_not_called_more():
    before = [
        Score(id="1", score=0.5, label="on", outcome="kept"),
        Score(id="2", score=0.5, label=None, outcome="kept"),
    ]
    after = [replace(before[0], label=None), replace(before[1], label="off")]
    assert str(compare_scores(before, after, ["backbone none → MobileNet"])).startswith(
        "With 2 labels changed, backbone"
    )


def test_an_option_of_the_filter_is_named(tmp_path):
    filters = [
        make_filter(tmp_path / "a", PLAIN, precision=0.95),
        make_filter(tmp_path / "b", PLAIN | {"3": 0.1}, precision=0.9),
    ]
    assert str(last_effect(filters[1], filters, [NONE], [])).startswith("With filter.precision 0.95 → 0.9, 1 of 10")


@pytest.mark.parametrize(("used", "labels"), [([], 2), (["c", "a"], 5), (["c", "c", "b", "a"], 2)])
def test_the_filter_that_was_used_before_is_compared_not_the_newest(tmp_path, used, labels):
    filters = [
        make_filter(tmp_path / "a", PLAIN),
        make_filter(tmp_path / "b", PLAIN, labels={str(number): "on" for number in range(3)}),
        make_filter(tmp_path / "c", PLAIN, labels={str(number): "on" for number in range(5)}),
    ]
    assert last_effect(filters[2], filters, [], used).labels == labels


def test_the_same_filter_made_again_has_no_effect(tmp_path):
    filters = [make_filter(tmp_path / "a", PLAIN), make_filter(tmp_path / "b", PLAIN | {"3": 0.1})]
    assert last_effect(filters[1], filters, [NONE], []) is None
