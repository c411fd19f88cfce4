"""The report in Chromium, from its folder: axe-core finds nothing serious, no sideways scrolling, its slider works."""

import numpy as np
import pytest

from pipeline.images.contact_sheet import write_png
from pipeline.report.report_page import render_page
from tests.report.test_report_hostile_words import SUMMARIES, _manifest
from tests.web.browser import MARKS, WINDOWS, problems, watched_tab
from tests.web.conftest import chromium  # noqa: F401  # a fixture

pytestmark = MARKS


@pytest.fixture
def page(tmp_path):
    """The address of a report with two sample sheets and a wide contact sheet."""
    for name, width in (("training-epoch-0001", 90), ("training-epoch-0020", 90), ("sheet-kept", 999)):
        write_png(tmp_path / f"{name}.png", np.full((60, width, 3), 90, np.uint8))
    found = {stage: _manifest(stage, summary) for stage, summary in SUMMARIES.items()}
    (tmp_path / "index.html").write_text(render_page("cats", found, tmp_path, {"truth": None}, definition="{}"))
    return (tmp_path / "index.html").as_uri()


def test_report_looks_right_in_wide_and_narrow_windows_and_its_slider_works(page, chromium):  # noqa: F811
    with chromium.new_context(bypass_csp=True) as profile:  # axe-core is a script that the policy forbids
        tab = profile.new_page()
        tab.goto(page)
        assert [problem for width, scheme in WINDOWS for problem in problems(tab, width, scheme)] == []
        assert tab.evaluate("document.querySelector('img[src=\"sheet-kept.png\"]').clientWidth") == 999
    with chromium.new_context() as profile:
        tab, errors = watched_tab(profile)
        tab.goto(page)
        tab.focus("#epoch")
        tab.keyboard.press("Home")
        assert tab.get_attribute("#sheet", "src") == "training-epoch-0001.png"
        tab.goto(f"{page}#epoch=20")
        assert tab.inner_text("#epoch-shown") == "epoch 20"
        assert errors == []
