import hashlib

from pipeline.store import digest


def test_of_value_ignores_the_order_of_fields_but_not_of_lists():
    assert digest.of_value({"a": 1, "b": [1, 2]}) == digest.of_value({"b": [1, 2], "a": 1})
    assert digest.of_value([1, 2]) != digest.of_value([2, 1])


def test_of_set_ignores_order_and_repetition():
    assert digest.of_set([["a", 1], ["b", 2], ["a", 1]]) == digest.of_set([["b", 2], ["a", 1]])
    assert digest.of_set(["a"]) != digest.of_set(["b"])


def test_of_file_is_the_digest_of_its_bytes(tmp_path):
    blob = bytes(range(256)) * 9000  # more than one piece
    (tmp_path / "blob").write_bytes(blob)
    assert digest.of_file(tmp_path / "blob") == digest.of_bytes(blob) == hashlib.sha256(blob).hexdigest()


def test_only_64_lower_hex_digits_are_a_digest():
    good = digest.of_bytes(b"picture")
    assert digest.is_digest(good)
    for bad in (good[:-1], good + "0", good.upper(), f"{good}\n", f"../{good[3:]}", good.encode(), None, 7):
        assert not digest.is_digest(bad)
