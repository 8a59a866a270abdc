"""The preview's page in a real Chromium: what a person sees of a recorded board."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import page_boards as b
import pytest
from page_boards import READY, shown, words

from truegreen.dashboards.preview import server

UPLOT = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
STATIC = Path(server.__file__).with_name("static")
ALERT = {"name": "Firing alerts", "expr": "ALERTS", "step": "1s", "enable": True, "iconColor": "red", "titleFormat": "{{alertname}}",
         "textFormat": "{{slo}}"}  # fmt: skip
SINCE = {"name": "Versions", "expr": "since", "step": "1s", "enable": True, "iconColor": "blue", "titleFormat": "snapshot {{snapshot}}",
         "textFormat": "", "useValueForTime": True}  # fmt: skip
EVENTS = {
    "ALERTS": b.answer(({"alertname": "Burn", "slo": "grounding"}, [None if t < b.ONSET else 1 for t in b.TIMES])),
    "since": b.answer(
        ({"snapshot": "new"}, [(b.START + 30) * 1000] * 121),
        ({"snapshot": "old"}, [(b.START - 900) * 1000] * 121),
    ),
}


def place(browser, identity):
    """The plotting area of a panel: x, y, width, height, in pixels of the window."""
    return browser.run(
        "const r = document.querySelector(`[data-id='${arguments[0]}'] .u-over`).getBoundingClientRect(); return [r.x, r.y, r.width, r.height]",
        identity,
    )


def at(box, seconds, down=0.5):
    """Where a second of the recording is in a plotting area."""
    x, y, width, height = box
    return x + width * (seconds - b.START) / (b.END - b.START), y + height * down


def lines(identity=0, **more):
    return b.panel(identity, "timeseries", f"Bad {identity}", [b.target("bad", "{{service}}")], **more)


def test_what_is_not_ours_is_as_published_and_what_is_ours_is_small():
    """uPlot is unchanged; the page is a reader of boards and no second Grafana."""
    assert {name: hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() for name in UPLOT} == UPLOT
    ours = [path for path in STATIC.rglob("*") if path.is_file() and path.parent.name != "vendor"]
    assert sum(path.stat().st_size for path in ours) < 92_000
    assert not [
        path for path in ours if re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\b", path.read_text("utf-8"))
    ]


def test_steps_and_numbers_are_grafanas(browser, preview):
    """The step of a range by its width and the target's least step; what a unit looks like."""
    shown(browser, preview(b.recorded({}, b.board())))
    made = browser.run(
        """const [t, f, q] = await Promise.all(["time", "format", "fill"].map((name) => import(`/static/${name}.js`)));
        const of = (range, width, least) => { const d = t.durations({ from: 0, to: range }, width, least); return [d.step, d.fill.__rate_interval]; };
        return { steps: [of(108e5, 400, "30s"), of(108e5, 1200, "30s"), of(108e5, 400, "120s"), of(6048e5, 800, "15s"), of(3e5, 1200, "1s"), of(2592e6, 2000, "1s")],
          written: [[0.0512, "percentunit"], [0.05, "percentunit"], [1234, "short"], [90, "s"], [0.25, "s"], [12.34, "cpm"], [1536, "bytes"], [3, "mbytes"],
                    [7300, "dtdurations"], [1234567, "locale"], [5e-4, "s"], [2.5, "unknown"], [-0.0, "none"]].map(([v, u]) => f.written(v, u)),
          query: q.query('a{s=~"$service",m=~"${model}"}[$__range]', { service: ['a.b"c', "d"], model: ["$__all"] }, { __range: "60s" }) };"""
    )
    assert made["steps"] == [[30, "2m"], [30, "2m"], [120, "8m"], [900, "915s"], [1, "4s"], [1200, "1201s"]]
    assert made["written"] == ["5.12%", "5%", "1.23 K", "1.50 mins", "250 ms", "12.3 c/m", "1.50 KiB", "3 MiB", "2 hours", "1,234,567", "500 µs",
                               "2.50 unknown", "0"]  # fmt: skip
    assert made["query"] == r'a{s=~"(a\\.b\"c|d)",m=~".*"}[60s]'


