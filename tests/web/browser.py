"""Drives the label page in Chromium with Playwright."""

import shutil

import pytest
from playwright.sync_api import Error

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
    """Wait until a JavaScript expression is true; Playwright's own wait needs eval, which the page's policy forbids.

    An expression may fail for a while: a page that is still loading lacks its elements, or leaves for the next one.
    """
    error = None
    for _ in range(400):
        try:
            if tab.evaluate(condition):
                return
            error = None
        except Error as raised:
            error = raised
        tab.wait_for_timeout(50)
    raise AssertionError(f"never became true: {condition}" + (f" ({error})" if error else ""))


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


# Each width and each scheme once: narrow windows have the colours of wide ones
WINDOWS = ((1400, "light"), (400, "dark"))
SERIOUS = ("serious", "critical")
NOT_OURS = {"exclude": [["#swagger"]]}  # Swagger UI, as its package has it


def watched_tab(profile):
    """A tab, and the list of errors that its console shows; a page that is an error itself is none."""
    tab, errors = profile.new_page(), []
    tab.on(
        "console", lambda told: errors.append(told.text) if told.type == "error" and not _is_page(tab, told) else None
    )
    tab.on("pageerror", lambda error: errors.append(str(error)))
    return tab, errors


def problems(tab, width, scheme):
    """What is wrong with the page in a window of this width, light or dark: rules of axe-core, sideways scrolling."""
    from axe_playwright_python.sync_playwright import Axe

    tab.set_viewport_size({"width": width, "height": 900})
    tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    tab.wait_for_timeout(50)  # for scripts that follow the size of the window
    where = f"{width} px, {scheme}"
    wide = tab.evaluate("document.documentElement.scrollWidth")
    found = [f"{where}: the page is {wide} px wide"] if wide > width else []
    for rule in Axe().run(tab, context=NOT_OURS).response["violations"]:
        if rule["impact"] in SERIOUS:
            found += [f"{where}: {rule['id']}: {node['html'][:200]}" for node in rule["nodes"]]
    return found


def _is_page(tab, told):
    """Whether an error is that the page itself has an error status."""
    same = told.location.get("url", "").partition("#")[0] == tab.url.partition("#")[0]
    return same and told.text.startswith("Failed to load resource")
