"""Which squares a view shows, and in which order."""

import pytest

from tests.web.fake_dataset import picture_id


@pytest.fixture
def scored_workspace(fake_dataset):
    """Scores from 0.00 to 0.87 by number, threshold 0.5; one label contradicts, one is suspect."""
    scores = {picture_id(number): number * 0.03 for number in range(30)}
    labels = {picture_id(2): "on", picture_id(25): "on", picture_id(20): "off", picture_id(10): "unsure"}
    fake_dataset.filter(scores, labels=labels, suspects=(picture_id(25),))
    fake_dataset.label(labels)
    return fake_dataset


def numbers(client, query):
    found = client.get(f"/d/cats/pictures?{query}").json()["pictures"]
    of = {picture_id(number): number for number in range(30)}
    return [of[picture["id"]] for picture in found]


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ("all", list(range(30))),
        ("on", [2, 25]),
        ("off", [20]),
        ("unsure", [10]),
        ("near", [17, 16, 18, 15, 19, 14]),
        ("disagree", [2, 25, 20]),
        ("kept", [2, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29]),
        ("unlabelled", [29, 28, 27, 26, 24, 23, 22, 21, 19, 18, 17, 16, 15, 14, 13, 12, 11, 9, 8, 7, 6, 5, 4, 3, 1, 0]),
    ],
)
def test_view_contains_squares_in_order(scored_workspace, client, view, expected):
    found = numbers(client, f"view={view}")
    assert found[: len(expected) - 1] == expected[:-1] if view == "near" else found == expected


@pytest.mark.parametrize("threshold", [0.8, 0.1, None])
def test_label_disagrees_with_the_score_at_any_threshold(fake_dataset, client, threshold):
    scores = {picture_id(number): number * 0.03 for number in range(30)}
    labels = {picture_id(2): "on", picture_id(20): "on", picture_id(5): "off", picture_id(25): "off"}
    fake_dataset.filter(scores, labels=labels, threshold=threshold, suspects=(picture_id(20),))
    fake_dataset.label(labels)
    assert numbers(client, "view=disagree") == [2, 25, 20]
    fake_dataset.label({picture_id(20): "off"})  # the suspicion was about another label; now the score is against it
    fake_dataset.label({picture_id(2): "off", picture_id(25): "unsure"})
    assert numbers(client, "view=disagree") == [20]


def test_counts_match_the_views(scored_workspace, client):
    counts = client.get("/d/cats/summary").json()["counts"]
    for view, count in counts.items():
        assert len(numbers(client, f"view={view}")) == count, view


def test_view_order_can_be_chosen(scored_workspace, client):
    assert numbers(client, "view=all&sort=best&count=3") == [29, 28, 27]
    assert numbers(client, "view=all&sort=near&count=2") == [17, 16]


def test_view_can_be_limited_to_a_source_or_host(scored_workspace, client):
    assert numbers(client, "view=all&source=host%3Dhost1.example") == list(range(1, 30, 2))
    assert numbers(client, "view=all&source=found%3Dopenverse:+cat") == list(range(0, 30, 3))
    counts = client.get("/d/cats/summary?source=host%3Dhost1.example").json()["counts"]
    assert (counts["all"], counts["on"], counts["unlabelled"]) == (15, 1, 14)


def test_sources_have_counts(fake_dataset, client):
    found = {row["name"]: row["count"] for row in client.get("/d/cats/summary").json()["sources"]}
    assert found == {
        "found=bing: cat": 20,
        "found=openverse: cat": 10,
        "host=host0.example": 15,
        "host=host1.example": 15,
    }


def test_paging_skips_nothing_while_squares_are_labelled(fake_dataset, client):
    first = client.get("/d/cats/pictures?view=unlabelled&count=10").json()
    fake_dataset.label({picture["id"]: "on" for picture in first["pictures"]})
    second = client.get(f"/d/cats/pictures?view=unlabelled&count=10&start=10&order={first['order']}").json()
    assert not {each["id"] for each in first["pictures"]} & {each["id"] for each in second["pictures"]}
    assert second["total"] == 30
    anew = client.get("/d/cats/pictures?view=unlabelled&count=10&start=10&order=forgotten").json()
    assert (anew["start"], anew["total"]) == (0, 20)
    assert {each["id"] for each in anew["pictures"]} == {each["id"] for each in second["pictures"]}


def test_filter_views_are_empty_without_a_filter(fake_dataset, client):
    counts = client.get("/d/cats/summary").json()["counts"]
    assert (counts["kept"], counts["rejected"], counts["near"], counts["disagree"]) == (0, 0, 0, 0)
    assert numbers(client, "view=unlabelled&count=3") == [0, 1, 2]