def test_a_state_has_its_colour_and_its_word_and_what_is_not_there_says_so(browser, preview):
    """A number over its threshold, one under it, a neutral one; no data, a metric that waits for its exporter, a query that nobody recorded."""
    stat = {"options": {"colorMode": "value"}}
    panels = [
        b.panel(0, "stat", "Over", [b.target("over", instant=True)], steps=b.LIMIT, **stat),
        b.panel(1, "stat", "Under", [b.target("under", instant=True)], steps=b.LIMIT, **stat),
        b.panel(2, "stat", "Nothing", [b.target("nothing", instant=True)]),
        b.panel(3, "stat", "GPU", [b.target("max (DCGM_FI_DEV_GPU_UTIL)", instant=True)]),
        b.panel(4, "stat", "Unasked", [b.target("unasked", instant=True)]),
        b.panel(5, "news", "News", [b.target("over", instant=True)]),
        b.panel(6, "timeseries", "Logs", [{"refId": "A", "datasource": {"type": "loki"}}]),
    ]  # fmt: skip
    answers = {"over": b.answer(({}, b.step(0.01, 0.06))), "under": b.answer(({}, b.step(0.06, 0.01))), "nothing": b.answer(),
               "max (DCGM_FI_DEV_GPU_UTIL)": b.answer()}  # fmt: skip
    url = preview(b.recorded(answers, b.board(*panels)))
    shown(browser, url)
    colors = "return [...document.querySelectorAll('.number')].map((one) => one.style.color)"
    assert (words(browser, 0).split(), words(browser, 1).split()) == (["6%", "over", "5%"], ["1%", "under", "5%"])
    assert browser.run(colors) == ["var(--c-red)", "var(--c-green)"]
    assert words(browser, 2) == "no data"
    assert words(browser, 3).split("\n")[-1] == "waiting for dcgm-exporter"
    assert "was not recorded" in words(browser, 4)
    assert "does not draw panels of the type news" in words(browser, 5)
    browser.run("scrollTo(0, document.body.scrollHeight)")
    assert browser.until("document.querySelector(`[data-id='6'] .body`).innerText") == "It asks no Prometheus."
    # Numbers are as of the end of the range, not of now.
    shown(browser, url, query=f"?from={b.WINDOW[0]}&to={(b.ONSET - 5) * 1000}")
    assert browser.run(colors) == ["var(--c-green)", "var(--c-red)"]


def test_an_event_is_a_line_at_its_time_and_a_button_above(browser, preview):
    """The moment that a version began to serve, by the value; an alert from its first point on, shaded; what was before the range is left out."""
    url = preview(
        b.recorded(
            {"bad": b.answer(({"service": "a"}, b.step(0.01, 0.3))), **EVENTS},
            b.board(lines(defaults={"min": 0, "max": 1}), annotations=[SINCE, ALERT]),
        )
    )
    shown(browser, url)
    chips = browser.run("return [...document.querySelectorAll('.chip')].map((one) => one.innerText)")
    assert chips == ["21:47:10 snapshot new", "since 21:47:40 Burn"]
    columns = browser.run(
        """const canvas = document.querySelector("[data-id='0'] canvas"), u = document.querySelector("[data-id='0'] .u-over");
        const [wide, scale] = [u.clientWidth, canvas.width / canvas.clientWidth], left = u.offsetLeft;
        const bytes = canvas.getContext("2d").getImageData(0, (u.offsetTop + 3) * scale, canvas.width, 1).data;
        const column = (share) => { const x = Math.round((left + wide * share) * scale); return [-2, -1, 0, 1, 2].map((d) => [...bytes.slice(4 * (x + d), 4 * (x + d) + 4)]); };
        return [0.25, 0.5, 0.41, 0.81].map((share) => column(share));"""
    )
    version, alert, between, shaded = columns
    assert any(blue > r + 60 and alpha > 200 for r, _, blue, alpha in version)
    assert any(r > blue + 60 and alpha > 200 for r, _, blue, alpha in alert)
    assert all(abs(r - blue) < 20 for r, _, blue, alpha in between if alpha)
    assert all(r > blue + 60 and 10 < alpha < 60 for r, _, blue, alpha in shaded), shaded
    browser.click(".chip")
    assert "snapshot new" in browser.run("return document.getElementById('said').textContent")
    # What had begun when the range begins did not begin there.
    shown(browser, url, query=f"?from={(b.ONSET + 20) * 1000}&to={b.WINDOW[1]}")
    assert browser.run("return [...document.querySelectorAll('.chip')].map((one) => one.innerText)") == [
        "since before 21:48:00 Burn"
    ]


