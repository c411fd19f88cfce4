"""Home, a new dataset, settings and definitions in Chromium, with the real commands."""

import sys

import pytest

from tests.web.browser import MARKS, wait_for
from tests.web.fake_dataset import FakeDataset
from tests.web.live_server import REPOSITORY, LiveServer
from tests.web.test_uploads import png, zipped
from tests.web.waiting import until

pytestmark = MARKS


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server in a working folder of its own, with the datasets cats and dogs."""
    folder = tmp_path_factory.mktemp("studio")
    cats = FakeDataset(folder)
    cats.draw(12)
    FakeDataset(folder, "dogs").draw(5)
    found = LiveServer(cats, sys.executable, "-m", "tasks")
    found.folder = folder
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(REPOSITORY))
        yield found.start()
    found.kill()


def has_text(selector, text):
    return f"document.querySelector({selector!r})?.textContent.includes({text!r})"


def shown_cards(tab):
    return tab.evaluate("[...document.querySelectorAll('li.card:not([hidden])')].map((card) => card.dataset.name)")


def test_a_dataset_is_made_of_dropped_pictures_and_more_are_added(profile, server):
    tab = profile.new_page()
    tab.goto(f"{server.address}/")
    tab.click("text=New dataset")
    tab.fill("#name", "cats")
    wait_for(tab, has_text("#name-problem", "choose another name"))
    tab.fill("#name", "tabbies")
    tab.check("input[value=pictures]")
    files = [{"name": f"tabby {n}.png", "mimeType": "image/png", "buffer": png(n)} for n in range(3)]
    files.append({"name": "more.zip", "mimeType": "application/zip", "buffer": zipped(("deep/er.png", png(9)))})
    tab.set_input_files("#files", files)
    wait_for(tab, has_text("#gathered", "4 files"))
    tab.fill("input[name='normalize.size']", "7")
    wait_for(tab, has_text(".setting[data-name='normalize.size'] .wrong", "at least 16"))
    tab.fill("input[name='normalize.size']", "32")
    tab.click("#make")
    wait_for(tab, has_text("#made", "tabbies is made"))
    assert "4 pictures stored" in tab.text_content("#made-note")
    tab.goto(f"{server.address}/d/tabbies/pictures/add")
    tab.set_input_files("#files", [files[0], {"name": "new.png", "mimeType": "image/png", "buffer": png(50)}])
    tab.click("#send")
    wait_for(tab, has_text("#note", "1 picture stored; 1 there already"))
    assert len(list((server.folder / "data" / "tabbies" / "uploads").iterdir())) == 5


@pytest.mark.long
def test_a_setting_is_saved_its_origin_shown_and_forgotten(profile, server):
    tab = profile.new_page()
    tab.goto(f"{server.address}/d/cats/settings#q=epochs")
    row = ".setting[data-name='gan.epochs']"
    wait_for(tab, has_text(f"{row} .origin", "default"))
    tab.fill("input[name='gan.epochs']", "0")
    wait_for(tab, has_text(f"{row} .wrong", "at least 1"))
    assert tab.is_disabled("#save")
    tab.fill("input[name='gan.epochs']", "20")
    wait_for(tab, "!document.getElementById('save').disabled")
    tab.click("#save")
    wait_for(tab, has_text(f"{row} .origin", "saved for this dataset"))
    tab.click(f"{row} .back")
    wait_for(tab, has_text(f"{row} .origin", "default"))
    assert tab.input_value("input[name='gan.epochs']") == "auto"


@pytest.mark.long
def test_a_definition_is_corrected_and_saved_under_a_new_name(profile, server):
    tab = profile.new_page()
    tab.goto(f"{server.address}/definitions")
    tab.click("text=dcgan-128")
    tab.fill("#text", '{\n  "latnet": 64\n}')
    tab.fill("#name", "mine")
    wait_for(tab, has_text("#state", "models/mine.json: unknown key 'latnet'; did you mean"))
    assert tab.is_disabled("#save")
    assert tab.is_disabled("#use")
    assert tab.text_content("#trained").startswith("Save it first")
    tab.click("text=Show line 2")
    assert tab.evaluate("getSelection().toString()") == '  "latnet": 64'
    tab.fill("#text", '{\n  "latent": 64\n}')
    wait_for(tab, has_text("#differences", "latent = 64"))
    tab.click("#save")
    tab.wait_for_url("**/definitions/mine")
    tab.select_option("#dataset", "cats")
    tab.click("#use")
    wait_for(tab, has_text("#trained", "The next run of cats uses it"))
    assert (server.folder / "models" / "mine.json").read_text() == '{\n  "latent": 64\n}'


def test_what_is_typed_before_the_script_has_come_counts_as_unsaved(profile, server):
    tab = profile.new_page()
    held = []
    tab.route("**/definition.js*", lambda route: held.append(route))
    tab.goto(f"{server.address}/definitions/dcgan-128", wait_until="commit")
    tab.fill("#text", '{"latent": 64}')
    until(lambda: tab.wait_for_timeout(20) or held)
    held[0].continue_()
    wait_for(tab, "document.getElementById('use').disabled")


@pytest.mark.long
def test_datasets_are_filtered_archived_restored_and_deleted(profile, server):
    tab = profile.new_page()
    tab.goto(f"{server.address}/#sort=name")
    assert shown_cards(tab)[:2] == ["cats", "dogs"]
    tab.fill("[name=name]", "DOG")
    assert shown_cards(tab) == ["dogs"]
    assert "name=DOG" in tab.url
    tab.click("[data-remove=dogs]")
    wait_for(tab, has_text("#removal-has", "It has 0 labels"))
    tab.click("#removal-archive")
    tab.wait_for_selector("text=Archived (1)")
    tab.click("#archive summary")
    tab.click("[data-restore]")
    tab.wait_for_selector("[data-remove=dogs]")
    tab.click("[data-remove=dogs]")
    assert tab.is_disabled("#removal-delete")
    tab.fill("#removal-name", "dogs")
    tab.click("#removal-delete")
    tab.wait_for_selector("[data-remove=dogs]", state="detached")
    assert not (server.folder / "data" / "dogs").exists()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_axe_finds_nothing_serious(chromium, server, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = chromium.new_context(color_scheme=scheme, bypass_csp=True)
    tab = context.new_page()
    found = []
    others = ("/new", "/definitions", "/d/cats/pictures/add") if scheme == "light" else ()
    for path in ("/", "/d/cats/settings", "/definitions/dcgan", *others):
        tab.goto(server.address + path)
        results = axe.run(tab).response["violations"]
        found += [
            (path, each["id"], each["nodes"][0]["html"])
            for each in results
            if each["impact"] in ("serious", "critical")
        ]
    context.close()
    assert found == []
