"""A headless Chromium, driven over the pipe of its DevTools protocol: no further package."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
PATIENCE = 120  # seconds; a busy machine is slow


def find() -> str | None:
    """The path of a Chromium: $CHROMIUM, or one on the PATH."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


needs_chromium = pytest.mark.skipif(
    find() is None, reason="no Chromium here: install one (apt-get install chromium)"
)


class Browser:
    """One tab of a fresh profile."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs, self._out = os.pipe()
        self._in, answers = os.pipe()
        to_chrome, from_chrome = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs, answers))
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        flags += ["--remote-debugging-pipe", "--no-first-run", "--hide-scrollbars"]
        flags += ["--disable-background-networking", f"--user-data-dir={self._profile.name}"]
        command = [find() or "chromium", *flags, "--window-size=1240,900", "about:blank"]
        # The protocol reads from descriptor 3 and writes to 4.
        shell = ["bash", "-c", f'exec 3<&{to_chrome} 4>&{from_chrome}; exec "$@"', "bash", *command]
        self._process = subprocess.Popen(
            shell,
            pass_fds=(to_chrome, from_chrome),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for fd in (theirs, answers, to_chrome, from_chrome):
            os.close(fd)
        self._buffer, self._last, self._session = b"", 0, None
        self.events: list[dict[str, Any]] = []
        page = next(t for t in self.send("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self.send("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def _read(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, end - time.monotonic()))
            got = os.read(self._in, 1 << 20) if ready else b""
            if not got:
                raise RuntimeError("Chromium ended" if ready else "Chromium does not answer")
            self._buffer += got
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        done = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in done:
            raise RuntimeError(f"{script}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def wait(self, script: str) -> Any:
        """Wait until the expression is true; its value."""
        end = time.monotonic() + PATIENCE
        while not (value := self.run(script)):
            if time.monotonic() > end:
                raise RuntimeError(f"never true: {script}")
            time.sleep(0.02)
        return value

    def open(self, path: Path, before: str = "") -> None:
        """Open a page and wait until its rows are shown; `before` runs ahead of its programs."""
        if before:
            self.send("Page.addScriptToEvaluateOnNewDocument", source=before)
        self.events.clear()
        self.send("Page.navigate", url=path.absolute().as_uri())
        self.wait("document.body?.dataset.ready === 'yes'")

    def screenshot(self, path: Path, height: int = 900) -> None:
        """The top of the page as PNG."""
        clip = {"x": 0, "y": 0, "width": 1240, "height": height, "scale": 1}
        done = self.send("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(done["data"]))

    def seen(self, method: str) -> list[dict[str, Any]]:
        """The parameters of the events of a kind since the page was opened."""
        return [event["params"] for event in self.events if event.get("method") == method]

    def close(self) -> None:
        os.close(self._out)
        os.close(self._in)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._profile.cleanup()