def test_a_drag_on_one_plot_is_the_range_of_all_and_of_the_address(browser, preview):
    """And the address is Grafana's: another page opens it, Back returns."""
    url = preview(b.recorded({"bad": b.answer(({"service": "a"}, b.step(0.01, 0.3)))}, b.board(lines(0), lines(1))))
    shown(browser, url)
    first = browser.url()
    box = place(browser, 0)
    browser.drag(at(box, b.START + 30), at(box, b.START + 90))
    browser.until(f"location.href !== arguments[0] && {READY}", first)
    asked = parse_qs(urlsplit(browser.url()).query)
    assert [abs(int(asked[end][0]) / 1000 - wanted) < 2 for end, wanted in (("from", b.START + 30), ("to", b.START + 90))] == [
        True,
        True,
    ]
    # The shared crosshair tells the time under it: the middle of the range, on either plot.
    for identity in (0, 1):
        x, y, width, height = place(browser, identity)
        browser.hover((x + width / 2, y + height / 2))
        told = browser.until("document.querySelector(`[data-id='${arguments[0]}'] .tip:not([hidden])`)?.innerText", identity)
        assert re.search(r"21:47:(39|40|41)", told), told
    browser.run("history.back()")
    browser.until(f"location.href === arguments[0] && {READY}", first)


def test_a_table_joins_its_queries_and_sorts_by_any_column(browser, preview):
    """Values of several queries stand in one row under their headings; what one query lacks stays empty, and last."""
    organize = {"indexByName": {"service": 0, "Value #A": 1, "Value #B": 2}, "includeByName": {"service": True, "Value #A": True, "Value #B": True},
                "renameByName": {"service": "Service", "Value #A": "Bad", "Value #B": "Judged"}}  # fmt: skip
    table = b.panel(0, "table", "Where", [b.target("share", "Bad", instant=True), b.target("count", "Judged", "B", instant=True)],
                    transformations=[{"id": "merge", "options": {}}, {"id": "organize", "options": organize}], options={"sortBy": [{"displayName": "Bad", "desc": True}]})  # fmt: skip
    table["fieldConfig"]["overrides"] = [
        {"matcher": {"id": "byName", "options": "Judged"}, "properties": [{"id": "unit", "value": "locale"}]},
        {"matcher": {"id": "byName", "options": "Bad"}, "properties": [
            {"id": "thresholds", "value": {"mode": "absolute", "steps": b.LIMIT}}, {"id": "custom.cellOptions", "value": {"type": "color-text"}}]},
    ]  # fmt: skip
    share, count = (
        [({"service": name}, [value] * 121) for name, value in (("a", 0.01), ("b", 0.2))],
        [("a", 2000), ("b", 30), ("c", 5)],
    )
    answers = {"share": b.answer(*share), "count": b.answer(*[({"service": name}, [value] * 121) for name, value in count])}
    shown(browser, preview(b.recorded(answers, b.board(table))))
    rows = "return [...document.querySelectorAll('.data tbody tr')].map((row) => [...row.children].map((cell) => cell.innerText))"
    assert browser.run(rows) == [["b", "20%", "30"], ["a", "1%", "2,000"], ["c", "", "5"]]
    assert browser.run("return document.querySelector('.data td.right').style.color") == "var(--c-red)"
    browser.click(".data th:nth-child(3) button")
    assert [row[2] for row in browser.run(rows)] == ["2,000", "30", "5"]
    browser.click(".data th:nth-child(3) button")
    assert [row[2] for row in browser.run(rows)] == ["5", "30", "2,000"]
    assert browser.run("return document.querySelector('.data th:nth-child(3)').getAttribute('aria-sort')") == "ascending"


