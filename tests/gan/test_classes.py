"""The classes of pictures: read from the rows of the download or given by hand, and their names on the disk."""

import numpy as np
import pytest

from pipeline.errors import DamagedState, UserError
from pipeline.gan.class_names import CLASSES, ClassChoice, class_of, find_class, read_names, write_names
from pipeline.gan.classes import Classes, choose_names, number_classes, read_classes
from pipeline.gan.config import Definition
from pipeline.gan.latents import fixed_latents
from pipeline.store.jsonl import write_rows

CONDITIONAL = Definition(conditional=True)


@pytest.fixture
def read(tmp_path):
    """Reads the classes of pictures that have these rows in the download."""

    def read(*rows):
        plain = {"outcome": "saved", "engine": "folder", "query": "", "title": ""}
        ids = [str(place) for place in range(len(rows))]
        others = [{"id": "z", "title": "other/1.png"}, {"id": "0", "outcome": "duplicate", "title": "other/1.png"}]
        found = [plain | {"id": id} | row for id, row in zip(ids, rows, strict=True)]
        write_rows(tmp_path / "images.jsonl", [plain | each for each in others] + found)
        return read_classes(ids, tmp_path)

    return read


@pytest.mark.parametrize(
    ("rows", "names", "labels"),
    [
        ([{"title": "red/1"}, {"title": "blue/1"}, {"title": "red/2"}], ("blue", "red"), [1, 0, 1]),
        ([{"class": "7", "title": "red/1"}, {"class": "10", "title": "blue/1"}], ("10", "7"), [1, 0]),
        ([{"class": "7", "title": "red/1"}, {"class": "7", "title": "blue/1"}], ("blue", "red"), [1, 0]),
        ([{"query": "frog"}, {"query": "toad", "engine": "bing", "title": "a/b"}], ("frog", "toad"), [0, 1]),
        ([{"title": "red/1", "query": "a"}, {"title": "1", "query": "b"}], ("a", "b"), [0, 1]),  # not all in subfolders
    ],
    ids=["subfolders", "classes before subfolders", "one class divides nothing", "queries", "not all in subfolders"],
)  # fmt: skip
def test_the_first_of_class_subfolder_and_query_that_divides_the_pictures_is_taken(read, rows, names, labels):
    found = read(*rows)
    assert (found.names, found.labels.tolist()) == (names, labels)


def test_pictures_that_nothing_divides_are_refused(read):
    with pytest.raises(UserError, match="nothing divides these pictures into classes"):
        read({"title": "1.png"}, {"title": "2.png"})
    with pytest.raises(UserError, match="1,001 classes, and a conditional GAN takes 1,000 at most"):
        read(*({"class": str(number)} for number in range(1001)))


def test_latents_are_of_classes_as_often_as_the_reals():
    classes = Classes(names=("a", "b", "c"), labels=np.repeat([0, 1, 2], [70, 20, 10]))
    latents = fixed_latents(2000, size=9, seed=1)
    chosen = classes.as_often(latents, seed=1)[:, -3:].argmax(axis=1)
    assert np.bincount(chosen) / 2000 == pytest.approx([0.7, 0.2, 0.1], abs=0.03)
    assert np.bincount(latents[:, -3:].argmax(axis=1)) / 2000 == pytest.approx([1 / 3] * 3, abs=0.04)


def test_the_classes_in_words_are_one_line():
    classes = Classes(names=("a\x1b", "b" * 60), labels=np.repeat([0, 1], [70, 20]))
    line = classes.in_words()
    assert line.isprintable()
    assert line.startswith("2 classes: a")
    assert "(70), bbb" in line
    many = Classes(names=tuple(map(str, range(12))), labels=np.arange(12))
    assert many.in_words().endswith("9 (1), …")


def test_classes_given_by_hand_are_numbered_in_their_order():
    names = choose_names(CONDITIONAL, [10, 2, 2])
    assert names == ("2", "10")
    assert number_classes(names, np.array([2, 10, 10]), 3).tolist() == [0, 1, 1]
    assert choose_names(CONDITIONAL, ["red", "blue"]) == ("blue", "red")
    assert choose_names(CONDITIONAL, np.array(["red", "blue"], object)) == ("blue", "red")
    assert (choose_names(Definition(), None), number_classes((), None, 3)) == ((), None)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: choose_names(CONDITIONAL, None), "the GAN is conditional, and needs the class of each picture"),
        (lambda: choose_names(Definition(), [1, 2]), "set conditional to true"),
        (lambda: choose_names(CONDITIONAL, ["red", "red"]), "all are 'red', and two or more are needed"),
        (lambda: choose_names(CONDITIONAL, [0.5, 1.5]), "give a whole number or a name of each picture"),
        (lambda: choose_names(CONDITIONAL, [[1], [2]]), r"classes of shape \(2, 1\)"),
        (lambda: number_classes(("a", "b"), None, 2), "give classes=…"),
        (lambda: number_classes(("a", "b"), ["a"], 2), "1 were given for 2 pictures"),
        (lambda: number_classes(("frog", "toad"), ["frog", "taod"], 2), "no class 'taod'; did you mean 'toad'"),
        (lambda: number_classes(("frog", "toad"), ["frog", ""], 2), "this GAN has no class ''"),
        (lambda: find_class("frgo", ("frog", "toad")), "no such class; did you mean 'frog'"),
        (lambda: find_class("frog", ()), "this generator has no classes"),
    ],
)
def test_wrong_classes_are_refused(call, line):
    with pytest.raises(UserError, match=line):
        call()


def test_a_chosen_class_is_that_of_every_latent_of_the_seed():
    names = ("blue", "green", "red")
    free = fixed_latents(50, size=9, seed=2)
    latents = fixed_latents(50, size=9, seed=2, chosen=find_class("green", names))
    assert {class_of(latent, names) for latent in latents} == {"green"}
    assert np.array_equal(latents[:, :6], free[:, :6])
    assert find_class("", names) is None
    assert find_class("red", names) == ClassChoice(2, 3)


def test_names_are_kept_in_the_folder(tmp_path):
    assert read_names(tmp_path) == ()
    write_names(("ä", "b"), tmp_path)
    assert read_names(tmp_path) == ("ä", "b")
    write_names((), tmp_path)
    assert read_names(tmp_path) == ()


@pytest.mark.parametrize("text", ["", "{}", "[]", '["a"]', '["a", "a"]', '["a", 1]', '["a", ""]', "[" * 9999], ids=str)
def test_damaged_names_are_reported(tmp_path, text):
    (tmp_path / CLASSES).write_text(text)
    with pytest.raises(DamagedState, match="does not hold the names of classes"):
        read_names(tmp_path)
