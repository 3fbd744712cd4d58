"""Our verdict on malformed sets is LLaMA-Factory's own: does the set load, which rows are lost?"""

import malformed
import pytest

from w2s_data.check import trainer


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    pytest.importorskip("llamafactory", reason="needs the extra `train`")
    found = {}
    print()
    for name, ours, theirs in malformed.verdicts(tmp_path_factory.mktemp("malformed")):
        print(malformed.line(name, ours, theirs))
        found[name] = ours, theirs
    return found


def test_there_are_enough():
    unsound = [name for name in malformed.CASES if not name.startswith("sound")]
    assert len(unsound) >= 70


@pytest.mark.parametrize("name", malformed.CASES)
def test_verdict_is_the_trainers(verdicts, name):
    (fails, dropped, found), (they_fail, they_drop, why) = verdicts[name]
    assert fails == they_fail, why
    if not fails:
        assert dropped == they_drop
    errors = {one.code for one in found if one.severity == "error"}
    if fails or dropped:
        assert errors, "what is lost must be explained by a rule"
    if name.startswith("sound"):
        assert not errors


def test_a_trainer_that_cannot_start_is_told(monkeypatch):
    monkeypatch.setattr(trainer.sys, "executable", "/bin/false")
    assert trainer.ask([], {}, None) == {"failed": "exit status 1"}