def test_cells_hold_the_counts_of_their_bucket_and_bands_the_words_of_their_state(browser, preview):
    """A heatmap's buckets are cumulative in Prometheus and not on the board; a gap in a timeline is no data."""
    heat = b.panel(0, "heatmap", "Scores", [b.target("buckets", "{{le}}")], unit="none")
    mapping = [{"type": "value", "options": {"0": {"text": "quiet", "color": "green"}, "2": {"text": "burning", "color": "red"}}}]
    band = b.panel(1, "state-timeline", "State", [b.target("state", "{{mode}}")], unit="none", defaults={"mappings": mapping})
    cumulative = [({"le": le}, [value] * 121) for le, value in (("10", 9), ("+Inf", 12), ("0.5", 4))]
    state = (
        {"mode": "drift"},
        [None if 20 <= t - b.START < 40 else value for t, value in zip(b.TIMES, b.step(0, 2), strict=True)],
    )
    shown(browser, preview(b.recorded({"buckets": b.answer(*cumulative), "state": b.answer(state)}, b.board(heat, band))))

    def tip(identity, second, down):
        browser.hover(at(place(browser, identity), second, down))
        text = browser.until("document.querySelector(`[data-id='${arguments[0]}'] .tip:not([hidden])`)?.innerText", identity)
        browser.hover((1, 1))
        return text.split("\n")[1:]

    assert [tip(0, b.START + 60, down) for down in (0.9, 0.5, 0.1)] == [
        ["up to 0.500", "4"],
        ["0.500 to 10", "5"],
        ["10 to more", "3"],
    ]
    assert [tip(1, second, 0.5) for second in (b.START + 10, b.START + 30, b.ONSET + 10)] == [
        ["drift", word] for word in ("quiet", "no data", "burning")
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_and_line_can_be_told_from_its_ground(browser, preview, theme):
    """WCAG 2.2: 4.5:1 for text, 3:1 for lines, in both themes."""
    browser.theme(theme)
    shown(browser, preview(b.recorded({"bad": b.answer(({"service": "a"}, b.step(0.01, 0.3)))}, b.board(lines()))))
    color = browser.run("""const style = getComputedStyle(document.documentElement), made = {};
        for (const name of ["ground", "page", "ink", "dim", "link", "on-state", "neutral", "heat", ...["green", "red", "orange", "yellow", "blue", "purple", "text"].map((n) => `c-${n}`),
          ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => `line-${n}`)]) made[name] = style.getPropertyValue(`--${name}`).trim();
        return made;""")
    texts = [
        (name, ground)
        for name in color
        if name in {"ink", "dim", "link"} or name.startswith("c-")
        for ground in ("ground", "page")
    ]
    states = [("on-state", f"c-{name}") for name in ("green", "orange", "red")]
    assert [(one, other) for one, other in [*texts, *states] if b.contrast(color[one], color[other]) < 4.5] == []
    assert [
        name
        for name in color
        if name.startswith("line-") or name in {"neutral", "heat"}
        if b.contrast(color[name], color["ground"]) < 3
    ] == []
    assert (b.luminance(color["page"]) < 0.1) == (theme == "dark")
    browser.press("d")
    assert (b.luminance(browser.run("return getComputedStyle(document.documentElement).getPropertyValue('--page')")) < 0.1) != (
        theme == "dark"
    )
    browser.press("d")
    browser.run("localStorage.clear()")


def test_what_stands_in_a_label_stays_text(browser, preview):
    """Labels come from spans: no element, no script, no address of theirs works."""
    evil = '<img src=x onerror="window.hit=1">'
    link = {"url": "${__value.raw}", "title": "open"}
    text = b.panel(
        2,
        "text",
        "Words",
        [],
        options={"content": f"**{evil}** [x](javascript:window.hit=1) `{evil}` $service\n\n- [y](//evil.example/)"},
    )
    table = b.panel(3, "table", "Table", [b.target("evil", instant=True)], defaults={"links": [link]})
    table["fieldConfig"]["overrides"] = [
        {"matcher": {"id": "byName", "options": "address"}, "properties": [{"id": "links", "value": [link]}]}
    ]
    panels = [b.panel(0, "timeseries", evil, [b.target("evil", "{{service}}"), b.target("evil", "{{service}} 2", "B")]),
              b.panel(1, "stat", "Number", [b.target("evil", "{{service}}", instant=True)]), text, table]  # fmt: skip
    answers = {"evil": b.answer(({"service": evil, "address": "javascript:window.hit=1"}, [0.5] * 121))}
    marks = [{"at": float(b.ONSET), "name": evil, "text": evil}]
    shown(
        browser,
        preview(b.recorded(answers, b.board(*panels), marks=marks, service=[evil])),
        query="?var-service=%3Cimg%20src%3Dx%3E",
    )
    shown(browser, browser.url().partition("/d/")[0])
    browser.press("v")
    assert browser.run("return document.querySelectorAll('img').length") == 0
    assert browser.run("return window.hit") is None
    addresses = browser.run("return [...document.querySelectorAll('main a')].map((link) => link.getAttribute('href'))")
    assert [one for one in addresses if not one.startswith(("/d/", "https:"))] == []
    assert evil in browser.run("return document.querySelector('.legend').innerText")
    assert evil in words(browser, 2)


def test_a_window_of_640_pixels_shows_all_of_a_board(browser, preview):
    """A window of 1280 at 200 %: nothing is wider than it, nothing lies over another panel."""
    rows = b.answer(*[({"service": f"a-service-with-a-long-name-{n}"}, b.step(0.01, 0.3)) for n in range(9)])
    table = b.panel(2, "table", "Where", [b.target("bad", instant=True)], width=24)
    # Two columns, as boards are written: each ratio has its sample size to its right.
    places = ((3, 0, 30), (4, 0, 40), (5, 4, 30), (6, 4, 40))
    small = [
        b.panel(
            n, "stat", f"Number {n}", [b.target("bad", "{{service}}", instant=True)], gridPos={"x": x, "y": y, "w": 4, "h": 4}
        )
        for n, x, y in places
    ]
    url = preview(b.recorded({"bad": rows, **EVENTS}, b.board(lines(0), lines(1), table, *small, annotations=[SINCE, ALERT])))
    browser.size(640, 450, 2)
    shown(browser, url)
    boxes = browser.run("""return [...document.querySelectorAll('.panel, nav > *, .chip')].map((one) => { const r = one.getBoundingClientRect();
        return [r.left, r.top, r.right, r.bottom]; })""")
    assert browser.run("return document.documentElement.scrollWidth") <= 640
    assert [box for box in boxes if box[0] < 0 or box[2] > 640] == []
    panels = browser.run(
        "return [...document.querySelectorAll('.panel')].map((one) => { const r = one.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; })"
    )
    over = [(one, other) for i, one in enumerate(panels) for other in panels[i + 1 :]
            if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]]  # fmt: skip
    assert over == []
    tops = dict(
        browser.run(
            "return [...document.querySelectorAll('.small')].map((one) => [one.dataset.id, one.getBoundingClientRect().top])"
        )
    )
    assert tops["3"] == tops["5"] < tops["4"] == tops["6"]


