"""What was drawn is found again by content, and the oldest are deleted beyond the limit."""

import os

import pytest

from pipeline.web.drawing.drawn_cache import DrawnCache


def fill(size):
    return lambda folder: (folder / "a.png").write_bytes(b"x" * size)


def refuse(folder):
    raise AssertionError("it is made again")


def test_the_same_question_is_made_once(tmp_path):
    cache = DrawnCache(tmp_path / "cache")
    name = cache.name("draw", {"seed": 1})
    folder = cache.made(name, fill(3))
    assert cache.made(name, refuse) == folder == cache.find(name)
    assert cache.name("draw", {"seed": 2}) != name


def test_what_was_used_longest_ago_is_deleted_beyond_the_limit(tmp_path):
    cache = DrawnCache(tmp_path / "cache", limit=250)
    names = [cache.name("draw", seed) for seed in range(3)]
    for age, name in enumerate(names[:2]):
        os.utime(cache.made(name, fill(100)), (1000 + age, 1000 + age))
    cache.find(names[0])  # used now
    cache.made(names[2], fill(100))
    assert [bool(cache.find(name)) for name in names] == [True, False, True]


def test_the_newest_features_of_reals_stay_whatever_their_size(tmp_path):
    cache = DrawnCache(tmp_path, limit=250)
    old, new = (tmp_path / cache.name("reals", number) for number in range(2))
    for age, folder in enumerate((old, new)):
        folder.mkdir()
        fill(1000)(folder)
        os.utime(folder, (1000 + age, 1000 + age))
    names = [cache.name("nearest", number) for number in range(2)]
    for name in names:
        cache.made(name, fill(100))
    assert (old.exists(), new.exists()) == (False, True)
    assert all(cache.find(name) for name in names)


def test_files_of_others_stay(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "big").write_bytes(b"x" * 1000)
    cache = DrawnCache(tmp_path, limit=10)
    cache.made(cache.name("tile", 1), fill(100))
    assert (tmp_path / "mine" / "big").exists()


def test_what_could_not_be_made_leaves_nothing(tmp_path):
    cache = DrawnCache(tmp_path)
    with pytest.raises(AssertionError):
        cache.made(cache.name("walk", 1), refuse)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", ["../draw", "draw-1", "", "draw-" + "0" * 32 + "/../.."])
def test_only_its_own_names_are_found(tmp_path, name):
    assert DrawnCache(tmp_path).find(name) is None
