"""The page in a real browser: keys and mouse in, the label log out."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.web.drawn_home import DrawnHome, picture_id
from tests.web.live import Live

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, which is not here"),
]
FAKE = Path(__file__).parent / "fake_tasks.py"
SAVED = "document.getElementById('saving').textContent === 'all saved'"


@pytest.fixture(scope="module")
def chromium():
    """One browser for all; each test has a profile of its own."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, which is not here")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def profile(chromium):
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def live(tmp_path):
    home = DrawnHome(tmp_path)
    home.draw(70)
    server = Live(home, sys.executable, str(FAKE), str(tmp_path / "gate")).start()
    yield server
    server.kill()


def opened(profile, live, view="#view=all"):
    """A tab that shows the pictures and is ready for keys."""
    tab = profile.new_page()
    tab.goto(live.page + view)
    tab.wait_for_selector(".tile")
    until(tab, SAVED)
    return tab


def until(tab, condition):
    """Ask from outside, as the page's policy forbids code that is made from text."""
    for _ in range(400):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"never came true: {condition}")


def press(tab, keys):
    for key in keys:
        tab.keyboard.press(key)


def saved(tab):
    until(tab, SAVED)


def shown(tab):
    """The label of every tile that is painted as saved."""
    return tab.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.tile:not(.saving)')]"
        ".filter((tile) => tile.dataset.label).map((tile) => [tile.dataset.id, tile.dataset.label]))"
    )


def test_fifty_labels_by_keys_and_mouse_then_undo_and_a_reload(profile, live):
    tab = opened(profile, live)
    press(tab, "ynu" * 10)
    tab.select_option("#brush", "on")
    for number in range(30, 50):
        tab.click(f".tile[data-id='{picture_id(number)}']")
    saved(tab)
    given = {picture_id(number): ("on", "off", "unsure")[number % 3] for number in range(30)}
    given |= {picture_id(number): "on" for number in range(30, 50)}
    assert live.home.log.effective() == given == shown(tab)
    tab.reload()
    tab.wait_for_selector(".tile")
    assert shown(tab) == given
    tab.click("[data-act=undo]")
    press(tab, "zz")
    saved(tab)
    kept = {picture_id(number): given[picture_id(number)] for number in range(47)}
    assert live.home.log.effective() == kept == shown(tab)
    assert len(live.home.logged()) == 53


def test_a_server_killed_while_marking_loses_nothing_and_doubles_nothing(profile, live):
    tab = opened(profile, live)
    press(tab, "yn" * 10)
    live.kill()
    before = shown(tab)
    assert before.items() <= live.home.log.effective().items(), "a tile showed a label that was not on the disk"
    press(tab, "yn" * 10)
    until(tab, "document.getElementById('saving').textContent.includes('not yet saved')")
    live.start()
    saved(tab)
    pressed = {picture_id(number): "off" if number % 2 else "on" for number in range(40)}
    assert live.home.log.effective() == pressed == shown(tab)
    assert len(live.home.logged()) == 40


def test_marks_wait_for_squares_that_are_away(profile, live):
    tab = opened(profile, live)
    squares = live.home.shelf("normalize").root
    squares.rename(live.home.folder / "away")
    press(tab, "y")
    until(tab, "document.getElementById('saving').textContent.includes('1 not yet saved')")
    (live.home.folder / "away").rename(squares)
    saved(tab)
    assert live.home.log.effective() == {picture_id(0): "on"} == shown(tab)


def test_marks_that_waited_are_sent_after_a_reload_but_not_over_newer_ones(profile, live):
    tab = opened(profile, live)
    live.kill()
    press(tab, "yyy")
    until(tab, "document.getElementById('saving').textContent.includes('3 not yet saved')")
    tab.close()
    live.home.label({picture_id(1): "off"})
    live.start()
    tab = profile.new_page()
    tab.goto(live.page + "#view=all")
    tab.wait_for_selector(".tile")
    until(tab, "document.getElementById('toast').textContent.includes('1 not saved: labelled off')")
    saved(tab)
    assert live.home.log.effective() == {picture_id(0): "on", picture_id(1): "off", picture_id(2): "on"}


def test_two_tabs_see_each_other_and_undo_only_their_own(profile, live):
    one, two = opened(profile, live), opened(profile, live)
    press(one, "yy")
    saved(one)
    until(two, "document.querySelectorAll('.tile[data-label=on]').length === 2")
    two.click(f".tile[data-id='{picture_id(1)}']")
    press(two, "n")
    saved(two)
    until(one, "document.querySelectorAll('.tile[data-label=off]').length === 1")
    press(one, "zz")
    saved(one)
    assert live.home.log.effective() == {picture_id(1): "off"}