def test_a_plot_is_read_and_a_trace_is_reached_by_the_keyboard_alone(browser, preview):
    """From one board to another by its list, along a plot by the arrows, into a folded row, to the link."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    link = {"title": "Open the trace", "url": "https://traces.example/${__value.raw}", "targetBlank": True}
    table = b.panel(1, "table", "Failing traces", [b.target("trace", instant=True)], unit="none")
    table["fieldConfig"]["overrides"] = [
        {"matcher": {"id": "byName", "options": "trace_id"}, "properties": [{"id": "links", "value": [link]}]}
    ]
    row = {
        "id": 9,
        "type": "row",
        "title": "Evidence",
        "collapsed": True,
        "gridPos": {"x": 0, "y": 8, "w": 24, "h": 1},
        "panels": [table],
    }
    answers = {"bad": b.answer(({"service": "a"}, b.step(0.01, 0.3))), "trace": b.answer(({"trace_id": trace}, [1] * 121))}
    shown(browser, preview(b.recorded(answers, b.board(uid="first"), b.board(lines(), row, uid="second"))), "first")

    def focus(until, *keys, limit=40):
        for _ in range(limit):
            if browser.run(f"const one = document.activeElement; return Boolean({until})"):
                return
            browser.press(*(keys or ("Tab",)))
        pytest.fail(f"the keyboard does not reach {until}")

    browser.press("b")
    focus("one.matches('#boards a') && one.innerText.startsWith('second')")
    browser.press("Enter")
    browser.until(f"location.pathname === '/d/second' && {READY}")
    focus("one.matches('.panel.timeseries')")
    browser.press("End", "ArrowLeft")
    assert browser.until("document.getElementById('said').textContent") == "21:48:39: a 30%"
    browser.press("[")
    browser.until(f"new URLSearchParams(location.search).get('from') === '{b.WINDOW[0] - 60_000}' && {READY}")
    browser.press("0")
    browser.until(f"new URLSearchParams(location.search).get('from') === '{b.WINDOW[0]}' && {READY}")
    focus("one.matches('h2 button')")
    browser.press("Enter")
    browser.until("document.querySelector('.data a')")
    focus("one.href === arguments[0]".replace("arguments[0]", f"'https://traces.example/{trace}'"))
    assert browser.run("return document.activeElement.rel") == "noopener noreferrer"


def test_a_line_that_was_chosen_stays_chosen_when_the_board_is_asked_again(browser, preview):
    """It would be lost each minute."""
    rows = b.answer(*[({"service": name}, b.step(0.01, 0.3)) for name in "abc"])
    shown(browser, preview(b.recorded({"bad": rows}, b.board(lines()))))
    pressed = "return [...document.querySelectorAll('.legend button')].map((one) => one.getAttribute('aria-pressed'))"
    assert browser.run(pressed) == ["true"] * 3
    browser.click(".legend tr:nth-child(2) button")
    assert browser.run(pressed) == ["false", "true", "false"]
    browser.press("r")
    browser.until(READY)
    assert browser.run(pressed) == ["false", "true", "false"]
    browser.click(".legend tr:nth-child(2) button")
    assert browser.run(pressed) == ["true"] * 3


def test_many_states_can_be_read_the_worst_first(browser, preview):
    """A row is as high as its words; the others are reached by scrolling. Of thousands of numbers some hundred are drawn, and that is said."""
    states = b.answer(*[({"mode": f"mode {n:02}"}, [2 if n == 17 else 0] * 121) for n in range(20)])
    band = b.panel(0, "state-timeline", "State", [b.target("state", "{{mode}}")], unit="none")
    row = {"id": 9, "type": "row", "title": "Row", "gridPos": {"x": 0, "y": -1, "w": 24, "h": 1}}
    many = b.panel(1, "stat", "Many", [b.target("many", "{{n}}", instant=True)])
    numbers = b.answer(*[({"n": str(n)}, [0.5] * 121) for n in range(300)])
    shown(browser, preview(b.recorded({"state": states, "many": numbers}, b.board(row, band, many))))
    names = browser.run(
        "return [...document.querySelectorAll('.names span')].map((one) => [one.innerText, one.getBoundingClientRect().height])"
    )
    assert [name for name, _ in names][:3] == ["mode 17", "mode 00", "mode 01"]
    assert min(height for _, height in names) >= 17
    assert browser.run("const one = document.querySelector('.scroll'); return one.scrollHeight > one.clientHeight")
    assert browser.run(
        "const one = document.querySelector(`[data-id='1']`); return [one.querySelectorAll('.number').length, one.querySelector('.note').innerText]"
    ) == [
        200,
        "200 of 300",
    ]
    assert (
        browser.run("return document.querySelectorAll('[title=false], [target=false], [rel=false], [aria-label=false]').length")
        == 0
    )
