"""The page in a real browser: what it shows, what hostile rows cannot do, and 100,000 rows."""

import json
from pathlib import Path

import pytest
from browser import Browser, needs_chromium
from sets_for_report import write_set

from w2s_data import factory
from w2s_data.io import write_rows
from w2s_data.report import report

pytestmark = [pytest.mark.browser, needs_chromium]


@pytest.fixture(scope="module")
def browser():
    opened = Browser()
    yield opened
    opened.close()


def page(folder: Path, *names: str) -> Path:
    report(names, folder=folder, out=folder / "report.html")
    return folder / "report.html"


def texts(browser, selector):
    """The texts of the elements as a reader sees them."""
    script = f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.innerText)"
    return browser.run(script)


def choose(browser, **values):
    """Fill the fields of these ids and wait for the rows."""
    for name, value in values.items():
        browser.run(f"byId({json.dumps(name)}).value = {json.dumps(value)}")
    browser.run("filter()")
    return browser.run("byId('found').textContent")


PWNED = "window.pwned = document.title = 'pwned'"
HOSTILE = {
    "script": f"<script>{PWNED}</script>",
    "end of script": f"</script><script>{PWNED}</script>",
    "comment": f"<!--<script>--></script><script>{PWNED}</script>",
    "event handler": f'<img src=x onerror="{PWNED}"><svg onload="{PWNED}">',
    "attribute": f'" onmouseover="{PWNED}" autofocus onfocus=\'{PWNED}\'',
    "link": f'<a href="javascript:{PWNED}">[here](javascript:{PWNED})</a>',
    "frame": f"<iframe srcdoc='<script>parent.{PWNED}</script>'></iframe>",
    "form": "<form action=http://127.0.0.1:9/><input name=byId autofocus></form>",
    "style": "<style>*{display:none}</style><link rel=stylesheet href=http://127.0.0.1:9/a.css>",
    "network": '<img src="http://127.0.0.1:9/x.png"><meta http-equiv=refresh content="0;url=x">',
    "template": "{{ 7 * 7 }} {% raw %} ${7 * 7} ]]> &lt; &amp; \\u003c",
    "prototype": "__proto__",
    "line separators": "one\u2028two\u2029three",
    "right to left": "safe \u202etxet desrever\u202c \u2066inside\u2069 \u200fmark שלום",
    "broken surrogates": "a\ud800b\udc00c \ud83d\ude00",
    "controls": "nul \x00 bell \x07 escape \x1b[31m delete \x7f bom \ufeff",
    "long": "x" * 1_000_000 + " end",
    "long markup": "<b>" * 350_000,
    "long lines": "\n" * 1_000_000,
}
# What stands for a character that is not seen.
CODES = {"\u202e": "U+202E", "\x00": "U+0000", "\ud800": "U+D800", "\u2028": "U+2028"}


