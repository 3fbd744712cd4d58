"""`push` against a stand-in of the hub's API on this machine, through huggingface_hub itself."""

import base64
import hashlib
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from w2s_data import card
from w2s_data.cli import main
from w2s_data.errors import W2SError
from w2s_data.io import file_hash, write_json, write_rows
from w2s_data.push import push

TOKEN = "hf_standinsecret0123456789"
LARGE = 20_000  # bytes from which the stand-in asks for a file's own upload


class Hub(ThreadingHTTPServer):
    """Repositories in memory: name -> {private, files}; every request is kept."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories, self.objects, self.requests = {}, {}, []
        self.refuse = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def take(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        return body

    def do_GET(self):
        self.take()
        name = self.path.removeprefix("/api/datasets/").split("?")[0].split("/revision")[0]
        found = self.server.repositories.get(name)
        self.answer(
            {"id": name, "private": found["private"]} if found else {}, 200 if found else 404
        )

    def do_PUT(self):
        body = self.take()
        self.server.objects[self.path.rpartition("/")[2]] = body
        self.answer({})

    def do_POST(self):
        body, hub = self.take(), self.server
        if hub.refuse:
            return self.answer({"error": hub.refuse[1]}, hub.refuse[0])
        if self.headers.get("Authorization") != f"Bearer {TOKEN}" and "batch" not in self.path:
            return self.answer({"error": "Invalid user token."}, 401)
        if self.path == "/api/repos/create":
            given = json.loads(body)
            name = f"{given.get('organization') or 'me'}/{given['name']}"
            if name in hub.repositories:
                return self.answer({"error": "exists", "url": f"{hub.url}/datasets/{name}"}, 409)
            private = given.get("private", given.get("visibility") == "private")
            hub.repositories[name] = {"private": private, "files": {}}
            return self.answer({"url": f"{hub.url}/datasets/{name}"})
        if self.path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if self.path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            return self.answer({"files": [self.mode(file) for file in files]})
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            upload = {o["oid"]: {"upload": {"href": f"{hub.url}/put/{o['oid']}"}} for o in objects}
            found = [o | {"actions": upload[o["oid"]]} for o in objects]
            return self.answer({"transfer": "basic", "objects": found})
        if self.path.endswith("/commit/main"):
            return self.commit([json.loads(line) for line in body.splitlines()])
        return self.answer({"error": f"unknown: {self.path}"}, 404)

    def mode(self, file):
        mode = "lfs" if file["size"] >= LARGE else "regular"
        return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}

    def commit(self, lines):
        name = self.path.removeprefix("/api/datasets/").removesuffix("/commit/main")
        files = self.server.repositories[name]["files"]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            if line["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
        address = f"{self.server.url}/datasets/{name}/commit/0"
        self.answer({"success": True, "commitOid": "0", "commitUrl": address})


@pytest.fixture
def hub(monkeypatch):
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # LFS it is
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path):
    """A set as `build` leaves it; its file is too large for the commit itself."""
    rows = [{"id": str(i), "chosen": f"{i} " * 50, "rejected": "no"} for i in range(200)]
    write_rows(tmp_path / "pairs.jsonl", rows)
    write_rows(tmp_path / "pairs.dropped.jsonl", [{"id": "x", "dropped": "too easy"}])
    files = {f: file_hash(tmp_path / f) for f in ("pairs.jsonl", "pairs.dropped.jsonl")}
    manifest = {"name": "pairs", "w2s_data": "0.2.0", "method": "reasoning", "stage": "dpo"}
    manifest |= {"settings": {}, "format": "alpaca", "seed": 42, "trains": "dpo", "task": "math"}
    manifest |= {"split": "train_2", "source": "bundled", "models": {}, "gold_seen": False}
    counts = {"questions": 201, "kept": 200, "dropped": {"too easy": 1}, "rows": 200}
    manifest |= {"counts": counts, "files": files}
    card.write(tmp_path, manifest)
    write_json(tmp_path / "pairs.manifest.json", manifest)
    return tmp_path


PLACES = {
    "README.md": "pairs.README.md",
    "pairs.jsonl": "pairs.jsonl",
    "pairs.manifest.json": "pairs.manifest.json",
}


@pytest.mark.parametrize("dropped", [False, True])
def test_the_hub_holds_the_files_as_they_are_here(hub, folder, dropped):
    done = push("pairs", "me/pairs", folder=folder, dropped=dropped)
    there = hub.repositories["me/pairs"]
    places = PLACES | ({"pairs.dropped.jsonl": "pairs.dropped.jsonl"} if dropped else {})
    assert there["files"] == {name: (folder / here).read_bytes() for name, here in places.items()}
    assert there["private"] is True
    assert done.commit == f"{hub.url}/datasets/me/pairs/commit/0"
    assert hashlib.sha256(there["files"]["pairs.jsonl"]).hexdigest() in hub.objects


def test_pushed_again_to_the_same_repository(hub, folder):
    push("pairs", "me/pairs", folder=folder)
    push("pairs", "me/pairs", folder=folder)
    assert set(hub.repositories["me/pairs"]["files"]) == set(PLACES)


def test_public_only_when_asked_for(hub, folder):
    push("pairs", "me/pairs", folder=folder, public=True)
    assert hub.repositories["me/pairs"]["private"] is False
    before = dict(hub.repositories["me/pairs"]["files"])
    (folder / "pairs.README.md").write_text("---\n---\nmine")
    with pytest.raises(W2SError, match="me/pairs is public: add --public"):
        push("pairs", "me/pairs", folder=folder)
    assert hub.repositories["me/pairs"]["files"] == before


@pytest.mark.parametrize("file", ["pairs.jsonl", "pairs.dropped.jsonl"])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_set_that_was_changed_is_refused(hub, folder, file, how):
    place = folder / file
    place.unlink() if how == "gone" else place.write_bytes(place.read_bytes() + b"\n")
    with pytest.raises(W2SError, match=rf"{file}: not the file that pairs.manifest.json describes"):
        push("pairs", "me/pairs", folder=folder, dropped=True)
    assert hub.requests == []


def test_a_set_from_elsewhere_is_refused(hub, folder):
    (folder / "pairs.manifest.json").unlink()
    with pytest.raises(W2SError, match="only a set that was built here"):
        push("pairs", "me/pairs", folder=folder)


def test_a_manifest_cannot_name_files_outside(hub, folder):
    manifest = json.loads((folder / "pairs.manifest.json").read_text())
    secret = folder / "secret.txt"
    secret.write_text("secret")
    manifest["files"] = {f"../{folder.name}/secret.txt": file_hash(secret)}
    write_json(folder / "pairs.manifest.json", manifest)
    with pytest.raises(W2SError, match="names no files of the set"):
        push("pairs", "me/pairs", folder=folder)
    assert hub.requests == []


def test_a_dry_run_asks_nothing(hub, folder, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    before = sorted(folder.iterdir())
    done = push("pairs", "me/pairs", folder=folder, dry_run=True)
    assert set(done.files) == set(PLACES)
    assert done.commit is None
    assert hub.requests == []
    assert sorted(folder.iterdir()) == before


def test_the_token_goes_to_the_hub_alone(hub, folder, tmp_path, monkeypatch, caplog):
    """It comes from the environment, never from a file, and is neither shown nor written."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("HF_HOME", str(home))
    caplog.set_level(logging.DEBUG)
    arguments = ["push", "pairs", "me/pairs", "--folder", str(folder)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert any(TOKEN in str(headers) for _, _, headers, _ in hub.requests)
    assert not any(TOKEN in path or TOKEN.encode() in body for _, path, _, body in hub.requests)
    hub.refuse = (400, f"what is {TOKEN}?")
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    assert "what is ***?" in refused.output
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    shown = [result.output, refused.output, caplog.text]
    assert not any(TOKEN in text for text in shown)
    assert not any(TOKEN.encode() in data for data in written)


def test_no_token(hub, folder, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(W2SError, match="set HF_TOKEN"):
        push("pairs", "me/pairs", folder=folder)
    assert hub.requests == []


REFUSALS = {
    "forbidden": ((403, "You don't have the rights"), "You don't have the rights"),
    "failing": ((500, "the hub is on fire"), "the hub is on fire"),
}


@pytest.mark.parametrize(("refusal", "words"), REFUSALS.values(), ids=REFUSALS)
def test_the_hubs_words_are_shown(hub, folder, refusal, words):
    hub.refuse = refusal
    with pytest.raises(W2SError, match=words):
        push("pairs", "me/pairs", folder=folder)


def test_a_wrong_token_or_name_or_no_hub(hub, folder, monkeypatch):
    with pytest.raises(W2SError, match="cannot name a repository"):
        push("pairs", "me/pa irs/x", folder=folder)
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(W2SError, match="Invalid user token"):
        push("pairs", "me/pairs", folder=folder)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(W2SError, match=r"127\.0\.0\.1:9 did not take pairs"):
        push("pairs", "me/pairs", folder=folder)
