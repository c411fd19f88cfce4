"""Why a picture is not in: duplicates, rejected and failed URLs, and what the filter decided."""

import pytest

from pipeline.store.jsonl import write_rows
from pipeline.web.labelling import lost_pictures
from tests.web.fake_dataset import picture_id, row

BELOW = "squares are rejected below 0.40 (threshold 0.50)"
BETWEEN = "neither kept nor rejected from 0.40 to 0.60 (threshold 0.50)"
TOO_SMALL = "too small: 40 × 20 pixels, and the least side is 32 (normalize.min_side)"
SMALL, COPY, LONG, BROKEN, SAME, GONE = range(30, 36)


@pytest.fixture
def lossy(fake_dataset):
    """Thirty squares, and six URLs that gave none."""
    crawled = [row(number, "", {}) for number in range(30)]
    crawled += [
        row(number, title, {}) for number, title in ((SMALL, "tiny"), (COPY, "copy"), (LONG, "long"), (BROKEN, "bad"))
    ]
    crawled += [row(SAME, "same", {"id": picture_id(COPY), "outcome": "duplicate", "reason": "same bytes"})]
    crawled += [row(GONE, "gone", {"id": None, "outcome": "failed", "reason": "HTTP 404"})]
    fake_dataset.publish("download", crawled, {"images": "lossy"}, fake_dataset.crawl)

    def squares(rows, work):
        fake_dataset.square(rows[:30], work)
        kept = (work / "images.jsonl").read_text().splitlines(keepends=True)
        lost = {"file": None, "sha256": "", "of": None, "width": 40, "height": 20, "reason": ""}
        write_rows(
            work / "images.jsonl",
            [
                {"id": picture_id(SMALL), **lost, "outcome": "rejected", "reason": "too small"},
                {"id": picture_id(COPY), **lost, "outcome": "duplicate", "of": picture_id(4)},
                {"id": picture_id(LONG), **lost, "outcome": "rejected", "reason": "too long"},
                {"id": picture_id(BROKEN), **lost, "outcome": "rejected", "reason": "truncated"},
            ],
        )
        with (work / "images.jsonl").open("a") as file:
            file.writelines(kept)

    fake_dataset.publish(
        "normalize", crawled, {"images": "squares of 30"}, squares, {"download.images": "lossy"},
        options={"min_side": 32, "max_aspect": 3.0},
    )  # fmt: skip
    return fake_dataset


def why(client, search):
    return client.get("/api/v1/datasets/cats/why", params={"search": search}).json()


@pytest.mark.parametrize(
    ("search", "state", "text"),
    [
        ("tiny", "rejected", TOO_SMALL),
        ("30.png", "rejected", TOO_SMALL),
        (picture_id(SMALL)[:16], "rejected", TOO_SMALL),
        ("long", "rejected", "too long: 40 × 20 pixels, and the longer side may be 3 times the shorter one"
         " (normalize.max_aspect)"),
        ("bad", "rejected", "it cannot be used: truncated"),
        ("https://pictures.example/35.png", "failed", "it could not be downloaded: HTTP 404"),
    ],
)  # fmt: skip
def test_reason_of_a_lost_picture(lossy, client, search, state, text):
    found = why(client, search)
    assert (found["total"], found["found"][0]["state"], found["found"][0]["text"]) == (1, state, text)
    assert found["found"][0]["square"] is None


@pytest.mark.parametrize("search", ["copy", "same"])
def test_duplicate_shows_the_square_that_it_repeats_and_what_became_of_that(lossy, client, search):
    lossy.filter({picture_id(number): number * 0.03 for number in range(30)})
    (found,) = why(client, search)["found"]
    assert (found["state"], found["square"]) == ("duplicate", picture_id(4))
    assert "rejected by the filter with a score of 0.12" in found["text"]


@pytest.mark.parametrize(
    ("number", "state", "text"),
    [
        (10, "rejected", f"rejected by the filter with a score of 0.30: {BELOW}"),
        (16, "borderline", f"borderline with a score of 0.48: {BETWEEN}"),
        (29, "kept", "kept with a score of 0.87: squares are kept from 0.60 (threshold 0.50)"),
        (25, "rejected", "rejected, because it is labelled off target"),
        (26, "rejected", "rejected, because it is labelled skip"),
        (3, "kept", "kept, because it is labelled on target; that label was removed since, which the next run of the"
         " filter uses"),
        (4, "rejected", f"rejected by the filter with a score of 0.12: {BELOW}; it"
         " was labelled on target since, which the next run of the filter uses"),
    ],
)  # fmt: skip
def test_verdict_on_a_square(lossy, client, number, state, text):
    labels = {picture_id(25): "off", picture_id(26): "unsure", picture_id(3): "on"}
    lossy.filter({picture_id(number): number * 0.03 for number in range(30)}, labels=labels, unsure=0.1)
    lossy.label({picture_id(25): "off", picture_id(26): "unsure", picture_id(4): "on"})
    (found,) = why(client, f"/{number}.png")["found"]
    assert (found["state"], found["text"], found["square"]) == (state, text, picture_id(number))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.example/b/Rote%20F%C3%BCchse.png?x=1", "Rote Füchse.png"),
        ("file.png", "file.png"),
        ("http://[", "["),
        ("https://a.example/", ""),
        ("https://a.example/a%0Ab%E2%80%AEc.png", "a bc.png"),
    ],
)
def test_file_name_of_a_url_is_one_plain_line(url, name):
    assert lost_pictures.file_name(url) == name


def test_square_without_a_filter_says_so(lossy, client):
    assert why(client, "picture 7")["found"][0]["text"] == "it is a square, and the filter has not run yet"


def test_pictures_that_are_not_in_come_first_and_answers_are_limited(lossy, client, monkeypatch):
    lossy.filter({picture_id(number): number * 0.03 for number in range(30)})
    found = why(client, "pictures.example")
    states = [each["state"] for each in found["found"]]
    assert found["total"] == 36
    assert states.index("kept") > max(place for place, state in enumerate(states) if state != "kept")
    monkeypatch.setattr(lost_pictures, "MAX_FOUND", 3)
    assert len(why(client, "pictures.example")["found"]) == 3
    assert why(client, "never seen") == {"total": 0, "found": []}
    assert why(client, "  ") == {"total": 0, "found": []}


def test_rows_are_read_once_and_again_after_a_stage_has_run(lossy, client, monkeypatch):
    reads = []
    read = lost_pictures._read
    monkeypatch.setattr(lost_pictures, "_read", lambda index: reads.append(index.generation) or read(index))
    for search in ("tiny", "copy", "tiny"):
        assert why(client, search)["total"] == 1
    lossy.filter({picture_id(number): number * 0.03 for number in range(30)})
    assert why(client, "tiny")["total"] == 1
    assert len(reads) == len(set(reads)) == 2


def test_damaged_rows_stop_nothing(lossy, client):
    client.get("/d/cats/pictures")
    rows = lossy.store("download").newest().folder / "images.jsonl"
    rows.write_text(rows.read_text().replace("gone", "fake"))
    assert why(client, "picture 7")["total"] == 1
