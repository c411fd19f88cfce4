"""The page of a new dataset: the help of its settings, and the checks of names and folders."""

import pytest


def test_the_page_has_the_help_of_each_setting(client):
    shown = client.get("/new").text
    assert "side of the squares in pixels" in shown
    assert shown.count('class="setting"') > 50
    assert 'value="folder"' in shown


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dogs", ""),
        ("cats", "choose another name"),
        ("a b", "expected letters"),
        ("", "expected letters"),
        ("../x", "expected"),
    ],
)
def test_a_name_is_checked(client, name, says):
    problem = client.get("/new/name", params={"name": name}).json()["problem"]
    assert bool(problem) == bool(says)
    assert says in problem


def test_a_folder_is_checked_and_its_files_counted(fake_dataset, client):
    found = client.get("/new/folder", params={"path": str(fake_dataset.store("normalize").newest().folder / "images")})
    assert found.json() == {"problem": "", "note": "30 files"}
    empty = fake_dataset.folder / "empty"
    empty.mkdir()
    for path, says in (
        (str(empty), "is empty"),
        ("/nowhere", "no such folder"),
        ("~nobody/x", "folder"),
        ("a\0b", "folder"),
    ):
        assert says in client.get("/new/folder", params={"path": path}).json()["problem"]


def test_pictures_can_be_added_later(fake_dataset, client):
    assert "Add pictures to cats" in client.get("/d/cats/pictures/add").text
    assert client.get("/d/nothing/pictures/add").status_code == 404
