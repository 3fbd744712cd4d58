"""Findings in every format; hostile names and texts steer nothing."""

import json
import re
from xml.etree import ElementTree

import good
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_data.check import RULES, Findings, Place, check
from w2s_data.check.formats import FORMATS, plain, render

HOSTILE = "\x1b[2J\x1b]0;x\x07::error::\r\n%0A<![CDATA[&\"'\u202eabc\u2028\x85\ud800,:"


def findings(text=HOSTILE) -> Findings:
    found = Findings()
    for row in range(1, 8):
        found.add("W402", text, text, Place(f"data/{text}.jsonl", row, row + 1, text))
    found.add("W901", "other", place=Place("data/other.json", 3))
    found.add("W202", "set", text, file=f"{text}/dataset_info.json")
    found.skip(text)
    return found


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_steers_a_terminal(format):
    said = render(findings(), format)
    said.encode("utf-8")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]", said)


@given(st.text())
def test_plain_text_is_one_line_that_steers_nothing(text):
    shown = plain(text)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert all(c.isprintable() or not c.isascii() for c in shown)
    if text.isascii() and text.isprintable():
        assert shown == text


def test_text_names_rows_and_the_way_out():
    found = Findings()
    for row in range(1, 8):
        found.add("W402", "set", place=Place("set.jsonl", row, row, f"q-{row}"))
    said = render(found, "text")
    assert "W402 error: rows are dropped without an error" in said
    assert "7 rows: line 1 (q-1), line 2 (q-2), line 3 (q-3), line 4 (q-4), line 5 (q-5)" in said
    assert "and 2 more" in said
    assert RULES["W402"].way_out in said


def test_github_annotations_are_one_line_each():
    lines = render(findings(), "github").splitlines()
    shape = re.compile(r"^::(error|warning) file=[^:,]*(,line=\d+)?,title=[^:,]*::.+$")
    annotations = [line for line in lines if not line.startswith("::notice::")]
    assert (len(annotations), len(lines)) == (4, 5)
    assert all(shape.match(line) for line in annotations[:-1])
    assert "%250A" in lines[0]


def test_sarif_has_what_the_schema_requires():
    log = json.loads(render(findings(), "sarif"))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert isinstance(driver["name"], str)
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    assert len(run["results"]) == 3
    for result in run["results"]:
        assert isinstance(result["message"]["text"], str)
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        for location in result["locations"]:
            where = location["physicalLocation"]
            assert re.fullmatch(r"[A-Za-z0-9%/._~-]+", where["artifactLocation"]["uri"])
            assert where.get("region", {"startLine": 1})["startLine"] >= 1
    assert run["invocations"][0]["executionSuccessful"] is True
    assert len(run["results"][-1]["locations"]) + len(run["results"][0]["locations"]) >= 2


@pytest.mark.parametrize(("fail_on", "failures"), [("error", 2), ("warning", 3)])
def test_junit_is_well_formed(fail_on, failures):
    suite = ElementTree.fromstring(render(findings(), "junit", fail_on)).find("testsuite")
    cases = suite.findall("testcase")
    assert (int(suite.get("tests")), int(suite.get("failures"))) == (len(cases), failures)
    assert sum(case.find("failure") is not None for case in cases) == failures
    assert all(case.get("classname") and case.get("name") for case in cases)


def test_a_sound_set_is_a_case_that_passes(tmp_path):
    good.write(tmp_path)
    found = check(tmp_path, ask_trainer=False)
    (case,) = ElementTree.fromstring(render(found, "junit")).iter("testcase")
    assert (case.get("classname"), len(case)) == ("set", 0)


def test_json_holds_everything():
    said = json.loads(render(findings(), "json"))
    first = next(one for one in said["findings"] if one["code"] == "W402")
    assert first["count"] == 7
    assert first["set"] == first["message"] == HOSTILE
    assert [row["line"] for row in first["rows"]] == list(range(2, 9))