@pytest.mark.parametrize("pace", ["slowly", "at once", "offline"])
def test_an_undo_leaves_what_another_person_said_first(profile, live, pace):
    tab = profile.new_page()
    tab.route("**/changes*", lambda route: None)  # this tab hears nothing of the other
    tab.goto(live.page + "#view=all")
    tab.wait_for_selector(".tile")
    until(tab, SAVED)
    live.home.label({picture_id(0): "on"})
    if pace == "offline":
        tab.route("**/marks", lambda route: route.abort())
    for key in "yz":
        press(tab, key)
        if pace == "slowly":
            saved(tab)
    tab.unroute("**/marks")
    saved(tab)
    until(tab, f"document.querySelector(\".tile[data-id='{picture_id(0)}']\").dataset.label === 'on'")
    assert live.home.log.effective() == {picture_id(0): "on"}


def test_the_rest_of_the_page_and_a_row_at_once(profile, live):
    tab = opened(profile, live)
    press(tab, "n")
    press(tab, ["Shift+Y"])
    saved(tab)
    columns = len(live.home.log.effective())
    assert 1 < columns < 20
    press(tab, ["r", "n"])
    saved(tab)
    assert live.home.log.effective() == dict.fromkeys(live.home.ids(70), "off") | dict.fromkeys(
        live.home.ids(columns), "on"
    )
    press(tab, "z")
    saved(tab)
    assert len(live.home.log.effective()) == columns


def test_a_batch_stays_as_it_is_and_the_next_one_is_other_pictures(profile, live):
    tab = opened(profile, live, "")
    first = tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)")
    assert len(first) == 60
    assert tab.locator(".tile .why").first.text_content() in ("random", "different")
    press(tab, "ynyn")
    saved(tab)
    tab.reload()
    tab.wait_for_selector(".tile")
    assert tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)") == first
    press(tab, "]")
    until(tab, f"document.querySelector('.tile').dataset.id !== '{first[0]}'")
    second = tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)")
    assert not set(first[:4]) & set(second)
    press(tab, "[")
    until(tab, f"document.querySelector('.tile').dataset.id === '{first[0]}'")
    assert tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)") == first
    assert len(shown(tab)) == 4
    assert tab.is_disabled("[data-act=previous]")
    tab.reload()
    tab.wait_for_selector(".tile")
    assert tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)") == first
    press(tab, "]")
    until(tab, f"document.querySelector('.tile').dataset.id === '{second[0]}'")


def test_page_up_and_down_scroll(profile, live):
    tab = opened(profile, live, "")
    tab.set_viewport_size({"width": 400, "height": 500})
    first = tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)")
    press(tab, ["PageDown"])
    until(tab, "window.scrollY > 100")
    assert tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)") == first


def test_labels_from_the_command_line_show_up(profile, live):
    tab = opened(profile, live)
    live.home.label({picture_id(5): "unsure"})
    tab.wait_for_selector(f".tile[data-id='{picture_id(5)}'][data-label=unsure]")


def test_a_run_is_planned_started_followed_and_outlives_the_server(profile, live):
    tab = opened(profile, live)
    tab.click("#update")
    tab.wait_for_selector("#plan-steps td:has-text('labels changed: 8 → 9')")
    tab.click("#plan-start")
    until(tab, "document.getElementById('run-line').textContent === 'classifier 50 %'")
    live.kill()
    live.start()
    (live.home.folder / "gate").write_text("filter     kept 12 of 70 at a score of 0.500 or above\ntook       3.0 s")
    until(tab, "document.getElementById('run-line').textContent.startsWith('filter kept 12 of 70')")
    assert (live.home.folder / "gate.runs").read_text() == "run --dataset cats --until filter\n"


def test_a_run_can_be_stopped_and_a_failed_one_says_why(profile, live):
    tab = opened(profile, live)
    tab.click("#update")
    tab.click("#plan-start")
    tab.wait_for_selector("#run[data-state=running]")
    until(tab, "document.getElementById('run-line').textContent === 'classifier 50 %'")
    tab.click("#run-stop")
    tab.wait_for_selector("#run[data-state=stopped]")
    (live.home.folder / "gate").write_text("classifier failed: the classifier needs 8 of each")
    tab.click("#update")
    tab.click("#plan-start")
    tab.wait_for_selector("#run[data-state=failed]")
    assert "needs 8 of each" in tab.text_content("#run-line")


def test_text_from_the_web_is_text_and_links_leave_safely(profile, tmp_path):
    home = DrawnHome(tmp_path)
    evil = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
    home.draw(4, titles={0: evil}, rows={0: {"query": evil}, 1: {"page": "javascript:document.title='run'"}})
    server = Live(home).start()
    try:
        tab = opened(profile, server)
        faults = []
        tab.on("pageerror", lambda error: faults.append(str(error)))
        press(tab, ["Enter"])
        assert evil in tab.text_content("#zoom-title")
        assert tab.locator("#zoom-facts img, #zoom-facts script").count() == 0
        link = tab.locator("#page-link")
        assert link.get_attribute("href") == "https://host0.example/page/0"
        assert (link.get_attribute("rel"), link.get_attribute("target")) == ("noopener noreferrer", "_blank")
        press(tab, ["ArrowRight"])
        assert link.is_hidden()
        assert tab.title() == "cats: labels"
        assert not faults
    finally:
        server.kill()


