"""Views of the squares that a search finds, and the view of every verdict."""

import unicodedata

import pytest

from tests.web.fake_dataset import picture_id

TITLES = {3: "Füchse im Schnee", 4: "FÜCHSE", 5: "100% fox", 6: "ﬁne fox"}
ROWS = {
    7: {"url": "https://pictures.example/Rote%20F%C3%BCchse.png"},
    8: {"creator": "Ada Fuchs"},
    9: {"page": "https://zoo.example/animals"},
}


@pytest.fixture
def many_names(fake_dataset):
    fake_dataset.draw(31, titles=TITLES, rows=ROWS)
    return fake_dataset


def numbers(client, **query):
    found = client.get("/d/cats/pictures", params={"view": "all"} | query).json()["pictures"]
    of = {picture_id(number): number for number in range(31)}
    return [of[picture["id"]] for picture in found]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("füchse", [3, 4, 7]),
        (unicodedata.normalize("NFD", "FÜCHSE"), [3, 4, 7]),
        ("rote füchse.png", [7]),
        ("Rote%20F%C3%BCchse", [7]),
        ("ada fuchs", [8]),
        ("zoo.example", [9]),
        ("100%", [5]),
        ("fine", [6]),
        ("pictures.example/12.png", [12]),
        (" picture 13 ", [13]),
        (picture_id(14), [14]),
        (picture_id(14)[:12], [14]),
        (picture_id(14)[1:], []),
        (".*", []),
        ("nothing has this", []),
    ],
)
def test_search_finds_file_site_creator_title_url_and_id(many_names, client, search, expected):
    assert numbers(client, search=search) == expected


def test_search_combines_with_view_source_order_and_paging(fake_dataset, client):
    fake_dataset.filter({picture_id(number): number * 0.03 for number in range(30)})
    assert numbers(client, search="picture 1", view="kept") == [17, 18, 19]
    assert numbers(client, search="picture 1", view="kept", sort="best") == [19, 18, 17]
    assert numbers(client, search="picture 1", view="kept", source="host=host1.example") == [17, 19]
    first = client.get("/d/cats/pictures?view=all&search=picture 1&count=4").json()
    rest = client.get(f"/d/cats/pictures?view=all&search=picture 1&count=4&start=8&order={first['order']}").json()
    assert (first["total"], [each["title"] for each in rest["pictures"]]) == (
        11,
        ["picture 17", "picture 18", "picture 19"],
    )


@pytest.mark.parametrize("search", ["", "picture 1", "host1.example", "no such"])
def test_counts_are_those_of_the_views_and_every_scored_square_has_one_verdict(fake_dataset, client, search):
    scores = {picture_id(number): number * 0.03 for number in range(30)}
    labels = {picture_id(2): "on", picture_id(20): "off", picture_id(12): "unsure"}
    filtered = fake_dataset.filter(scores, labels=labels, unsure=0.1)
    fake_dataset.label(labels | {picture_id(19): "on"})
    counts = client.get("/d/cats/summary", params={"search": search}).json()["counts"]
    for view, count in counts.items():
        assert len(numbers(client, view=view, search=search)) == count, view
    assert counts["kept"] + counts["rejected"] + counts["borderline"] == counts["all"]
    if not search:
        assert counts["borderline"] > 0
        assert [counts[name] for name in ("kept", "rejected", "borderline")] == [
            sum(
                f'"outcome": "{outcome}"' in line
                for line in (filtered.folder / "scores.jsonl").read_text().splitlines()
            )
            for outcome in ("kept", "rejected", "unsure")
        ]


def test_borderline_squares_come_nearest_to_the_threshold_first(fake_dataset, client):
    fake_dataset.filter({picture_id(number): number * 0.03 for number in range(30)}, unsure=0.1)
    assert numbers(client, view="borderline") == [17, 16, 18, 15, 19, 14]
