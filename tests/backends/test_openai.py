"""The backend openai: against a server that misbehaves."""

import http.server
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from w2s_data import backends
from w2s_data.backends import openai
from w2s_data.backends.reply import retry_after
from w2s_data.errors import W2SError
from w2s_data.store import Request

PROMPTS = [f"p{i}" for i in range(5)]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(openai, "FIRST_PAUSE", 0.02)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def ask(server, model, *requests, **options):
    backend = backends.load(f"openai:{model}@{server}", **options)
    return [samples for _, samples in sorted(backend(requests), key=lambda pair: pair[0])]


def wanted(prompt, n=2, **more):
    return Request(prompt, n=n, temperature=1.0, **more)


def log(server):
    with urllib.request.urlopen(f"{server}/log") as reply:
        return json.load(reply)["log"]


PASSING = ["429*2", "500*2", "503*2", "408*1", "cut*2", "not-json*2", "no-choices*2", "empty*1"]


@pytest.mark.parametrize("model", [*PASSING, "list*1", "null-text*1"])
def test_what_may_pass_is_asked_again(server, model):
    answers = ask(server, model, *map(wanted, PROMPTS))
    assert [[s["index"] for s in samples] for samples in answers] == [[0, 1]] * 5
    assert all(samples[0]["text"].startswith(p) for p, samples in zip(PROMPTS, answers))


def test_a_stalling_server_is_asked_again(server):
    assert len(ask(server, "stall*1", wanted("p"), timeout=2)[0]) == 2


def test_retry_after_is_honoured(server):
    begin = time.monotonic()
    ask(server, "429*2", wanted("p"))
    assert time.monotonic() - begin >= 0.6


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2),
        ("1.5", 1.5),
        ("2\n", 2),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        *[(text, None) for text in ("", "\xb2", "soon", "12:34 soon", "-1", "nan", "1e999")],
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_retry_after_in_its_two_forms_and_in_none(value, seconds):
    assert retry_after({"retry-after": value}) == seconds


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_other_refusals_stop_at_once_with_the_servers_words(server, status, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with pytest.raises(W2SError, match=f"\\({status}\\): words of the server") as error:
        ask(server, str(status), wanted("p", n=1))
    assert "sk-very-secret" not in str(error.value)
    assert "Bearer ***" in str(error.value)
    assert len(log(server)) == 1


@pytest.mark.parametrize("model", ["500", "429", "not-json", "cut"])
def test_retries_are_bounded(server, model):
    with pytest.raises(W2SError, match=r"asked 3 times"):
        ask(server, model, wanted("p"), retries=2)
    assert len(log(server)) == 3


@pytest.mark.parametrize("model", ["few", "single", "only-one"])
def test_fewer_choices_than_asked_for(server, model):
    (samples,) = ask(server, model, wanted("p", n=7, start=3))
    assert [s["index"] for s in samples] == list(range(3, 10))
    assert len({s["text"] for s in samples}) == 7


def test_the_other_name_of_max_tokens(server):
    assert len(ask(server, "other-limit", wanted("p"))[0]) == 2


def test_what_is_sent(server):
    text = Request("p", n=3, temperature=0.5, top_p=0.9, max_tokens=7, stop=("a",), logprobs=True)
    chat = Request(({"role": "user", "content": "p"},), max_tokens=7)
    with pytest.raises(W2SError, match="no log-probabilities"):
        ask(server, "m", text)
    ask(server, "m", chat)
    ask(server, "m", Request("p"), chat=True)
    sent, chatted, wrapped = log(server)
    assert sent.pop("seed") >= 0
    assert sent == {
        "model": "m",
        "prompt": "p",
        "n": 3,
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 7,
        "stop": ["a"],
        "logprobs": 1,
    }
    assert chatted["messages"] == [{"role": "user", "content": "p"}]
    assert "seed" not in chatted
    assert wrapped["messages"] == chatted["messages"]


def test_seeds_differ_when_more_is_asked_for(server):
    (first,) = ask(server, "m", wanted("p", n=2, seed=1))
    (more,) = ask(server, "m", wanted("p", n=2, seed=1, start=2))
    (other,) = ask(server, "m", wanted("p", n=2, seed=2))
    assert len({s["text"] for s in first + more + other}) == 6


def test_the_window_is_bounded(server):
    asked = 0

    def requests():
        nonlocal asked
        for asked in range(1, 41):
            yield wanted(f"p{asked}")

    answers = backends.load(f"openai:slow@{server}", concurrency=4)(requests())
    next(answers)
    assert asked == 4
    answers.close()


def test_concurrency(server):
    begin = time.monotonic()
    ask(server, "slow", *(wanted(f"p{i}") for i in range(16)), concurrency=16)
    assert time.monotonic() - begin < 8


def test_what_came_back_is_kept_when_another_request_fails(server):
    """The slow ones are under way when the fast one is refused."""
    requests = [wanted("a", n=1), wanted("b", n=1), wanted("c", n=1)]
    backend = backends.load(f"openai:slow@{server}")
    ask_body = backend._body

    def body(request, first, n):
        sent = ask_body(request, first, n)
        return sent | {"model": "400"} if request.prompt == "b" else sent

    backend._body = body
    kept = []
    with pytest.raises(W2SError, match="words of the server"):
        kept.extend(position for position, _ in backend(requests))
    assert sorted(kept) == [0, 2]


def test_what_came_back_is_kept_on_ctrl_c(server):
    code = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # background jobs ignore it
        "from w2s_data import backends\n"
        "from w2s_data.store import Request\n"
        "def requests():\n"
        "    for i in range(10_000):\n"
        "        yield Request(f'p{i}')\n"
        f"backend = backends.load('openai:slow@{server}', concurrency=8)\n"
        "got = []\n"
        "try:\n"
        "    for position, _ in backend(requests()):\n"
        "        got.append(position); print('one', flush=True)\n"
        "except KeyboardInterrupt:\n"
        "    print(*got, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    for _ in range(10):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    got = process.communicate(timeout=60)[0].splitlines()[-1].split()
    assert {body["prompt"] for body in log(server)} == {f"p{position}" for position in got}
    assert len(got) < 5000


def test_a_server_that_is_not_there():
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as probe:
        port = probe.server_address[1]
    with pytest.raises(W2SError, match=r"127.0.0.1.*the connection failed"):
        ask(f"http://127.0.0.1:{port}/v1", "m", wanted("p"))


def test_fingerprint_has_no_credentials(monkeypatch):
    backend = backends.load("openai:@org/model@http://user:pass@host:1/v1/?api-key=secret")
    assert backend.fingerprint == "openai:@org/model@http://host:1/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere/v1")
    assert backends.load("openai:m").fingerprint == "openai:m@http://elsewhere/v1"
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert backends.load("openai:m").fingerprint == "openai:m@https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"concurency": 3}, "did you mean 'concurrency'"),
        ({"concurrency": 0}, "concurrency must be >= 1, was: 0"),
        ({"timeout": -1}, "timeout must be >= 0, was: -1"),
    ],
)
def test_options_are_checked(options, said):
    with pytest.raises(W2SError, match=said):
        backends.load("openai:m", **options)
