"""What every backend promises, as plain checks that run in any environment.

`python contract.py SPEC FOLDER` runs them all on one backend and prints what failed as JSON: so
vLLM is held to the same contract in an environment that has no pytest.
"""

import itertools
import json
import sys
import traceback
from dataclasses import dataclass, field, replace
from typing import Any

from w2s_data import backends
from w2s_data.errors import W2SError
from w2s_data.store import Request, weigh

WORDS = ["Hello", "Question: 1 + 1 =", "größer als 😀 日本", "x", "a longer prompt " * 3]
MESSAGES = ({"role": "user", "content": "Wie heißt du? 😀"},)


@dataclass
class Case:
    """A backend under test. `samples` is False for recorded answers, which no parameter moves;
    `seeded` is False where the same seed need not give the same text again."""

    spec: str
    options: dict[str, Any] = field(default_factory=dict)
    samples: bool = True
    seeded: bool = True
    chat: bool = True
    backend: Any = None

    def load(self):
        self.backend = self.backend or backends.load(self.spec, **self.options)
        return self.backend

    def ask(self, *requests):
        """The samples of each request, in order; every position exactly once."""
        found = list(self.load()(iter(requests)))
        assert sorted(position for position, _ in found) == list(range(len(requests)))
        return [samples for _, samples in sorted(found, key=lambda pair: pair[0])]


def sampled(prompt, n=3, **more):
    return Request(prompt, n=n, **{"temperature": 1.0, "max_tokens": 8, "seed": 1} | more)


def texts(samples):
    return [sample["text"] for sample in samples]


def complete(case):
    requests = [sampled(word, n=1 + i) for i, word in enumerate(WORDS)]
    for request, samples in zip(requests, case.ask(*requests)):
        assert [sample["index"] for sample in samples] == list(range(request.n))
        assert all(sample["finish"] in ("stop", "length") for sample in samples)
        assert all(type(sample["text"]) is str for sample in samples)
        assert all(sample["tokens"] >= 0 for sample in samples)


def continues_at_start(case):
    first, second = case.ask(sampled(WORDS[0], 3), sampled(WORDS[0], 3, start=3))
    assert [sample["index"] for sample in second] == [3, 4, 5]
    assert not set(texts(first)) & set(texts(second))


def nothing_asked(case):
    assert list(case.load()(iter(()))) == []


def streams(case):
    """An answer comes before the questions have come to an end: there are too many of them."""
    asked = itertools.count()
    requests = (sampled(WORDS[next(asked) % 2], n=1, max_tokens=2) for _ in range(100_000))
    answers = case.load()(requests)
    position, samples = next(answers)
    answers.close()
    assert position < 3000
    assert len(samples) == 1
    assert next(asked) < 3000


def closes_twice(case):
    case.load().close()
    case.load().close()
    assert len(case.ask(sampled(WORDS[0], 2))[0]) == 2


def keeps_its_fingerprint(case):
    assert case.load().fingerprint == backends.load(case.spec, **case.options).fingerprint


def answers_what_it_stores(case):
    """`stored(request)` gives the same answers, and storing it again changes nothing."""
    request = Request(WORDS[0], max_tokens=6)
    stored = case.load().stored(request)
    assert case.load().stored(stored) == stored
    assert texts(case.ask(request)[0]) == texts(case.ask(stored)[0])


def greedy_repeats(case):
    requests = [Request(word, max_tokens=10) for word in WORDS]
    assert list(map(texts, case.ask(*requests))) == list(map(texts, case.ask(*requests)))


def stops(case):
    free = case.ask(*(Request(word, max_tokens=12) for word in WORDS))
    for word, (sample,) in zip(WORDS, free):
        text = sample["text"]
        places = [i for i in range(1, len(text)) if "\ufffd" not in text[i : i + 2]]
        if not places:
            continue
        stop = text[places[-1] :][:2]
        (cut,) = case.ask(Request(word, max_tokens=12, stop=("not there", stop)))[0]
        assert cut["text"] == text[: text.index(stop)]
        assert cut["finish"] == "stop"
        assert cut["tokens"] <= sample["tokens"]


def respects_max_tokens(case):
    for (sample,) in case.ask(*(Request(word, max_tokens=3) for word in WORDS)):
        assert sample["tokens"] <= 3
        assert sample["finish"] == "stop" or sample["tokens"] == 3


def seeds(case):
    same, again = case.ask(sampled(WORDS[1], 3, seed=5), sampled(WORDS[1], 3, seed=5))
    (other,) = case.ask(sampled(WORDS[1], 3, seed=6))
    assert len(set(texts(same))) == 3
    assert not set(texts(same)) & set(texts(other))
    if case.seeded:
        assert texts(same) == texts(again)


