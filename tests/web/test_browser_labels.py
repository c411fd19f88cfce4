"""The label page in a browser: labels reach the disk once each, whatever fails or whoever else labels."""

import pytest

from tests.long_values import and_long
from tests.web.browser import ALL_SAVED, MARKS, open_tab, press, saved_labels, wait_for, wait_until_saved
from tests.web.fake_dataset import picture_id

pytestmark = MARKS


def test_page_labels_by_keys_and_mouse_survive_reload_and_undo(profile, live_server):
    tab = open_tab(profile, live_server)
    press(tab, "ynu" * 10)
    tab.select_option("#brush", "on")
    for number in range(30, 50):
        tab.click(f".tile[data-id='{picture_id(number)}']")
    wait_until_saved(tab)
    given = {picture_id(number): ("on", "off", "unsure")[number % 3] for number in range(30)}
    given |= {picture_id(number): "on" for number in range(30, 50)}
    assert live_server.fake_dataset.log.effective() == given == saved_labels(tab)
    tab.reload()
    tab.wait_for_selector(".tile")
    assert saved_labels(tab) == given
    tab.click("[data-act=undo]")
    press(tab, "zz")
    wait_until_saved(tab)
    kept = {picture_id(number): given[picture_id(number)] for number in range(47)}
    assert live_server.fake_dataset.log.effective() == kept == saved_labels(tab)
    assert len(live_server.fake_dataset.logged()) == 53


def test_page_labels_survive_a_killed_server_once_each(profile, live_server):
    tab = open_tab(profile, live_server)
    press(tab, "yn" * 10)
    live_server.kill()
    before = saved_labels(tab)
    assert before.items() <= live_server.fake_dataset.log.effective().items(), (
        "a tile showed a label that was not on the disk"
    )
    press(tab, "yn" * 10)
    wait_for(tab, "document.getElementById('saving').textContent.includes('not yet saved')")
    live_server.start()
    wait_until_saved(tab)
    pressed = {picture_id(number): "off" if number % 2 else "on" for number in range(40)}
    assert live_server.fake_dataset.log.effective() == pressed == saved_labels(tab)
    assert len(live_server.fake_dataset.logged()) == 40


def test_page_labels_wait_while_squares_are_missing(profile, live_server):
    tab = open_tab(profile, live_server)
    squares = live_server.fake_dataset.store("normalize").root
    squares.rename(live_server.fake_dataset.folder / "away")
    press(tab, "y")
    wait_for(tab, "document.getElementById('saving').textContent.includes('1 not yet saved')")
    (live_server.fake_dataset.folder / "away").rename(squares)
    wait_until_saved(tab)
    assert live_server.fake_dataset.log.effective() == {picture_id(0): "on"} == saved_labels(tab)


def test_page_labels_sent_late_do_not_overwrite_newer_ones(profile, live_server):
    tab = open_tab(profile, live_server)
    live_server.kill()
    press(tab, "yyy")
    wait_for(tab, "document.getElementById('saving').textContent.includes('3 not yet saved')")
    tab.close()
    live_server.fake_dataset.label({picture_id(1): "off"})
    live_server.start()
    tab = profile.new_page()
    tab.goto(live_server.page + "#view=all")
    tab.wait_for_selector(".tile")
    wait_for(tab, "document.getElementById('toast').textContent.includes('1 not saved: labelled off')")
    wait_until_saved(tab)
    assert live_server.fake_dataset.log.effective() == {picture_id(0): "on", picture_id(1): "off", picture_id(2): "on"}


@pytest.mark.long
def test_page_tabs_share_labels_and_undo_only_their_own(profile, live_server):
    one, two = open_tab(profile, live_server), open_tab(profile, live_server)
    press(one, "yy")
    wait_until_saved(one)
    wait_for(two, "document.querySelectorAll('.tile[data-label=on]').length === 2")
    two.click(f".tile[data-id='{picture_id(1)}']")
    press(two, "n")
    wait_until_saved(two)
    wait_for(one, "document.querySelectorAll('.tile[data-label=off]').length === 1")
    press(one, "zz")
    wait_until_saved(one)
    assert live_server.fake_dataset.log.effective() == {picture_id(1): "off"}


@pytest.mark.parametrize("pace", and_long(["at once"], long=["slowly", "offline"]))
def test_page_undo_keeps_the_label_of_another_person(profile, live_server, pace):
    tab = profile.new_page()
    tab.route("**/changes*", lambda route: None)  # this tab hears nothing of the other
    tab.goto(live_server.page + "#view=all")
    tab.wait_for_selector(".tile")
    wait_for(tab, ALL_SAVED)
    live_server.fake_dataset.label({picture_id(0): "on"})
    if pace == "offline":
        tab.route("**/labels", lambda route: route.abort())
    for key in "yz":
        press(tab, key)
        if pace == "slowly":
            wait_until_saved(tab)
    tab.unroute("**/labels")
    wait_until_saved(tab)
    wait_for(tab, f"document.querySelector(\".tile[data-id='{picture_id(0)}']\").dataset.label === 'on'")
    assert live_server.fake_dataset.log.effective() == {picture_id(0): "on"}


def test_page_shows_labels_from_the_command_line(profile, live_server):
    tab = open_tab(profile, live_server)
    live_server.fake_dataset.label({picture_id(5): "unsure"})
    tab.wait_for_selector(f".tile[data-id='{picture_id(5)}'][data-label=unsure]")


@pytest.mark.long
def test_page_shows_a_damaged_log_and_labels_wait_for_repair(profile, live_server):
    live_server.fake_dataset.label({picture_id(0): "on"})
    tab = open_tab(profile, live_server)
    live_server.fake_dataset.damage()
    press(tab, ["n"])
    wait_for(tab, "document.getElementById('problem').textContent.includes('labels repair')")
    assert live_server.fake_dataset.log.repair() == 1
    wait_until_saved(tab)
    tab.wait_for_selector("#problem", state="hidden")
    assert live_server.fake_dataset.log.effective() == {picture_id(0): "on", picture_id(1): "off"}


@pytest.mark.long
def test_an_answer_from_before_a_label_was_saved_removes_it_from_no_tile(profile, live_server):
    tab = open_tab(profile, live_server)
    press(tab, "y")
    wait_until_saved(tab)
    polls = []
    tab.route("**/changes*", lambda route: polls.append((route, route.fetch() if not polls else None)))
    wait_for_polls(tab, polls, 1)
    press(tab, "n")
    wait_until_saved(tab)
    answered, response = polls[0]
    answered.fulfill(response=response)
    wait_for_polls(tab, polls, 2)  # the page has taken the first answer
    assert saved_labels(tab) == {picture_id(0): "on", picture_id(1): "off"}
    tab.unroute("**/changes*")


def wait_for_polls(tab, polls, count):
    for _ in range(200):
        if len(polls) >= count:
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"the page asked {len(polls)} times for changes, not {count} times")
