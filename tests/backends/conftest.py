"""Tiny models and servers that the backend tests share."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of a random Llama."""
    import models

    return models.llama(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_adapter(tiny, tmp_path_factory):
    import models

    return models.adapter(tiny, tmp_path_factory.mktemp("adapters") / "lora")


@contextlib.contextmanager
def serving(*command):
    """A server process that prints its port when it is ready."""
    root = str(HERE.parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, str(HERE / "server.py"), *command],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def real_server(tiny):
    """A server process in front of the tiny model."""
    with serving(tiny) as url:
        yield url


@pytest.fixture
def server():
    """A server process that answers from thin air and misbehaves as the model's name says."""
    with serving() as url:
        yield url
