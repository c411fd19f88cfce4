"""The entries of the demo site and their true labels."""

from collections import Counter

import pytest

from pipeline import demo
from pipeline.demo.catalogue import entries, entry
from pipeline.demo.picture import SUBJECTS

DEMO = entries(700)


def test_small_site_is_a_prefix_of_a_large_one():
    assert entries(60) == DEMO[:60]
    assert entry(42) == DEMO[42]


def test_about_60_percent_of_pictures_are_on_target():
    truth = Counter(each.truth for each in DEMO)
    assert 0.55 < truth["on"] / (truth["on"] + truth["off"]) < 0.66
    assert truth["on"] > 380
    assert truth["off"] > 230


def test_about_half_of_off_target_pictures_are_similar_subjects():
    near = {"umbrella", "tree", "lamp", "jellyfish", "cupcake", "balloon"}
    off = [each.subject for each in DEMO if each.truth == "off"]
    assert 0.4 < sum(subject in near for subject in off) / len(off) < 0.6


def test_entries_use_exactly_the_drawable_subjects():
    assert {each.subject for each in DEMO} == set(SUBJECTS)


def test_site_of_64_pictures_has_nearly_all_forms():
    forms = {each.form for each in entries(64)}
    assert {"turned", "palette", "alpha", "cmyk", "deep", "animated", "missing", "page", "cut", "again"} <= forms
    assert {"recompressed", "resized", "mirrored", "png", "webp"} <= forms


def test_copies_refer_to_earlier_jpegs_with_the_same_label():
    copies = [each for each in entries(6400) if each.of is not None]
    assert len(copies) == 400
    assert all(each.of < each.number and entry(each.of).form == "jpeg" for each in copies)
    assert all(entry(each.of).truth == each.truth for each in copies)


@pytest.mark.parametrize("before", ["http://127.0.0.1:1234", "http://127.0.0.1:80", "demo:/v1/700"])
def test_truth_depends_on_the_path_only(before):
    known = demo.truth(before + each.path for each in DEMO)
    assert known == {before + each.path: each.truth for each in DEMO if each.truth}


def test_truth_omits_urls_that_are_not_pictures_of_the_site():
    first = DEMO[0].path
    other = [first.rpartition(".")[0] + ".gif", "/drafts/sketch.jpg", "/index.html", "", "http://[bad/x.png"]
    broken = [each.path for each in DEMO if each.form in ("missing", "page", "cut")]
    assert demo.truth(other + broken) == {}
    assert demo.truth([first + "?size=large"]) == {first + "?size=large": DEMO[0].truth}


def test_file_suffix_does_not_reveal_the_label():
    shares = {}
    for ending in ("jpg", "png", "webp"):
        truth = [each.truth for each in DEMO if each.truth and each.path.endswith(ending)]
        shares[ending] = truth.count("on") / len(truth)
    assert all(0.4 < share < 0.8 for share in shares.values()), shares
