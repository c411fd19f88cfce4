"""Drives the label page in Chromium with Playwright."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MARKS = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, which is not installed"),
]
ALL_SAVED = "document.getElementById('saving').textContent === 'all saved'"


def open_tab(profile, live_server, view="#view=all"):
    """Open a tab that shows squares and accepts keys."""
    tab = profile.new_page()
    tab.goto(live_server.page + view)
    tab.wait_for_selector(".tile")
    wait_for(tab, ALL_SAVED)
    return tab


def wait_for(tab, condition):
    """Wait until a JavaScript expression is true; Playwright's own wait needs eval, which the page's policy forbids."""
    for _ in range(400):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"never became true: {condition}")


def press(tab, keys):
    for key in keys:
        tab.keyboard.press(key)


def wait_until_saved(tab):
    wait_for(tab, ALL_SAVED)


def saved_labels(tab):
    """The labels that the tiles show as saved, by id."""
    return tab.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.tile:not(.saving)')]"
        ".filter((tile) => tile.dataset.label).map((tile) => [tile.dataset.id, tile.dataset.label]))"
    )
