import shutil

import pytest

from pipeline.errors import UserError
from pipeline.labels.folders import FOLDERS, export_folders, import_folders

from .conftest import picture_id

IDS = [picture_id(number) for number in range(8)]


@pytest.fixture
def exported(log, normalize, tmp_path):
    """An export in which picture 0 is labelled on and picture 1 off."""
    log.append({IDS[0]: "on", IDS[1]: "off"}, how="test")
    export_folders(log.effective(), normalize=normalize, to=tmp_path / "hand")
    return tmp_path / "hand"


def move_square(top, number, source, target):
    shutil.move(top / source / f"{IDS[number]}.png", top / target)


def import_all(log, normalize, top):
    return import_folders(log, **{name: top / name for name in FOLDERS}, normalize=normalize)


def test_export_copies_each_square_into_the_folder_of_its_label(exported):
    found = {name: {path.stem for path in (exported / name).iterdir()} for name in FOLDERS}
    assert found == {"on": {IDS[0]}, "off": {IDS[1]}, "unsure": set(), "unlabelled": set(IDS[2:6])}


def test_export_summary_counts_the_squares(log, normalize, tmp_path):
    shown = str(export_folders({IDS[0]: "on"}, normalize=normalize, to=tmp_path / "to"))
    assert shown.endswith("1 in on/, 0 in off/, 0 in unsure/, 5 in unlabelled/")


def test_interrupted_export_is_continued(log, normalize, tmp_path):
    to = tmp_path / "to"
    whole = export_folders({IDS[0]: "on"}, normalize=normalize, to=to)
    first, second = sorted((to / "unlabelled").iterdir())[:2]
    first.unlink()
    second.write_bytes(second.read_bytes()[:3])
    assert export_folders({IDS[0]: "on"}, normalize=normalize, to=to) == whole
    assert first.exists()
    assert len(second.read_bytes()) > 3


def test_export_into_a_folder_that_is_not_empty_raises_user_error(log, normalize, exported):
    with pytest.raises(UserError, match="not empty"):
        export_folders({}, normalize=normalize, to=exported)


def test_import_of_an_unchanged_export_changes_nothing(log, normalize, exported):
    before = log.path.read_bytes()
    assert import_all(log, normalize, exported).changed == 0
    assert log.path.read_bytes() == before


def test_import_appends_labels_of_moved_files_only(log, normalize, exported):
    before = len(list(log.rows()))
    move_square(exported, 2, "unlabelled", "on")
    move_square(exported, 1, "off", "unsure")
    move_square(exported, 0, "on", "unlabelled")
    assert import_all(log, normalize, exported).changed == 3
    assert log.effective() == {IDS[1]: "unsure", IDS[2]: "on"}
    assert len(list(log.rows())) == before + 3


def test_files_are_matched_by_raw_bytes_square_or_name(log, normalize, tmp_path):
    folder = tmp_path / "on" / "deeper"
    folder.mkdir(parents=True)
    (folder / "as downloaded.jpg").write_bytes(b"raw 1")
    (folder / "renamed.png").write_bytes(b"square 2")
    (folder / f"{IDS[3]}.png").write_bytes(b"opened and saved again")
    import_folders(log, on=tmp_path / "on", normalize=normalize)
    assert log.effective() == dict.fromkeys(IDS[1:4], "on")


def test_label_of_a_duplicate_is_given_to_the_kept_picture(log, normalize, tmp_path):
    (tmp_path / "off").mkdir()
    (tmp_path / "off" / "copy.jpg").write_bytes(b"raw 6")
    import_folders(log, off=tmp_path / "off", normalize=normalize)
    assert log.effective() == {IDS[0]: "off"}


def test_unknown_files_are_counted_and_named(log, normalize, tmp_path):
    (tmp_path / "on").mkdir()
    for number in range(9):
        (tmp_path / "on" / f"holiday {number}.jpg").write_bytes(b"beach %d" % number)
    (tmp_path / "on" / ".DS_Store").write_bytes(b"")
    summary = import_folders(log, on=tmp_path / "on", normalize=normalize)
    assert (summary.files, summary.changed, summary.unknown) == (9, 0, 9)
    assert "9 match no picture of this dataset: holiday 0.jpg" in str(summary)
    assert str(summary).endswith("...")


def test_picture_in_two_folders_raises_user_error_and_appends_nothing(log, normalize, tmp_path):
    for label, name, data in (("on", "a.png", b"square 1"), ("off", "b.jpg", b"raw 1"), ("off", "c.jpg", b"raw 2")):
        (tmp_path / label).mkdir(exist_ok=True)
        (tmp_path / label / name).write_bytes(data)
    with pytest.raises(UserError, match=r"a\.png and .*b\.jpg are the same picture"):
        import_folders(log, on=tmp_path / "on", off=tmp_path / "off", normalize=normalize)
    assert log.effective() == {}


def test_missing_folder_raises_user_error(log, normalize, tmp_path):
    with pytest.raises(UserError, match=r"--on .*nowhere"):
        import_folders(log, on=tmp_path / "nowhere", normalize=normalize)


def test_import_for_validation_marks_pictures_that_were_labelled_before(log, normalize, tmp_path):
    log.append({IDS[1]: "on", IDS[2]: "off"}, how="page")
    for name, number in (("on", 1), ("off", 3)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "picture").write_bytes(b"raw %d" % number)
    summary = import_folders(log, on=tmp_path / "on", off=tmp_path / "off", normalize=normalize, validation=True)
    assert "2 are for validation: measured on, never trained on" in str(summary)
    assert log.current().for_validation() == {IDS[1]: "on", IDS[3]: "off"}
    again = import_folders(log, on=tmp_path / "on", off=tmp_path / "off", normalize=normalize, validation=True)
    assert again.changed == 0


def test_import_without_validation_takes_no_picture_out_of_the_validation_set(log, normalize, tmp_path):
    log.append({IDS[1]: "on"}, how="folder", set="validation")
    (tmp_path / "off").mkdir()
    (tmp_path / "off" / "picture").write_bytes(b"raw 1")
    summary = import_folders(log, off=tmp_path / "off", normalize=normalize)
    assert summary.validation == 1
    assert log.current().for_validation() == {IDS[1]: "off"}