def test_hostile_rows_are_text_and_run_nothing(browser, tmp_path):
    rows = [
        {"id": text[:200], "prompt": text, "chosen": text, "rejected": f"{text} or not"}
        | {"note": text[:80], text[:40] or "empty": text[:40]}
        for text in HOSTILE.values()
    ]
    dropped = [
        {
            "id": f"d {name}",
            "prompt": text,
            "weak": text,
            "dropped": text[:300],
            "meta": {"level": text[:90]},
        }
        for name, text in HOSTILE.items()
    ]
    notes = {"notes": {text[:90]: text[:90] for text in HOSTILE.values()}}
    write_set(tmp_path, "<script>pwned()<script>", rows, dropped, **notes)
    browser.open(page(tmp_path, "<script>pwned()<script>"))
    title = browser.run("document.title")
    for number, text in enumerate(HOSTILE.values()):
        browser.run(f"turnTo({number // 10})")
        shown = texts(browser, "article")[number % 10]
        visible = text
        for character, code in CODES.items():
            visible = visible.replace(character, code)
        lines = [line for line in visible[:1000].splitlines() if line.isprintable()]
        assert all(line in shown for line in lines), text[:60]
    for number in range(4):
        browser.run(f"turnTo({number})")
        browser.run(
            "document.querySelectorAll('article *').forEach((e) => { e.focus?.(); "
            "e.dispatchEvent(new Event('mouseover')); })"
        )
    assert browser.run("window.pwned") is None
    assert browser.run("document.title") == title != "pwned"
    allowed = ["ARTICLE", "HEADER", "BDI", "P", "DIV", "H4", "MARK", "SPAN", "BUTTON"]
    inside = browser.run(
        "[...new Set([...document.querySelectorAll('article, article *')].map((e) => e.tagName))]"
    )
    assert set(inside) <= set(allowed)
    attributes = browser.run(
        "[...new Set([...document.querySelectorAll('article *')]"
        ".flatMap((e) => e.getAttributeNames()))]"
    )
    assert set(attributes) <= {"class", "dir", "tabindex", "type"}
    assert browser.seen("Page.javascriptDialogOpening") == []
    assert browser.seen("Runtime.exceptionThrown") == []
    asked = [event["request"]["url"] for event in browser.seen("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith(("file:", "data:image/svg+xml;"))] == []


def test_the_policy_holds_even_against_markup(browser, tmp_path):
    """Were a text ever taken for markup, its programs and requests would still be refused."""
    write_set(tmp_path, "set", [{"id": "1", "prompt": "p", "chosen": "c", "rejected": "r"}], [])
    browser.open(page(tmp_path, "set"))
    browser.events.clear()
    markup = HOSTILE["event handler"] + '<img src="http://127.0.0.1:9/x.png">'
    browser.run(f"byId('list').innerHTML = {json.dumps(markup)}")
    program = "document.body.appendChild(document.createElement('script')).text = "
    browser.run(program + json.dumps(PWNED))
    browser.run("new Promise((done) => setTimeout(done, 300))")
    assert browser.run("window.pwned") is None
    refused = [event["entry"]["text"] for event in browser.seen("Log.entryAdded")]
    assert any("Content Security Policy" in text for text in refused)


def test_a_long_text_is_cut_until_asked_for(browser, tmp_path):
    long = "word " * 10_000 + "end"
    write_set(tmp_path, "set", [{"id": "1", "prompt": "p", "chosen": long, "rejected": "r"}], [])
    browser.open(page(tmp_path, "set"))
    assert not texts(browser, ".side .text")[0].endswith("end")
    assert texts(browser, "button.more") == ["Show all 50,003 characters"]
    browser.run("document.querySelector('button.more').click()")
    assert texts(browser, ".side .text")[0] == long


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """25 pairs and 5 dropped rows of two reasons."""
    folder = tmp_path_factory.mktemp("pairs")
    rows = [
        {
            "id": f"q{i}",
            "prompt": f"What is {i}?",
            "chosen": f"It is {i} apples, I think.",
            "rejected": f"It is {i + 1} apples, they think.",
            "confidence": i / 25,
        }
        for i in range(25)
    ]
    dropped = [
        {"id": f"d{i}", "prompt": f"Who is {i}?", "weak": "nobody", "dropped": f"reason {i % 2}"}
        for i in range(5)
    ]
    write_set(folder, "pairs", rows, dropped)
    return page(folder, "pairs")


def test_the_difference_is_marked(browser, pairs):
    browser.open(pairs)
    first = "article:first-child"
    assert texts(browser, f"{first} .side mark") == ["0", "I"]
    assert texts(browser, f"{first} .rejected mark") == ["1", "they"]


def test_search_filter_and_pages(browser, pairs):
    browser.open(pairs)
    assert choose(browser) == "30 of 30 rows"
    assert texts(browser, "#pages") == ["of 3"]
    assert choose(browser, search="WHAT IS 2") == "6 of 30 rows"
    assert set(texts(browser, "article mark.hit")) == {"What is 2"}
    options = dict(
        zip(
            texts(browser, "#group option"),
            browser.run("[...document.querySelectorAll('#group option')].map((o) => o.value)"),
        )
    )
    assert choose(browser, search="", group=options["pairs: reason 0 (3)"]) == "3 of 30 rows"
    assert texts(browser, "article header bdi:first-child") == ["d0", "d2", "d4"]
    assert (
        choose(browser, search="who is 2", group=options["pairs: reason 1 (2)"]) == "0 of 30 rows"
    )
    assert choose(browser, search="confidence 0.04", group="") == "1 of 30 rows"
    choose(browser, search="", group="")
    browser.run("byId('next').click()")
    browser.wait("byId('page').value === '2'")
    assert texts(browser, "article header")[0].startswith("q10")


WATCH = """
window.longest = 0;
new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
  window.longest = Math.max(window.longest, entry.duration);
})).observe({type: "longtask", buffered: true});
"""


def test_a_hundred_thousand_rows_do_not_freeze_the_page(browser, tmp_path):
    """Whatever is done, the page keeps turning: between any two blocks other tasks run."""
    rows = (
        {
            "id": f"row {i}",
            "instruction": f"What is {i} and {i * 7919 % 10007}?",
            "input": "",
            "chosen": f"It is {i}, as {i * 31} shows.",
            "rejected": f"It is {i * 17}, I think.",
        }
        for i in range(100_000)
    )
    write_rows(tmp_path / "big.jsonl", rows)
    factory.register(tmp_path, "big", factory.entry("dpo", "alpaca", "big.jsonl"))
    browser.open(page(tmp_path, "big"), before=WATCH)
    assert texts(browser, "#found") == ["100,000 of 100,000 rows"]
    assert browser.run("document.querySelectorAll('article').length") == 10
    browser.run("turnTo(9999)")
    assert texts(browser, "article header")[-1].startswith("row 99999")
    browser.run("window.turns = 0; setInterval(() => window.turns++, 0)")
    assert choose(browser, search="row 77777") == "1 of 100,000 rows"
    assert browser.run("turns >= blocks.length / 2 && blocks.length > 20")
    print("longest task:", browser.run("longest"), "ms")
