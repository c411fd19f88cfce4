"""Charts: what they show can be read from the SVG, and nothing in them can break it."""

import math
import xml.etree.ElementTree as ElementTree

import pytest

from pipeline.web.charts import HEIGHT, LEFT, RIGHT, WIDTH, Chart, Mark, Series, Span, describe, draw, plain

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*series, **facts):
    chart = Chart(id="c", title=facts.pop("title", "loss"), x_label="epoch", series=series, **facts)
    return ElementTree.fromstring(str(draw(chart)).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def line(*values, label="a", **facts):
    return Series(label=label, points=[(number + 1, value) for number, value in enumerate(values)], **facts)


def ticks(svg):
    return [element.text for element in svg.findall(f"{SVG}text")]


def test_missing_values_are_gaps():
    svg = drawn(line(1, 2, None, 3, 4, float("nan"), 5))
    assert [len(each.get("points").split()) for each in svg.findall(f"{SVG}polyline")] == [2, 2]
    assert len(svg.findall(f"{SVG}circle")) == 5  # a point alone is seen too


def test_higher_values_are_higher_up_and_inside_the_plot():
    svg = drawn(line(1, 5, 3))
    points = [tuple(map(float, each.split(","))) for each in svg.find(f"{SVG}polyline").get("points").split()]
    assert points[1][1] < points[2][1] < points[0][1]
    assert all(LEFT <= x <= WIDTH - RIGHT and 0 <= y <= HEIGHT for x, y in points)


def test_ticks_are_round_numbers():
    svg = drawn(Series(label="a", points=[(0, 0.0), (37, 0.93)]))
    assert {"0", "0.2", "0.4", "0.6", "0.8", "10", "20", "30"} <= set(ticks(svg))


def test_large_range_is_logarithmic_only_where_allowed():
    assert {"1", "10", "100"} <= set(ticks(drawn(line(0.5, 10, 200), may_be_log=True)))
    assert "10" not in ticks(drawn(line(0.5, 10, 200)))


def test_floor_near_zero_does_not_flatten_the_curve():
    floor = line(0.001, 0.001, label="floor", dashed=True)
    svg = drawn(line(2.0, 1.0), floor, may_be_log=True)
    assert "0.5" in ticks(svg)


def test_errors_are_a_band_and_marks_and_spans_say_what_they_are():
    svg = drawn(
        line(3, 2, errors=[0.5, 0.1]),
        spans=[Span(start=1, end=2, text="a plateau")],
        marks=[Mark(x=2, y=2, text="lowest")],
    )
    assert len(svg.find(f"{SVG}polygon").get("points").split()) == 4
    assert [each.text for each in svg.iter(f"{SVG}title")] == ["loss", "a plateau", "lowest"]


def test_chart_has_a_title_and_its_numbers_in_words():
    svg = drawn(line(3, 1, 2, label="generator"))
    assert svg.get("role") == "img"
    assert svg.get("aria-labelledby").split() == [svg.find(f"{SVG}title").get("id"), svg.find(f"{SVG}desc").get("id")]
    assert svg.find(f"{SVG}desc").text == "generator: 3 at 1, 2 at 3; lowest 1, highest 3."


def test_hostile_texts_stay_texts():
    evil = '"><script>alert(1)</script>'
    svg = drawn(line(1, 2, label=evil), title=evil, spans=[Span(start=1, end=2, text=evil)])
    assert {each.tag.removeprefix(SVG) for each in svg.iter()} <= {
        *("svg", "title", "desc", "line", "text", "rect", "polyline", "circle")
    }
    assert svg.find(f"{SVG}title").text == evil


@pytest.mark.parametrize(
    "values", [(1e308, -1e308, 1), (math.inf, 1, 2), (0, 0, 0), (5,), (1e-300, 2e-300), (-7, -7), (1e99, -1e99)]
)
def test_extreme_values_give_a_chart(values):
    svg = drawn(line(*values), may_be_log=True)
    assert "nan" not in ElementTree.tostring(svg, encoding="unicode").lower()


def test_nothing_to_draw_gives_nothing():
    assert draw(Chart(id="c", title="t", x_label="x", series=[line(None, float("nan"))])) == ""
    assert describe(Chart(id="c", title="t", x_label="x", series=[line(None)])) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(36000, "36,000"), (0.04812, "0.0481"), (150, "150"), (0, "0"), (3e-7, "3e-07"), (16.483, "16.5")],
)
def test_numbers_are_short(value, text):
    assert plain(value) == text


def test_script_knows_where_the_plot_is():
    svg = drawn(line(1, 2, 3))
    assert [svg.get(f"data-{name}") for name in ("left", "right", "low", "high")] == ["46", "370", "1", "3"]
    assert svg.find(f"{SVG}line[@class='cursor']").get("visibility") == "hidden"