def temperature_matters(case):
    cold, hot = case.ask(
        sampled(WORDS[0], 8, temperature=0.01, max_tokens=4),
        sampled(WORDS[0], 8, temperature=2.0, max_tokens=4),
    )
    assert len(set(texts(cold))) < len(set(texts(hot)))


def narrow_top_p_is_greedy(case):
    greedy, narrow = case.ask(
        Request(WORDS[1], max_tokens=6), sampled(WORDS[1], 4, top_p=1e-6, max_tokens=6)
    )
    assert set(texts(narrow)) == set(texts(greedy))


def gives_logprobs(case):
    for samples in case.ask(
        sampled(WORDS[0], 3, logprobs=True), sampled(WORDS[2], 2, logprobs=True)
    ):
        for sample in samples:
            values = [value for _, value in sample["logprobs"]]
            assert len(values) == sample["tokens"]
            assert all(value <= 0 for value in values)
            assert abs(sum(values) - sample["logprob"]) < 1e-3
    assert "logprob" not in case.ask(sampled(WORDS[0]))[0][0]


def weighs_choices(case):
    """The log-probability of two continuations, each by itself, cut at any point, kept in order."""
    words = (" yes", "no", " a longer one")
    both, last, text = case.ask(
        weigh(WORDS[1], words), replace(weigh(WORDS[1], words), start=1, n=2), sampled(WORDS[0], 2)
    )
    assert [s["index"] for s in both] == [0, 1, 2]
    assert [s["index"] for s in last] == [1, 2]
    assert tuple(texts(both)) == words
    assert len(text) == 2
    assert all(sample["logprob"] <= 0 for sample in both)
    for one, other in zip(both[1:], last):
        assert abs(one["logprob"] - other["logprob"]) < 1e-4
    # What a greedy answer begins with is the likeliest byte, and its weight is the one generated.
    (greedy,) = case.ask(Request(WORDS[1], max_tokens=1, logprobs=True))[0]
    if greedy["text"].isascii() and greedy["text"].strip():
        (same,) = case.ask(weigh(WORDS[1], (greedy["text"],)))[0]
        assert abs(same["logprob"] - greedy["logprob"]) < 1e-3


def takes_messages(case):
    (samples,) = case.ask(sampled(MESSAGES, 2))
    assert len(samples) == 2


def takes_odd_text(case):
    case.ask(sampled("lone \ud800 surrogate", 1), sampled("nul \0 and \n", 1))


def refuses_what_does_not_fit(case):
    """Never cut in silence: a prompt longer than the model's context is an error."""
    said = ""
    try:
        case.ask(Request("x" * 5000, max_tokens=2))
    except W2SError as error:
        said = str(error)
    assert "5000" in said or "context" in said


EVERY = [
    complete,
    continues_at_start,
    nothing_asked,
    streams,
    closes_twice,
    keeps_its_fingerprint,
    answers_what_it_stores,
    greedy_repeats,
]
SAMPLING = [
    stops,
    respects_max_tokens,
    seeds,
    temperature_matters,
    narrow_top_p_is_greedy,
    gives_logprobs,
    weighs_choices,
    takes_messages,
    takes_odd_text,
    refuses_what_does_not_fit,
]


def main(spec, options, adapter, answers):
    """Run the contract; then compare greedy answers with those that transformers gave."""
    # An engine takes half a minute to start, so only this check may stop it.
    case = Case(spec, options, seeded=False)
    failed = {}

    def same_as_transformers(case):
        with open(answers, encoding="utf-8") as file:
            expected = json.load(file)
        assert case.load().fingerprint == expected["fingerprint"]
        requests = [Request(word, max_tokens=10, logprobs=True) for word in WORDS]
        for (mine,), theirs in zip(case.ask(*requests), expected["samples"]):
            # vLLM holds back the bytes of a character that never ends.
            assert mine["text"].rstrip("\ufffd") == theirs["text"].rstrip("\ufffd")
            assert abs(mine["logprob"] - theirs["logprob"]) < 1e-2

    def adapter_changes_answers(case):
        plain = case.ask(Request(WORDS[1], max_tokens=10))
        case.backend.close()
        other = Case(f"{spec}+{adapter}", options)
        assert other.load().fingerprint != case.backend.fingerprint
        assert texts(other.ask(Request(WORDS[1], max_tokens=10))[0]) != texts(plain[0])
        other.backend.close()

    checks = [check for check in EVERY + SAMPLING if check is not closes_twice]
    for check in [*checks, same_as_transformers, closes_twice, adapter_changes_answers]:
        try:
            check(case)
        except Exception:
            failed[check.__name__] = traceback.format_exc()
    case.backend.close()
    print(json.dumps({"ran": len(checks) + 3, "failed": failed}))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], sys.argv[4])
