"""What the last labels changed: the sentences above the grid."""

import shutil

import pytest

from pipeline.web.labelling.dataset_view import count_unseen_labels, last_label_effect, seen_labels
from pipeline.web.labelling.picture_index import PictureIndexCache
from tests.web.fake_dataset import picture_id


def scores(fake_dataset, **changed):
    found = dict.fromkeys(fake_dataset.ids(30), 0.9) | {picture_id(number): 0.1 for number in range(20, 30)}
    return found | {picture_id(int(name[1:])): value for name, value in changed.items()}


def summary(client):
    return client.get("/d/cats/summary").json()


def test_label_effect_is_empty_without_a_filter(client):
    assert (summary(client)["gain"], summary(client)["filtered"], summary(client)["newer"]) == ("", False, 0)


def test_label_effect_is_empty_with_one_filter(fake_dataset, client):
    fake_dataset.filter(scores(fake_dataset))
    assert summary(client)["gain"] == ""


def test_label_effect_compares_filters_with_different_labels(fake_dataset, client):
    labels = {picture_id(0): "on", picture_id(1): "off"}
    fake_dataset.filter(scores(fake_dataset))
    fake_dataset.filter(scores(fake_dataset, p5=0.2, p6=0.3, p25=0.8), labels=labels)
    expected = "The last 2 labels changed 4 of 30 decisions (3 on squares without a label)."
    assert summary(client)["gain"] == expected


def test_label_effect_ignores_filters_with_the_same_labels(fake_dataset):
    fake_dataset.filter(scores(fake_dataset), labels={picture_id(0): "on"})
    fake_dataset.filter(scores(fake_dataset, p5=0.2), labels={picture_id(0): "on"})
    dataset_paths = fake_dataset.paths()
    assert last_label_effect(dataset_paths, PictureIndexCache(dataset_paths).current()) is None


def test_labels_newer_than_the_filter_are_counted(fake_dataset, client):
    fake_dataset.filter(scores(fake_dataset), labels={picture_id(0): "on", picture_id(1): "off"})
    fake_dataset.label({picture_id(1): "off", picture_id(2): "on", picture_id(3): "unsure"})
    assert summary(client)["newer"] == 3  # one taken back, two given
    index, same = PictureIndexCache(fake_dataset.paths()).current(), {picture_id(0): "on", picture_id(1): "off"}
    assert seen_labels(index) == same
    assert count_unseen_labels(index, {**same, "gone": "on"}, same) == 0
    assert count_unseen_labels(index, {picture_id(0): "off"}, same) == 2  # one changed, one taken back


@pytest.mark.parametrize(
    ("made", "hint", "enough"), [({}, "", False), ({"hint": "More.", "enough": True}, "More.", True)]
)
def test_labelling_advice_of_the_classifier_is_shown(fake_dataset, client, made, hint, enough):
    fake_dataset.classifier(**made)
    assert (summary(client)["hint"], summary(client)["enough"]) == (hint, enough)


def test_labels_are_not_enough_while_the_filter_has_a_notice(fake_dataset, client):
    fake_dataset.classifier(hint="average precision 0.9 from 80; 40 more may add 0.001: hardly worth it", enough=True)
    fake_dataset.filter(
        scores(fake_dataset), notice="precision 0.95 is expected but not shown yet: some 40 more labels would show it"
    )
    assert summary(client)["enough"] is False
    assert summary(client)["hint"] == (
        "Average precision 0.9 from 80; 40 more may add 0.001: hardly worth it."
        " Precision 0.95 is expected but not shown yet: some 40 more labels would show it."
    )
    fake_dataset.filter(scores(fake_dataset), labels={picture_id(0): "on"})
    assert summary(client)["hint"] == "Average precision 0.9 from 80; 40 more may add 0.001: hardly worth it."
    assert summary(client)["enough"] is True


def test_missing_filter_only_removes_the_label_effect(fake_dataset, client):
    fake_dataset.filter(scores(fake_dataset))
    fake_dataset.filter(scores(fake_dataset), labels={picture_id(0): "on"})
    assert summary(client)["gain"]
    shutil.rmtree(fake_dataset.store("filter").root)
    assert (summary(client)["gain"], summary(client)["filtered"]) == ("", False)


def test_page_shows_precision_and_recall_of_the_filter_and_what_would_raise_the_recall(fake_dataset, client):
    fake_dataset.filter(
        scores(fake_dataset),
        band=[0.45, 0.55],
        expected_precision=0.95,
        proof={"low": 0.9, "high": 0.98, "labels": 31},
        expected_recall=0.33,
        recall={"low": 0.25, "high": 0.45, "labels": 80, "missed": 200, "borderline": 0},
        raise_recall=[{"way": "labels", "more": 30, "text": "40 more labels (about 30 of them)"}],
    )
    assert summary(client)["hint"] == (
        "Filter precision about 0.950 (0.900 to 0.980 by 31 labels); filter recall about 0.330 (0.250 to 0.450 by 80"
        " labels): about 200 on-target squares are rejected."
        " More on-target squares would be kept with 40 more labels (about 30 of them)."
    )


def test_summary_counts_the_labels_for_validation(fake_dataset, client):
    fake_dataset.log.append({picture_id(0): "on"}, how="folder", set="validation")
    fake_dataset.label({picture_id(1): "off"})
    assert (summary(client)["labels"]["on"], summary(client)["validation"]) == (1, 1)


def test_page_credits_a_change_to_the_backbone_if_the_labels_are_the_same(fake_dataset, client):
    """The classifier of each filter is found by the digest of its model."""
    for model, backbone, changed in (("one", "none", {}), ("two", "MobileNet 725ccbd03d61", {"p5": 0.2})):
        made = fake_dataset.publish(
            "classifier", None, {"model": model}, lambda rows, work: None, summary={"backbone": backbone}
        )
        fake_dataset.filter(scores(fake_dataset, **changed), model=made.manifest.outputs["model"])
    assert summary(client)["gain"] == (
        "With backbone none → MobileNet, 1 of 30 decisions changed (1 on squares without a label)."
    )