def test_the_zoom_shows_the_original_and_takes_marks(profile, live):
    tab = opened(profile, live)
    press(tab, ["Enter"])
    until(tab, "document.getElementById('zoom-picture').naturalWidth === 40")
    press(tab, "yn")
    saved(tab)
    assert live.home.log.effective() == {picture_id(0): "on", picture_id(1): "off"}
    assert tab.text_content("#zoom-title") == "picture 2"


def test_on_a_phone_the_bars_are_low_and_the_zoom_takes_marks_by_touch(profile, live):
    live.home.filter(dict.fromkeys(live.home.ids(70), 0.9), notice="precision 0.95 is expected but not shown yet")
    tab = profile.new_page()
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(live.page + "#view=all")
    tab.wait_for_selector(".tile")
    until(tab, SAVED)
    bars = "[...document.querySelectorAll('header, nav, footer')].reduce((sum, bar) => sum + bar.offsetHeight, 0)"
    assert tab.evaluate(bars) < 844 / 3
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    assert tab.is_hidden("#sort")
    tab.click("#more")
    assert tab.is_visible("#sort")
    assert tab.is_visible("#brush")
    tab.click("[data-act=zoom]")
    for label in ("on", "off", "unsure"):
        tab.click(f"#zoom-acts [data-act={label}]")
    saved(tab)
    assert live.home.log.effective() == dict(zip(live.home.ids(3), ("on", "off", "unsure"), strict=True))
    assert tab.text_content("#zoom-title") == "picture 3"
    tab.click("#zoom-close")
    press(tab, ["Enter", "Enter"])
    assert tab.is_hidden("#zoom")
    assert len(live.home.log.effective()) == 3


def test_a_damaged_log_is_one_clear_line_and_marks_wait_for_its_repair(profile, live):
    live.home.label({picture_id(0): "on"})
    tab = opened(profile, live)
    live.home.damage()
    press(tab, ["n"])
    until(tab, "document.getElementById('problem').textContent.includes('labels repair')")
    assert live.home.log.repair() == 1
    saved(tab)
    tab.wait_for_selector("#problem", state="hidden")
    assert live.home.log.effective() == {picture_id(0): "on", picture_id(1): "off"}


def test_a_new_filter_brings_its_scores_and_what_the_labels_did_to_an_open_page(profile, live):
    home = live.home
    scores = dict.fromkeys(home.ids(70), 0.9)
    home.filter(scores)
    tab = opened(profile, live)
    assert tab.text_content(f".tile[data-id='{picture_id(3)}'] .score") == "0.90 ± 0.05"
    press(tab, "yn")
    saved(tab)
    until(tab, "document.getElementById('gain').textContent.includes('2 labels are newer than the filter')")
    home.filter(scores | {picture_id(3): 0.2}, labels=home.log.effective(), spread=None)
    home.classifier(hint="More labels would change little.", enough=True)
    until(tab, f"document.querySelector(\".tile[data-id='{picture_id(3)}'] .score\").textContent === '0.20'")
    until(tab, "document.getElementById('gain').textContent.includes('The last 2 labels changed 2 of 70 decisions')")
    until(tab, "document.getElementById('gain').textContent.includes('More labels would change little.')")
    assert shown(tab) == {picture_id(0): "on", picture_id(1): "off"}
    tab.click("[data-view=rejected]")
    until(tab, "document.getElementById('where').textContent === '1–2 of 2'")


def test_a_key_that_is_held_marks_once_and_the_rest_is_marked_once(profile, live):
    tab = opened(profile, live)
    for _ in range(5):
        tab.keyboard.down("y")
    tab.keyboard.up("y")
    saved(tab)
    assert live.home.log.effective() == {picture_id(0): "on"}
    tab.select_option("#reach", "rest")
    press(tab, "n")
    saved(tab)
    assert len(live.home.log.effective()) == 2
    tab.click("[data-act=off]")
    saved(tab)
    assert len(live.home.log.effective()) == 70
    assert tab.input_value("#reach") == "one"
    tab.click(f".tile[data-id='{picture_id(5)}']")
    tab.select_option("#reach", "row")
    tab.click("[data-act=on]")
    tab.click("[data-act=unsure]")
    saved(tab)
    assert list(live.home.log.effective().values()).count("unsure") == 1


def test_the_size_is_remembered(profile, live):
    tab = opened(profile, live)
    before = tab.locator(".tile").first.bounding_box()["width"]
    press(tab, "++++")
    tab.reload()
    tab.wait_for_selector(".tile")
    assert tab.locator(".tile").first.bounding_box()["width"] > before
