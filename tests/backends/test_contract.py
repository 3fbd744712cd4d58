"""Every backend keeps the contract (contract.py says what that is)."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request

import contract
import pytest
from contract import EVERY, SAMPLING, WORDS, Case, sampled

from w2s_data import backends
from w2s_data.store import Request

VLLM = os.environ.get("W2S_VLLM_PYTHON")
needs_vllm = [
    pytest.mark.vllm,
    pytest.mark.skipif(not VLLM, reason="W2S_VLLM_PYTHON names no environment with vLLM"),
]
# Four-core machines lend vLLM its memory for keys and values from this much.
SMALL = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
ENGINE = {"dtype": "float32", "enforce_eager": True, "batch_size": 500}


@pytest.fixture(scope="session")
def recorded(tiny, tmp_path_factory):
    """What the tiny model said to the contract's prompts, as published files have it."""
    path = tmp_path_factory.mktemp("replay") / "recorded.jsonl"
    requests = [sampled(word, n=10) for word in WORDS]
    with open(path, "w", encoding="utf-8") as file:
        for position, samples in backends.load(f"hf:{tiny}")(requests):
            for sample in samples:
                row = {"prompt": requests[position].prompt, "response": sample["text"]}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


@pytest.fixture(scope="session", params=["hf", "openai", "replay"])
def case(request):
    if request.param == "hf":
        return Case(f"hf:{request.getfixturevalue('tiny')}")
    if request.param == "openai":
        return Case(f"openai:tiny@{request.getfixturevalue('real_server')}", {"concurrency": 4})
    return Case(f"replay:{request.getfixturevalue('recorded')}", samples=False, chat=False)


@pytest.mark.parametrize("check", EVERY + SAMPLING, ids=lambda check: check.__name__)
def test_contract(case, check):
    if check in SAMPLING and not case.samples:
        pytest.skip("recorded answers do not depend on parameters")
    check(case)


@pytest.fixture(scope="session")
def vllm_run(tiny, tiny_adapter, tmp_path_factory):
    """The whole contract in vLLM's own environment: one process, and one engine for most of it."""
    answers = tmp_path_factory.mktemp("vllm") / "answers.json"
    hf = backends.load(f"hf:{tiny}")
    requests = [Request(word, max_tokens=10, logprobs=True) for word in WORDS]
    samples = [samples[0] for _, samples in sorted(hf(requests))]
    answers.write_text(json.dumps({"fingerprint": hf.fingerprint, "samples": samples}))
    root = os.path.dirname(os.path.dirname(backends.__file__))
    done = subprocess.run(
        [VLLM, contract.__file__, f"vllm:{tiny}", json.dumps(ENGINE), tiny_adapter, str(answers)],
        env=SMALL | {"PYTHONPATH": os.path.dirname(root)},
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("_", [pytest.param("vllm", marks=needs_vllm)])
def test_contract_in_vllm(_, vllm_run):
    assert vllm_run["failed"] == {}
    assert vllm_run["ran"] >= len(EVERY) + len(SAMPLING)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server_process(command, url):
    """A server of somebody else's, until it answers at `url`."""
    process = subprocess.Popen(
        command,
        env=SMALL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(600):
            assert process.poll() is None, "the server has ended"
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
                break
            time.sleep(0.5)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def vllm_server(model, port):
    options = ["--served-model-name", "tiny", "--dtype", "float32", "--enforce-eager"]
    module = "vllm.entrypoints.openai.api_server"
    command = [VLLM, "-m", module, "--model", model, "--port", str(port), *options]
    return command, f"http://127.0.0.1:{port}/v1/models"


@pytest.mark.parametrize("check", [pytest.param("all", marks=needs_vllm)])
def test_vllm_server(tiny, check):
    """openai: against vLLM's own server. Its CPU build refuses seeds, so none are sent."""
    port = free_port()
    with server_process(*vllm_server(tiny, port)):
        case = Case(f"openai:tiny@http://127.0.0.1:{port}/v1", {"seed": False}, seeded=False)
        for check in EVERY + SAMPLING:
            check(case)
        greedy = Request(WORDS[0], max_tokens=10)
        ours = Case(f"hf:{tiny}").ask(greedy)[0][0]["text"]
        assert case.ask(greedy)[0][0]["text"].rstrip("\ufffd") == ours.rstrip("\ufffd")
