"""What rows of the download say of classes, and the digest of it."""

from pipeline.images.picture_class import ClassesDigest, describe_class


def row(id="a", title="", engine="folder", query="toad", **more):
    return {"id": id, "title": title, "engine": engine, "query": query} | more


def test_a_row_says_class_subfolder_and_query():
    assert describe_class(row(title="red/1.png", **{"class": "warm"})) == ["warm", "red", "toad"]
    assert describe_class(row(title="red/deep/1.png")) == ["", "red", "toad"]
    assert describe_class(row(title="1.png")) == ["", "", "toad"]
    assert describe_class(row(title="yes/no", engine="bing")) == ["", "", "toad"]  # a title from the web is no path


def digest(*rows):
    found = ClassesDigest()
    for each in rows:
        found.add(each)
    return found.hexdigest()


def test_the_digest_is_of_the_classes_in_any_order_and_of_nothing_else():
    rows = [row("a", "red/1.png"), row("b", "blue/1.png")]
    assert digest(*rows) == digest(*reversed(rows))
    assert digest(*rows) == digest(*(each | {"rank": 5, "url": "file:///x"} for each in rows))
    assert digest(*rows) == digest(row("a", "red/other.png"), rows[1])
    for other in (row("b", "green/1.png"), row("b", "blue/1.png", query="frog"), row("c", "blue/1.png")):
        assert digest(rows[0], other) != digest(*rows)
