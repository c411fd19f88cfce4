"""From a sample, a sheet, a picture or a URL to all that it is connected to."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.images.contact_sheet import write_png
from pipeline.report.trace import trace
from pipeline.report.trace_text import trace_lines
from tests.web.fake_dataset import FakeDataset, picture_id
from tests.web.fake_trainings import samples, training

KEPT, REJECTED = picture_id(3), picture_id(20)


@pytest.fixture
def fake(tmp_path):
    """Thirty squares of which the first twenty were kept, a training and twelve samples."""
    made = FakeDataset(tmp_path)
    rows = {5: {"outcome": "failed", "reason": "HTTP 404", "id": None}, 7: {"license": "CC0", "creator": "A \x1b[31mB"}}
    made.draw(30, rows=rows)
    made.filter({id: 0.9 if number < 20 else 0.1 for number, id in enumerate(made.ids(30))}, labels={KEPT: "on"})
    samples(made, training(made))
    return made


@pytest.fixture
def of(fake):
    return lambda what, **options: trace(str(what), [fake.paths()], **options)


def generate(fake) -> Path:
    return fake.store("generate").folders()[0]


def test_a_sample_leads_to_its_seed_training_and_download(fake, of):
    found = of(generate(fake) / "images" / "00004.png")
    assert (found.kind, found.sample.seed, found.sample.number) == ("sample", 0, 4)
    assert (
        found.sample.command == "python -m tasks generate --once --dataset cats --generate-seed 0 --generate-count 12"
    )
    assert (found.sample.kid, found.sample.extractor) == (0.1, "textures-64")
    lineage = found.lineage
    assert (lineage.training.name, lineage.training.definition) == ("001-dcgan-16px", "dcgan")
    assert lineage.threshold == 0.5
    for stage in ("gan", "filter", "normalize", "download"):
        assert Path(getattr(lineage, stage).folder).is_dir()


@pytest.mark.parametrize("licences", [{"CC0": 30, "": 10}, None])
def test_a_sample_leads_to_the_training_with_whose_networks_its_own_began(fake, of, licences):
    (gan,) = fake.store("gan").folders()
    start = {"training": "abc", "dataset": "dogs \x1b[31m", "pictures": 40, "licences": licences}
    (gan / "card.json").write_text(json.dumps({"lineage": {"starts": [start, {"training": "first"}]}}))
    found = of("4")
    assert [(each.training, each.pictures) for each in found.lineage.starts] == [("abc", 40), ("first", None)]
    lines = [" ".join(line.split()) for line in trace_lines(found)]
    at = next(place for place, line in enumerate(lines) if line.startswith("began with"))
    assert lines[at : at + 4] == [
        "began with dogs [31m, abc: 40 pictures",
        f"licences: {'CC0 30, not known 10' if licences else 'not known'}",
        "began with a dataset that is not known, first",
        "licences: not known",
    ]


@pytest.mark.parametrize("card", ["", "[]", '{"lineage": null}', '{"lineage": {"starts": [{"training": 3}]}}'])
def test_a_damaged_card_names_no_training_that_another_one_began_with(fake, of, card):
    (gan,) = fake.store("gan").folders()
    (gan / "card.json").write_text(card)
    assert of("4").lineage.starts == []


def test_a_sample_of_a_class_says_it_and_is_made_again_with_it(fake, of):
    made = samples(fake, training(fake, "two"), class_name="red & round").folder
    found = of(f"{made.name}/4")
    assert found.sample.class_name == "red & round"
    assert found.sample.command.endswith("--generate-count 12 --class 'red & round'")
    assert "  latent       seed 0, number 4, truncation 0, class red & round" in trace_lines(found)


def test_a_sample_leads_to_its_nearest_reals_with_their_sources(fake, of):
    near = of(generate(fake) / "images" / "00004.png").sample.nearest
    assert [each.id for each in near] == fake.ids(30)[4:9]
    assert near[0].distance == pytest.approx(0.1)
    assert Path(near[0].square).is_file()
    assert near[0].crawled.page == "https://host0.example/page/4"
    assert near[3].crawled.license == "CC0"
    assert near[3].crawled.creator == "A  [31mB"  # no control character reaches a terminal


@pytest.mark.parametrize("form", ["4", "{name}/4", "{name}:4", "generated/cats/generate/{name}/images/00004.png"])
def test_a_sample_has_several_names(fake, of, form):
    found = of(form.format(name=generate(fake).name))
    assert found.sample.file == str(generate(fake) / "images" / "00004.png")


def test_a_copy_of_a_sample_is_recognised(fake, of, tmp_path):
    file = generate(fake) / "images" / "00004.png"
    shutil.copy(file, tmp_path / "copy.png")
    Image.open(file).save(tmp_path / "again.png", compress_level=0)
    assert (tmp_path / "again.png").read_bytes() != file.read_bytes()
    for name in ("copy.png", "again.png"):
        assert of(tmp_path / name).sample.number == 4


def test_a_link_to_a_sample_is_followed(fake, of, tmp_path):
    (tmp_path / "link").symlink_to(generate(fake), target_is_directory=True)
    assert of(tmp_path / "link" / "images" / "00004.png").sample.number == 4


def test_a_picture_of_nobody_is_refused_with_advice(fake, of, tmp_path):
    write_png(tmp_path / "new.png", np.zeros((5, 5, 3), np.uint8))
    with pytest.raises(UserError, match="not known in cats; give a sample, a sample sheet"):
        of(tmp_path / "new.png")


def test_a_sample_that_does_not_exist_names_those_that_do(fake, of):
    with pytest.raises(UserError, match="has no sample 99: its samples are 0 to 11"):
        of("99")


def test_a_sheet_leads_to_its_training(fake, of):
    key = fake.store("gan").folders()[0].name
    for path in (f"generated/cats/training/{key}/epoch-0002.png", f"models/cats/gan/{key}/samples/epoch-0002.png"):
        found = of(path)
        assert (found.kind, found.sheet.epoch, found.sheet.kid) == ("sheet", 2, pytest.approx(0.2))
        assert found.lineage.reals == 30
    with pytest.raises(UserError, match=r"has no epoch-0009\.png; its sheets are epoch-0000\.png to epoch-0003\.png"):
        of(f"generated/cats/training/{key}/epoch-0009.png")


def test_a_picture_leads_to_labels_verdict_trainings_and_samples(fake, of):
    fake.label({KEPT: "off"})
    fake.label({KEPT: "on"})
    picture = of(KEPT[:8]).picture
    assert picture.id == KEPT
    assert [(row.url, row.outcome) for row in picture.crawled] == [("https://pictures.example/3.png", "saved")]
    assert [(each.label, each.how) for each in picture.labels] == [("off", "folder"), ("on", "folder")]
    assert [(each.score, each.threshold, each.outcome, each.current) for each in picture.verdicts] == [
        (0.9, 0.5, "kept", True)
    ]
    assert [each.name for each in picture.learned_by] == ["001-dcgan-16px"]
    assert [(each.sample, each.place) for each in picture.nearest_to] == [(0, 4), (1, 3), (2, 2), (3, 1)]


def test_no_training_learned_from_a_rejected_picture(fake, of):
    picture = of(REJECTED).picture
    assert picture.learned_by == []
    assert picture.verdicts[0].outcome == "rejected"


def test_a_square_and_a_download_are_the_same_picture(fake, of):
    for stage in ("normalize", "download"):
        file = fake.store(stage).folders()[0] / "images" / f"{KEPT}.png"
        assert of(file).picture.id == KEPT


def test_a_url_leads_to_its_outcome_and_picture(fake, of):
    found = of("https://pictures.example/3.png")
    assert (found.kind, found.url[0].outcome, found.picture.id) == ("url", "saved", KEPT)
    failed = of("https://pictures.example/5.png")
    assert (failed.url[0].outcome, failed.url[0].reason, failed.picture) == ("failed", "HTTP 404", None)


@pytest.mark.parametrize(
    ("what", "advice"),
    [
        (
            "https://host1.example/page/3",
            "this is the page of 1 pictures of cats; trace one of them, as in https://pic",
        ),
        ("http://pictures.example/3.png?a=1", "did you mean https://pictures.example/3.png?"),
        ("https://elsewhere.example/", "cats has not asked for this URL"),
        ("abcdef123456", "no picture of cats has this id"),
        ("a/b.png", "not known in cats"),
        ("", "nothing to trace"),
        ("\x1b[2J", "not known in cats"),
        ("9" * 5000, "no picture of cats has this id"),
        ("1a2b3c4d5e6f/" + "9" * 50, "expected a number with at most 9 digits"),
    ],
)
def test_what_is_not_known_is_one_line_with_advice(of, what, advice):
    with pytest.raises(UserError) as caught:
        of(what)
    assert advice in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_ids_that_begin_alike_are_asked_for(fake, of, tmp_path):
    other = FakeDataset(tmp_path, "dogs")
    other.draw(30)
    with pytest.raises(UserError, match="is in the datasets cats, dogs; add --dataset"):
        trace(KEPT, [fake.paths(), other.paths()])
    assert trace(str(other.store("normalize").folders()[0] / "images" / f"{KEPT}.png"), [fake.paths(), other.paths()])


def test_what_was_deleted_is_said_and_the_rest_is_shown(fake, of):
    for stage in ("gan", "normalize"):
        for folder in fake.store(stage).folders():
            shutil.rmtree(folder)
    found = of("4")
    assert any("deleted, or not made yet: the artifact of gan, normalize, download" in note for note in found.notices)
    assert found.lineage.filter.folder
    assert found.sample.nearest[0].square is None
    assert found.sample.nearest[0].crawled.url
    shutil.rmtree(generate(fake))
    gone = of("generated/cats/generate/1a2b3c4d5e6f/images/00004.png")
    assert "were deleted" in gone.notices[0]


def test_samples_of_an_earlier_version_have_no_nearest_reals_and_say_so(fake, of):
    (generate(fake) / "neighbours.jsonl").unlink()
    found = of("4")
    assert found.sample.nearest == []
    assert any("the nearest reals are not known" in note for note in found.notices)


def test_a_changed_file_is_said_and_not_used(fake, of):
    with (fake.store("filter").folders()[0] / "scores.jsonl").open("a") as file:
        file.write("{}\n")
    found = of(KEPT)
    assert found.picture.verdicts == []
    assert any("scores.jsonl is not what was written" in note for note in found.notices)


def test_without_files_no_file_elsewhere_is_read(fake, of, tmp_path):
    shutil.copy(generate(fake) / "images" / "00004.png", tmp_path / "copy.png")
    with pytest.raises(UserError, match="not known in cats"):
        of(tmp_path / "copy.png", files=False)


def test_the_text_names_everything(fake, of):
    lines = "\n".join(trace_lines(of("4")))
    for text in ("sample 4 of cats", "seed 0, number 4", "001-dcgan-16px", "threshold 0.5", picture_id(4)[:12]):
        assert text in lines
    picture = "\n".join(trace_lines(of(KEPT)))
    for text in ("https://pictures.example/3.png", "found by openverse", "kept, score 0.900", "nearest 1 to sample 3"):
        assert text in picture
    json.dumps(of(KEPT).model_dump())
